//! A hostile server: the specification puts it in the place of an untrusted part, with that part's capabilities and
//! mappings, and it does what it can with them. docs/hostile.md says what that is.
//!
//! A life is one round of everything that need not be deadly, and then one deadly thing of its orders; the number of
//! the life, which root counts, says which. The life behind the last of them goes on and on.
#![no_std]
#![no_main]

extern crate alloc;

mod calls;
mod end;
mod memory;
mod random;
mod screen;

use alloc::format;
use attacker_orders::{Orders, MARK, ROOM};
use random::Random;
use screen::Screen;

pd::main!(run);

/// The page that the test writes the orders into, in the program's file.
#[used]
static ORDERS: [u8; ROOM] = {
    let mut room = [0; ROOM];
    let mut i = 0;
    while i < MARK.len() {
        room[i] = MARK[i];
        i += 1;
    }
    room
};

/// What comes between two rounds of the last life.
const WAKES: u64 = 16;

fn run(start: &'static pd::Start) -> ! {
    // What the compiler sees there is not what will be there.
    let orders = Orders::read(core::hint::black_box(&ORDERS)).expect("orders");
    let seed = start.seed.map_or(start.epoch, |seed| u64::from_le_bytes(*seed.first_chunk().expect("32 bytes")));
    let mut random = Random::new(seed);
    calls::ask(&orders);
    calls::every_call(&orders, &mut random);
    memory::rubbish(&orders, &mut random);
    calls::flood(&orders, &mut random);
    memory::exhaust();
    let mut screen = Screen::open(&orders);
    screen.forge();
    screen.flood();
    calls::ask(&orders);
    if start.epoch == 1 {
        spin(orders.spin_ms);
    }
    screen.say(&format!("attacker: round {} is over", start.epoch));
    calls::ring(&orders);
    if let Some(&end) = orders.ends.get(start.epoch as usize - 1) {
        end::die(end, &orders, start);
    }
    let mut wakes = 0u64;
    loop {
        calls::answer_wrongly(orders.receive, &mut random);
        wakes += 1;
        if wakes.is_multiple_of(WAKES) {
            memory::rubbish(&orders, &mut random);
            calls::flood(&orders, &mut random);
            screen = Screen::open(&orders);
            screen.forge();
            calls::ring(&orders);
        }
    }
}

fn spin(ms: u64) {
    let end = pd::time::now_us() + ms * 1000;
    while pd::time::now_us() < end {
        core::hint::spin_loop();
    }
}
