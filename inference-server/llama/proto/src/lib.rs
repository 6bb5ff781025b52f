//! What the inference server and the llama program say to each other.
//!
//! Each message is one record on a ring: a [`Command`] towards llama, a [`Reply`] back, encoded with postcard.
//! `program/proto.hpp` is the same in C++; `llama-tests` holds the two against each other. The order of variants and
//! fields is the format: a change is a new [`VERSION`].
//!
//! The rules of the conversation:
//! * After each start llama says [`Reply::Hello`] first. Whatever was asked before is gone; ask again.
//! * Signal llama after putting commands on its ring, and after taking replies off the other one: it may wait for room.
//! * One thing is done at a time, in order. [`Command::Stop`] alone is looked at while something is being done; at
//!   most [`QUEUE`] other commands may wait meanwhile.
//! * Each command with an `id` ends in exactly one closing reply with that id: its result or [`Reply::Error`];
//!   [`Command::Load`] in [`Reply::Loaded`] or [`Reply::LoadFailed`]. If llama dies first, there is none.
#![no_std]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use core::fmt;
use serde::{Deserialize, Serialize};

/// Version of the format, said in [`Reply::Hello`].
pub const VERSION: u32 = 2;
/// Commands that llama takes off the ring while it is busy.
pub const QUEUE: usize = 16;
/// Bytes of text that one reply carries at most; longer results come in several.
pub const TEXT_BYTES: usize = 4096;
/// Tokens or vector elements that one reply carries at most.
pub const CHUNK: usize = 1024;

pub type Id = u32;
pub type Token = u32;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Command {
    Load(Load),
    Unload,
    Tokenize { id: Id, text: String, add_special: bool, parse_special: bool },
    ApplyTemplate { id: Id, messages: Vec<Message>, add_assistant: bool },
    Generate(Generate),
    /// Ends the generation or embedding with this id, running or waiting; unknown ids are ignored.
    Stop { id: Id },
    Embed { id: Id, text: String },
    /// All scalar metadata of the file.
    Metadata { id: Id },
    /// Forgets the prompt cache.
    Forget,
}

/// Zero means: choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Load {
    /// Tokens of context. 0: the smaller of 2048 and what the model was trained for.
    pub n_ctx: u32,
    /// Prompt tokens per step; stopping is looked at more often than that. 0: 128.
    pub n_batch: u32,
    /// 0: as many as the program has.
    pub threads: u32,
    pub repack: Repack,
    /// Takes the place of the file's chat template (Jinja text or the name of one that llama.cpp knows); empty: none.
    pub template: String,
    /// The second of the two files on the start page.
    pub spare: bool,
}

