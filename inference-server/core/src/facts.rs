//! `/model`: what is known of the loaded model, all of it measured or read from the file.

use crate::settings::ENTRIES;
use crate::{words, Engine, Inference};
use alloc::format;
use alloc::string::String;
use core::fmt::Write;
use llama_proto::{Loaded, Template};

/// A text out of a model file as far as people can read it: no control characters, no line ends, not too long.
pub fn clean(text: &str, chars: usize) -> String {
    let printable = text.chars().map(|c| if c.is_control() || c.is_whitespace() { ' ' } else { c });
    let mut clean = String::new();
    for character in printable {
        if clean.chars().count() >= chars {
            clean.push('…');
            break;
        }
        if character != ' ' || !clean.ends_with(' ') {
            clean.push(character);
        }
    }
    clean.trim().into()
}

pub fn clean_entry(key: &str, value: &str) -> (String, String) {
    (clean(key, 48), clean(value, 80))
}

pub fn describe(inference: &Inference) -> String {
    let mut text = String::new();
    let bytes = inference.candidate().map_or(0, |candidate| candidate.bytes);
    match &inference.engine {
        Engine::Down | Engine::Loading { .. } => {
            let name = inference.candidate().map_or("", |candidate| candidate.name.as_str());
            text = format!("{name} ({}) is being loaded.", words::bytes(bytes));
        }
        Engine::NoModel if inference.given_up.is_empty() => text.push_str(words::NO_FILE),
        Engine::NoModel => text.push_str("No model is loaded, because none of those that are there can be."),
        Engine::Ready { model, ready_us, took_us } => model_facts(&mut text, model, bytes, *took_us, *ready_us),
    }
    for (candidate, reason) in inference.candidates.iter().zip(&inference.given_up) {
        _ = write!(text, "\nnot used       {}: {reason}", candidate.name);
    }
    text.push_str("\nsettings       (/model set NAME VALUE; the value `default` sets one back)");
    for entry in &ENTRIES {
        let value = inference.settings.value(entry.name);
        _ = write!(text, "\n  {:<14} {value:<8} {}", entry.name, entry.what);
    }
    let totals = inference.totals;
    _ = write!(
        text,
        "\nso far         {} of {} tokens; {} prompt tokens, {} of them not computed again (prompt cache)",
        words::number(totals.answers, "answer"), totals.answer_tokens, totals.prompt_tokens, totals.reused_tokens,
    );
    if totals.engine_deaths > 0 {
        _ = write!(text, "\n               the engine died {} and was started again", words::number(totals.engine_deaths, "time"));
    }
    if matches!(inference.engine, Engine::Ready { .. }) {
        for (index, (key, value)) in inference.metadata.iter().enumerate() {
            let label = if index == 0 { "file says" } else { "" };
            _ = write!(text, "\n{label:<14} {key} = {value}");
        }
    }
    text
}

fn model_facts(text: &mut String, model: &Loaded, file_bytes: u64, took_us: u64, ready_us: u64) {
    let Loaded { name, architecture, file_type, n_ctx, n_ctx_train, n_vocab, n_embd, threads, .. } = model;
    _ = write!(
        text,
        "{name}: {architecture}, {} parameters, {file_type}, file {}",
        words::count(model.parameters),
        words::bytes(file_bytes),
    );
    _ = write!(text, "\ncontext        {n_ctx} tokens (trained with {n_ctx_train})");
    _ = write!(text, "\nvocabulary     {n_vocab} tokens, vectors of {n_embd}");
    let template = match (model.template, model.template_name.as_str()) {
        (Template::Model, "") => "the file's own".into(),
        (Template::Model, name) => format!("the file's own ({name})"),
        (Template::Given, name) => format!("given ({name})"),
        (Template::Missing, name) => format!("{name} (the file has none)"),
        (Template::Unknown, name) => format!("{name} (the engine does not know the file's own)"),
    };
    _ = write!(text, "\nchat template  {template}");
    let weights = if model.repacked { "weights copied into the CPU's order" } else { "weights used in place" };
    _ = write!(
        text,
        "\nmemory         {} of {} used, {} at most: keys and values {}, work space {}; {weights}",
        words::bytes(model.arena_used),
        words::bytes(model.arena_bytes),
        words::bytes(model.arena_peak),
        words::bytes(model.kv_bytes),
        words::bytes(model.compute_bytes),
    );
    _ = write!(
        text,
        "\nloaded         in {} on {}, ready {} after the machine's start",
        words::seconds(took_us),
        words::number(u64::from(*threads), "thread"),
        words::seconds(ready_us),
    );
}
