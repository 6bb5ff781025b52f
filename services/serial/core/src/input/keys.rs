//! Bytes that belong to no sequence: characters, and the keys that send a single byte.

use super::utf8::Decoded;
use super::{key, Input, ESC};
use ipc::keys::{Event, Key, Modifiers};

impl Input {
    /// A byte that is no part of a sequence.
    pub(super) fn plain(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        if byte >= 0x80 || !self.decoder.is_idle() {
            match self.decoder.push(byte) {
                Decoded::More => return,
                Decoded::Char(c) => return self.character(c, out),
                Decoded::Invalid { bytes, again } => {
                    self.invalid = self.invalid.saturating_add(bytes);
                    if !again {
                        return;
                    }
                    // The byte that broke the character begins something of its own.
                    self.alt = false;
                    if byte >= 0x80 || byte == ESC {
                        return self.ground(byte, out);
                    }
                }
            }
        }
        let alt = Modifiers { alt: core::mem::take(&mut self.alt), ..Modifiers::NONE };
        let control = Modifiers { control: true, ..alt };
        let event = match byte {
            b'\r' => {
                self.after_return = true;
                key(Key::Enter, alt)
            }
            b'\n' => key(Key::Enter, alt),
            b'\t' => key(Key::Tab, alt),
            0x08 | 0x7f => key(Key::Backspace, alt),
            0 => key(Key::Char(' '), control),
            1..=0x1a => key(Key::Char((b'a' + byte - 1).into()), control),
            0x1c..=0x1f => key(Key::Char((b'\\' + byte - 0x1c).into()), control),
            _ => {
                self.alt = alt.alt;
                return self.character(byte.into(), out);
            }
        };
        self.emit(event, out);
    }

    pub(super) fn character(&mut self, c: char, out: &mut impl FnMut(Event)) {
        if core::mem::take(&mut self.alt) {
            self.emit(key(Key::Char(c), Modifiers::ALT), out);
        } else if self.text.push(c).is_err() {
            self.flush_text(out);
            // An empty text has room for any character.
            let _ = self.text.push(c);
        }
    }

    /// The rest of a character will not come.
    pub(super) fn cut_character(&mut self) {
        self.invalid = self.invalid.saturating_add(self.decoder.cut());
        self.alt = false;
    }
}
