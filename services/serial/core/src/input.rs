//! Bytes of the terminal to keys.
//!
//! A terminal sends two kinds of things: what the person types, and answers to what somebody wrote on its screen. The
//! second kind must not become input, or an answer of the model could type: whatever begins with escape and is not a
//! key known here is swallowed to its end. Reports of the cursor's place are the one answer that is read: serial asks
//! for them to learn the screen's size.
//!
//! Where an escape sequence ends is not always known: escape is a key, too. What does not go on within a moment is
//! over, so that a stray escape never swallows what is typed later.

use ipc::keys::{Event, Key, Modifiers, Pasted, Text};

/// An escape that nothing follows for so long was the key, and a sequence that does not go on is over.
pub const PATIENCE_US: u64 = 500_000;
/// A paste that does not go on for so long is over, though its end mark never came.
pub const PASTE_PATIENCE_US: u64 = 3_000_000;
/// Bytes of a sequence that are kept. Longer ones are none of ours, and swallowed.
const SEQUENCE: usize = 32;
/// A string (title, colour, device report) that is longer is no string, but lost its end.
const STRING: u32 = 4096;

const ESC: u8 = 0x1b;
const PASTE_END: &[u8] = b"\x1b[201~";

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

    /// A byte that is no part of a sequence.
    fn plain(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
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

    fn character(&mut self, c: char, out: &mut impl FnMut(Event)) {
        if core::mem::take(&mut self.alt) {
            self.emit(key(Key::Char(c), Modifiers::ALT), out);
        } else if self.text.push(c).is_err() {
            self.flush_text(out);
            // An empty text has room for any character.
            let _ = self.text.push(c);
        }
    }

    /// The rest of a character will not come.
    fn cut_character(&mut self) {
        self.invalid = self.invalid.saturating_add(self.decoder.cut());
        self.alt = false;
    }

    fn escape(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
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

    fn csi(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
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

    fn ss3(&mut self, byte: u8, out: &mut impl FnMut(Event)) {
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

    fn string(&mut self, byte: u8, bytes: u32, escape: bool, out: &mut impl FnMut(Event)) {
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

    fn paste(&mut self, byte: u8, matched: usize, after_return: bool, out: &mut impl FnMut(Event)) {
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
    fn pasted_back(&mut self, matched: usize, out: &mut impl FnMut(Event)) {
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

    fn end_paste(&mut self, out: &mut impl FnMut(Event)) {
        self.cut_character();
        self.state = State::Ground;
        self.flush_paste(true, out);
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

enum Decoded {
    More,
    Char(char),
    /// So many bytes are no UTF-8. `again`: the last byte is not among them and begins something new.
    Invalid {
        bytes: u16,
        again: bool,
    },
}

/// One character at a time.
#[derive(Default)]
struct Utf8 {
    bytes: [u8; 4],
    length: usize,
}

impl Utf8 {
    fn is_idle(&self) -> bool {
        self.length == 0
    }

    fn cut(&mut self) -> u16 {
        core::mem::take(&mut self.length) as u16
    }

    fn push(&mut self, byte: u8) -> Decoded {
        let held = self.length;
        if let Some(free) = self.bytes.get_mut(held) {
            *free = byte;
            self.length += 1;
        }
        match core::str::from_utf8(&self.bytes[..self.length]) {
            Ok(text) => {
                self.length = 0;
                // One character: a shorter beginning would have been complete before.
                text.chars().next().map_or(Decoded::More, Decoded::Char)
            }
            Err(error) if error.error_len().is_none() => Decoded::More,
            Err(_) => {
                self.length = 0;
                match held {
                    0 => Decoded::Invalid { bytes: 1, again: false },
                    _ => Decoded::Invalid { bytes: held as u16, again: true },
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        Input::default().feed(bytes, 1, |event| events.push(event));
        events
    }

    fn text(text: &str) -> Event {
        Event::Text { text: Text::try_from(text).unwrap() }
    }

    fn paste(text: &str, last: bool) -> Event {
        Event::Paste { text: Pasted::try_from(text).unwrap(), last }
    }

    const CONTROL: Modifiers = Modifiers::CONTROL;
    const NONE: Modifiers = Modifiers::NONE;

    #[test]
    fn letters_of_all_lengths_come_together() {
        assert_eq!(all("aé日😀".as_bytes()), [text("aé日😀")]);
    }

    #[test]
    fn a_long_run_comes_in_pieces() {
        let events = all("ä".repeat(100).as_bytes());
        assert_eq!(events.len(), 4);
        assert_eq!(events[0], text(&"ä".repeat(32)));
    }

    #[test]
    fn invalid_bytes_are_counted_and_what_follows_is_read() {
        assert_eq!(all(b"a\xff\xfeb"), [text("ab"), Event::Invalid { bytes: 2 }]);
        assert_eq!(all(b"\xe6\x97x"), [text("x"), Event::Invalid { bytes: 2 }]);
        assert_eq!(all(b"\xc3\xc3\xa9"), [text("é"), Event::Invalid { bytes: 1 }]);
        // Overlong, surrogate, beyond the end.
        assert_eq!(all(b"\xc0\x80"), [Event::Invalid { bytes: 2 }]);
        assert_eq!(all(b"\xed\xa0\x80"), [Event::Invalid { bytes: 3 }]);
        assert_eq!(all(b"\xf5\x80\x80\x80"), [Event::Invalid { bytes: 4 }]);
    }

    #[test]
    fn a_character_may_arrive_in_pieces() {
        let mut input = Input::default();
        let mut events = Vec::new();
        for (i, byte) in "日".bytes().enumerate() {
            input.feed(&[byte], 1000 + i as u64, |event| events.push(event));
        }
        assert_eq!(events, [text("日")]);
    }

    #[test]
    fn an_escape_behind_half_a_character_is_an_escape() {
        assert_eq!(all(b"\xe6\x1b[A"), [key(Key::Up, NONE), Event::Invalid { bytes: 1 }]);
        assert_eq!(all(b"\xe6\x03"), [key(Key::Char('c'), CONTROL), Event::Invalid { bytes: 1 }]);
    }

    #[test]
    fn control_keys() {
        assert_eq!(all(b"\x03"), [key(Key::Char('c'), CONTROL)]);
        assert_eq!(
            all(b"\x01\x1a\x1c\x1f\0"),
            [
                key(Key::Char('a'), CONTROL),
                key(Key::Char('z'), CONTROL),
                key(Key::Char('\\'), CONTROL),
                key(Key::Char('_'), CONTROL),
                key(Key::Char(' '), CONTROL),
            ]
        );
        assert_eq!(all(b"\t\x7f\x08"), [key(Key::Tab, NONE), key(Key::Backspace, NONE), key(Key::Backspace, NONE)]);
    }

    #[test]
    fn return_and_line_feed_together_are_one_enter() {
        assert_eq!(
            all(b"a\r\nb\nc\r\r"),
            [
                text("a"),
                key(Key::Enter, NONE),
                text("b"),
                key(Key::Enter, NONE),
                text("c"),
                key(Key::Enter, NONE),
                key(Key::Enter, NONE),
            ]
        );
    }

    #[test]
    fn arrows_and_their_relatives() {
        let plain = [
            (&b"\x1b[A"[..], Key::Up),
            (b"\x1bOB", Key::Down),
            (b"\x1b[C", Key::Right),
            (b"\x1bOD", Key::Left),
            (b"\x1b[H", Key::Home),
            (b"\x1bOF", Key::End),
            (b"\x1b[1~", Key::Home),
            (b"\x1b[8~", Key::End),
            (b"\x1b[3~", Key::Delete),
            (b"\x1b[5~", Key::PageUp),
            (b"\x1b[6~", Key::PageDown),
            (b"\x1bOM", Key::Enter),
        ];
        for (bytes, which) in plain {
            assert_eq!(all(bytes), [key(which, NONE)], "{}", bytes.escape_ascii());
        }
        assert_eq!(all(b"\x1b[1;5C"), [key(Key::Right, CONTROL)]);
        assert_eq!(all(b"\x1b[1;3D"), [key(Key::Left, Modifiers::ALT)]);
        assert_eq!(all(b"\x1b[1;2A"), [key(Key::Up, Modifiers::SHIFT)]);
        assert_eq!(all(b"\x1b[3;5~"), [key(Key::Delete, CONTROL)]);
        assert_eq!(all(b"\x1b[Z"), [key(Key::Tab, Modifiers::SHIFT)]);
        assert_eq!(all(b"\x1b[99;5u"), [key(Key::Char('c'), CONTROL)]);
        assert_eq!(all(b"\x1b[27;5;13~"), [key(Key::Enter, CONTROL)]);
    }

    #[test]
    fn alt_with_a_key() {
        assert_eq!(all(b"\x1bb"), [key(Key::Char('b'), Modifiers::ALT)]);
        assert_eq!(all("\x1bé".as_bytes()), [key(Key::Char('é'), Modifiers::ALT)]);
        assert_eq!(all(b"\x1b\x7f"), [key(Key::Backspace, Modifiers::ALT)]);
        assert_eq!(all(b"\x1b\rx"), [key(Key::Enter, Modifiers::ALT), text("x")]);
    }

    #[test]
    fn what_a_terminal_says_by_itself_is_no_input() {
        let replies: [&[u8]; 19] = [
            b"\x1b[0n",
            b"\x1b[?62;22c",
            b"\x1b[>0;276;0c",
            b"\x1b[=1;2c",
            b"\x1bP!|00000000\x1b\\",
            b"\x1bP1$r0m\x1b\\",
            b"\x1b]11;rgb:0000/0000/0000\x1b\\",
            b"\x1b]l/quit\x07",
            b"\x1b]L/quit\x1b\\",
            b"\x1b_Gi=1;OK\x1b\\",
            b"\x1b^x\x1b\\",
            b"\x1b[?2026;2$y",
            b"\x1b[I\x1b[O",
            b"\x1b[<0;10;20M\x1b[<0;10;20m",
            b"\x1b[M abc"[..6].as_ref(),
            b"\x1b[3;10;20t",
            b"\x1b[24~\x1b[[A\x1bOP\x1b[15;5~",
            b"\x1b[1;2R",
            b"\x1b[?1u",
        ];
        for bytes in replies {
            assert_eq!(all(bytes), [], "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn reports_of_the_size_are_read() {
        assert_eq!(all(b"\x1b[24;80R"), [Event::Size { columns: 80, rows: 24 }]);
        assert_eq!(all(b"\x1b[8;50;200t"), [Event::Size { columns: 200, rows: 50 }]);
        assert_eq!(all(b"\x1b[99999999999;80R"), [Event::Size { columns: 80, rows: u16::MAX }]);
    }

    #[test]
    fn a_report_between_two_letters_leaves_no_trace() {
        assert_eq!(all(b"a\x1b[?62;22cb"), [text("ab")]);
    }

    #[test]
    fn a_lone_escape_is_a_key_after_a_moment() {
        let mut input = Input::default();
        let mut events = Vec::new();
        input.feed(b"\x1b", 1_000_000, |event| events.push(event));
        input.tick(1_000_000 + PATIENCE_US - 1, |event| events.push(event));
        assert_eq!(events, []);
        input.tick(1_000_000 + PATIENCE_US, |event| events.push(event));
        assert_eq!(events, [key(Key::Escape, NONE)]);
    }

    #[test]
    fn a_key_long_after_an_escape_is_a_key_of_its_own() {
        let mut input = Input::default();
        let mut events = Vec::new();
        input.feed(b"\x1b", 1_000_000, |event| events.push(event));
        input.feed(b"b", 2_000_000, |event| events.push(event));
        assert_eq!(events, [key(Key::Escape, NONE), text("b")]);
    }

    #[test]
    fn an_unfinished_sequence_does_not_swallow_what_is_typed_later() {
        for start in [&b"\x1b["[..], b"\x1b]0;title", b"\x1bP", b"\x1bO", b"\x1b[M", b"\x1b[1;"] {
            let mut input = Input::default();
            let mut events = Vec::new();
            input.feed(start, 1_000_000, |event| events.push(event));
            input.feed(b"hello", 2_000_000, |event| events.push(event));
            assert_eq!(events, [text("hello")], "{}", start.escape_ascii());
        }
    }

    #[test]
    fn ctrl_c_gets_through_whatever_came_before() {
        for start in [&b"\x1b"[..], b"\x1b[", b"\x1b[12;", b"\x1b]0;x", b"\x1bO", b"\xf0\x9f"] {
            let events = all(&[start, b"\x03"].concat());
            assert!(
                events
                    .iter()
                    .any(|event| matches!(event, Event::Key { key: Key::Char('c'), modifiers } if modifiers.control)),
                "{}: {events:?}",
                start.escape_ascii()
            );
        }
    }

    #[test]
    fn a_string_without_end_is_given_up() {
        let mut bytes = b"\x1b]".to_vec();
        bytes.extend(vec![b'x'; STRING as usize + 1]);
        bytes.extend(b"hi");
        assert_eq!(all(&bytes), [text("hi")]);
    }

    #[test]
    fn a_paste_is_text_whatever_is_in_it() {
        assert_eq!(
            all(b"\x1b[200~one\rtwo\r\nthree\n\x03\x1b[A\tx\x1b[201~y"),
            [paste("one\ntwo\nthree\n[A\tx", true), text("y"),]
        );
    }

    #[test]
    fn a_paste_comes_in_pieces() {
        let bytes = [b"\x1b[200~".to_vec(), vec![b'p'; 1200], b"\x1b[201~".to_vec()].concat();
        let events = all(&bytes);
        let lengths: Vec<_> = events
            .iter()
            .map(|event| match event {
                Event::Paste { text, last } => (text.len(), *last),
                _ => panic!("{event:?}"),
            })
            .collect();
        assert_eq!(lengths, [(512, false), (512, false), (176, true)]);
    }

    #[test]
    fn a_paste_without_end_ends_by_itself() {
        let mut input = Input::default();
        let mut events = Vec::new();
        input.feed(b"\x1b[200~abc\x1b[2", 1, |event| events.push(event));
        input.feed(b"\x03", 1 + PASTE_PATIENCE_US, |event| events.push(event));
        assert_eq!(events, [paste("abc", false), paste("[2", true), key(Key::Char('c'), CONTROL)]);
    }

    #[test]
    fn known_troublemakers() {
        let corpus: &[&[u8]] = &[
            b"\x1b[200~\x1b[200~\x1b[201~\x1b[201~",
            b"\x1b\x1b\x1b\x1b[A",
            b"\x1b[;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;;m",
            b"\x1b[1:2:3;4:5~",
            b"\x1b[\x1b[\x1b[C",
            b"\x1bO\x1bOA",
            b"\x1b[200~\xe6\x97\x1b[201~\xa5",
            b"\x1b]\x1b]\x1b]\x1b\\",
            b"\x1b[M\x1b[A\x1b[A",
            b"\x9b5n\x90\x9d",
            b"\x1b[200~\x1b\x1b[201~",
            b"\x1b[4294967296;4294967296R",
        ];
        for bytes in corpus {
            for cut in 0..=bytes.len() {
                let mut input = Input::default();
                input.feed(&bytes[..cut], 0, |_| ());
                input.feed(&bytes[cut..], 600_000, |_| ());
                input.tick(10_000_000, |_| ());
                let mut events = Vec::new();
                input.feed(b"ok\r", 20_000_000, |event| events.push(event));
                assert_eq!(events, [text("ok"), key(Key::Enter, NONE)], "{} cut at {cut}", bytes.escape_ascii());
            }
        }
    }

    fn terminal_bytes() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            any::<u8>().prop_map(|b| vec![b]),
            Just(b"\x1b".to_vec()),
            Just(b"\x1b[".to_vec()),
            Just(b"\x1b]".to_vec()),
            Just(b"\x1b[200~".to_vec()),
            Just(b"\x1b[201~".to_vec()),
            Just(b"\x1b[M".to_vec()),
            "[a-zé日0-9;~R]{1,4}".prop_map(String::into_bytes),
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_cut_anywhere_at_any_time(
            bytes in terminal_bytes(), cuts in proptest::collection::vec((1usize..9, 0u64..2_000_000), 0..30),
        ) {
            let mut input = Input::default();
            let (mut now, mut at) = (0, 0);
            let mut check = |event: Event| {
                let ok = match &event {
                    Event::Text { text } => !text.is_empty() && !text.chars().any(char::is_control),
                    Event::Paste { text, .. } => !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t'),
                    Event::Invalid { bytes } => *bytes > 0,
                    Event::Key { key: Key::Char(c), modifiers } => !c.is_control() && (modifiers.control || modifiers.alt),
                    _ => true,
                };
                assert!(ok, "{event:?}");
            };
            for (length, wait) in cuts {
                let end = (at + length).min(bytes.len());
                now += wait;
                input.feed(&bytes[at..end], now, &mut check);
                at = end;
            }
            input.feed(&bytes[at..], now, &mut check);
            // Whatever came: after a pause, the person can type.
            now += 2 * PASTE_PATIENCE_US;
            input.tick(now, |_| ());
            let mut events = Vec::new();
            input.feed(b"ok\r", now + 1, |event| events.push(event));
            prop_assert_eq!(events, [text("ok"), key(Key::Enter, NONE)]);
        }

        #[test]
        fn where_bytes_are_cut_makes_no_difference(typed in "[a-zé日😀\u{1}\u{3}\t]{0,40}", cut in 0usize..100) {
            let join = |events: Vec<Event>| {
                let mut shown = String::new();
                for event in events {
                    match event {
                        Event::Text { text } => shown.push_str(&text),
                        other => shown.push_str(&format!("<{other:?}>")),
                    }
                }
                shown
            };
            let bytes = typed.as_bytes();
            let cut = cut.min(bytes.len());
            let mut events = Vec::new();
            let mut input = Input::default();
            input.feed(&bytes[..cut], 1, |event| events.push(event));
            input.feed(&bytes[cut..], 2, |event| events.push(event));
            prop_assert_eq!(join(events), join(all(bytes)));
        }
    }
}
