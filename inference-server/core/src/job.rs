//! One request at work.

use alloc::vec::Vec;
use alloc::string::String;
use llama_proto::{Message, Reply};

pub struct Job {
    /// The assistant's id.
    pub id: u64,
    pub task: Task,
}

pub enum Task {
    Generate { messages: Vec<Message>, max_tokens: u32 },
    Embed { text: String },
}

pub struct Running {
    pub job: Job,
    /// The id under which the engine knows it.
    pub engine_id: u32,
    pub work: Work,
    /// Tokens that the prompt may have, and the answer at most (0: no limit).
    pub room: u32,
    pub limit: u32,
}

/// What the engine is doing for it.
pub enum Work {
    /// Counting the tokens of the conversation.
    Count,
    Generate,
    Embed { next: u32, total: Option<u32> },
}

/// Tokens of a context that a prompt may take: what is left beside the longest answer, but never less than three
/// quarters.
pub fn room(n_ctx: u32, max_tokens: u32) -> u32 {
    let answer = if max_tokens == 0 { u32::MAX } else { max_tokens };
    n_ctx - answer.min(n_ctx / 4)
}

/// No text has more tokens than bytes, and a template adds but a few to each message: most conversations need not be
/// counted.
pub fn surely_fits(messages: &[Message], room: u32) -> bool {
    let bytes: usize = messages.iter().map(|message| message.content.len() + 24).sum();
    bytes + 64 <= room as usize
}

/// The id that a reply carries.
pub fn id_of(reply: &Reply) -> Option<u32> {
    match reply {
        Reply::Hello { .. }
        | Reply::LoadProgress { .. }
        | Reply::Loaded(_)
        | Reply::LoadFailed { .. }
        | Reply::Unloaded
        | Reply::Log { .. } => None,
        Reply::Tokens { id, .. }
        | Reply::Templated { id, .. }
        | Reply::PromptProgress { id, .. }
        | Reply::Text { id, .. }
        | Reply::Embedding { id, .. }
        | Reply::Metadata { id, .. }
        | Reply::Error { id, .. } => Some(*id),
        Reply::Done(done) => Some(done.id),
    }
}
