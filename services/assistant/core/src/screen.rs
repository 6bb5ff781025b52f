//! What is to be shown and has not left yet.

use alloc::collections::VecDeque;
use alloc::string::String;
use ipc::display::{Item, Style, TEXT_BYTES};
use ipc::next_chunk;

/// With more than this waiting, no more of an answer is taken.
const BACKLOG_BYTES: usize = 16 * 1024;
/// A record is counted with this beside its text.
const RECORD_COST: usize = 32;

#[derive(Default)]
pub struct Screen {
    items: VecDeque<Item>,
    bytes: usize,
    /// A block of text has begun and not ended.
    open: bool,
    progress_shown: bool,
}

impl Screen {
    pub fn has_room(&self) -> bool {
        self.bytes < BACKLOG_BYTES
    }

    pub fn next(&self) -> Option<&Item> {
        self.items.front()
    }

    pub fn taken(&mut self) {
        if let Some(item) = self.items.pop_front() {
            self.bytes -= cost(&item);
        }
    }

    /// A piece of the answer.
    pub fn text(&mut self, text: &str) {
        self.progress(String::new());
        self.open = true;
        let mut at = 0;
        while let Some(piece) = next_chunk::<TEXT_BYTES>(text, &mut at) {
            self.push(Item::Text { style: Style::Plain, text: piece.into() });
        }
    }

    pub fn end(&mut self) {
        self.progress(String::new());
        if core::mem::take(&mut self.open) {
            self.push(Item::End);
        }
    }

    /// A dim line.
    pub fn note(&mut self, text: &str) {
        self.lines(Style::Dim, text);
    }

    pub fn error(&mut self, text: &str) {
        self.lines(Style::Error, text);
    }

    /// A line that the next one replaces; empty: away with it.
    pub fn progress(&mut self, text: String) {
        if text.is_empty() && !self.progress_shown {
            return;
        }
        self.progress_shown = !text.is_empty();
        // What nobody has seen yet need not be shown.
        if let Some(Item::Progress { .. }) = self.items.back() {
            self.bytes -= self.items.pop_back().map_or(0, |item| cost(&item));
        }
        self.push(Item::Progress { text });
    }

    fn lines(&mut self, style: Style, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<TEXT_BYTES>(text, &mut at) {
            self.push(Item::Lines { style, text: piece.into() });
        }
    }

    fn push(&mut self, item: Item) {
        self.bytes += cost(&item);
        self.items.push_back(item);
    }
}

fn cost(item: &Item) -> usize {
    RECORD_COST
        + match item {
            Item::Lines { text, .. } | Item::Text { text, .. } | Item::Progress { text } => text.len(),
            Item::Edit { .. } | Item::EditDone | Item::End | Item::Redraw => 0,
        }
}
