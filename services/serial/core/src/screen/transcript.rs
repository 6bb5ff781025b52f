//! Lines that stand: how they are cut into rows, and which of them are remembered.

use super::edit::{input_head, lay_edit};
use super::region::put;
use super::{Screen, INDENT};
use crate::cells::{Attr, Cell};
use crate::wrap::{width, Row, Wrap};
use alloc::string::String;
use alloc::vec::Vec;

/// Columns that text has at least beside a label; else the label stands alone.
const BESIDE_LABEL: u16 = 8;
/// Bytes and lines of the transcript that can be drawn again.
pub(super) const HISTORY_BYTES: usize = 64 * 1024;
const HISTORY_LINES: usize = 600;
/// Empty lines in a row that are shown at most.
pub(super) const EMPTY_LINES: usize = 2;

/// A line of the transcript.
pub(super) struct Line {
    pub(super) of: Of,
    pub(super) attr: Attr,
    pub(super) label: bool,
    pub(super) text: String,
}

/// Whose a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    Speaker(usize),
    /// What the person typed to the shell.
    Input,
    /// What the person typed to this one of the trusted path.
    Trusted(usize),
}

impl Line {
    pub(super) fn said(speaker: usize, attr: Attr, label: bool, text: String) -> Line {
        Line { of: Of::Speaker(speaker), attr, label, text }
    }

    pub(super) fn typed(of: Of, text: String) -> Line {
        Line { of, attr: Attr::Plain, label: false, text }
    }
}

impl Screen {
    fn head(&self, line: &Line) -> Row {
        match line.of {
            Of::Speaker(speaker) if line.label && speaker < self.speakers.len() => self.speakers[speaker].label.clone(),
            _ => (0..INDENT).map(|_| Cell::space()).collect(),
        }
    }

    /// Rows for a line. A label that leaves no room beside it gets a row of its own.
    pub(super) fn wrap(&self, line: &Line) -> Wrap {
        let (mut head, usable) = (self.head(line), self.usable());
        let mut alone = None;
        if line.label && width(&head) + BESIDE_LABEL > usable {
            while width(&head) > usable {
                head.pop();
            }
            alone = Some(core::mem::replace(&mut head, (0..INDENT).map(|_| Cell::space()).collect()));
        }
        let mut wrap = Wrap::new(head, usable, INDENT);
        wrap.done.extend(alone);
        // The text is what this very function let through before; it does not change again.
        let mut same = String::new();
        for c in line.text.chars() {
            wrap.put(c, line.attr, &mut same);
        }
        wrap
    }

    pub(super) fn rows_of(&self, line: &Line) -> Vec<Row> {
        let head = match line.of {
            Of::Speaker(_) => return self.wrap(line).finish(),
            Of::Input => input_head(),
            Of::Trusted(trusted) => self.trusted_head(trusted),
        };
        let mut rows = Vec::new();
        lay_edit(&head, "", &line.text, usize::MAX, self.usable(), |row, cell| put(&mut rows, row, cell));
        rows
    }

    pub(super) fn remember(&mut self, line: Line) {
        self.history_bytes += line.text.len();
        self.history.push_back(line);
        while self.history.len() > HISTORY_LINES || self.history_bytes > HISTORY_BYTES {
            let Some(line) = self.history.pop_front() else { break };
            self.history_bytes -= line.text.len();
        }
    }

    /// A whole line, below all others but above the row that grows.
    pub(super) fn line(&mut self, line: Line) {
        let rows = self.rows_of(&line);
        self.fresh.extend(rows);
        self.last = match line.of {
            Of::Speaker(speaker) => Some(speaker),
            Of::Input | Of::Trusted(_) => None,
        };
        self.remember(line);
    }

    /// Whole lines of one speaker.
    pub(super) fn lines(&mut self, speaker: usize, attr: Attr, text: &str) {
        let mut lines: Vec<String> = Vec::new();
        let (mut text, mut empty) = (text, 0);
        while !text.is_empty() {
            let mut line = String::new();
            text = one_line(text, &mut line);
            empty = if line.trim().is_empty() { empty + 1 } else { 0 };
            if empty <= EMPTY_LINES {
                lines.push(line);
            }
        }
        if lines.is_empty() {
            return;
        }
        self.above_live(|screen| {
            let mut label = screen.last != Some(speaker);
            if label && lines.len() > 1 {
                // Tables stay tables if no line has a label before it.
                screen.line(Line::said(speaker, attr, label, String::new()));
                label = false;
            }
            for text in lines {
                screen.line(Line::said(speaker, attr, label, text));
                label = false;
            }
        });
    }
}

/// Puts the first line of `text` as it is shown into `line` and returns the rest.
fn one_line<'a>(text: &'a str, line: &mut String) -> &'a str {
    let mut wrap = Wrap::new(Row::new(), u16::MAX, 0);
    for (at, c) in text.char_indices() {
        if !wrap.put(c, Attr::Plain, line) {
            return &text[at + c.len_utf8()..];
        }
    }
    ""
}
