//! The calling end of the call measurement, and of the runtime's tests. Its lines are read by tests/bench-pds/driver.
#![no_std]
#![no_main]

extern crate alloc;

mod measure;
mod runtime;

use alloc::string::String;
use ipc::display::{Item, Style};
use pd::RingOut;

pd::layout!("rpc-client");
pd::main!(run);

fn run(_start: &'static pd::Start) -> ! {
    let mut display = RingOut::open(layout::RING_OUT_DISPLAY);
    let mut say = |text: String| {
        let mut record = [0; 512];
        let bytes = ipc::encode(&Item::Lines { style: Style::Plain, text }, &mut record).expect("a short line");
        display.push(&[bytes]).expect("room for all lines");
    };
    measure::run(&mut say);
    runtime::run(&mut say);
    // The printer goes first, so all lines are out.
    let _ = ipc::supervisor::Client(pd::rpc::Client::new(layout::SUPERVISOR)).quit();
    panic!("the machine was not switched off")
}
