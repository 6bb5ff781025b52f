//! Lines that begin with `/`: which command it is, or the sentence that says what is wrong.

use crate::outbound::{fetch, ping, Outbound};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use ipc::prompts::Command;

/// A line that was entered.
#[derive(Clone, Debug, PartialEq)]
pub enum Typed {
    /// For a model.
    Prompt,
    Help,
    Status,
    Caps,
    Why,
    Log,
    Mode,
    Quit,
    Private(Command),
    Outbound(Outbound),
    /// A command that cannot be run, and why.
    Wrong(String),
}

pub struct Entry {
    pub name: &'static str,
    pub what: &'static str,
    /// Words that people try elsewhere for the same.
    also: &'static [&'static str],
}

pub const COMMANDS: [Entry; 12] = [
    Entry { name: "/help", what: "this list", also: &["/h", "/?", "/man", "/commands"] },
    Entry { name: "/status", what: "every part: state, starts, memory", also: &["/ps", "/top", "/free"] },
    Entry { name: "/caps", what: "what each part holds, and so what it may touch", also: &["/capabilities"] },
    Entry { name: "/model", what: "the loaded model and its settings", also: &["/set", "/settings"] },
    Entry { name: "/new", what: "begin a new conversation", also: &["/clear", "/reset", "/forget"] },
    Entry { name: "/why", what: "why the last prompt went where it went", also: &["/route"] },
    Entry { name: "/fetch", what: "send bytes over the network; gate asks first", also: &["/get", "/curl", "/wget"] },
    Entry { name: "/ping", what: "ask a host whether it is there; gate asks first", also: &["/ping6"] },
    Entry { name: "/net", what: "addresses and counters of the network", also: &["/network", "/ip", "/ifconfig"] },
    Entry { name: "/log", what: "the latest messages of all parts", also: &["/logs", "/dmesg"] },
    Entry { name: "/mode", what: "how the mode is changed", also: &["/modes", "/offline", "/online"] },
    Entry { name: "/quit", what: "switch the machine off", also: &["/exit", "/bye", "/q", "/poweroff", "/halt"] },
];

/// What `/model set` takes; the private side checks names and values once more.
pub const SETTINGS: [&str; 8] =
    ["temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last", "max_tokens", "seed"];

const MODEL_USAGE: &str = "Usage: /model shows the model, /model set NAME VALUE changes a setting, for example \
                           /model set temperature 0.2.";

/// A command is one line whose first character is `/`; all else is a prompt.
pub fn parse(line: &str) -> Typed {
    let line = line.trim_end();
    if !line.starts_with('/') || line.contains('\n') {
        return Typed::Prompt;
    }
    let mut words = line.split_whitespace();
    let typed = words.next().unwrap_or_default();
    let rest: Vec<&str> = words.collect();
    let name = typed.to_ascii_lowercase();
    let behind = line.get(typed.len()..).unwrap_or_default();
    let outbound = |parsed: Result<Outbound, String>| parsed.map_or_else(Typed::Wrong, Typed::Outbound);
    match name.as_str() {
        "/model" => return model(&rest),
        "/fetch" => return outbound(fetch(behind)),
        "/ping" => return outbound(ping(behind)),
        _ => {}
    }
    let command = match name.as_str() {
        "/help" => Typed::Help,
        "/status" => Typed::Status,
        "/caps" => Typed::Caps,
        "/new" => Typed::Private(Command::New),
        "/why" => Typed::Why,
        "/net" => Typed::Outbound(Outbound::Net),
        "/log" => Typed::Log,
        "/mode" => Typed::Mode,
        "/quit" => Typed::Quit,
        _ => return Typed::Wrong(unknown(typed, &name)),
    };
    match rest.is_empty() {
        true => command,
        false => Typed::Wrong(format!("Usage: {name}, with nothing behind it.")),
    }
}

fn model(rest: &[&str]) -> Typed {
    match rest {
        [] => Typed::Private(Command::Model),
        [set, name, value] if set.eq_ignore_ascii_case("set") => match (fitting(name), fitting(value)) {
            (Some(name), Some(value)) => Typed::Private(Command::ModelSet { name, value }),
            (None, _) => Typed::Wrong(format!("No setting has a name like {}.", short(name))),
            (_, None) => Typed::Wrong(format!("{} is too long for a value.", short(value))),
        },
        _ => Typed::Wrong(MODEL_USAGE.into()),
    }
}

fn fitting(word: &str) -> Option<heapless::String<32>> {
    heapless::String::try_from(word).ok()
}

fn unknown(typed: &str, name: &str) -> String {
    let typed = short(typed);
    match nearest(name) {
        Some(nearest) => format!("{typed} is no command. Did you mean {nearest}?"),
        None => format!("{typed} is no command; /help lists them. With a space before it, the line goes to the model."),
    }
}

