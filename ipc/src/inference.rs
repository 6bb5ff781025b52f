//! Assistant and inference server: conversations to answer one way, answers piece by piece the other way, both on
//! credited rings; and one small call that must not wait behind what lies in a ring, `stop`.
//!
//! * Inference says [`Event::Started`] when it starts, and passes over all requests before a [`Request::Hello`].
//!   Assistant says that when it starts and whenever inference has started, and asks for nothing before it has read
//!   the [`Event::Hello`] that answers it. So a request is either known to be lost or is worked on: never both, never
//!   neither.
//! * A conversation travels in pieces: [`Request::Begin`], its messages, [`Request::Generate`]. Each `Generate` and
//!   `Embed` ends in exactly one [`Event::Done`], [`Event::Embedded`], [`Event::TooLong`] or [`Event::Failed`] with
//!   its id, unless inference dies; then the ring's epoch changes.
//! * Ids are the assistant's: unique over all of its starts.

use alloc::string::String;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// Bytes of text in one [`Request::Message`] or [`Event::Text`] at most.
pub const TEXT_BYTES: usize = 4096;
/// Bytes of all texts of a conversation at most; a longer one fails with [`Failure::TooLarge`].
pub const CONVERSATION_BYTES: usize = 96 * 1024;
/// Messages of a conversation at most.
pub const MESSAGES: usize = 512;
/// Bytes of a text to embed at most.
pub const EMBED_BYTES: usize = 8 * 1024;
/// Elements of a vector in one [`Event::Embedding`] at most.
pub const VECTOR_CHUNK: usize = 512;
/// Bytes of an encoded record at most, both ways.
pub const RECORD_BYTES: usize = 12 * 1024;

pub type Name = heapless::String<64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    System,
    User,
    Assistant,
}

/// From assistant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Request {
    /// Everything asked before is dropped. Answered by an [`Event::Hello`] with the same nonce.
    Hello { nonce: u64 },
    /// A conversation follows, the oldest message first; one that was not finished is dropped.
    Begin { id: u64 },
    /// The next message, or the next piece of the one before it.
    Message { id: u64, role: Role, text: String, continues: bool },
    /// All messages were sent: answer the last one. `max_tokens` 0: as the settings say.
    Generate { id: u64, max_tokens: u32 },
    /// The vector of a text.
    Embed { id: u64, text: String },
    /// The conversation that was answered last is over: forget what was kept of it to answer faster.
    NewConversation,
    /// `/model`: shown on inference's own display ring.
    ShowModel,
    /// `/model set`, as typed; inference checks it, and says on its own display ring what came of it.
    SetSetting { name: heapless::String<32>, value: heapless::String<32> },
}

/// From inference.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Event {
    Started,
    /// Answers [`Request::Hello`]: inference owes nothing. The state follows with each change.
    Hello {
        nonce: u64,
        state: State,
    },
    State(State),
    /// The request waits; `before` others come first.
    Queued {
        id: u64,
        before: u16,
    },
    /// Of `total` prompt tokens `done` were computed, `reused` of them taken from the prompt cache.
    Prompt {
        id: u64,
        done: u32,
        total: u32,
        reused: u32,
    },
    /// The next piece of the answer: whole characters.
    Text {
        id: u64,
        text: String,
    },
    /// The answer is complete.
    Done {
        id: u64,
        finish: Finish,
        figures: Figures,
    },
    /// Elements `start..` of the vector; all pieces come in order, then `Embedded`.
    Embedding {
        id: u64,
        start: u32,
        total: u32,
        values: Vec<f32>,
    },
    Embedded {
        id: u64,
    },
    /// The conversation takes `tokens`, the context has room for `room` besides the answer. Nothing was computed:
    /// drop the oldest turns and ask again.
    TooLong {
        id: u64,
        tokens: u32,
        room: u32,
    },
    Failed {
        id: u64,
        failure: Failure,
    },
}

impl Event {
    /// The request that this belongs to.
    pub fn id(&self) -> Option<u64> {
        match self {
            Event::Started | Event::Hello { .. } | Event::State(_) => None,
            Event::Queued { id, .. }
            | Event::Prompt { id, .. }
            | Event::Text { id, .. }
            | Event::Done { id, .. }
            | Event::Embedding { id, .. }
            | Event::Embedded { id }
            | Event::TooLong { id, .. }
            | Event::Failed { id, .. } => Some(*id),
        }
    }
}

/// What inference can do now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum State {
    /// A model is being loaded; requests wait for it.
    Loading,
    Ready {
        model: Name,
        context_tokens: u32,
    },
    /// No model can be loaded; the person was told why.
    NoModel,
}

/// Why an answer ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Finish {
    /// The model ended it.
    End,
    /// `max_tokens` were generated.
    MaxTokens { limit: u32 },
    /// By `stop`.
    Stopped,
    /// The context has no room for another token.
    ContextFull,
}

/// Measured, never estimated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    pub prompt_tokens: u32,
    /// Of the prompt, not computed again.
    pub reused_tokens: u32,
    pub answer_tokens: u32,
    /// From the start of the work to the first token, and from there to the last.
    pub first_us: u64,
    pub answer_us: u64,
}

impl Figures {
    /// Tokens in a second once the answer runs, times ten; `None` if fewer than two tokens came.
    pub fn tokens_per_second_x10(&self) -> Option<u64> {
        if self.answer_tokens < 2 || self.answer_us == 0 {
            return None;
        }
        Some(u64::from(self.answer_tokens - 1).saturating_mul(10_000_000) / self.answer_us)
    }
}

/// Why a request has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// No model is loaded, and none can be.
    NoModel,
    /// The engine died while it worked on this; it is being started again.
    EngineDied,
    /// The engine answered with an error; inference's display has the details.
    Engine,
    /// The loaded model does not do this (an embedding model does not answer).
    Unsupported,
    /// `limit` requests wait already.
    Busy { limit: u16 },
    /// More bytes than `limit`.
    TooLarge { limit: u32 },
    /// The request makes no sense: no messages, a piece out of order.
    Malformed,
}

/// What `stop` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stopped {
    /// It ran; the engine was told, and [`Event::Done`] follows.
    Running,
    /// It waited; [`Event::Done`] follows, without a token.
    Waiting,
    /// There is no such request (any more).
    Unknown,
}

/// The call.
pub mod call {
    use super::Stopped;

    crate::protocol! {
        version 1;
        /// Ends a request: one that runs within a token, one that waits at once.
        Stop stop(id: u64) -> Stopped;
    }
}
