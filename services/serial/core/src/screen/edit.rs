//! The input line.

use super::transcript::{Line, Of};
use super::{Screen, INDENT};
use crate::cells::{classify, tab_columns, Attr, Cell, Class};
use crate::wrap::Row;
use alloc::string::String;

#[derive(Default)]
pub(super) struct Edit {
    pub(super) prompt: String,
    pub(super) text: String,
    pub(super) cursor: usize,
}

impl Screen {
    pub(super) fn edit_done(&mut self) {
        if let Some(edit) = &mut self.edit {
            let text = core::mem::take(&mut edit.text);
            *edit = Edit::default();
            self.edit_top = 0;
            self.above_live(|screen| screen.line(Line::typed(Of::Input, text)));
            // The window may have another size by now, and this is a good moment to notice.
            self.ask = true;
        }
    }
}

pub(super) struct Place {
    pub(super) rows: usize,
    /// Of the cursor.
    pub(super) row: usize,
    pub(super) column: u16,
}

struct EditLayout<F> {
    usable: u16,
    row: usize,
    column: u16,
    used: u16,
    each: F,
}

impl<F: FnMut(usize, Cell)> EditLayout<F> {
    fn cell(&mut self, cell: Cell) {
        if self.used + u16::from(cell.most) > self.usable {
            self.next_row();
        }
        self.column += u16::from(cell.width);
        self.used += u16::from(cell.most);
        (self.each)(self.row, cell);
    }

    fn next_row(&mut self) {
        self.row += 1;
        (self.column, self.used) = (INDENT, INDENT);
        for _ in 0..INDENT {
            (self.each)(self.row, Cell::space());
        }
    }
}

/// Serial's own `> `, before the line for the shell.
pub(super) fn input_head() -> Row {
    Row::from([Cell::new('>', 1, 1, Attr::Strong), Cell::space()])
}

/// Lays an input line: serial's head, what it is for, the text. Rows are cut between characters. `each` gets the cells,
/// at least one of each row.
pub(super) fn lay_edit(
    head: &[Cell],
    prompt: &str,
    text: &str,
    cursor: usize,
    usable: u16,
    each: impl FnMut(usize, Cell),
) -> Place {
    let mut layout = EditLayout { usable, row: 0, column: 0, used: 0, each };
    head.iter().for_each(|cell| layout.cell(*cell));
    let mut place = None;
    // A character is held back until its marks are known.
    let mut held: Option<Cell> = None;
    let pieces = prompt.chars().map(|c| (None, c)).chain(text.char_indices().map(|(at, c)| (Some(at), c)));
    for (at, c) in pieces {
        let class = classify(c);
        match class {
            Class::Nothing => continue,
            Class::Mark => {
                if let Some(cell) = &mut held {
                    cell.add_mark(c);
                }
                continue;
            }
            _ => {}
        }
        if let Some(cell) = held.take() {
            layout.cell(cell);
        }
        if place.is_none() && at.is_some_and(|at| at >= cursor) {
            place = Some((layout.row, layout.column));
        }
        match class {
            Class::Shown { shown, width, most } => {
                let attr = if at.is_some() { Attr::Plain } else { Attr::Dim };
                held = Some(Cell::new(shown, width, most, attr));
            }
            Class::Newline => {
                layout.cell(Cell::new('↵', 1, 2, Attr::Dim));
                layout.next_row();
            }
            _ => {
                for _ in 0..tab_columns(layout.column.saturating_sub(INDENT)) {
                    layout.cell(Cell::space());
                }
            }
        }
    }
    if let Some(cell) = held {
        layout.cell(cell);
    }
    let (row, column) = place.unwrap_or((layout.row, layout.column));
    Place { rows: layout.row + 1, row, column }
}
