//! Slash commands: what there is, what a line means, what it could have meant.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

/// A command for people to read.
pub struct Entry {
    pub name: &'static str,
    pub arguments: &'static str,
    pub what: &'static str,
}

pub const COMMANDS: &[Entry] = &[
    Entry { name: "/help", arguments: "", what: "this list, and the keys" },
    Entry { name: "/status", arguments: "", what: "every part of the system: its state, starts, memory" },
    Entry { name: "/caps", arguments: "", what: "what each part may touch" },
    Entry { name: "/model", arguments: "", what: "the model and its settings" },
    Entry { name: "/model set", arguments: "NAME VALUE", what: "change a setting; VALUE default: as it was" },
    Entry { name: "/new", arguments: "", what: "begin a new conversation" },
    Entry { name: "/why", arguments: "", what: "why the last prompt went where it went" },
    Entry { name: "/log", arguments: "", what: "the latest log lines" },
    Entry { name: "/quit", arguments: "", what: "switch the machine off" },
];

/// Settings of the model that completion offers. Which ones there are, the inference server decides.
pub const SETTINGS: &[&str] =
    &["temperature", "top_k", "top_p", "min_p", "repeat_penalty", "repeat_last", "max_tokens", "seed"];

const KEYS: &[(&str, &str)] = &[
    ("Ctrl-C", "stop the answer; clear the line"),
    ("Up Down", "lines entered before; Ctrl-R searches them"),
    ("Tab", "complete a command"),
    ("Alt-Enter", "a new line within the prompt"),
    ("Ctrl-A Ctrl-E", "to the start and the end of the line"),
    ("Ctrl-Left Ctrl-Right", "word by word"),
    ("Ctrl-W Ctrl-U Ctrl-K", "cut the word, to the start, to the end; Ctrl-Y puts it back"),
    ("Ctrl-L", "draw the screen anew"),
];

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    Prompt(&'a str),
    Help,
    Status,
    Caps,
    Model,
    ModelSet {
        name: &'a str,
        value: &'a str,
    },
    New,
    Why,
    Log,
    Quit,
    /// A sentence for the person.
    Wrong(String),
}

/// A line that begins with a slash is a command. One space before it, or a second line, makes it a prompt.
pub fn parse(line: &str) -> Parsed<'_> {
    let text = line.trim_end();
    if !text.starts_with('/') || text.contains('\n') {
        return Parsed::Prompt(line.trim());
    }
    let words: Vec<&str> = text.split_whitespace().collect();
    let plain = match words[0] {
        "/help" => Parsed::Help,
        "/status" => Parsed::Status,
        "/caps" => Parsed::Caps,
        "/new" => Parsed::New,
        "/why" => Parsed::Why,
        "/log" => Parsed::Log,
        "/quit" => Parsed::Quit,
        "/model" => return model(&words[1..]),
        unknown => return Parsed::Wrong(suggest(unknown)),
    };
    if words.len() > 1 {
        return Parsed::Wrong(format!("{} takes nothing behind it.", words[0]));
    }
    plain
}

fn model<'a>(arguments: &[&'a str]) -> Parsed<'a> {
    /// As long as the protocol takes it.
    const LONGEST: usize = 32;
    match arguments {
        [] => Parsed::Model,
        ["set", name, value] if name.len() <= LONGEST && value.len() <= LONGEST => Parsed::ModelSet { name, value },
        ["set", _, _] => Parsed::Wrong(format!("A setting and its value have at most {LONGEST} characters each.")),
        ["set", ..] => Parsed::Wrong("/model set takes a name and a value: /model set temperature 0.2".into()),
        _ => Parsed::Wrong("/model shows the model; /model set NAME VALUE changes a setting.".into()),
    }
}

fn suggest(unknown: &str) -> String {
    let shown: String = unknown.chars().take(32).collect();
    let dots = if shown.len() < unknown.len() { "..." } else { "" };
    let typed = shown.to_lowercase();
    let nearest = COMMANDS
        .iter()
        .filter(|entry| !entry.name.contains(' '))
        .map(|entry| (distance(&typed, entry.name), entry.name))
        .filter(|(distance, name)| *distance <= 2 && *distance < name.len() - 1 || begins(&typed, name))
        .min();
    match nearest {
        Some((_, name)) => format!("There is no command {shown}{dots}. Did you mean {name}?"),
        None => format!(
            "There is no command {shown}{dots}. /help lists them; put a space before the slash to send it as a prompt."
        ),
    }
}

fn begins(typed: &str, name: &str) -> bool {
    typed.len() > 1 && name.starts_with(typed)
}

/// Insertions, deletions, replacements and exchanges of neighbours between two short words.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            row[j] = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = core::mem::replace(&mut last, row);
    }
    last[b.len()]
}

/// What Tab does with the text up to the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    Nothing,
    /// Replace everything from this byte on.
    Insert {
        from: usize,
        text: String,
    },
    /// These go on from here.
    Choices(Vec<&'static str>),
}

pub fn complete(before: &str) -> Completion {
    if !before.starts_with('/') {
        return Completion::Nothing;
    }
    if let Some(name) = before.strip_prefix("/model set ") {
        return choose(before.len() - name.len(), name, SETTINGS.iter().copied());
    }
    choose(0, before, COMMANDS.iter().map(|entry| entry.name))
}