/// Whether weights are copied into the order in which the CPU works fastest. It costs their size in memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Repack {
    /// If the arena holds them besides everything else.
    #[default]
    Auto,
    Never,
    Always,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    System,
    User,
    Assistant,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generate {
    pub id: Id,
    pub prompt: Prompt,
    /// 0: as many as the context holds.
    pub max_tokens: u32,
    pub sampling: Sampling,
    /// The answer ends before the first of these that appears.
    pub stop: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Prompt {
    /// Put into the model's chat template. Control tokens in a content are taken as plain text.
    Messages(Vec<Message>),
    /// As it stands; control tokens are recognised.
    Text(String),
    Tokens(Vec<Token>),
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// 0 or less: always the likeliest token.
    pub temperature: f32,
    /// 0: off.
    pub top_k: u32,
    /// 1: off.
    pub top_p: f32,
    /// 0: off.
    pub min_p: f32,
    /// 1: off.
    pub repeat_penalty: f32,
    pub repeat_last: u32,
    pub seed: u32,
}

impl Default for Sampling {
    fn default() -> Self {
        Sampling { temperature: 0.7, top_k: 40, top_p: 0.95, min_p: 0.05, repeat_penalty: 1.1, repeat_last: 64, seed: 0 }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Reply {
    Hello { version: u32, threads: u32, arena_bytes: u64, model_bytes: u64 },
    LoadProgress { permille: u16 },
    Loaded(Loaded),
    LoadFailed { reason: LoadError, detail: String },
    Unloaded,
    /// Tokens `start..` of `total`.
    Tokens { id: Id, total: u32, start: u32, tokens: Vec<Token> },
    /// Bytes `start..` of `total`. `tokens` counts the whole text.
    Templated { id: Id, template: Template, tokens: u32, total: u32, start: u32, text: String },
    PromptProgress { id: Id, done: u32, total: u32, reused: u32 },
    /// The next piece of the answer: whole characters. `tokens` were generated so far.
    Text { id: Id, text: String, tokens: u32 },
    Done(Done),
    /// Elements `start..` of `total`; the whole vector has length 1.
    Embedding { id: Id, total: u32, start: u32, values: Vec<f32> },
    /// Entries `start..` of `total`.
    Metadata { id: Id, total: u32, start: u32, entries: Vec<Entry> },
    /// `id` is 0 where the command could not be read.
    Error { id: Id, error: Error, detail: String },
    Log { level: Level, text: String },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loaded {
    /// `general.name` of the file, else the name of the file.
    pub name: String,
    pub architecture: String,
    /// How the weights are stored, for example `Q8_0`.
    pub file_type: String,
    pub parameters: u64,
    /// Bytes of all weights.
    pub weight_bytes: u64,
    pub n_ctx_train: u32,
    pub n_ctx: u32,
    pub n_vocab: u32,
    pub n_embd: u32,
    pub threads: u32,
    pub template: Template,
    /// What llama.cpp calls the template, for example `chatml`; empty if it has no name.
    pub template_name: String,
    pub can_generate: bool,
    pub repacked: bool,
    /// Arena: in use now, most ever in use, all.
    pub arena_used: u64,
    pub arena_peak: u64,
    pub arena_bytes: u64,
    /// Of that: keys and values of the context, and the work space of the computation.
    pub kv_bytes: u64,
    pub compute_bytes: u64,
    pub load_us: u64,
}

/// Where the form of a prompt comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Template {
    /// The file's own.
    Model,
    /// The one given with [`Load::template`].
    Given,
    /// The file has none; a common one that its vocabulary knows, or a plain one.
    Missing,
    /// llama.cpp does not know the file's template; as for `Missing`.
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadError {
    /// The CPU lacks the instructions in `detail`.
    Cpu,
    /// There is no model file.
    NoModel,
    NotGguf,
    /// A version of the format that llama.cpp does not read.
    Version,
    /// Shorter than its header says.
    Truncated,
    UnknownArchitecture,
    OutOfMemory,
    /// It was read, but something in it does not fit together.
    Malformed,
    /// The weights were read, but no context of this size could be made.
    Context,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LoadError::Cpu => "this processor lacks instructions that the engine needs",
            LoadError::NoModel => "there is no model file",
            LoadError::NotGguf => "the file is not a GGUF model",
            LoadError::Version => "the file has a version of GGUF that the engine does not read",
            LoadError::Truncated => "the file is shorter than its header says",
            LoadError::UnknownArchitecture => "the engine does not know this kind of model",
            LoadError::OutOfMemory => "the model needs more memory than it was given",
            LoadError::Malformed => "the file is damaged",
            LoadError::Context => "no context of this size could be made",
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    pub id: Id,
    pub reason: Reason,
    pub prompt_tokens: u32,
    /// Of the prompt, taken from the cache.
    pub reused_tokens: u32,
    pub generated_tokens: u32,
    /// From the command to the last prompt token; to the first token; from there to the end.
    pub prompt_us: u64,
    pub first_token_us: u64,
    pub generate_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// The model ended its answer.
    EndOfText,
    MaxTokens,
    /// By [`Command::Stop`].
    Stopped,
    /// One of the strings in [`Generate::stop`].
    StopText,
    ContextFull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Error {
    /// The record was no command.
    Malformed,
    NoModel,
    /// More tokens than the context holds; `detail` has the numbers.
    TooLong,
    /// The model does not do this (an embedding model does not generate).
    Unsupported,
    /// A token that the vocabulary does not have, a temperature that is no number.
    BadArgument,
    OutOfMemory,
    /// More than [`QUEUE`] commands waited.
    Busy,
    Stopped,
    Compute,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Error::Malformed => "the engine did not understand a command",
            Error::NoModel => "no model is loaded",
            Error::TooLong => "the text is longer than the model's context",
            Error::Unsupported => "this model cannot do that",
            Error::BadArgument => "a setting has a value that makes no sense",
            Error::OutOfMemory => "there was not enough memory",
            Error::Busy => "too many commands were waiting",
            Error::Stopped => "it was stopped",
            Error::Compute => "the computation failed",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Level {
    Debug,
    Info,
    Warn,
    Error,
    /// The program ends after this.
    Fatal,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub key: String,
    pub value: String,
}
