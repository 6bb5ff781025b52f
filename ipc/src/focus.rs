//! What serial hands a PD of the trusted path while the person's key has given it the focus: whole lines, edited and
//! shown by serial itself, so that nobody else sees them or can draw them.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Bytes of a line at most; serial takes no more.
pub const LINE_BYTES: usize = 512;
/// Bytes of an encoded record at most.
pub const RECORD_BYTES: usize = LINE_BYTES + 16;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typed {
    /// The person's key: what they type from here on comes here.
    Opened,
    /// Ended with Enter. No control characters, at most [`LINE_BYTES`] bytes.
    Line { text: String },
    /// The person's key again, or Escape: the focus is back with the shell.
    Closed,
}
