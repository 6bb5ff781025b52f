//! The calling end of the call benchmark: rounds of typed calls and of bare ones in turn, each round timed as a whole.
//! Its lines on the display are read by the bench: `rpc NAME ROUND TICKS CALLS`.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{format, string::String};
use ipc::display::{Item, Style};
use pd::{time::ticks, RingOut};
use rpc_bench_protocol::{Client, Text, LEAVE, TEXT_BYTES, WORDS};
use sel4::{Endpoint, MessageInfo};

pd::layout!("rpc-bench-client");
pd::main!(run);

const ROUNDS: u32 = 12;
/// The first rounds warm caches and translations.
const WARM: u32 = 2;
const CALLS: u32 = 4000;

fn run(_start: &'static pd::Start) -> ! {
    let mut display = RingOut::open(layout::RING_OUT_DISPLAY);
    let mut client = Client(pd::rpc::Client::new(layout::CLIENT_RPC_BENCH_SERVER));
    let endpoint = Endpoint(layout::CLIENT_RPC_BENCH_SERVER.slot);
    let text: String = core::iter::repeat_n('x', TEXT_BYTES).collect();
    let text = Text::try_from(text.as_str()).unwrap_or_default();
    let mut failed = 0;
    for round in 0..ROUNDS {
        let typed = time(|| match client.echo(7, text.clone()) {
            Ok((7, 7, back)) if back.len() == TEXT_BYTES => {}
            _ => failed += 1,
        });
        let shortest = time(|| failed += u32::from(client.nothing().is_err()));
        failed += u32::from(client.bare().is_err());
        let bare = time(|| bare_call(endpoint, WORDS));
        let bare_registers = time(|| bare_call(endpoint, 4));
        let bare_shortest = time(|| bare_call(endpoint, 1));
        endpoint.call(MessageInfo::new(LEAVE, 0), [0; 4]);
        if round < WARM {
            continue;
        }
        for (name, ticks) in [
            ("typed-64", typed),
            ("typed-shortest", shortest),
            ("bare-64", bare),
            ("bare-32", bare_registers),
            ("bare-8", bare_shortest),
        ] {
            say(&mut display, &format!("rpc {name} {round} {ticks} {CALLS}"));
        }
    }
    say(&mut display, &format!("rpc done, {failed} failed"));
    loop {
        endpoint.call(MessageInfo::new(1 << 19, 0), [0; 4]);
        sel4::yield_now();
    }
}

fn time(mut call: impl FnMut()) -> u64 {
    let start = ticks();
    for _ in 0..CALLS {
        call();
    }
    ticks() - start
}

/// As bare as a call can be: words into registers and buffer, the same back.
fn bare_call(endpoint: Endpoint, words: usize) {
    for i in 4..words {
        sel4::set_mr(i, i as u64);
    }
    let answer = endpoint.call(MessageInfo::new(0, words), [1, 2, 3, 4]);
    let mut sum = answer.mr[0];
    for i in 4..words {
        sum += sel4::mr(i);
    }
    core::hint::black_box(sum);
}

fn say(display: &mut RingOut, text: &str) {
    let mut record = [0; 256];
    let item = Item::Lines { style: Style::Plain, text: text.into() };
    if let Some(bytes) = ipc::encode(&item, &mut record) {
        // A line that finds no room is missed by the bench, which says so.
        let _ = display.push(&[bytes]);
    }
}
