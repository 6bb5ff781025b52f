//! What waits to be carried away: commands, events, lines for the display.

use crate::{words, Inference};
use ipc::display::{self, Style};
use ipc::inference::Event;
use llama_proto::Command;

/// With more than this waiting for the assistant, nothing more is taken in.
const BACKLOG_BYTES: usize = 64 * 1024;
/// Lines that wait for the display at most; beyond, the oldest go.
const SHOWN: usize = 128;

impl Inference {
    /// Whether requests and replies may be taken from their rings. Calls are answered always.
    pub fn has_room(&self) -> bool {
        self.event_bytes < BACKLOG_BYTES
    }

    /// The next command for the engine; [`Inference::command_sent`] when it is in the ring.
    pub fn next_command(&self) -> Option<&Command> {
        self.commands.front()
    }

    pub fn command_sent(&mut self) {
        self.commands.pop_front();
    }

    pub fn next_event(&self) -> Option<&Event> {
        self.events.front()
    }

    pub fn event_sent(&mut self) {
        if let Some(event) = self.events.pop_front() {
            self.event_bytes -= event_cost(&event);
        }
    }

    pub fn next_shown(&self) -> Option<&display::Item> {
        self.shown.front()
    }

    pub fn shown(&mut self) {
        self.shown.pop_front();
    }

    pub(crate) fn send(&mut self, event: Event) {
        self.event_bytes += event_cost(&event);
        self.events.push_back(event);
    }

    pub(crate) fn show(&mut self, style: Style, text: &str) {
        for page in words::pages(text, display::TEXT_BYTES) {
            self.show_item(display::Item::Lines { style, text: page.into() });
        }
    }

    pub(crate) fn show_item(&mut self, item: display::Item) {
        // What nobody has seen yet need not be shown.
        if let (Some(display::Item::Progress { .. }), display::Item::Progress { .. }) = (self.shown.back(), &item) {
            self.shown.pop_back();
        }
        if self.shown.len() >= SHOWN {
            self.shown.pop_front();
        }
        self.shown.push_back(item);
    }
}

/// Bytes that an event counts for while it waits.
fn event_cost(event: &Event) -> usize {
    match event {
        Event::Text { text, .. } => 32 + text.len(),
        Event::Embedding { values, .. } => 32 + 4 * values.len(),
        Event::Started => 0,
        _ => 32,
    }
}
