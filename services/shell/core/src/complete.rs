//! Completion of commands and of the names that `/model set` takes.

use crate::commands::{COMMANDS, SETTINGS};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    Nothing,
    /// Put this in place of the bytes before the cursor.
    One {
        range: Range<usize>,
        with: String,
    },
    /// Several begin so; `with` is what they have in common.
    Several {
        range: Range<usize>,
        with: String,
        all: Vec<&'static str>,
    },
}

/// `left` is the line up to the cursor.
pub fn complete(left: &str) -> Completion {
    if left.contains('\n') || !left.starts_with('/') {
        return Completion::Nothing;
    }
    let start = left.rfind(' ').map_or(0, |space| space + 1);
    let before: Vec<&str> = left[..start].split(' ').filter(|word| !word.is_empty()).collect();
    let part = &left[start..];
    let names: Vec<&'static str> = match before.as_slice() {
        [] => COMMANDS.iter().map(|entry| entry.name).collect(),
        ["/model"] => ["set"].into(),
        ["/model", "set"] => SETTINGS.into(),
        _ => return Completion::Nothing,
    };
    let all: Vec<&'static str> = names.into_iter().filter(|name| name.starts_with(part)).collect();
    let range = start..left.len();
    match all.as_slice() {
        [] => Completion::Nothing,
        [name] => Completion::One { range, with: [*name, if goes_on(name) { " " } else { "" }].concat() },
        [first, rest @ ..] => {
            let with = rest.iter().fold(*first, |common, name| shared(common, name)).into();
            Completion::Several { range, with, all }
        }
    }
}

/// Whether something can stand behind it.
fn goes_on(name: &str) -> bool {
    matches!(name, "/model" | "/fetch" | "/ping") || !name.starts_with('/')
}

/// What both begin with. Names are ASCII.
fn shared<'a>(one: &'a str, other: &str) -> &'a str {
    let same = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    &one[..same]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(left: &str) -> String {
        match complete(left) {
            Completion::One { range, with } => [&left[..range.start], &with].concat(),
            other => panic!("{left}: {other:?}"),
        }
    }

    #[test]
    fn one_match_completes() {
        assert_eq!(one("/st"), "/status");
        assert_eq!(one("/model"), "/model ");
        assert_eq!(one("/f"), "/fetch ");
        assert_eq!(one("/net"), "/net");
        assert_eq!(one("/model s"), "/model set ");
        assert_eq!(one("/model set te"), "/model set temperature ");
        assert_eq!(one("/model  set  se"), "/model  set  seed ");
    }

    #[test]
    fn several_are_listed_and_what_they_share_is_filled_in() {
        let Completion::Several { range, with, all } = complete("/model set rep") else { panic!() };
        assert_eq!((range, with.as_str()), (11..14, "repeat_"));
        assert_eq!(all, ["repeat_penalty", "repeat_last"]);
        let Completion::Several { all, .. } = complete("/") else { panic!() };
        assert_eq!(all.len(), COMMANDS.len());
    }

    #[test]
    fn what_is_no_command_is_left_alone() {
        for left in ["", "hello", "/xyz", "/help ", "/model set seed 1", "/st\n/st", "é/", " /st"] {
            assert_eq!(complete(left), Completion::Nothing, "{left}");
        }
    }
}
