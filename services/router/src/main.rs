//! Router: decides which engine answers a prompt, hands gate what the person wants to send, and says why.
//!
//! It trusts nobody: what shell sends is checked by the protocol and by `router-core`. It sees what the person types
//! and nothing else: its ring towards the assistant has one direction, so no answer and no fact about an answer comes
//! back, and it takes the local engine for available, always. It must never get an edge from the private side. In Local
//! Only there is no gate, and the ring to it is not there.
//!
//! When it dies, shell's call ends with an error, and a prompt that was not submitted yet is lost. Conversation and
//! answers do not notice.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec;
use pd::rpc::{Event, Server};
use pd::RingOut;
use router_core::{Mode, Router};

pd::layout!("router");
pd::main!(run);

fn run(start: &'static pd::Start) -> ! {
    let mode = Mode::from_title(&start.mode);
    let mut router = Router::new(mode);
    let mut server = Server::new(layout::SERVER);
    let mut prompts = RingOut::open(layout::RING_OUT_PROMPTS);
    // Not mapped in another mode.
    let mut outbound = (mode == Mode::Network).then(|| RingOut::open(layout::RING_OUT_OUTBOUND));
    let mut display = RingOut::open(layout::RING_OUT_DISPLAY);
    let mut record = vec![0; ipc::prompts::RECORD_BYTES];
    loop {
        let Event::Call { caller } = server.next() else { continue };
        server.answer(|version, request, reply| ipc::router::dispatch(&mut router, caller, version, request, reply));
        // All rings lose the oldest rather than make router wait.
        for item in router.prompts() {
            prompts.offer(ipc::encode(&item, &mut record));
        }
        for request in router.outbound() {
            if let Some(outbound) = &mut outbound {
                outbound.offer(ipc::encode(&request, &mut record));
            }
        }
        for item in router.display() {
            display.offer(ipc::encode(&item, &mut record));
        }
    }
}
