//! Shell: the line that the person edits, its history, the commands.
//!
//! It trusts serial for the keys and root for nothing but its requests. It sees what the person types, never an answer:
//! results of commands on the private side, and what root shows, go to the display without it. It must never get an
//! edge from the private side, and it waits only on router and root, whose death ends its calls with an error.
//!
//! When it dies, the line and the history are lost; prompts that router took and answers that run do not notice.
#![no_std]
#![no_main]

extern crate alloc;

mod ends;

use ends::Ends;
use ipc::display::Style;
use pd::{Notification, PopError, RingIn};
use shell_core::{lines, Shell, NEW_LIFE};

pd::layout!("shell");
pd::main!(run);

/// Keys in a row before the person sees what they did.
const BATCH: usize = 4096;

fn run(start: &'static pd::Start) -> ! {
    let notification = Notification::new(layout::NOTIFICATION);
    let mut keys = RingIn::open(layout::RING_IN_KEYS);
    let mut ends = Ends::open();
    let mut shell = Shell::default();
    // Said with the keys' ring open: who reads it may type again.
    if start.epoch > 1 {
        lines(Style::Dim, NEW_LIFE).iter().for_each(|item| ends.show(item));
    }
    loop {
        for item in shell.refresh() {
            ends.show(&item);
        }
        if keys.is_empty() {
            notification.wait();
        }
        for _ in 0..BATCH {
            match next(&mut keys, &mut shell) {
                Some(actions) => actions.into_iter().for_each(|action| ends.act(action)),
                None => break,
            }
        }
    }
}

/// What the next record of the ring asks for; `None` if there is none.
fn next(keys: &mut RingIn, shell: &mut Shell) -> Option<alloc::vec::Vec<shell_core::Action>> {
    let mut record = [0; ipc::keys::RECORD_BYTES];
    Some(match keys.pop(&mut record) {
        Ok(None) => return None,
        Ok(Some(length)) => match ipc::decode(&record[..length]) {
            Ok(event) => shell.event(event),
            Err(ipc::Malformed) => shell.lost(length as u64),
        },
        Err(PopError::Lost { bytes, .. }) => shell.lost(bytes),
        Err(PopError::Restarted { bytes }) => shell.serial_restarted(bytes),
        Err(PopError::TooSmall { needed }) => shell.lost(needed as u64),
        Err(PopError::Corrupt) => shell.lost(0),
    })
}
