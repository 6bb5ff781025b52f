//! Records from router to assistant: the one-way path for prompts and for commands to the private side.

use alloc::string::String;
use serde::{Deserialize, Serialize};

/// Bytes of an encoded record at most.
pub const RECORD_BYTES: usize = PROMPT_BYTES + 64;
/// Bytes of a prompt at most.
pub const PROMPT_BYTES: usize = 16 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Item {
    /// Answer this. `id` counts prompts since router's start.
    Prompt {
        id: u64,
        text: String,
    },
    Command(Command),
}

/// What the person asks of the private side; results come on the display.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    /// `/model`: facts about the loaded model and the sampling settings.
    Model,
    /// `/model set NAME VALUE`, as typed; the private side checks both.
    ModelSet { name: heapless::String<32>, value: heapless::String<32> },
    /// `/new`: begin a new conversation.
    New,
}
