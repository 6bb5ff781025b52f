//! Lines that were entered. They stay in memory, and end with it.

use alloc::collections::VecDeque;
use alloc::string::String;

const LINES: usize = 500;
const BYTES: usize = 256 * 1024;

#[derive(Default)]
pub struct History {
    lines: VecDeque<String>,
    bytes: usize,
    /// The line that is shown, counted from the newest, and what was being typed before.
    shown: Option<(usize, String)>,
}

impl History {
    pub fn add(&mut self, line: &str) {
        self.shown = None;
        if line.trim().is_empty() || self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.into());
        while self.lines.len() > LINES || self.bytes > BYTES {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.len());
        }
    }

    /// The line counted from the newest, 0.
    pub fn get(&self, back: usize) -> Option<&str> {
        let at = self.lines.len().checked_sub(back + 1)?;
        self.lines.get(at).map(String::as_str)
    }

    /// The line before the one that is shown. `draft` is kept when the first one is.
    pub fn older(&mut self, draft: &str) -> Option<&str> {
        let back = self.shown.as_ref().map_or(0, |(back, _)| back + 1);
        if back >= self.lines.len() {
            return None;
        }
        match &mut self.shown {
            Some((shown, _)) => *shown = back,
            None => self.shown = Some((0, draft.into())),
        }
        self.get(back)
    }

    /// The line after the one that is shown; behind the newest, the draft.
    pub fn newer(&mut self) -> Option<String> {
        let (back, draft) = self.shown.take()?;
        match back.checked_sub(1) {
            None => Some(draft),
            Some(back) => {
                self.shown = Some((back, draft));
                self.get(back).map(String::from)
            }
        }
    }

    /// From now on `older` begins with the newest again.
    pub fn leave(&mut self) {
        self.shown = None;
    }

    /// The newest line that contains `text`, not newer than `back`: its place, and where the text begins in it.
    pub fn search(&self, text: &str, back: usize) -> Option<(usize, usize)> {
        (back..self.lines.len()).find_map(|back| Some((back, self.get(back)?.rfind(text)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::default();
        lines.iter().for_each(|line| history.add(line));
        history
    }

    #[test]
    fn up_and_down_and_the_draft_is_kept() {
        let mut h = history(&["one", "two"]);
        assert_eq!(h.older("dra"), Some("two"));
        assert_eq!(h.older("two"), Some("one"));
        assert_eq!(h.older("one"), None);
        assert_eq!(h.newer().as_deref(), Some("two"));
        assert_eq!(h.newer().as_deref(), Some("dra"));
        assert_eq!(h.newer(), None);
        assert_eq!(h.older("other"), Some("two"));
    }

    #[test]
    fn repetitions_and_empty_lines_are_not_kept() {
        let h = history(&["one", "one", "  ", "", "two", "one"]);
        assert_eq!((h.get(0), h.get(1), h.get(2), h.get(3)), (Some("one"), Some("two"), Some("one"), None));
    }

    #[test]
    fn search_goes_from_new_to_old() {
        let h = history(&["what is seL4", "hello", "what is alpha", "bye"]);
        assert_eq!(h.search("what", 0), Some((1, 0)));
        assert_eq!(h.search("what", 2), Some((3, 0)));
        assert_eq!(h.search("is", 0), Some((1, 5)));
        assert_eq!(h.search("nowhere", 0), None);
    }

    #[test]
    fn it_stays_small() {
        let mut h = History::default();
        for i in 0..2000 {
            h.add(&format!("{i}{}", "x".repeat(if i % 100 == 0 { 16_000 } else { 1 })));
        }
        assert!(h.lines.len() <= LINES && h.bytes <= BYTES);
        assert_eq!(h.bytes, h.lines.iter().map(String::len).sum::<usize>());
    }
}
