//! Incremental search in the history (Ctrl-R).

use crate::history::History;
use alloc::format;
use alloc::string::String;
use unicode_segmentation::UnicodeSegmentation;

/// Nobody searches for more, and every byte costs a walk through the history.
const QUERY_BYTES: usize = 128;

pub struct Search {
    query: String,
    /// The line that is shown.
    at: Option<usize>,
    failed: bool,
    /// What stood in the line before.
    pub before: String,
}

impl Search {
    pub fn new(before: &str) -> Self {
        Search { query: String::new(), at: None, failed: false, before: before.into() }
    }

    pub fn prompt(&self) -> String {
        format!("{} {:?}: ", if self.failed { "not found" } else { "search" }, self.query)
    }

    /// One more character; the line to show and where the query begins in it.
    pub fn add<'a>(&mut self, text: &str, history: &'a History) -> Option<(&'a str, usize)> {
        if self.query.len() + text.len() > QUERY_BYTES {
            return None;
        }
        self.query.push_str(text);
        let from = self.at.map_or(history.end(), |at| at + 1);
        self.look(history, from, None)
    }

    pub fn remove<'a>(&mut self, history: &'a History) -> Option<(&'a str, usize)> {
        let last = self.query.graphemes(true).next_back().map_or(0, str::len);
        self.query.truncate(self.query.len() - last);
        self.look(history, history.end(), None)
    }

    /// The next older line that fits and is another one than `shown`.
    pub fn again<'a>(&mut self, history: &'a History, shown: &str) -> Option<(&'a str, usize)> {
        self.look(history, self.at.unwrap_or(history.end()), Some(shown))
    }

    fn look<'a>(&mut self, history: &'a History, before: usize, unlike: Option<&str>) -> Option<(&'a str, usize)> {
        if self.query.is_empty() {
            self.failed = false;
            return None;
        }
        let found = history.find(&self.query, before, unlike);
        self.failed = found.is_none();
        let (at, line) = found?;
        self.at = Some(at);
        Some((line, line.find(&self.query).unwrap_or(0)))
    }
}
