//! `call KIND BYTES ROUND TICKS CALLS`: rounds of typed calls and of bare ones in turn, each timed as a whole.

use crate::layout;
use alloc::{format, string::String};
use core::hint::black_box;
use pd::time::ticks;
use rpc_protocol::{Client, Text, HEAD_BYTES, LEAVE, LENGTHS, SHORTEST};
use sel4::{Endpoint, MessageInfo};

/// The first rounds warm caches and translations.
const WARM: u32 = 2;
const ROUNDS: u32 = 10;
const CALLS: u32 = 2000;

pub fn run(say: &mut impl FnMut(String)) {
    let mut client = Client(pd::rpc::Client::new(layout::CLIENT_RPC_SERVER));
    let endpoint = Endpoint(layout::CLIENT_RPC_SERVER.slot);
    for round in 0..WARM + ROUNDS {
        let mut tell = |kind, bytes, ticks| {
            if round >= WARM {
                say(format!("call {kind} {bytes} {} {ticks} {CALLS}", round - WARM));
            }
        };
        tell("typed", SHORTEST, time(|| client.nothing().expect("an empty reply")));
        for bytes in LENGTHS.into_iter().filter(|bytes| *bytes > SHORTEST) {
            let text: Text = core::iter::repeat_n('x', bytes - HEAD_BYTES).collect();
            tell(
                "typed",
                bytes,
                time(|| match client.echo(7, black_box(&text).clone()) {
                    Ok((7, 7, back)) if back.len() == text.len() => {}
                    other => panic!("{other:?} instead of an echo"),
                }),
            );
        }
        client.bare().expect("the server goes over to bare messages");
        for bytes in LENGTHS {
            tell("bare", bytes, time(|| bare(endpoint, bytes.div_ceil(8))));
        }
        endpoint.call(MessageInfo::new(LEAVE, 0), [0; 4]);
    }
}

fn time(mut call: impl FnMut()) -> u64 {
    let start = ticks();
    for _ in 0..CALLS {
        call();
    }
    ticks() - start
}

/// As bare as a call can be: words into registers and buffer, and as many back.
fn bare(endpoint: Endpoint, words: usize) {
    for i in 4..words {
        sel4::set_mr(i, i as u64);
    }
    let answer = endpoint.call(MessageInfo::new(0, words), [1, 2, 3, 4]);
    let mut sum = answer.mr[0];
    for i in 4..words {
        sum += sel4::mr(i);
    }
    black_box(sum);
}
