//! What the assistant says by itself, all in one place.

use alloc::format;
use alloc::string::String;
use ipc::inference::{Failure, Figures};

pub const ASKED_AGAIN: &str = "The inference server stopped before the first word; your prompt is asked again.";
pub const RESTARTED: &str = "The assistant was started anew: the conversation so far is lost, a new one begins.";
pub const ITEM_LOST: &str = "Something you sent was lost on its way here. Please send it again.";
pub const EVENT_MALFORMED: &str = "The inference server sent something unreadable, which was left out.";
pub const COMMANDS_FULL: &str = "Too many commands wait for the inference server; this one was dropped.";
pub const NEW_QUEUED: &str = "queued: a new conversation begins after what was asked before";
pub const EMPTY_ANSWER: &str = "(The model gave an empty answer.)";
pub const AWAY: &str = "waiting for the inference server to start";
pub const LOADING: &str = "the model is still being loaded; the answer follows";
pub const CUT: &str = "The answer was cut: the model's context is full.";

pub fn queued(before: usize) -> String {
    format!("queued, {before} before it")
}

pub fn queue_full(limit: usize) -> String {
    format!("{limit} prompts wait already; this one was dropped. Ctrl-C stops the answer that runs.")
}

pub fn new_conversation(turns: usize) -> String {
    match turns {
        0 => "A new conversation begins.".into(),
        1 => "A new conversation begins; the one before, of 1 turn, is forgotten.".into(),
        _ => format!("A new conversation begins; the one before, of {turns} turns, is forgotten."),
    }
}

/// After an answer: the engine, how much, how fast, how soon. Nothing that was not measured.
pub fn figures(stopped: bool, model: Option<&str>, figures: Option<Figures>, first_word_us: Option<u64>) -> String {
    let mut line = String::new();
    let mut add = |part: &str| {
        if !line.is_empty() {
            line.push_str(" · ");
        }
        line.push_str(part);
    };
    if stopped {
        add("stopped");
    }
    if let Some(model) = model {
        add(model);
    }
    if let Some(figures) = figures {
        match figures.answer_tokens {
            1 => add("1 token"),
            tokens => add(&format!("{tokens} tokens")),
        }
        if let Some(speed) = figures.tokens_per_second_x10() {
            add(&format!("{} tok/s", tenths(speed)));
        }
    }
    if let Some(first_word_us) = first_word_us {
        add(&format!("first word {}", seconds(first_word_us)));
    }
    line
}

pub fn cut_at(limit: u32) -> String {
    format!("The answer was cut at {limit} tokens; /model set max_tokens changes that.")
}

pub fn context_full(context_tokens: u32) -> String {
    format!("The answer was cut: the model's context of {context_tokens} tokens is full.")
}

pub fn kept_in_part(bytes: usize) -> String {
    format!("Only the first {} KiB of this answer stay in the conversation.", bytes / 1024)
}

pub fn reading_prompt(done: u32, total: u32) -> String {
    format!("reading the conversation: {done} of {total} tokens")
}

pub fn forgotten(turns: usize, left: usize, context_tokens: Option<u32>) -> String {
    let context = match context_tokens {
        Some(tokens) => format!("the model's context of {tokens} tokens"),
        None => "what one request can carry".into(),
    };
    let forgotten = match (turns, left) {
        (1, 0) => "its only turn so far is".into(),
        (1, _) => "its oldest turn is".into(),
        (_, 0) => format!("all of its {turns} turns so far are"),
        (_, _) => format!("its oldest {turns} turns are"),
    };
    format!("The conversation has outgrown {context}: {forgotten} forgotten.")
}

pub fn prompt_too_long(tokens: u32, room: u32) -> String {
    format!("This prompt takes {tokens} tokens, and the model's context has room for {room}. Please shorten it.")
}

pub fn inference_died(in_part: bool) -> String {
    lost("The inference server stopped working", in_part)
}

pub fn failure(failure: Failure, in_part: bool) -> String {
    match failure {
        Failure::NoModel => "No model is loaded, so nothing can answer. /model says why.".into(),
        Failure::EngineDied => lost("The engine that runs the model stopped working", in_part),
        Failure::Engine => lost("The engine could not compute this", in_part),
        Failure::Unsupported => "The loaded model does not answer: it only makes vectors of texts.".into(),
        Failure::Busy { limit } => format!("The inference server is busy: {limit} requests wait already. Please ask again."),
        Failure::TooLarge { limit } => {
            format!("The conversation is larger than the {} KiB that a request can carry.", limit / 1024)
        }
        Failure::Malformed => lost("The inference server did not understand the request", in_part),
    }
}

fn lost(what: &str, in_part: bool) -> String {
    let lost = if in_part { "the rest of this answer is lost" } else { "this answer is lost" };
    format!("{what}: {lost}, the conversation is kept. Please ask again.")
}

/// A number of tenths: one decimal below ten, none above.
fn tenths(x10: u64) -> String {
    match x10 {
        0..=99 => format!("{}.{}", x10 / 10, x10 % 10),
        _ => format!("{}", (x10 + 5) / 10),
    }
}

fn seconds(us: u64) -> String {
    match us {
        0..=99_999 => format!("{}.{:02} s", us / 1_000_000, us / 10_000 % 100),
        _ => format!("{} s", tenths((us + 50_000) / 100_000)),
    }
}