fn choose(from: usize, typed: &str, names: impl Iterator<Item = &'static str>) -> Completion {
    let all: Vec<&str> = names.filter(|name| name.starts_with(typed)).collect();
    let Some(&first) = all.first() else { return Completion::Nothing };
    if all.len() == 1 {
        return Completion::Insert { from, text: format!("{first} ") };
    }
    // All names are ASCII.
    let common = (0..first.len()).take_while(|i| all.iter().all(|name| name.get(..=*i) == first.get(..=*i))).count();
    if common > typed.len() {
        return Completion::Insert { from, text: first[..common].into() };
    }
    Completion::Choices(all)
}

/// The answer to `/help`.
pub fn help() -> String {
    let mut text = String::new();
    for entry in COMMANDS {
        let usage = format!("{} {}", entry.name, entry.arguments);
        text.push_str(&format!("{usage:<22} {}\n", entry.what));
    }
    for (keys, what) in KEYS {
        text.push_str(&format!("{keys:<22} {what}\n"));
    }
    text.push_str("Everything else is a prompt for the model.");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wrong(line: &str) -> String {
        match parse(line) {
            Parsed::Wrong(sentence) => sentence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_command_is_understood() {
        assert_eq!(parse("/help"), Parsed::Help);
        assert_eq!(parse("/status  "), Parsed::Status);
        assert_eq!(parse("/caps"), Parsed::Caps);
        assert_eq!(parse("/model"), Parsed::Model);
        assert_eq!(parse("/model set temperature 0.2"), Parsed::ModelSet { name: "temperature", value: "0.2" });
        assert_eq!(parse("/new"), Parsed::New);
        assert_eq!(parse("/why"), Parsed::Why);
        assert_eq!(parse("/log"), Parsed::Log);
        assert_eq!(parse("/quit"), Parsed::Quit);
    }

    #[test]
    fn a_prompt_is_all_that_is_no_command() {
        assert_eq!(parse("  hello "), Parsed::Prompt("hello"));
        assert_eq!(parse(" /etc/passwd is what?"), Parsed::Prompt("/etc/passwd is what?"));
        assert_eq!(parse("/* a\nprogram */"), Parsed::Prompt("/* a\nprogram */"));
        assert_eq!(parse(""), Parsed::Prompt(""));
    }

    #[test]
    fn an_unknown_command_suggests_the_nearest() {
        for (typed, meant) in [
            ("/hlep", "/help"),
            ("/HELP", "/help"),
            ("/stat", "/status"),
            ("/qiut", "/quit"),
            ("/modle", "/model"),
            ("/logs", "/log"),
            ("/cap", "/caps"),
            ("/s", "/status"),
        ] {
            assert_eq!(wrong(typed), format!("There is no command {typed}. Did you mean {meant}?"));
        }
        assert!(wrong("/").contains("/help lists them"));
        assert!(wrong("/etc/passwd what").contains("/help lists them"));
    }

    #[test]
    fn wrong_arguments_are_explained() {
        assert_eq!(wrong("/quit now"), "/quit takes nothing behind it.");
        assert_eq!(wrong("/model set"), "/model set takes a name and a value: /model set temperature 0.2");
        assert_eq!(wrong("/model set a b c"), wrong("/model set"));
        assert_eq!(wrong("/model get x"), "/model shows the model; /model set NAME VALUE changes a setting.");
        assert!(wrong(&format!("/model set {} 1", "x".repeat(33))).contains("32"));
    }

    #[test]
    fn completion() {
        let insert = |from, text: &str| Completion::Insert { from, text: text.into() };
        assert_eq!(complete("/h"), insert(0, "/help "));
        assert_eq!(complete("/mo"), insert(0, "/model"));
        assert_eq!(complete("/model"), Completion::Choices(vec!["/model", "/model set"]));
        assert_eq!(complete("/model s"), insert(0, "/model set "));
        assert_eq!(complete("/model set te"), insert(11, "temperature "));
        assert_eq!(complete("/model set re"), insert(11, "repeat_"));
        assert_eq!(complete("/model set t"), Completion::Choices(vec!["temperature", "top_k", "top_p"]));
        assert_eq!(complete("/x"), Completion::Nothing);
        assert_eq!(complete("hel"), Completion::Nothing);
        assert_eq!(complete("/héé"), Completion::Nothing);
    }

    #[test]
    fn help_names_every_command() {
        let text = help();
        assert!(COMMANDS.iter().all(|entry| text.contains(entry.name)));
        assert!(text.lines().all(|line| line.len() <= 77), "{text}");
    }

    proptest! {
        #[test]
        fn any_line_has_a_meaning(line in "(/)?[a-zé/ \n]{0,40}") {
            parse(&line);
            complete(&line);
        }

        #[test]
        fn distance_is_one(a in "[a-e]{0,6}", b in "[a-e]{0,6}") {
            prop_assert_eq!(distance(&a, &b), distance(&b, &a));
            prop_assert_eq!(distance(&a, &b) == 0, a == b);
        }
    }
}
