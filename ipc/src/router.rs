//! Shell asks router to have a prompt answered. Router decides who answers and says why; it never sees an answer.

use serde::{Deserialize, Serialize};

pub use crate::prompts::Command;

/// Bytes of prompt text in one call.
pub const CHUNK_BYTES: usize = 896;

pub type Chunk = heapless::String<CHUNK_BYTES>;

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Engine {
    /// The model on this machine.
    Local,
}

/// What the decision rests on. `/why` has a sentence for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The mode is Local Only: no path to a cloud exists.
    LocalOnlyMode,
    /// This system has no cloud engine, whatever the mode.
    NoCloudEngine,
}

/// At most this many reasons stand behind a decision.
pub const REASONS: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Counts the prompts since router's start, from 1.
    pub id: u64,
    pub engine: Engine,
    /// The strongest first; never empty.
    pub reasons: heapless::Vec<Reason, REASONS>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Error {
    /// The prompt exceeds [`crate::prompts::PROMPT_BYTES`]. It is dropped, and its further pieces are refused until
    /// `clear` or `submit` ends it.
    TooLong { limit: u32 },
    /// Nothing but white space was appended before `submit`.
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
