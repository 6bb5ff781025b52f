//! Records that a PD sends to serial, which composes the screen. Plain text and a few styles; serial draws styles
//! and speaker itself and lets no control byte through.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Bytes of text in one record; longer text is sent in pieces.
pub const TEXT_BYTES: usize = 1024;
/// Bytes of an encoded record at most, the edit line included.
pub const RECORD_BYTES: usize = 20 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    Plain,
    /// Figures below an answer, hints.
    Dim,
    Strong,
    /// Something went wrong.
    Error,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// Whole lines under the speaker's name; `\n` separates them.
    Lines { style: Style, text: String },
    /// A piece of a block that grows while the person watches: an answer. Ends with `End` or when its speaker dies.
    Text { style: Style, text: String },
    /// Ends the growing block.
    End,
    /// A line that the next `Progress` of the same speaker replaces; empty text removes it.
    Progress { text: String },
    /// The input line (only from the PD that the layout lets edit). `cursor` counts bytes of `text`.
    Edit { prompt: String, text: String, cursor: u32 },
    /// The input line is finished: it becomes part of the transcript.
    EditDone,
    /// Draw the screen anew (only from the PD that edits).
    Redraw,
}
