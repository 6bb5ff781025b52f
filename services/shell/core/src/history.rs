//! Lines that were entered, the oldest first, and where among them the person is looking.

use alloc::collections::VecDeque;
use alloc::string::String;

const LINES: usize = 256;
const BYTES: usize = 256 * 1024;

#[derive(Default)]
pub struct History {
    lines: VecDeque<String>,
    bytes: usize,
    /// The line that is shown now; `None`: what the person types.
    at: Option<usize>,
    /// What stood in the line before the person went back.
    draft: String,
}

impl History {
    /// Adds a line; the oldest go when there are too many.
    pub fn push(&mut self, line: &str) {
        self.leave();
        if self.lines.back().is_some_and(|last| last == line) {
            return;
        }
        self.bytes += line.len();
        self.lines.push_back(line.into());
        while self.lines.len() > LINES || self.bytes > BYTES {
            match self.lines.pop_front() {
                Some(oldest) => self.bytes -= oldest.len(),
                None => break,
            }
        }
    }

    /// The person goes on with what is in the line now.
    pub fn leave(&mut self) {
        self.at = None;
        self.draft = String::new();
    }

    /// The line before; `now` is kept if it was never entered.
    pub fn older(&mut self, now: &str) -> Option<&str> {
        let at = self.at.unwrap_or(self.lines.len()).checked_sub(1)?;
        if self.at.is_none() {
            self.draft = now.into();
        }
        self.at = Some(at);
        self.lines.get(at).map(String::as_str)
    }

    /// The line behind, at last what was kept.
    pub fn newer(&mut self) -> Option<String> {
        let at = self.at? + 1;
        match self.lines.get(at) {
            Some(line) => {
                self.at = Some(at);
                Some(line.clone())
            }
            None => {
                self.at = None;
                Some(core::mem::take(&mut self.draft))
            }
        }
    }

    /// The newest line before number `before` that contains `part` and is not `unlike`; its number.
    pub fn find(&self, part: &str, before: usize, unlike: Option<&str>) -> Option<(usize, &str)> {
        let lines = self.lines.iter().enumerate().take(before).rev();
        let mut found = lines.filter(|(_, line)| line.contains(part) && unlike != Some(line.as_str()));
        found.next().map(|(at, line)| (at, line.as_str()))
    }

    /// One more than the number of the newest line.
    pub fn end(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(lines: &[&str]) -> History {
        let mut history = History::default();
        lines.iter().for_each(|line| history.push(line));
        history
    }

    #[test]
    fn up_and_down_come_back_to_the_draft() {
        let mut history = with(&["one", "two"]);
        assert_eq!(history.older("half"), Some("two"));
        assert_eq!(history.older("two"), Some("one"));
        assert_eq!(history.older("one"), None);
        assert_eq!(history.newer().as_deref(), Some("two"));
        assert_eq!(history.newer().as_deref(), Some("half"));
        assert_eq!(history.newer(), None);
    }

    #[test]
    fn the_same_line_twice_is_kept_once() {
        let mut history = with(&["one", "one"]);
        assert_eq!(history.older(""), Some("one"));
        assert_eq!(history.older(""), None);
    }

    #[test]
    fn the_oldest_go_when_there_are_too_many_lines_or_bytes() {
        let mut history = History::default();
        for number in 0..2 * LINES {
            history.push(&alloc::format!("{number}"));
        }
        assert_eq!((history.end(), history.lines[0].as_str()), (LINES, "256"));
        let long = "x".repeat(BYTES / 2);
        for number in 0..4 {
            history.push(&alloc::format!("{long}{number}"));
        }
        assert!(history.bytes <= BYTES);
        assert_eq!(history.end(), 1);
    }

    #[test]
    fn a_search_goes_back_and_skips_what_it_has_shown() {
        let history = with(&["help me", "x", "/help", "y", "/help"]);
        assert_eq!(history.find("he", history.end(), None), Some((4, "/help")));
        assert_eq!(history.find("he", 4, Some("/help")), Some((0, "help me")));
        assert_eq!(history.find("he", 0, None), None);
        assert_eq!(history.find("z", history.end(), None), None);
    }
}
