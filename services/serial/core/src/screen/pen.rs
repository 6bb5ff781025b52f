//! What the terminal has drawn, and the bytes that change it.

use crate::cells::{Attr, Cell};
use crate::wrap::{width, Row};
use alloc::vec::Vec;
use core::fmt::Write;

/// What the terminal shows below the finished part of the transcript, and where its cursor is.
pub(super) struct Pen {
    pub(super) drawn: Vec<Row>,
    row: usize,
    /// Unknown behind characters about whose width terminals disagree.
    column: Option<u16>,
    attr: Attr,
    /// To be sent before anything else.
    preface: Option<&'static str>,
}

/// Pasted text comes between marks.
const PASTE_MARKS: &str = "\x1b[?2004h";

impl Pen {
    pub(super) fn new(first: bool) -> Pen {
        // In a later life the former one may have died in the middle of a sequence, with the cursor in the input line.
        let preface = if first { "\x1b[m\r\x1b[J" } else { "\x18\x1b[m\r\x1b[J" };
        Pen { drawn: alloc::vec![Row::new()], row: 0, column: Some(0), attr: Attr::Plain, preface: Some(preface) }
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(preface) = self.preface.take() {
            out.extend_from_slice(preface.as_bytes());
            out.extend_from_slice(PASTE_MARKS.as_bytes());
        }
    }

    /// Empties the visible part of the screen.
    pub(super) fn clear(&mut self, out: &mut Vec<u8>) {
        *self = Pen::new(true);
        self.preface = Some("\x1b[m\x1b[H\x1b[2J");
        self.begin(out);
    }

    /// Draws rows over those that were drawn last. The first `finished` are not changed any more. `cursor`: where among
    /// `rows` it ends.
    pub(super) fn draw(&mut self, mut rows: Vec<Row>, finished: usize, cursor: (usize, u16), out: &mut Vec<u8>) {
        self.begin(out);
        let old = core::mem::take(&mut self.drawn);
        for (i, row) in rows.iter().enumerate() {
            match old.get(i) {
                Some(old) => self.patch(i, old, row, out),
                None => {
                    self.go_row(i - 1, out);
                    out.extend_from_slice(b"\r\n");
                    (self.row, self.column) = (i, Some(0));
                    self.write(row, out);
                }
            }
        }
        if rows.len() < old.len() {
            self.go(rows.len(), 0, out);
            self.pick(Attr::Plain, out);
            out.extend_from_slice(b"\x1b[J");
        }
        self.go(cursor.0, cursor.1, out);
        self.pick(Attr::Plain, out);
        self.drawn = rows.split_off(finished);
        self.row -= finished;
    }

    fn patch(&mut self, i: usize, old: &Row, new: &Row, out: &mut Vec<u8>) {
        let same = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        if same == old.len() && same == new.len() {
            return;
        }
        self.go(i, width(&new[..same]), out);
        self.write(&new[same..], out);
        let old_most: u16 = old.iter().map(|cell| u16::from(cell.most)).sum();
        if old_most > width(new) && old.len() > same {
            self.pick(Attr::Plain, out);
            out.extend_from_slice(b"\x1b[K");
        }
    }

    fn write(&mut self, cells: &[Cell], out: &mut Vec<u8>) {
        for cell in cells {
            if !cell.is_space() {
                self.pick(cell.attr, out);
            }
            for c in cell.chars() {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
            self.column = self.column.filter(|_| cell.is_ascii()).map(|column| column + u16::from(cell.width));
        }
    }

    fn pick(&mut self, attr: Attr, out: &mut Vec<u8>) {
        if attr == self.attr {
            return;
        }
        let reset = if self.attr == Attr::Plain || attr == Attr::Plain { "" } else { "0;" };
        sequence(out, format_args!("{reset}{}m", attr.code()));
        self.attr = attr;
    }

    fn go_row(&mut self, row: usize, out: &mut Vec<u8>) {
        match (row.abs_diff(self.row), row < self.row) {
            (0, _) => {}
            (1, true) => sequence(out, format_args!("A")),
            (n, true) => sequence(out, format_args!("{n}A")),
            (1, false) => sequence(out, format_args!("B")),
            (n, false) => sequence(out, format_args!("{n}B")),
        }
        self.row = row;
    }

    fn go(&mut self, row: usize, column: u16, out: &mut Vec<u8>) {
        self.go_row(row, out);
        match self.column {
            Some(at) if at == column => {}
            _ if column == 0 => out.push(b'\r'),
            Some(at) if at > column && at - column <= 3 => out.extend((column..at).map(|_| 8)),
            _ => sequence(out, format_args!("{}G", column + 1)),
        }
        self.column = Some(column);
    }
}

fn sequence(out: &mut Vec<u8>, rest: core::fmt::Arguments) {
    let mut text = heapless::String::<24>::new();
    // A sequence of ours is far shorter.
    let _ = write!(text, "\x1b[{rest}");
    out.extend_from_slice(text.as_bytes());
}
