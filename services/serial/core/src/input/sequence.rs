//! What begins with escape: keys that send more than a byte, and what a terminal says by itself.

use super::{key, Input, State, ESC};
use ipc::keys::{Event, Key, Modifiers, Text};

/// A string (title, colour, device report) that is longer is no string, but lost its end.
pub(super) const STRING: u32 = 4096;

impl Input {
    pub(super) fn escape(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        self.state = State::Ground;
        match byte {
            b'[' => {
                self.sequence.clear();
                self.too_long = false;
                self.state = State::Csi;
            }
            b'O' => self.state = State::Ss3,
            b']' | b'P' | b'X' | b'^' | b'_' => self.state = State::String { bytes: 0, escape: false },
            ESC => {
                self.state = State::Escape;
                self.emit(key(Key::Escape, Modifiers::NONE), out);
            }
            _ => {
                self.alt = true;
                self.plain(byte, out);
            }
        }
    }

    pub(super) fn csi(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        match byte {
            b'[' if self.sequence.is_empty() => self.state = State::Console,
            0x20..=0x3f => self.too_long |= self.sequence.push(byte).is_err(),
            0x40..=0x7e => {
                self.state = State::Ground;
                if byte == b'M' && self.sequence.is_empty() {
                    self.state = State::Mouse(3);
                } else if !self.too_long {
                    self.sequence_end(byte, out);
                }
            }
            // Nothing else belongs into a sequence, so it was none, or is cut off.
            ESC => self.state = State::Escape,
            _ => {
                self.state = State::Ground;
                self.plain(byte, out);
            }
        }
    }

    fn sequence_end(&mut self, last: u8, out: &mut impl FnMut(Event)) {
        let mut numbers = [None; 3];
        for (number, part) in numbers.iter_mut().zip(self.sequence.split(|b| *b == b';')) {
            // Sub-parameters behind a colon say nothing that matters here.
            let part = part.split(|b| *b == b':').next().unwrap_or(part);
            if !part.is_empty() {
                let Some(value) = decimal(part) else { return };
                *number = Some(value);
            }
        }
        let modifiers = modifiers(numbers[1]);
        let event = match (last, numbers[0]) {
            (b'~', Some(200)) => {
                self.flush_text(out);
                self.pasted.clear();
                self.state = State::Paste { matched: 0 };
                return;
            }
            (b'R', Some(rows)) => match numbers[1] {
                // In the first row it is the key F3 with a modifier: no screen is that small.
                Some(columns) if rows > 1 => Event::Size { columns, rows },
                _ => return,
            },
            (b't', Some(8)) => match (numbers[1], numbers[2]) {
                (Some(rows), Some(columns)) => Event::Size { columns, rows },
                _ => return,
            },
            // Keys by number, from terminals that were told to send them so by somebody before us.
            (b'u', Some(code)) => match numbered(code, modifiers) {
                Some(event) => event,
                None => return,
            },
            (b'~', Some(27)) => match numbers[2].and_then(|code| numbered(code, modifiers)) {
                Some(event) => event,
                None => return,
            },
            (b'Z', _) => key(Key::Tab, Modifiers::SHIFT),
            (b'~', Some(code)) => match code {
                1 | 7 => key(Key::Home, modifiers),
                3 => key(Key::Delete, modifiers),
                4 | 8 => key(Key::End, modifiers),
                5 => key(Key::PageUp, modifiers),
                6 => key(Key::PageDown, modifiers),
                _ => return,
            },
            _ => match arrow(last) {
                Some(which) => key(which, modifiers),
                None => return,
            },
        };
        self.emit(event, out);
    }

    pub(super) fn ss3(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
        match byte {
            b'0'..=b'9' | b';' => return,
            ESC => self.state = State::Escape,
            _ => self.state = State::Ground,
        }
        if let Some(which) = arrow(byte) {
            self.emit(key(which, Modifiers::NONE), out);
        } else if byte == b'M' {
            self.emit(key(Key::Enter, Modifiers::NONE), out);
        } else if byte < 0x20 && byte != ESC {
            self.plain(byte, out);
        }
    }

    pub(super) fn string(&mut self, byte: u8, bytes: u32, escape: bool, out: &mut impl FnMut(Event)) {
        self.state = match byte {
            0x07 => State::Ground,
            b'\\' if escape => State::Ground,
            _ if escape => {
                // Another sequence began: the string lost its end.
                return self.escape(byte, out);
            }
            ESC => State::String { bytes, escape: true },
            // Nobody puts these into a string; the person waits for Ctrl-C or Enter to do something.
            0x03 | b'\r' | b'\n' => {
                self.state = State::Ground;
                return self.plain(byte, out);
            }
            _ if bytes >= STRING => State::Ground,
            _ => State::String { bytes: bytes + 1, escape: false },
        };
    }
}

fn arrow(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

/// As xterm sends them: one more than a sum of bits.
fn modifiers(number: Option<u16>) -> Modifiers {
    let bits = number.unwrap_or(1).saturating_sub(1);
    Modifiers { shift: bits & 1 != 0, alt: bits & 2 != 0 || bits & 8 != 0, control: bits & 4 != 0 }
}

/// A key by its character's number.
fn numbered(code: u16, modifiers: Modifiers) -> Option<Event> {
    Some(match code {
        9 => key(Key::Tab, modifiers),
        13 => key(Key::Enter, modifiers),
        27 => key(Key::Escape, modifiers),
        8 | 127 => key(Key::Backspace, modifiers),
        _ => {
            let c = char::from_u32(code.into()).filter(|c| !c.is_control())?;
            if modifiers.alt || modifiers.control {
                key(Key::Char(c), modifiers)
            } else {
                let mut text = Text::new();
                text.push(c).ok()?;
                Event::Text { text }
            }
        }
    })
}

fn decimal(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0u16, |n, digit| {
        let digit = digit.checked_sub(b'0').filter(|d| *d <= 9)?;
        Some(n.saturating_mul(10).saturating_add(digit.into()))
    })
}
