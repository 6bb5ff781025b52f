//! Prints what the others show on the serial port, `speaker| line`: the display of layouts that are too small for
//! serial and shell. Everything is for tests: it trusts what it prints, waits for the port, and takes no input.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use ipc::display::{Item, RECORD_BYTES};
use pd::{arch::Ports, Notification, RingIn};

pd::layout!("printer");
pd::main!(run);

const DATA: u16 = 0;
const LINE_STATUS: u16 = 5;
const ROOM: u8 = 1 << 5;

fn run(_start: &'static pd::Start) -> ! {
    let notification = Notification::new(layout::NOTIFICATION);
    let port = Ports::new(layout::PORTS_CONSOLE);
    let mut rings: Vec<RingIn> = layout::DISPLAYS.iter().map(|display| RingIn::open(display.ring)).collect();
    let mut record = vec![0; RECORD_BYTES];
    loop {
        for (ring, display) in rings.iter_mut().zip(layout::DISPLAYS) {
            loop {
                match ring.pop(&mut record).map(|length| length.map(|length| ipc::decode(&record[..length]))) {
                    Ok(None) => break,
                    Ok(Some(Ok(Item::Lines { text, .. }))) => {
                        text.lines().for_each(|line| print(port, display.label, line))
                    }
                    other => panic!("from {}: {other:?}", display.label),
                }
            }
        }
        notification.wait();
    }
}

fn print(port: Ports, speaker: &str, line: &str) {
    for byte in [speaker, "| ", line, "\n"].iter().flat_map(|part| part.bytes()) {
        while port.read8(LINE_STATUS) & ROOM == 0 {}
        port.write8(DATA, byte);
    }
}
