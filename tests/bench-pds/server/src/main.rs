//! The called end of the call measurement: typed calls through the runtime, as every server of the system takes them;
//! and, when asked to, bare messages on the same endpoint, as a program without any runtime would. After that it is the
//! subject of the runtime's tests.
#![no_std]
#![no_main]
#![feature(thread_local)]

extern crate alloc;

mod subject;

use pd::rpc::{Event, Server};
use rpc_protocol::{Heap, Text, LEAVE};
use sel4::{Endpoint, MessageInfo};

pd::layout!("rpc-server");
pd::main!(run);

#[derive(Default)]
struct Core {
    bare: bool,
}

impl rpc_protocol::Server for Core {
    fn echo(&mut self, _caller: u64, number: u8, text: Text) -> (u8, u8, Text) {
        (number, number, text)
    }

    fn nothing(&mut self, _caller: u64) {}

    fn bare(&mut self, _caller: u64) {
        self.bare = true;
    }

    fn heap(&mut self, _caller: u64) -> Heap {
        subject::heap()
    }

    fn thread_local(&mut self, _caller: u64) -> [u32; 4] {
        subject::thread_local()
    }

    fn say(&mut self, _caller: u64, text: Text) {
        log::info!("{text}");
    }

    fn overflow(&mut self, _caller: u64) {
        subject::overflow(0);
    }
}

fn run(start: &'static pd::Start) -> ! {
    log::info!("start number {}", start.epoch);
    let mut server = Server::new(layout::SERVER);
    let mut core = Core::default();
    loop {
        let Event::Call { caller } = server.next() else { continue };
        server.answer(|version, request, reply| rpc_protocol::dispatch(&mut core, caller, version, request, reply));
        if core::mem::take(&mut core.bare) {
            server.flush();
            answer_bare();
        }
    }
}

/// Sends each message back as it came, in registers and buffer, until one is labelled [`LEAVE`].
fn answer_bare() {
    let endpoint = Endpoint(layout::SERVER.slot);
    let mut message = endpoint.recv();
    while message.info.label() != LEAVE {
        message = endpoint.reply_recv(MessageInfo::new(0, message.info.length() as usize), message.mr);
    }
    sel4::reply(MessageInfo::new(0, 0), [0; 4]);
}
