//! Text that the terminal marks as pasted. Whatever is in it, none of it is a key.

use super::utf8::Decoded;
use super::{Input, State, ESC};
use ipc::keys::Event;

const PASTE_END: &[u8] = b"\x1b[201~";

impl Input {
    pub(super) fn paste(&mut self, byte: u8, matched: usize, after_return: bool, out: &mut impl FnMut(Event)) {
        if byte == PASTE_END[matched] {
            if matched + 1 == PASTE_END.len() {
                return self.end_paste(out);
            }
            self.state = State::Paste { matched: matched + 1 };
            return;
        }
        self.pasted_back(matched, out);
        self.state = State::Paste { matched: usize::from(byte == ESC) };
        if byte != ESC {
            self.pasted_byte(byte, after_return, out);
        }
    }

    /// The beginning of an end mark that was none: its escape is dropped, the rest is text.
    pub(super) fn pasted_back(&mut self, matched: usize, out: &mut impl FnMut(Event)) {
        for &byte in PASTE_END.get(1..matched).unwrap_or_default() {
            self.pasted_byte(byte, false, out);
        }
    }

    fn pasted_byte(&mut self, byte: u8, after_return: bool, out: &mut impl FnMut(Event)) {
        match self.decoder.push(byte) {
            Decoded::More => {}
            Decoded::Char('\r') => {
                self.after_return = true;
                self.pasted_char('\n', out);
            }
            Decoded::Char('\n') if after_return => {}
            Decoded::Char(c) if c.is_control() && c != '\n' && c != '\t' => {}
            Decoded::Char(c) => self.pasted_char(c, out),
            Decoded::Invalid { bytes, again } => {
                self.invalid = self.invalid.saturating_add(bytes);
                if again {
                    self.pasted_byte(byte, false, out);
                }
            }
        }
    }

    fn pasted_char(&mut self, c: char, out: &mut impl FnMut(Event)) {
        if self.pasted.push(c).is_err() {
            self.flush_paste(false, out);
            // An empty text has room for any character.
            let _ = self.pasted.push(c);
        }
    }

    pub(super) fn end_paste(&mut self, out: &mut impl FnMut(Event)) {
        self.cut_character();
        self.state = State::Ground;
        self.flush_paste(true, out);
    }
}
