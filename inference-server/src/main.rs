//! Inference server: the life of the model. It has llama load a file, puts requests to it one at a time, keeps
//! settings and figures, and passes answers on.
//!
//! It trusts the assistant to be on its own side of the wall, and llama not at all: llama reads files that nobody has
//! checked, so every reply is decoded with limits, and each is taken only if it belongs to what was asked. It must
//! never wait for either of them: what does not fit into a ring is kept, within bounds, and beyond these it leaves
//! llama's replies where they are. Calls are answered always.
//!
//! When it dies, the answer that runs is lost and the settings are back at their defaults: assistant and person are
//! told. Its next life has llama load the model again. When llama dies, it says so and loads again, too; a file that
//! llama dies of is given up.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use inference_core::{Candidate, Inference, Start};
use pd::rpc::{Event, Server};
use pd::{time::now_us, PopError, RingIn, RingOut};

pd::layout!("inference");
pd::main!(run);

struct Rings {
    requests: RingIn,
    replies: RingIn,
    tokens: RingOut,
    commands: RingOut,
    display: RingOut,
    /// The longest record of all rings is a command with a whole conversation in it.
    record: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let candidates = start.model.iter().chain(&start.spare).map(|model| Candidate { name: model.name.clone(), bytes: model.bytes });
    let mut inference = Inference::new(Start {
        start: start.epoch,
        candidates: candidates.collect(),
        random: start.seed.map_or(pd::time::ticks(), |seed| {
            seed.chunks(8).fold(0, |word, chunk| chunk.iter().fold(word, |word: u64, byte| word.rotate_left(8) ^ u64::from(*byte)))
        }),
        now_us: now_us(),
    });
    let mut server = Server::new(layout::SERVER);
    let mut rings = Rings {
        requests: RingIn::open(layout::RING_IN_REQUESTS),
        replies: RingIn::open(layout::RING_IN_REPLIES),
        tokens: RingOut::open(layout::RING_OUT_TOKENS),
        commands: RingOut::open(layout::RING_OUT_COMMANDS),
        display: RingOut::open(layout::RING_OUT_DISPLAY),
        record: vec![0; layout::RING_OUT_COMMANDS.capacity as usize],
    };
    loop {
        while rings.take(&mut inference) | rings.give(&mut inference) {}
        match server.next() {
            Event::Signal { bits } if bits & layout::TICK != 0 => inference.tick(now_us()),
            Event::Signal { .. } => {}
            Event::Call { caller } => {
                // First what the caller put into its ring before it called.
                rings.take(&mut inference);
                server.answer(|version, request, reply| {
                    ipc::inference::call::dispatch(&mut inference, caller, version, request, reply)
                });
            }
        }
    }
}

impl Rings {
    /// Takes some of what lies in the incoming rings; says whether there was anything.
    fn take(&mut self, inference: &mut Inference) -> bool {
        let mut any = false;
        for _ in 0..64 {
            if !inference.has_room() {
                break;
            }
            match self.requests.pop(&mut self.record) {
                Ok(None) => break,
                Ok(Some(length)) => match ipc::decode(&self.record[..length]) {
                    Ok(request) => inference.request(request, now_us()),
                    Err(_) => inference.request_malformed(),
                },
                Err(PopError::Restarted { .. }) => inference.assistant_gone(),
                Err(_) => inference.request_malformed(),
            }
            any = true;
        }
        for _ in 0..64 {
            if !inference.has_room() {
                break;
            }
            match self.replies.pop(&mut self.record) {
                Ok(None) => break,
                Ok(Some(length)) => match ipc::decode(&self.record[..length]) {
                    Ok(reply) => inference.reply(reply, now_us()),
                    Err(_) => inference.reply_malformed(now_us()),
                },
                Err(PopError::Restarted { .. }) => inference.engine_restarted(now_us()),
                Err(_) => inference.reply_malformed(now_us()),
            }
            any = true;
        }
        any
    }

    /// Puts what is to go out into its rings, as far as there is room; says whether anything went.
    fn give(&mut self, inference: &mut Inference) -> bool {
        let mut any = false;
        while let Some(command) = inference.next_command() {
            if !self.commands.offer(ipc::encode(command, &mut self.record)) {
                break;
            }
            inference.command_sent();
            any = true;
        }
        while let Some(event) = inference.next_event() {
            if !self.tokens.offer(ipc::encode(event, &mut self.record)) {
                break;
            }
            inference.event_sent();
            any = true;
        }
        while let Some(item) = inference.next_shown() {
            if !self.display.offer(ipc::encode(item, &mut self.record)) {
                break;
            }
            inference.shown();
            any = true;
        }
        any
    }
}
