//! The example of docs/writing-a-server.md: answers a call with what it was given, and counts.
//!
//! It trusts nobody: callers are told apart by their badges, and what they send was checked by the protocol. It never
//! waits for them: each call is answered before the next is taken. When it dies, its callers get
//! `CallError::ServerDied`, and its count begins again.
#![no_std]
#![no_main]

use ipc::echo::{dispatch, Echo, Text};
use pd::rpc::{Event, Server};

pd::layout!("echo");
pd::main!(run);

/// The core: no system call in it.
#[derive(Default)]
struct Core {
    calls: u32,
}

impl ipc::echo::Server for Core {
    fn echo(&mut self, _caller: u64, text: Text) -> Echo {
        self.calls += 1;
        Echo { text, calls: self.calls }
    }

    fn fail(&mut self, caller: u64) {
        panic!("caller {caller:#x} asked for it")
    }
}

fn run(start: &'static pd::Start) -> ! {
    log::info!("start number {}", start.epoch);
    let mut server = Server::new(layout::SERVER);
    let mut core = Core::default();
    loop {
        if let Event::Call { caller } = server.next() {
            server.answer(|version, request, reply| dispatch(&mut core, caller, version, request, reply));
        }
    }
}