/// A word as it can be repeated in a sentence.
pub fn short(word: &str) -> String {
    const MOST: usize = 40;
    match word.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &word[..end]),
        None => word.to_string(),
    }
}

/// The command that was meant, if one is near enough.
fn nearest(name: &str) -> Option<&'static str> {
    // Longer than any name by more than what is forgiven.
    if name.len() > 24 {
        return None;
    }
    if let Some(entry) = COMMANDS.iter().find(|entry| entry.also.contains(&name)) {
        return Some(entry.name);
    }
    let mut beginning = COMMANDS.iter().filter(|entry| name.len() > 1 && entry.name.starts_with(name));
    if let (Some(entry), None) = (beginning.next(), beginning.next()) {
        return Some(entry.name);
    }
    let forgiven = if name.len() > 4 { 2 } else { 1 };
    let (distance, name) = COMMANDS.iter().map(|entry| (distance(entry.name, name), entry.name)).min()?;
    (distance <= forgiven).then_some(name)
}

/// Letters to insert, delete, replace or exchange with their neighbour to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut above: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for i in 0..one.len() {
        let mut next = Vec::with_capacity(row.len());
        next.push(i + 1);
        for j in 0..other.len() {
            let mut best = (row[j] + usize::from(one[i] != other[j])).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && one[i] == other[j - 1] && one[i - 1] == other[j] {
                best = best.min(above[j - 1] + 1);
            }
            next.push(best);
        }
        above = core::mem::replace(&mut row, next);
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> String {
        match parse(line) {
            Typed::Wrong(sentence) => sentence,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_command_of_the_list_is_one() {
        for entry in COMMANDS {
            let line = match entry.name {
                "/fetch" => "/fetch example.org 80 text",
                "/ping" => "/ping example.org",
                name => name,
            };
            assert!(!matches!(parse(line), Typed::Wrong(_) | Typed::Prompt), "{line}");
        }
        assert_eq!(parse("/HELP  "), Typed::Help);
    }

    #[test]
    fn what_is_no_command_is_a_prompt() {
        for line in ["hello", " /etc/passwd: what is it?", "/a\nb", "a /help"] {
            assert_eq!(parse(line), Typed::Prompt, "{line}");
        }
    }

    #[test]
    fn an_unknown_command_suggests_the_nearest() {
        for (typed, meant) in [
            ("/stauts", "/status"),
            ("/hepl", "/help"),
            ("/modell", "/model"),
            ("/moed", "/mode"),
            ("/offline", "/mode"),
            ("/exit", "/quit"),
            ("/sta", "/status"),
            ("/wyh", "/why"),
            ("/Caps2", "/caps"),
            ("/curl", "/fetch"),
            ("/fecth", "/fetch"),
        ] {
            assert_eq!(wrong(typed), format!("{typed} is no command. Did you mean {meant}?"));
        }
        assert!(wrong("/xyzzyxyzzy").contains("/help lists them"));
        assert!(wrong("/").contains("/help lists them"));
        assert!(wrong(&format!("/{}", "x".repeat(10_000))).len() < 200);
    }

    #[test]
    fn wrong_arguments_get_the_usage() {
        assert_eq!(wrong("/help me"), "Usage: /help, with nothing behind it.");
        for line in ["/model set", "/model set temperature", "/model temperature 1", "/model set a b c"] {
            assert_eq!(wrong(line), MODEL_USAGE, "{line}");
        }
        assert!(wrong(&format!("/model set {} 1", "n".repeat(33))).starts_with("No setting"));
        assert!(wrong(&format!("/model set seed {}", "1".repeat(33))).ends_with("too long for a value."));
    }

    #[test]
    fn the_settings_are_those_of_the_private_side() {
        assert_eq!(SETTINGS, inference_core::settings::ENTRIES.map(|entry| entry.name));
    }

    #[test]
    fn what_stands_behind_fetch_is_taken_as_typed() {
        let Typed::Outbound(Outbound::Fetch { payload, .. }) = parse("/FETCH h 80  Two  Words ") else { panic!() };
        assert_eq!(&*payload, b" Two  Words");
        assert_eq!(parse("/net"), Typed::Outbound(Outbound::Net));
        assert!(wrong("/net x").starts_with("Usage: /net"));
        assert!(wrong("/fetch").starts_with("Usage: /fetch"));
    }

    #[test]
    fn settings_go_as_typed() {
        let Typed::Private(Command::ModelSet { name, value }) = parse("/model  SET temperature -0.2") else { panic!() };
        assert_eq!((name.as_str(), value.as_str()), ("temperature", "-0.2"));
    }
}
