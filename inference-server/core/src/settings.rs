//! Sampling settings: names, ranges, what they do.

use alloc::format;
use alloc::string::String;
use llama_proto::Sampling;

/// What the person can set with `/model set NAME VALUE`. It holds from the next answer on.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    pub temperature: f32,
    pub top_k: u32,
    pub top_p: f32,
    pub min_p: f32,
    pub repeat_penalty: f32,
    pub repeat_last: u32,
    /// Tokens of an answer at most; 0: what the context holds.
    pub max_tokens: u32,
    /// `None`: another one for each answer.
    pub seed: Option<u32>,
}

impl Default for Settings {
    fn default() -> Self {
        let sampling = Sampling::default();
        Settings {
            // Close to the likeliest words: made for facts about the system, not for stories. A penalty on repeated
            // words would change names of commands that have to stand as they are.
            temperature: 0.2,
            top_k: sampling.top_k,
            top_p: sampling.top_p,
            min_p: sampling.min_p,
            repeat_penalty: 1.0,
            repeat_last: sampling.repeat_last,
            max_tokens: 1024,
            seed: None,
        }
    }
}

/// The name, what it does, what it takes.
pub struct Entry {
    pub name: &'static str,
    pub what: &'static str,
    pub range: Range,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    Real { from: f32, to: f32 },
    Whole { from: u32, to: u32 },
    /// A whole number, or `random`.
    Seed,
}

pub const ENTRIES: [Entry; 8] = [
    Entry {
        name: "temperature",
        what: "how freely words are chosen; 0: always the likeliest",
        range: Range::Real { from: 0.0, to: 5.0 },
    },
    Entry { name: "top_k", what: "choose among so many; 0: off", range: Range::Whole { from: 0, to: 10_000 } },
    Entry {
        name: "top_p",
        what: "choose among the likeliest that reach this probability together; 1: off",
        range: Range::Real { from: 0.01, to: 1.0 },
    },
    Entry {
        name: "min_p",
        what: "leave out what is less likely than this part of the likeliest; 0: off",
        range: Range::Real { from: 0.0, to: 1.0 },
    },
    Entry {
        name: "repeat_penalty",
        what: "make what was just said less likely; 1: off",
        range: Range::Real { from: 0.5, to: 2.0 },
    },
    Entry {
        name: "repeat_last",
        what: "tokens that repeat_penalty looks back",
        range: Range::Whole { from: 0, to: 4096 },
    },
    Entry {
        name: "max_tokens",
        what: "tokens of an answer at most; 0: what the context holds",
        range: Range::Whole { from: 0, to: 1_000_000 },
    },
    Entry {
        name: "seed",
        what: "the same seed, settings and prompts give the same answer; random: another one each time",
        range: Range::Seed,
    },
];

#[derive(Clone, Debug, PartialEq)]
pub enum SettingError {
    Unknown { name: String, nearest: Option<&'static str> },
    /// Not a value of this kind.
    NotA { name: &'static str, range: Range, value: String },
    OutOfRange { name: &'static str, range: Range, value: String },
}

enum Field<'a> {
    Real(&'a mut f32),
    Whole(&'a mut u32),
    Seed(&'a mut Option<u32>),
}

impl Settings {
    /// Sets one setting to a value as typed, or back to its `default`; returns the sentence that says so.
    pub fn set(&mut self, name: &str, value: &str) -> Result<String, SettingError> {
        let (name, value) = (name.trim(), value.trim());
        let entry = find(name)?;
        if value.eq_ignore_ascii_case("default") {
            let mut defaults = Settings::default();
            match (self.field(entry.name), defaults.field(entry.name)) {
                (Some(Field::Real(to)), Some(Field::Real(from))) => *to = *from,
                (Some(Field::Whole(to)), Some(Field::Whole(from))) => *to = *from,
                (Some(Field::Seed(to)), Some(Field::Seed(from))) => *to = *from,
                _ => {}
            }
        } else {
            let not_a = || SettingError::NotA { name: entry.name, range: entry.range, value: value.into() };
            let outside = || SettingError::OutOfRange { name: entry.name, range: entry.range, value: value.into() };
            match (self.field(entry.name), entry.range) {
                (Some(Field::Real(field)), Range::Real { from, to }) => {
                    let number: f32 = value.parse().map_err(|_| not_a())?;
                    if number.is_nan() {
                        return Err(not_a());
                    }
                    if number < from || number > to {
                        return Err(outside());
                    }
                    // Not -0.
                    *field = number + 0.0;
                }
                (Some(Field::Whole(field)), Range::Whole { from, to }) => {
                    let number = whole(value).ok_or_else(not_a)?;
                    if !(i128::from(from)..=i128::from(to)).contains(&number) {
                        return Err(outside());
                    }
                    *field = number as u32;
                }
                (Some(Field::Seed(field)), Range::Seed) => {
                    *field = match value.eq_ignore_ascii_case("random") {
                        true => None,
                        false => {
                            let number = whole(value).ok_or_else(not_a)?;
                            Some(u32::try_from(number).map_err(|_| outside())?)
                        }
                    };
                }
                _ => return Err(not_a()),
            }
        }
        Ok(format!("{} is {} from the next answer on.", entry.name, self.value(entry.name)))
    }

    /// The value of a setting, as people type it.
    pub fn value(&self, name: &str) -> String {
        match self.clone().field(name) {
            Some(Field::Real(value)) => format!("{value}"),
            Some(Field::Whole(value)) => format!("{value}"),
            Some(Field::Seed(Some(value))) => format!("{value}"),
            Some(Field::Seed(None)) => "random".into(),
            None => String::new(),
        }
    }

    fn field(&mut self, name: &str) -> Option<Field<'_>> {
        Some(match name {
            "temperature" => Field::Real(&mut self.temperature),
            "top_k" => Field::Whole(&mut self.top_k),
            "top_p" => Field::Real(&mut self.top_p),
            "min_p" => Field::Real(&mut self.min_p),
            "repeat_penalty" => Field::Real(&mut self.repeat_penalty),
            "repeat_last" => Field::Whole(&mut self.repeat_last),
            "max_tokens" => Field::Whole(&mut self.max_tokens),
            "seed" => Field::Seed(&mut self.seed),
            _ => return None,
        })
    }

    pub fn sampling(&self, seed: u32) -> Sampling {
        Sampling {
            temperature: self.temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            repeat_penalty: self.repeat_penalty,
            repeat_last: self.repeat_last,
            seed,
        }
    }
}

/// A whole number of any size that can be typed here; too long ones are as good as the largest.
fn whole(value: &str) -> Option<i128> {
    let digits = value.strip_prefix(['-', '+']).unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(value.parse().unwrap_or(i128::MAX))
}

/// A name as typed: capitals and `-` for `_` are no reason to refuse it.
fn find(name: &str) -> Result<&'static Entry, SettingError> {
    let plain: String = name.chars().map(|c| if c == '-' { '_' } else { c.to_ascii_lowercase() }).collect();
    if let Some(entry) = ENTRIES.iter().find(|entry| entry.name == plain) {
        return Ok(entry);
    }
    let nearest = ENTRIES.iter().map(|entry| (distance(entry.name, &plain), entry.name)).min();
    let nearest = nearest.filter(|(distance, _)| *distance <= 3).map(|(_, name)| name);
    Err(SettingError::Unknown { name: name.into(), nearest })
}

/// Letters to insert, delete or replace to make one of the other.
fn distance(one: &str, other: &str) -> usize {
    let other: alloc::vec::Vec<char> = other.chars().collect();
    let mut row: alloc::vec::Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in other.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
