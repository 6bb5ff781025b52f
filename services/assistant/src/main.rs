//! Assistant: keeps the conversation and has prompts answered.
//!
//! It takes prompts from router's one-way ring and can send nothing back there. It trusts inference to be on its own
//! side of the wall, but not to be right: events are decoded with limits, and what belongs to no request is passed
//! over. It must never wait for a ring: what does not fit is kept, within bounds, until there is room. The one call,
//! `stop`, waits for inference, which answers calls always; while inference is being started again, that takes as long
//! as its start.
//!
//! When it dies, the conversation and the waiting prompts are lost, and its next life says so. When inference or the
//! engine dies, the answer is lost and the conversation is kept.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use assistant_core::Assistant;
use ipc::inference::call::Client;
use ipc::{inference, prompts};
use pd::{time::now_us, Notification, PopError, RingIn, RingOut};

pd::layout!("assistant");
pd::main!(run);

struct Rings {
    prompts: RingIn,
    tokens: RingIn,
    requests: RingOut,
    display: RingOut,
    record: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let mut assistant = Assistant::new(start.epoch);
    let mut inference = Client(pd::rpc::Client::new(layout::CLIENT_INFERENCE));
    let mut rings = Rings {
        prompts: RingIn::open(layout::RING_IN_PROMPTS),
        tokens: RingIn::open(layout::RING_IN_TOKENS),
        requests: RingOut::open(layout::RING_OUT_REQUESTS),
        display: RingOut::open(layout::RING_OUT_DISPLAY),
        record: vec![0; prompts::RECORD_BYTES.max(inference::RECORD_BYTES)],
    };
    let notification = Notification::new(layout::NOTIFICATION);
    loop {
        while rings.take(&mut assistant) | rings.give(&mut assistant) {}
        let bits = notification.wait();
        if bits & layout::TICK != 0 {
            assistant.tick(now_us());
        }
        if bits & layout::SIGNAL_IN_INTERRUPT != 0 {
            // First what was typed before the key.
            while rings.take(&mut assistant) | rings.give(&mut assistant) {}
            if let Some(id) = assistant.interrupt(now_us()) {
                let stopped = inference.stop(id);
                log::info!("stop {id}: {stopped:?}");
            }
        }
    }
}

impl Rings {
    /// Takes some of what lies in the incoming rings; says whether there was anything.
    fn take(&mut self, assistant: &mut Assistant) -> bool {
        let mut any = false;
        // Whether inference lives is known before it is asked.
        for _ in 0..32 {
            if !assistant.takes_events() {
                break;
            }
            match self.tokens.pop(&mut self.record) {
                Ok(None) => break,
                Ok(Some(length)) => match ipc::decode(&self.record[..length]) {
                    Ok(event) => assistant.event(event, now_us()),
                    Err(_) => assistant.event_malformed(),
                },
                Err(PopError::Restarted { .. }) => assistant.inference_restarted(now_us()),
                Err(_) => assistant.event_malformed(),
            }
            any = true;
        }
        for _ in 0..32 {
            match self.prompts.pop(&mut self.record) {
                Ok(None) | Err(PopError::Restarted { bytes: 0 }) => break,
                Ok(Some(length)) => match ipc::decode(&self.record[..length]) {
                    Ok(item) => assistant.item(item, now_us()),
                    Err(_) => assistant.item_lost(),
                },
                Err(_) => assistant.item_lost(),
            }
            any = true;
        }
        any
    }

    /// Puts what is to go out into its rings, as far as there is room; says whether anything went.
    fn give(&mut self, assistant: &mut Assistant) -> bool {
        let mut any = false;
        while let Some(request) = assistant.next_request() {
            if !self.requests.offer(ipc::encode(request, &mut self.record)) {
                break;
            }
            assistant.request_sent();
            any = true;
        }
        while let Some(item) = assistant.next_shown() {
            if !self.display.offer(ipc::encode(item, &mut self.record)) {
                break;
            }
            assistant.shown();
            any = true;
        }
        any
    }
}
