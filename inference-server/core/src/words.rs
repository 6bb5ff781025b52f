//! What the inference server says to people, all in one place.

use crate::settings::{Range, SettingError, ENTRIES};
use crate::{facts, Candidate};
use alloc::format;
use alloc::string::String;
use llama_proto::{Error, LoadError, Loaded, Template};

pub const NO_FILE: &str = "No model was given to this machine, so nothing can answer. `./alpha run --model FILE.gguf` gives it one.";
pub const RESTARTED: &str = "The inference server was started anew: its settings are back at their defaults.";
pub const ENGINE_NONSENSE: &str = "The engine sent something unreadable, so what it was working on was stopped.";

pub fn ready(model: &Loaded, file_bytes: u64) -> String {
    format!("Model: {} ({}, {}), ready. /help for help.", model.name, bytes(file_bytes), model.file_type)
}

pub fn ready_again(model: &Loaded) -> String {
    format!("{} is ready again.", model.name)
}

pub fn template_note(model: &Loaded) -> Option<&'static str> {
    if !model.can_generate {
        return Some("This model makes vectors of texts; it cannot answer.");
    }
    match model.template {
        Template::Model | Template::Given => None,
        Template::Missing => Some("The file has no chat template; a common one is used, and answers may be worse for it."),
        Template::Unknown => {
            Some("The engine does not know the file's chat template; a common one is used, and answers may be worse for it.")
        }
    }
}

pub fn loading(name: &str, permille: u16) -> String {
    format!("loading {name}: {} %", permille.min(1000) / 10)
}

pub fn starting_again(last_words: Option<&str>) -> String {
    match last_words {
        Some(why) => format!("the engine stopped working ({why}) and is started again"),
        None => "the engine stopped working and is started again".into(),
    }
}

pub fn engine_version(version: u32) -> String {
    format!("The engine speaks version {version} of its protocol and not {}, so no model can be loaded.", llama_proto::VERSION)
}

pub fn engine_error(error: Error, detail: &str) -> String {
    match facts::clean(detail, 200).as_str() {
        "" => format!("The engine cannot do this: {error}."),
        detail => format!("The engine cannot do this: {error} ({detail})."),
    }
}

pub fn load_failed(reason: LoadError, detail: &str) -> String {
    match facts::clean(detail, 200).as_str() {
        "" => format!("{reason}"),
        detail => format!("{reason} ({detail})"),
    }
}

pub fn engine_died_of_it(times: u32, loading: bool, last_words: Option<&str>) -> String {
    let when = if loading { "while loading it" } else { "while working with it" };
    match last_words {
        Some(why) => format!("the engine stopped working {times} times {when} ({why})"),
        None => format!("the engine stopped working {times} times {when}"),
    }
}

/// One sentence: what is wrong, and what is done instead.
pub fn given_up(name: &str, reason: &str, next: Option<&Candidate>) -> String {
    match next {
        Some(next) => format!("{name} cannot be used: {reason}. {} is loaded instead.", next.name),
        None => format!("{name} cannot be used: {reason}. There is no other model, so nothing can answer."),
    }
}

pub fn silence(seconds: u64, working: bool) -> String {
    match working {
        true => format!("The engine has said nothing for {seconds} s while it works on an answer. Ctrl-C stops the answer."),
        false => format!("The engine has said nothing for {seconds} s while a model is being loaded."),
    }
}

pub fn setting_error(error: &SettingError) -> String {
    match error {
        SettingError::Unknown { name, nearest } => {
            let name = facts::clean(name, 32);
            let mut text = format!("There is no setting {name}.");
            if let Some(nearest) = nearest {
                text += &format!(" Did you mean {nearest}?");
            }
            text += " There are:";
            for (index, entry) in ENTRIES.iter().enumerate() {
                text += if index == 0 { " " } else { ", " };
                text += entry.name;
            }
            text + "."
        }
        SettingError::NotA { name, range, value } => {
            format!("{name} takes {}, and `{}` is none.", takes(*range), facts::clean(value, 32))
        }
        SettingError::OutOfRange { name, range, value } => {
            format!("{name} takes {}; {} is outside.", takes(*range), facts::clean(value, 32))
        }
    }
}

fn takes(range: Range) -> String {
    match range {
        Range::Real { from, to } => format!("a number from {from} to {to}"),
        Range::Whole { from, to } => format!("a whole number from {from} to {to}"),
        Range::Seed => format!("`random` or a whole number from 0 to {}", u32::MAX),
    }
}

/// As disks are sold and files are listed: powers of ten.
pub fn bytes(bytes: u64) -> String {
    scaled(bytes, &["B", "kB", "MB", "GB", "TB"])
}

pub fn count(number: u64) -> String {
    scaled(number, &["", "thousand", "million", "billion", "trillion"])
}

fn scaled(number: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let mut divisor = 1u64;
    // Not 1000 of a unit, after rounding either.
    while unit + 1 < units.len() && (u128::from(number) + u128::from(divisor) / 2) / u128::from(divisor) >= 1000 {
        divisor *= 1000;
        unit += 1;
    }
    let text = match unit {
        _ if number < 1000 => format!("{number} {}", units[0]),
        _ => {
            let tenths = (u128::from(number) * 10 + u128::from(divisor) / 2) / u128::from(divisor);
            match tenths {
                0..=999 => format!("{}.{} {}", tenths / 10, tenths % 10, units[unit]),
                _ => format!("{} {}", (u128::from(number) + u128::from(divisor) / 2) / u128::from(divisor), units[unit]),
            }
        }
    };
    text.trim_end().into()
}

pub fn seconds(us: u64) -> String {
    let hundredths = (us + 5_000) / 10_000;
    match hundredths {
        0..=99 => format!("{}.{:02} s", hundredths / 100, hundredths % 100),
        _ => format!("{}.{} s", (hundredths + 5) / 100, (hundredths + 5) / 10 % 10),
    }
}

pub fn number(count: u64, thing: &str) -> String {
    match count {
        1 => format!("1 {thing}"),
        _ => format!("{count} {thing}s"),
    }
}

/// Cuts lines into texts of at most `limit` bytes, between lines where that is possible.
pub fn pages(text: &str, limit: usize) -> impl Iterator<Item = &str> {
    let mut rest = text;
    core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = rest.len().min(limit);
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let whole = end == rest.len() || rest[end..].starts_with('\n');
        let end = if whole { end } else { rest[..end].rfind('\n').filter(|at| *at > 0).unwrap_or(end) };
        let page;
        (page, rest) = rest.split_at(end);
        rest = rest.strip_prefix('\n').unwrap_or(rest);
        Some(page)
    })
}
