//! Bytes of the terminal to keys.
//!
//! A terminal sends two kinds of things: what the person types, and answers to what somebody wrote on its screen. The
//! second kind must not become input, or an answer of the model could type: whatever begins with escape and is not a
//! key known here is swallowed to its end. Reports of the cursor's place are the one answer that is read: serial asks
//! for them to learn the screen's size.
//!
//! Where an escape sequence ends is not always known: escape is a key, too. What does not go on within a moment is
//! over, so that a stray escape never swallows what is typed later.

mod keys;
mod paste;
mod sequence;
#[cfg(test)]
mod tests;
mod utf8;

use ipc::keys::{Event, Key, Modifiers, Pasted, Text};
use utf8::Utf8;

/// An escape that nothing follows for so long was the key, and a sequence that does not go on is over.
pub const PATIENCE_US: u64 = 500_000;
/// A paste that does not go on for so long is over, though its end mark never came.
pub const PASTE_PATIENCE_US: u64 = 3_000_000;
/// Bytes of a sequence that are kept. Longer ones are none of ours, and swallowed.
const SEQUENCE: usize = 32;

const ESC: u8 = 0x1b;

enum State {
    Ground,
    Escape,
    /// Behind `ESC [`: parameters so far.
    Csi,
    /// Behind `ESC O`.
    Ss3,
    /// Behind `ESC [ [`: a function key of the Linux console.
    Console,
    /// A mouse report of the old kind has so many bytes more.
    Mouse(u8),
    /// Up to BEL or `ESC \`.
    String {
        bytes: u32,
        escape: bool,
    },
    /// `matched` bytes of the end mark have come.
    Paste {
        matched: usize,
    },
}

pub struct Input {
    state: State,
    sequence: heapless::Vec<u8, SEQUENCE>,
    too_long: bool,
    decoder: Utf8,
    /// The character being decoded came behind an escape.
    alt: bool,
    after_return: bool,
    last_us: u64,
    text: Text,
    pasted: Pasted,
    invalid: u16,
}

impl Default for Input {
    fn default() -> Self {
        Input {
            state: State::Ground,
            sequence: heapless::Vec::new(),
            too_long: false,
            decoder: Utf8::default(),
            alt: false,
            after_return: false,
            last_us: 0,
            text: Text::new(),
            pasted: Pasted::new(),
            invalid: 0,
        }
    }
}

fn key(key: Key, modifiers: Modifiers) -> Event {
    Event::Key { key, modifiers }
}

impl Input {
    /// Takes bytes that arrived together at this moment.
    pub fn feed(&mut self, bytes: &[u8], now_us: u64, mut out: impl FnMut(Event)) {
        if !bytes.is_empty() {
            self.time_out(now_us, &mut out);
            self.last_us = now_us;
        }
        for &byte in bytes {
            self.byte(byte, &mut out);
        }
        self.flush(&mut out);
    }

    /// Nothing came up to this moment.
    pub fn tick(&mut self, now_us: u64, mut out: impl FnMut(Event)) {
        self.time_out(now_us, &mut out);
        self.flush(&mut out);
    }

    fn time_out(&mut self, now_us: u64, out: &mut impl FnMut(Event)) {
        let waited = now_us.saturating_sub(self.last_us);
        match self.state {
            State::Ground if waited >= PATIENCE_US => self.cut_character(),
            State::Ground => {}
            State::Paste { .. } if waited < PASTE_PATIENCE_US => {}
            State::Paste { matched } => {
                self.pasted_back(matched, out);
                self.end_paste(out);
            }
            _ if waited < PATIENCE_US => {}
            State::Escape => {
                self.state = State::Ground;
                self.emit(key(Key::Escape, Modifiers::NONE), out);
            }
            _ => self.state = State::Ground,
        }
    }

    /// Gives what was collected from bytes that came together.
    fn flush(&mut self, out: &mut impl FnMut(Event)) {
        self.flush_text(out);
        self.flush_paste(false, out);
        if self.invalid > 0 {
            out(Event::Invalid { bytes: core::mem::take(&mut self.invalid) });
        }
    }

    fn flush_text(&mut self, out: &mut impl FnMut(Event)) {
        if !self.text.is_empty() {
            out(Event::Text { text: core::mem::take(&mut self.text) });
        }
    }

    fn flush_paste(&mut self, last: bool, out: &mut impl FnMut(Event)) {
        if last || !self.pasted.is_empty() {
            out(Event::Paste { text: core::mem::take(&mut self.pasted), last });
        }
    }

    fn emit(&mut self, event: Event, out: &mut impl FnMut(Event)) {
        self.flush_text(out);
        out(event);
    }

    fn byte(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        let after_return = core::mem::take(&mut self.after_return);
        match self.state {
            State::Ground if byte == b'\n' && after_return => {}
            State::Ground => self.ground(byte, out),
            State::Escape => self.escape(byte, out),
            State::Csi => self.csi(byte, out),
            State::Ss3 => self.ss3(byte, out),
            State::Console => self.state = State::Ground,
            State::Mouse(left) => {
                self.state = if left > 1 { State::Mouse(left - 1) } else { State::Ground };
            }
            State::String { bytes, escape } => self.string(byte, bytes, escape, out),
            State::Paste { matched } => self.paste(byte, matched, after_return, out),
        }
    }

    fn ground(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        if byte == ESC {
            self.cut_character();
            self.state = State::Escape;
        } else {
            self.alt = self.alt && !self.decoder.is_idle();
            self.plain(byte, out);
        }
    }
}
