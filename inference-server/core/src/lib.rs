//! The inference server without its protection domain: the life of a model, the requests of the assistant, the
//! sampling settings, the figures.
//!
//! Two peers: the assistant (`ipc::inference`) and the engine, which is the llama program (`llama-proto`). The
//! protection domain feeds in what arrives, and carries away [`Inference::next_command`], [`Inference::next_event`]
//! and [`Inference::next_shown`] as the rings have room. While [`Inference::has_room`] is false it leaves the
//! engine's replies in their ring: a slow reader holds the engine back, and nothing is lost.
//!
//! The engine reads model files that nobody has checked. It can die at any time and say anything; what it says is
//! checked here. A file that it cannot load, or that it dies of again and again, is given up for the next candidate.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod answer;
mod assistant;
mod draft;
mod engine;
mod facts;
mod job;
mod model;
mod outbox;
mod queue;
pub mod settings;
#[cfg(test)]
mod tests;
pub mod words;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use draft::Draft;
use ipc::display::{self, Style};
use ipc::inference::Event;
use job::{Job, Running};
use llama_proto::{Command, Loaded};
pub use queue::QUEUE;
use settings::Settings;

/// A model file that the engine can reach.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// File name, for people.
    pub name: String,
    pub bytes: u64,
}

/// What was done since this server started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub answers: u64,
    pub prompt_tokens: u64,
    pub reused_tokens: u64,
    pub answer_tokens: u64,
    pub engine_deaths: u64,
}

pub struct Inference {
    /// In the order in which they are tried.
    candidates: Vec<Candidate>,
    /// Why each candidate before the current one was given up.
    given_up: Vec<String>,
    engine: Engine,
    /// Deaths of the engine with the current candidate: while loading, and since the last result.
    deaths_loading: u32,
    deaths_working: u32,
    /// The model was ready before, so the next time it is so again.
    was_ready: bool,
    /// The last words of a dying engine.
    last_words: Option<String>,
    heard_us: u64,
    silence_told: bool,
    settings: Settings,
    random: u64,
    last_engine_id: u32,
    metadata_id: Option<u32>,
    metadata: Vec<(String, String)>,

    greeted: bool,
    draft: Option<Draft>,
    waiting: VecDeque<Job>,
    running: Option<Running>,
    totals: Totals,

    commands: VecDeque<Command>,
    events: VecDeque<Event>,
    event_bytes: usize,
    shown: VecDeque<display::Item>,
}

enum Engine {
    /// It has not said hello yet.
    Down,
    Loading { began_us: u64 },
    Ready { model: Box<Loaded>, ready_us: u64, took_us: u64 },
    /// Every candidate was given up.
    NoModel,
}

/// What a start of this server begins with.
pub struct Start {
    /// Counts the starts of this protection domain, from 1.
    pub start: u64,
    pub candidates: Vec<Candidate>,
    /// For seeds of answers where the person sets none.
    pub random: u64,
    pub now_us: u64,
}

impl Inference {
    pub fn new(start: Start) -> Self {
        let mut inference = Inference {
            candidates: start.candidates,
            given_up: Vec::new(),
            engine: Engine::Down,
            deaths_loading: 0,
            deaths_working: 0,
            was_ready: false,
            last_words: None,
            heard_us: start.now_us,
            silence_told: false,
            settings: Settings::default(),
            random: start.random,
            // Not the ids of the life before, whose replies may still be on their way.
            last_engine_id: (start.start as u32).wrapping_mul(1 << 20),
            metadata_id: None,
            metadata: Vec::new(),
            greeted: false,
            draft: None,
            waiting: VecDeque::new(),
            running: None,
            totals: Totals::default(),
            commands: VecDeque::new(),
            events: VecDeque::from([Event::Started]),
            event_bytes: 0,
            shown: VecDeque::new(),
        };
        if inference.candidates.is_empty() {
            inference.engine = Engine::NoModel;
            inference.show(Style::Error, words::NO_FILE);
        } else if start.start > 1 {
            // The engine said hello to the life before, and will not say it again. If it is down too, it drops this
            // command, says hello when it is up, and is sent another.
            inference.show(Style::Error, words::RESTARTED);
            inference.load(start.now_us);
        }
        inference
    }
}
