//! The called end of the call benchmark. Typed calls through the runtime, as every server of the system takes them; and,
//! when asked to, bare messages on the same endpoint, as a C program without any runtime would.
#![no_std]
#![no_main]

use pd::rpc::{Event, Server};
use rpc_bench_protocol::{self as protocol, Text, LEAVE};
use sel4::{Endpoint, MessageInfo};

pd::layout!("rpc-bench-server");
pd::main!(run);

#[derive(Default)]
struct Typed {
    bare: bool,
}

impl protocol::Server for Typed {
    fn echo(&mut self, _caller: u64, number: u8, text: Text) -> (u8, u8, Text) {
        (number, number, text)
    }

    fn nothing(&mut self, _caller: u64) {}

    fn bare(&mut self, _caller: u64) {
        self.bare = true;
    }
}

fn run(_start: &'static pd::Start) -> ! {
    let mut server = Server::new(layout::SERVER);
    let mut typed = Typed::default();
    loop {
        let Event::Call { caller } = server.next() else { continue };
        server.answer(|version, request, reply| protocol::dispatch(&mut typed, caller, version, request, reply));
        if core::mem::take(&mut typed.bare) {
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
