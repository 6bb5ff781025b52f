//! Keys on their way from serial to the PD that has the input focus. Serial parses what the terminal sends and
//! swallows what a terminal answers by itself.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Key {
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Key {
        key: Key,
        modifiers: Modifiers,
    },
    /// Text between the terminal's paste marks, in pieces; line ends are `\n`.
    Paste {
        text: heapless::String<512>,
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
