//! The line that the person types to the trusted path. What it holds is what is seen: characters that would not be
//! shown, or not as themselves, are left out or stand here as they are shown.

use crate::cells::{classify, Class, MARKS};
use alloc::string::String;
use ipc::focus::LINE_BYTES;

#[derive(Default)]
pub(super) struct Line {
    text: String,
    /// Between two characters with their marks.
    cursor: usize,
    /// Something found no room: all that follows is left out too, else the line would have a hole.
    full: bool,
}

impl Line {
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn take(&mut self) -> String {
        core::mem::take(self).text
    }

    /// Line ends and tabs become spaces, other control characters nothing.
    pub(super) fn insert(&mut self, text: &str) {
        for c in text.chars() {
            match classify(c) {
                Class::Newline | Class::Tab => self.put(' '),
                Class::Mark if self.takes_mark() => self.put(c),
                Class::Shown { shown, .. } if !c.is_control() => self.put(shown),
                Class::Nothing | Class::Mark | Class::Shown { .. } => {}
            }
        }
    }

    fn put(&mut self, c: char) {
        self.full |= self.text.len() + c.len_utf8() > LINE_BYTES;
        if !self.full {
            self.text.insert(self.cursor, c);
            self.cursor += c.len_utf8();
        }
    }

    /// A mark needs a character before it, and of a pile only some are shown.
    fn takes_mark(&self) -> bool {
        let marks = self.text[..self.cursor].chars().rev().take_while(|c| is_mark(*c)).count();
        self.cursor > 0 && marks < MARKS
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.behind();
    }

    pub(super) fn home(&mut self) {
        self.cursor = 0;
    }

    pub(super) fn end(&mut self) {
        self.cursor = self.text.len();
    }

    pub(super) fn delete_left(&mut self) {
        self.remove(self.before(), self.cursor);
    }

    pub(super) fn delete_right(&mut self) {
        self.remove(self.cursor, self.behind());
    }

    pub(super) fn delete_to_home(&mut self) {
        self.remove(0, self.cursor);
    }

    pub(super) fn delete_to_end(&mut self) {
        self.remove(self.cursor, self.text.len());
    }

    fn remove(&mut self, from: usize, to: usize) {
        self.text.replace_range(from..to, "");
        self.cursor = from;
        self.full = false;
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].char_indices().rev().find(|(_, c)| !is_mark(*c)).map_or(0, |(at, _)| at)
    }

    fn behind(&self) -> usize {
        let mut rest = self.text[self.cursor..].char_indices().skip(1);
        rest.find(|(_, c)| !is_mark(*c)).map_or(self.text.len(), |(at, _)| self.cursor + at)
    }
}

fn is_mark(c: char) -> bool {
    classify(c) == Class::Mark
}
