//! The line of the trusted path, while the person's key has given it the focus.
//!
//! Its first row begins with the marker and the name of who hears, and is shown however long the line is. No PD has a
//! hand in it: the text is what serial's own editor holds.

use super::edit::{lay_edit, Place};
use super::region::put;
use super::transcript::{Line, Of};
use super::{cells, marked, Screen, INDENT};
use crate::cells::{Attr, Cell};
use crate::focus::View;
use crate::wrap::Row;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Terminals with fewer rows have none to spare for a hint.
const HINT_ROWS: u16 = 8;

/// Somebody to whom the person can type directly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearer {
    pub label: String,
    /// The letter that is pressed with Ctrl.
    pub key: char,
    /// Whether it is part of the mode.
    pub runs: bool,
}

#[derive(Default)]
pub(super) struct Trusted {
    hearers: Vec<Hearer>,
    line: Option<Shown>,
    /// First row of a tall line that is shown below its first one.
    top: usize,
}

struct Shown {
    to: usize,
    text: String,
    cursor: usize,
    hasty: bool,
}

impl Screen {
    /// Names those whom [`View::trusted`] numbers.
    pub fn set_hearers(&mut self, hearers: impl IntoIterator<Item = Hearer>) {
        self.trusted.hearers = hearers.into_iter().collect();
    }

    /// Modes come and go.
    pub fn set_runs(&mut self, hearer: usize, runs: bool) {
        if let Some(hearer) = self.trusted.hearers.get_mut(hearer).filter(|hearer| hearer.runs != runs) {
            hearer.runs = runs;
            self.changed |= self.trusted.line.is_some();
        }
    }

    /// Shows the line of whoever has the focus; `None`: the shell's.
    pub fn focus(&mut self, view: Option<View>) {
        if view.is_none() && self.trusted.line.is_none() {
            return;
        }
        self.changed = true;
        if view.map(|view| view.trusted) != self.trusted.line.as_ref().map(|line| line.to) {
            self.trusted.top = 0;
        }
        self.trusted.line = view.map(|view| Shown {
            to: view.trusted,
            text: view.text.into(),
            cursor: view.cursor,
            hasty: view.hasty,
        });
    }

    /// The person has entered a line for the trusted path. The terminal is not asked for its size then, as it is behind
    /// a line for the shell: the answer, which the shell gets, would tell it of the line.
    pub fn entered(&mut self, to: usize, text: &str) {
        self.changed = true;
        self.above_live(|screen| screen.line(Line::typed(Of::Trusted(to), text.into())));
    }

    /// Empties the screen and draws it again.
    pub fn redraw(&mut self) {
        self.changed = true;
        self.redraw = true;
    }

    pub(super) fn trusted_head(&self, to: usize) -> Row {
        let label = self.trusted.hearers.get(to).map_or("", |hearer| hearer.label.as_str());
        let mut head = marked(&format!(" {label}>"));
        head.push(Cell::space());
        head
    }

    /// Puts the hint and the line among the rows, if the trusted path has the focus. Returns the cursor's place.
    /// `room`: rows that the line may take.
    pub(super) fn trusted_region(&mut self, rows: &mut Vec<Row>, room: usize) -> Option<(usize, u16)> {
        let line = self.trusted.line.as_ref()?;
        let (head, usable) = (self.trusted_head(line.to), self.usable());
        if self.rows >= HINT_ROWS {
            rows.push(self.hint(line, usable));
        }
        let start = rows.len();
        let lay = |each: &mut dyn FnMut(usize, Cell)| lay_edit(&head, "", &line.text, line.cursor, usable, each);
        let place = lay(&mut |_, _| ());
        let below = room.max(2) - 1;
        let top = first_below(&place, self.trusted.top, below);
        lay(&mut |row, cell| match row {
            0 => put(rows, start, cell),
            row if (top..top + below).contains(&row) => put(rows, start + 1 + row - top, cell),
            _ => {}
        });
        let row = if place.row == 0 { start } else { start + 1 + place.row - top };
        self.trusted.top = top;
        Some((row, place.column))
    }

    fn hint(&self, line: &Shown, usable: u16) -> Row {
        let Some(Hearer { label, key, runs }) = self.trusted.hearers.get(line.to) else { return Row::new() };
        let key = key.to_ascii_uppercase();
        let text = match (runs, line.hasty) {
            (false, _) => format!("Escape or Ctrl-{key} goes back. {label} is no part of this mode: nobody hears you."),
            (true, true) => "Enter came as in a paste: press it again.".into(),
            (true, false) => format!("Escape or Ctrl-{key} goes back. What you type goes to {label} alone."),
        };
        let mut row: Row = (0..INDENT).map(|_| Cell::space()).collect();
        row.append(&mut cells(&text, Attr::Dim, usable - INDENT));
        row
    }
}

/// The first row that is shown below row 0, so that the cursor is seen and little moves.
fn first_below(place: &Place, before: usize, below: usize) -> usize {
    let last = place.rows.saturating_sub(below).max(1);
    let cursor = place.row.max(1);
    before.clamp(1, last).clamp((cursor + 1).saturating_sub(below), cursor)
}
