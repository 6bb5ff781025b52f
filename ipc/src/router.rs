//! Shell asks router to have a prompt answered, or something fetched. Router decides who answers, and whether the mode
//! has a network, and says why; it never sees an answer.

use core::num::NonZeroU16;
use serde::{Deserialize, Serialize};

pub use crate::outbound::Host;
pub use crate::prompts::Command;

/// Bytes of prompt text in one call.
pub const CHUNK_BYTES: usize = 896;

pub type Chunk = heapless::String<CHUNK_BYTES>;

/// Bytes of a payload in one call.
pub const PIECE_BYTES: usize = 896;

pub type Piece = heapless::Vec<u8, PIECE_BYTES>;

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
    /// The prompt exceeds [`crate::prompts::PROMPT_BYTES`], or the payload [`crate::outbound::PAYLOAD_BYTES`]. It is
    /// dropped, and its further pieces are refused until `clear`, or `submit` or `fetch`, ends it.
    TooLong { limit: u32 },
    /// Nothing but white space was appended before `submit`.
    Empty,
}

crate::protocol! {
    version 2;
    /// Adds a piece to the prompt that `submit` will send.
    Append append(chunk: Chunk) -> Result<(), Error>;
    /// Drops what was appended and attached.
    Clear clear() -> ();
    /// Sends the prompt to the engine that router decides on.
    Submit submit() -> Result<Decision, Error>;
    /// Sends a command to the private side.
    Private private(command: Command) -> ();
    /// Shows on router's own display ring why the last prompt went where it went.
    Why why() -> ();
    /// Adds a piece to the bytes that `fetch` will send.
    Attach attach(piece: Piece) -> Result<(), Error>;
    /// Hands what was attached to gate, if the mode has one. What router did, it shows on its own display ring.
    Fetch fetch(host: Host, port: NonZeroU16) -> Result<(), Error>;
    /// The same for a ping.
    Ping ping(host: Host) -> ();
    /// The same for what the network server knows of itself.
    Net net() -> ();
}
