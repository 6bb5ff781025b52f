//! The example of docs/writing-a-server.md: answers a call with what it was given, and counts.
//!
//! It trusts nobody. It must never wait for its callers: it answers each call before it takes the next. When it dies,
//! its callers get `CallError::ServerDied`, and its count begins again at 0.
#![no_std]
#![no_main]

use pd::rpc::{Event, Server};

pd::layout!("echo");
pd::main!(run);

/// The core: no system call in it.
#[derive(Default)]
struct Echoes {
    calls: u32,
}

fn run(start: &'static pd::Start) -> ! {
    log::info!("start number {}", start.epoch);
    let mut server = Server::new(layout::SERVER);
    let mut echoes = Echoes::default();
    loop {
        match server.next() {
            Event::Call { .. } => server.answer(|_version, request, reply| {
                echoes.calls += 1;
                reply[..request.len()].copy_from_slice(request);
                ipc::Reply { status: ipc::status::OK, bytes: request.len() }
            }),
            Event::Signal { bits } => log::info!("signal {bits:#x}"),
        }
    }
}
