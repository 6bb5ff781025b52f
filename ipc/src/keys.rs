//! Keys on their way from serial to the PD that has the input focus. Serial parses what the terminal sends and
//! swallows what a terminal answers by itself.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
    /// With a modifier; without one, characters come as [`Event::Text`].
    Char(char),
    Enter,
    Tab,
    Backspace,
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    PageUp,
    PageDown,
    Escape,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modifiers {
    pub control: bool,
    pub alt: bool,
    pub shift: bool,
}

impl Modifiers {
    pub const NONE: Modifiers = Modifiers { control: false, alt: false, shift: false };
    pub const CONTROL: Modifiers = Modifiers { control: true, ..Modifiers::NONE };
    pub const ALT: Modifiers = Modifiers { alt: true, ..Modifiers::NONE };
    pub const SHIFT: Modifiers = Modifiers { shift: true, ..Modifiers::NONE };
}

/// Bytes of one [`Event::Text`] at most.
pub const TEXT_BYTES: usize = 64;
/// Bytes of one [`Event::Paste`] at most.
pub const PASTE_BYTES: usize = 512;
/// Bytes of an encoded record at most.
pub const RECORD_BYTES: usize = PASTE_BYTES + 16;

pub type Text = heapless::String<TEXT_BYTES>;
pub type Pasted = heapless::String<PASTE_BYTES>;

// An event lives for a moment on the stack; a box would cost more than its size.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Characters typed in a row, without modifiers: one record for what arrived together.
    Text { text: Text },
    Key {
        key: Key,
        modifiers: Modifiers,
    },
    /// Text between the terminal's paste marks, in pieces; line ends are `\n`.
    Paste {
        text: Pasted,
        last: bool,
    },
    /// Columns and rows, asked from the terminal by serial.
    Size {
        columns: u16,
        rows: u16,
    },
    /// Bytes that were no UTF-8 and no key.
    Invalid {
        bytes: u16,
    },
}
