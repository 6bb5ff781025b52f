//! Shell asks router to have a prompt answered. Router decides who answers and says why; it never sees an answer.

use serde::{Deserialize, Serialize};

pub use crate::prompts::Command;

/// Bytes of prompt text in one call.
pub const CHUNK_BYTES: usize = 896;

pub type Chunk = heapless::String<CHUNK_BYTES>;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    Local,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The mode has no cloud path.
    LocalOnlyMode,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    pub id: u64,
    pub engine: Engine,
    pub reason: Reason,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Error {
    /// The prompt exceeds [`crate::prompts::PROMPT_BYTES`]; what was appended is dropped.
    TooLong { limit: u32 },
    /// Nothing was appended before `submit`.
    Empty,
}

crate::protocol! {
    version 1;
    /// Adds a piece to the prompt that `submit` will send.
    Append append(chunk: Chunk) -> Result<(), Error>;
    /// Drops what was appended.
    Clear clear() -> ();
    /// Sends the prompt to the engine that router decides on.
    Submit submit() -> Result<Decision, Error>;
    /// Sends a command to the private side.
    Private private(command: Command) -> ();
    /// Shows on router's own display ring why the last prompt went where it went.
    Why why() -> ();
}
