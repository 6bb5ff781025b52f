//! Router without its protection domain: builds a prompt up from pieces, decides who answers it, and explains that.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod policy;
mod why;

pub use policy::{decide, Mode, Situation};

use alloc::string::String;
use alloc::vec::Vec;
use ipc::prompts::{Item, PROMPT_BYTES};
use ipc::router::{Chunk, Command, Decision, Error};
use ipc::{display, next_chunk};

/// Router's state and what it wants to say. The protection domain empties [`Router::prompts`] and
/// [`Router::display`] into its rings after each call.
pub struct Router {
    mode: Mode,
    prompt: String,
    /// The prompt grew beyond the limit; refuse the rest of it.
    too_long: bool,
    submitted: u64,
    last: Option<Decision>,
    prompts: Vec<Item>,
    display: Vec<display::Item>,
}

impl Router {
    pub fn new(mode: Mode) -> Self {
        Router {
            mode,
            prompt: String::new(),
            too_long: false,
            submitted: 0,
            last: None,
            prompts: Vec::new(),
            display: Vec::new(),
        }
    }

    /// Takes what is to go to the private side.
    pub fn prompts(&mut self) -> Vec<Item> {
        core::mem::take(&mut self.prompts)
    }

    /// Takes what is to be shown.
    pub fn display(&mut self) -> Vec<display::Item> {
        core::mem::take(&mut self.display)
    }

    fn situation(&self) -> Situation {
        Situation { mode: self.mode, cloud_engine: false }
    }

    fn say(&mut self, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<{ display::TEXT_BYTES }>(text, &mut at) {
            self.display.push(display::Item::Lines { style: display::Style::Plain, text: piece.into() });
        }
    }
}

impl ipc::router::Server for Router {
    fn append(&mut self, _caller: u64, chunk: Chunk) -> Result<(), Error> {
        if self.too_long || self.prompt.len() + chunk.len() > PROMPT_BYTES {
            self.too_long = true;
            self.prompt = String::new();
            return Err(too_long());
        }
        self.prompt.push_str(&chunk);
        Ok(())
    }

    fn clear(&mut self, _caller: u64) {
        self.prompt.clear();
        self.too_long = false;
    }

    fn submit(&mut self, _caller: u64) -> Result<Decision, Error> {
        let text = core::mem::take(&mut self.prompt);
        if core::mem::take(&mut self.too_long) {
            return Err(too_long());
        }
        if text.trim().is_empty() {
            return Err(Error::Empty);
        }
        self.submitted += 1;
        let decision = decide(self.submitted, &self.situation());
        match decision.engine {
            ipc::router::Engine::Local => self.prompts.push(Item::Prompt { id: decision.id, text }),
        }
        self.last = Some(decision.clone());
        Ok(decision)
    }

    fn private(&mut self, _caller: u64, command: Command) {
        self.prompts.push(Item::Command(command));
    }

    fn why(&mut self, _caller: u64) {
        let text = match &self.last {
            Some(decision) => why::explain(decision),
            None => why::nothing_sent(self.mode),
        };
        self.say(&text);
    }
}

fn too_long() -> Error {
    Error::TooLong { limit: PROMPT_BYTES as u32 }
}

#[cfg(test)]
mod tests;
