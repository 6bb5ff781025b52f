//! The line: text, cursor and what can be done to them. It knows no keys.
//!
//! The cursor always stands between two graphemes: what a person sees as one character is never taken apart.

use alloc::string::String;
use core::ops::Range;
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

/// How far a move or a deletion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// One character, as people count them.
    One,
    /// To the border of a word of letters and digits.
    Word,
    /// To white space.
    Blank,
    /// To the beginning or the end of the line; a pasted text has several.
    Line,
}

pub struct Editor {
    text: String,
    cursor: usize,
    limit_bytes: usize,
    /// Characters that found no room. From the first on, all that follow are left out too, else the line would have
    /// holes in its middle.
    left_out: usize,
    killed: String,
    /// The last operation was a kill: the next one adds to it.
    chain: bool,
    changed: bool,
}

impl Editor {
    pub fn new(limit_bytes: usize) -> Self {
        Editor {
            text: String::new(),
            cursor: 0,
            limit_bytes,
            left_out: 0,
            killed: String::new(),
            chain: false,
            changed: false,
        }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// Bytes of the text before the cursor.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The person was told of what was left out and may go on with the rest.
    pub fn accept_left_out(&mut self) {
        self.left_out = 0;
    }

    /// Whether text or cursor changed since this was asked last.
    pub fn take_changed(&mut self) -> bool {
        core::mem::take(&mut self.changed)
    }

    pub fn insert(&mut self, text: &str) {
        self.chain = false;
        let room = match self.left_out {
            0 => self.limit_bytes.saturating_sub(self.text.len()),
            _ => 0,
        };
        let taken = floor_char(text, room);
        if taken > 0 {
            self.text.insert_str(self.cursor, &text[..taken]);
            self.move_to(self.cursor + taken);
            self.changed = true;
        }
        self.left_out += text[taken..].chars().count();
    }

    pub fn left(&mut self, reach: Reach) {
        self.chain = false;
        self.move_to(self.before(reach));
    }

    pub fn right(&mut self, reach: Reach) {
        self.chain = false;
        self.move_to(self.behind(reach));
    }

    pub fn delete_left(&mut self) {
        self.chain = false;
        self.remove(self.before(Reach::One)..self.cursor);
    }

    pub fn delete_right(&mut self) {
        self.chain = false;
        self.remove(self.cursor..self.behind(Reach::One));
    }

    /// Deletes and keeps what was deleted for [`Editor::yank`]. At the beginning of a line its neighbour joins.
    pub fn kill_left(&mut self, reach: Reach) {
        let mut range = self.before(reach)..self.cursor;
        if range.is_empty() {
            range.start = self.before(Reach::One);
        }
        if !self.chain {
            self.killed.clear();
        }
        self.killed.insert_str(0, &self.text[range.clone()]);
        self.end_kill(range);
    }

    /// Deletes and keeps what was deleted for [`Editor::yank`]. At the end of a line its neighbour joins.
    pub fn kill_right(&mut self, reach: Reach) {
        let mut range = self.cursor..self.behind(reach);
        if range.is_empty() {
            range.end = self.behind(Reach::One);
        }
        if !self.chain {
            self.killed.clear();
        }
        self.killed.push_str(&self.text[range.clone()]);
        self.end_kill(range);
    }

    fn end_kill(&mut self, range: Range<usize>) {
        self.chain = true;
        self.remove(range);
    }

    /// Inserts what was killed last.
    pub fn yank(&mut self) {
        let killed = core::mem::take(&mut self.killed);
        self.insert(&killed);
        self.killed = killed;
    }

    /// Puts something else in place of a part before the cursor, as far as there is room.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        if range.start <= range.end && self.text.get(range.clone()).is_some() {
            self.move_to(range.end);
            self.remove(range);
            self.insert(with);
        }
    }

    /// Another text, with the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.clear();
        self.insert(text);
    }

    /// Moves the cursor to a byte, or behind the character that the byte belongs to.
    pub fn move_to(&mut self, byte: usize) {
        let before = self.cursor;
        self.cursor = self.snap(byte);
        self.changed |= self.cursor != before;
    }

    pub fn clear(&mut self) {
        self.changed |= !self.text.is_empty();
        self.text.clear();
        self.cursor = 0;
        self.left_out = 0;
        self.chain = false;
    }

    fn remove(&mut self, range: Range<usize>) {
        self.left_out = 0;
        if range.is_empty() {
            return;
        }
        self.changed = true;
        let start = range.start;
        self.text.replace_range(range, "");
        // What is left may have grown together: a letter and an accent.
        self.cursor = self.snap(start);
    }

    /// The first border between characters at `byte` or behind it.
    fn snap(&self, byte: usize) -> usize {
        let mut byte = byte.min(self.text.len());
        while !self.text.is_char_boundary(byte) {
            byte += 1;
        }
        if byte == 0 || byte == self.text.len() {
            return byte;
        }
        let mut cursor = GraphemeCursor::new(byte, self.text.len(), true);
        match cursor.is_boundary(&self.text, 0) {
            Ok(false) => cursor.next_boundary(&self.text, 0).ok().flatten().unwrap_or(self.text.len()),
            _ => byte,
        }
    }

    fn before(&self, reach: Reach) -> usize {
        let mut characters = self.text[..self.cursor].grapheme_indices(true).rev().peekable();
        match reach {
            Reach::One => return characters.next().map_or(0, |(at, _)| at),
            Reach::Line => return self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1),
            _ => {}
        }
        while characters.next_if(|(_, character)| !belongs(reach, character)).is_some() {}
        let mut at = characters.peek().map_or(0, |(at, character)| at + character.len());
        while let Some((start, _)) = characters.next_if(|(_, character)| belongs(reach, character)) {
            at = start;
        }
        at
    }

    fn behind(&self, reach: Reach) -> usize {
        let mut characters = self.text[self.cursor..].grapheme_indices(true).peekable();
        let end = |(at, character): (usize, &str)| self.cursor + at + character.len();
        match reach {
            Reach::One => return characters.next().map_or(self.cursor, end),
            Reach::Line => return self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at),
            _ => {}
        }
        let mut at = self.cursor;
        while let Some(character) = characters.next_if(|(_, character)| !belongs(reach, character)) {
            at = end(character);
        }
        while let Some(character) = characters.next_if(|(_, character)| belongs(reach, character)) {
            at = end(character);
        }
        at
    }
}

/// Whether a character is part of a word. An accent belongs to its letter.
fn belongs(reach: Reach, character: &str) -> bool {
    let first = character.chars().next().unwrap_or(' ');
    match reach {
        Reach::Blank => !first.is_whitespace(),
        _ => first.is_alphanumeric() || first == '_',
    }
}

/// The largest number of bytes up to `most` that ends between two characters.
fn floor_char(text: &str, most: usize) -> usize {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    end
}
