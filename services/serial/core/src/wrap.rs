//! One line of text cut into rows: at a space where there is one, else between characters.

use crate::cells::{classify, tab_columns, Attr, Cell, Class};
use alloc::string::String;
use alloc::vec::Vec;

pub type Row = Vec<Cell>;

pub fn width(row: &[Cell]) -> u16 {
    row.iter().map(|cell| u16::from(cell.width)).sum()
}

fn most(row: &[Cell]) -> u16 {
    row.iter().map(|cell| u16::from(cell.most)).sum()
}

/// A line that grows, with its rows.
pub struct Wrap {
    usable: u16,
    indent: u16,
    /// Rows that are complete and were not taken yet.
    pub done: Vec<Row>,
    /// The last row.
    pub row: Row,
    /// Cells of the last row that are label or indentation.
    head: usize,
    /// Widest that the last row may turn out.
    used: u16,
    /// Nothing but spaces came so far: later rows are indented as far as these reach, so that lists stay lists.
    leading: bool,
    /// A space fell on the border: the next character begins a row.
    broken: bool,
    /// The line has no row but this one.
    first: bool,
    /// Where in the text the last row begins, in bytes.
    row_start: usize,
}

impl Wrap {
    /// `head`: the cells that the first row begins with; all others are indented by `indent`.
    pub fn new(head: Row, usable: u16, indent: u16) -> Wrap {
        let used = most(&head);
        Wrap {
            usable,
            indent,
            done: Vec::new(),
            head: head.len(),
            row: head,
            used,
            leading: true,
            broken: false,
            first: true,
            row_start: 0,
        }
    }

    pub fn is_first_row(&self) -> bool {
        self.first
    }

    pub fn row_start(&self) -> usize {
        self.row_start
    }

    /// Adds a character to the rows and, as it is shown, to `text`. False for what ends a line.
    pub fn put(&mut self, c: char, attr: Attr, text: &mut String) -> bool {
        match classify(c) {
            Class::Nothing => {}
            Class::Newline => return false,
            Class::Tab => {
                for _ in 0..tab_columns(width(&self.row[self.head..])) {
                    self.put_cell(Cell::space(), text);
                }
            }
            Class::Mark => {
                let content = self.row.len() > self.head && !self.broken;
                if content && self.row.last_mut().is_some_and(|cell| cell.add_mark(c)) {
                    text.push(c);
                }
            }
            Class::Shown { shown, width, most } => self.put_cell(Cell::new(shown, width, most, attr), text),
        }
        true
    }

    fn put_cell(&mut self, cell: Cell, text: &mut String) {
        text.extend(cell.chars());
        self.leading &= cell.is_space();
        if self.leading && self.indent < self.usable / 3 {
            self.indent += 1;
        }
        if self.broken || self.used + u16::from(cell.most) > self.usable {
            if cell.is_space() {
                self.broken = true;
                self.row_start = text.len();
                return;
            }
            self.next_row();
            self.row_start = text.len() - cell.bytes() - self.row[self.head..].iter().map(Cell::bytes).sum::<usize>();
        }
        self.used += u16::from(cell.most);
        self.row.push(cell);
    }

    /// Begins a row, with the unfinished word of the last one if that is short.
    fn next_row(&mut self) {
        let content = &self.row[self.head..];
        let mut word = Row::new();
        if !core::mem::take(&mut self.broken) {
            if let Some(space) = content.iter().rposition(Cell::is_space) {
                if space > 0 && most(&content[space + 1..]) <= self.usable.saturating_sub(self.indent) / 2 {
                    word = self.row.split_off(self.head + space + 1);
                }
            }
        }
        while self.row.len() > self.head && self.row.last().is_some_and(Cell::is_space) {
            self.row.pop();
        }
        let mut row: Row = (0..self.indent).map(|_| Cell::space()).collect();
        self.head = row.len();
        row.append(&mut word);
        self.used = most(&row);
        self.first = false;
        self.done.push(core::mem::replace(&mut self.row, row));
    }

    /// All rows that were not taken yet.
    pub fn finish(mut self) -> Vec<Row> {
        while self.row.last().is_some_and(Cell::is_space) {
            self.row.pop();
        }
        self.done.push(self.row);
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(n: usize) -> Row {
        (0..n).map(|_| Cell::new('#', 1, 1, Attr::Label)).collect()
    }

    fn lay(text: &str, label: usize, usable: u16) -> (Vec<String>, String) {
        let mut wrap = Wrap::new(head(label), usable, 2);
        let mut shown = String::new();
        for c in text.chars() {
            wrap.put(c, Attr::Plain, &mut shown);
        }
        let rows = wrap.finish();
        (rows.iter().map(|row| row.iter().flat_map(|cell| cell.chars()).collect()).collect(), shown)
    }

    #[test]
    fn words_stay_together_and_later_rows_are_indented() {
        let (rows, _) = lay("the quick brown fox jumps", 3, 14);
        assert_eq!(rows, ["###the quick", "  brown fox", "  jumps"]);
    }

    #[test]
    fn what_is_indented_stays_indented() {
        let (rows, _) = lay("   the quick brown fox", 0, 16);
        assert_eq!(rows, ["   the quick", "     brown fox"]);
        let (rows, _) = lay(&format!("{}x yy", " ".repeat(11)), 0, 14);
        assert_eq!(rows, ["           x", "    yy"]);
    }

    #[test]
    fn a_word_longer_than_half_a_row_is_cut() {
        let (rows, _) = lay("a bbbbbbbbbbbbbbbbbbbbb", 0, 10);
        assert_eq!(rows, ["a bbbbbbbb", "  bbbbbbbb", "  bbbbb"]);
    }

    #[test]
    fn wide_characters_are_never_cut_in_two() {
        let (rows, _) = lay("日本語日本語", 0, 5);
        assert_eq!(rows, ["日本", "  語", "  日", "  本", "  語"]);
    }

    #[test]
    fn spaces_at_the_border_vanish() {
        let (rows, shown) = lay("aaaa     bbbb", 0, 4);
        assert_eq!(rows, ["aaaa", "  bb", "  bb"]);
        assert_eq!(shown, "aaaa     bbbb");
    }

    proptest! {
        #[test]
        fn no_row_is_wider_than_the_terminal_and_the_last_row_is_found_again(
            text in "[ -~\\tàé日本😀\u{301}\u{202e}]{0,120}", usable in 6u16..40, label in 0usize..4,
        ) {
            let mut wrap = Wrap::new(head(label), usable, 2);
            let mut shown = String::new();
            for c in text.chars() {
                wrap.put(c, Attr::Plain, &mut shown);
                let content: String = wrap.row[wrap.head..].iter().flat_map(|cell| cell.chars()).collect();
                if !wrap.broken {
                    prop_assert_eq!(&shown[wrap.row_start()..], &content);
                } else {
                    prop_assert_eq!(wrap.row_start(), shown.len());
                }
            }
            for row in wrap.finish() {
                prop_assert!(most(&row) <= usable);
            }
        }
    }
}
