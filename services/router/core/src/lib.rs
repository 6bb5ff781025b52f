//! Router without its protection domain: builds prompts and payloads up from pieces, decides who answers a prompt and
//! whether anything may go towards the network, and explains that.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod policy;
mod why;

pub use policy::{decide, Mode};

use alloc::string::String;
use alloc::vec::Vec;
use core::num::NonZeroU16;
use ipc::outbound::{Payload, Request, PAYLOAD_BYTES};
use ipc::prompts::{Item, PROMPT_BYTES};
use ipc::router::{Chunk, Command, Decision, Error, Host, Piece};
use ipc::{display, next_chunk};

/// Router's state and what it wants to say. The protection domain empties [`Router::prompts`], [`Router::outbound`] and
/// [`Router::display`] into its rings after each call.
pub struct Router {
    mode: Mode,
    prompt: String,
    /// The prompt grew beyond the limit; refuse the rest of it.
    too_long: bool,
    submitted: u64,
    last: Option<Decision>,
    payload: Vec<u8>,
    payload_too_long: bool,
    /// Requests for the network so far, whatever became of them.
    asked: u64,
    prompts: Vec<Item>,
    outbound: Vec<Request>,
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
            payload: Vec::new(),
            payload_too_long: false,
            asked: 0,
            prompts: Vec::new(),
            outbound: Vec::new(),
            display: Vec::new(),
        }
    }

    /// Takes what is to go to the private side.
    pub fn prompts(&mut self) -> Vec<Item> {
        core::mem::take(&mut self.prompts)
    }

    /// Takes what is to go to gate. Nothing in a mode that has none.
    pub fn outbound(&mut self) -> Vec<Request> {
        core::mem::take(&mut self.outbound)
    }

    /// Takes what is to be shown.
    pub fn display(&mut self) -> Vec<display::Item> {
        core::mem::take(&mut self.display)
    }

    fn ask(&mut self, request: impl FnOnce(u64) -> Request) {
        self.asked += 1;
        let request = request(self.asked);
        self.say(&why::outbound(&request, self.mode));
        match self.mode {
            Mode::LocalOnly => {}
            Mode::Network => self.outbound.push(request),
        }
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
            return Err(too_long(PROMPT_BYTES));
        }
        self.prompt.push_str(&chunk);
        Ok(())
    }

    fn clear(&mut self, _caller: u64) {
        self.prompt.clear();
        self.too_long = false;
        self.payload = Vec::new();
        self.payload_too_long = false;
    }

    fn submit(&mut self, _caller: u64) -> Result<Decision, Error> {
        let text = core::mem::take(&mut self.prompt);
        if core::mem::take(&mut self.too_long) {
            return Err(too_long(PROMPT_BYTES));
        }
        if text.trim().is_empty() {
            return Err(Error::Empty);
        }
        self.submitted += 1;
        let decision = decide(self.submitted, self.mode);
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

    fn attach(&mut self, _caller: u64, piece: Piece) -> Result<(), Error> {
        if self.payload_too_long || self.payload.len() + piece.len() > PAYLOAD_BYTES {
            self.payload_too_long = true;
            self.payload = Vec::new();
            return Err(too_long(PAYLOAD_BYTES));
        }
        self.payload.extend_from_slice(&piece);
        Ok(())
    }

    fn fetch(&mut self, _caller: u64, host: Host, port: NonZeroU16) -> Result<(), Error> {
        let payload = core::mem::take(&mut self.payload);
        if core::mem::take(&mut self.payload_too_long) {
            return Err(too_long(PAYLOAD_BYTES));
        }
        let payload = Payload::try_from(payload).map_err(|_| too_long(PAYLOAD_BYTES))?;
        self.ask(|id| Request::Fetch { id, host, port, payload });
        Ok(())
    }

    fn ping(&mut self, _caller: u64, host: Host) {
        self.ask(|id| Request::Ping { id, host });
    }

    fn net(&mut self, _caller: u64) {
        self.ask(|id| Request::NetStatus { id });
    }
}

fn too_long(limit: usize) -> Error {
    Error::TooLong { limit: limit as u32 }
}

#[cfg(test)]
mod tests;
