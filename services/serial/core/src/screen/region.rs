//! What is drawn below the finished rows, and all of it again on an emptied screen.

use super::edit::{input_head, lay_edit};
use super::{Screen, State};
use crate::cells::{classify, Attr, Cell, Class};
use crate::wrap::Row;
use alloc::vec::Vec;

const PROGRESS_ROWS: usize = 4;

impl Screen {
    /// What may still change: the growing row, progress, the input line. Returns the cursor's place among `rows`.
    pub(super) fn region(&mut self, rows: &mut Vec<Row>) -> (usize, u16) {
        let usable = self.usable();
        rows.extend(self.live.as_ref().map(|live| live.wrap.row.clone()));
        let room = PROGRESS_ROWS.min(usize::from(self.rows) / 4);
        let progress = self.speakers.iter().filter(|state| !state.progress.is_empty());
        rows.extend(progress.take(room).map(|state| progress_row(state, usable)));

        let height = usize::from(self.rows).saturating_sub(room + 2).max(1);
        if let Some(cursor) = self.trusted_region(rows, height) {
            return cursor;
        }
        let top = rows.len();
        let Some(edit) = &self.edit else {
            rows.push(Row::new());
            return (top, 0);
        };
        let head = input_head();
        let place = lay_edit(&head, &edit.prompt, &edit.text, edit.cursor, usable, |_, _| ());
        let first = self.edit_top.min(place.rows.saturating_sub(height));
        self.edit_top = first.clamp((place.row + 1).saturating_sub(height), place.row);
        let shown = self.edit_top..self.edit_top + height;
        lay_edit(&head, &edit.prompt, &edit.text, edit.cursor, usable, |row, cell| {
            if shown.contains(&row) {
                put(rows, top + row - shown.start, cell);
            }
        });
        (top + place.row - self.edit_top, place.column)
    }

    /// Puts the end of the transcript, as much as the screen holds, among the rows to draw.
    pub(super) fn draw_again(&mut self) {
        self.fresh.clear();
        let mut region = Vec::new();
        self.lay_live();
        let live_rows = core::mem::take(&mut self.fresh);
        self.region(&mut region);
        let room = usize::from(self.rows).saturating_sub(region.len());
        let mut parts = alloc::vec![live_rows];
        let mut count = parts[0].len();
        for line in self.history.iter().rev() {
            if count >= room {
                break;
            }
            let rows = self.rows_of(line);
            count += rows.len();
            parts.push(rows);
        }
        self.fresh = parts.into_iter().rev().flatten().collect();
        self.fresh.drain(..self.fresh.len().saturating_sub(room));
    }
}

fn progress_row(state: &State, usable: u16) -> Row {
    let mut row = state.label.clone();
    let mut used: u16 = row.iter().map(|cell| u16::from(cell.most)).sum();
    for c in state.progress.chars() {
        let cell = match classify(c) {
            Class::Shown { shown, width, most } => Cell::new(shown, width, most, Attr::Dim),
            Class::Newline | Class::Tab => Cell::space(),
            Class::Nothing | Class::Mark => continue,
        };
        used += u16::from(cell.most);
        row.push(cell);
    }
    while used > usable {
        used -= row.pop().map_or(used, |cell| u16::from(cell.most));
    }
    row
}

pub(super) fn put(rows: &mut Vec<Row>, row: usize, cell: Cell) {
    if rows.len() <= row {
        rows.resize_with(row + 1, Row::new);
    }
    rows[row].push(cell);
}
