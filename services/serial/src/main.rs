//! Serial: owns the UART. It gives the person's keys to the PD that has the focus, and composes the screen of what all
//! PDs show.
//!
//! It trusts nobody: display records and terminal bytes are hostile until `serial-core` has looked at them. It must
//! never wait for a PD, let a control byte of a PD through, hand on what a terminal sends by itself, or let two PDs
//! learn of each other: keys go out, records come in, and nothing passes from one to the other.
//!
//! When it dies, what was being typed stays in the shell, unread display records of private PDs stay in their rings,
//! and the next life begins on a clean row, asks the terminal for its size, and goes on.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{string::ToString, vec::Vec};
use ipc::keys::{Event, Key, RECORD_BYTES};
use pd::{time::now_us, Doorbell, Irq, Notification, PopError, RingIn, RingOut};
use serial_core::flow::{Source, Taken, Turns, ENOUGH};
use serial_core::{Input, Screen, Speaker, Uart};

mod arch;
pd::layout!("serial");
pd::main!(run);

struct Serial {
    uart: Uart<arch::Console>,
    input: Input,
    screen: Screen,
    displays: Vec<Display>,
    turns: Turns,
    keys: RingOut,
    interrupt: Doorbell,
    /// Bytes that came in, and bytes to go out.
    typed: Vec<u8>,
    drawn: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let speakers = layout::DISPLAYS.iter().map(|display| Speaker {
        label: display.label.to_string(),
        reserved: display.reserved,
        edits: display.edits,
    });
    let mut serial = Serial {
        uart: Uart::new(arch::Console::open()),
        input: Input::default(),
        screen: Screen::new(speakers, start.epoch <= 1),
        displays: layout::DISPLAYS.iter().map(|display| Display(RingIn::open(display.ring))).collect(),
        turns: Turns::new(layout::DISPLAYS.len()),
        keys: RingOut::open(layout::RING_OUT_KEYS),
        interrupt: Doorbell::new(layout::SIGNAL_OUT_INTERRUPT),
        typed: Vec::new(),
        drawn: Vec::new(),
    };
    let notification = Notification::new(layout::NOTIFICATION);
    let irq = Irq::new(layout::IRQ_CONSOLE);
    // A former life may have left an interrupt unacknowledged.
    irq.ack();
    loop {
        // Both sides, whichever has something: neither waits for the other.
        while serial.device() | serial.displays() {}
        if irq.is_in(notification.wait()) {
            serial.device();
            // What the device raises from here on comes as an interrupt, what it raised before is looked at above.
            irq.ack();
        }
    }
}

impl Serial {
    /// Moves bytes, and makes keys of what came. Says whether the device has more to do now.
    fn device(&mut self) -> bool {
        let quiet = self.uart.service(|byte| self.typed.push(byte));
        let (screen, keys, interrupt) = (&mut self.screen, &mut self.keys, self.interrupt);
        let mut any = false;
        self.input.feed(&self.typed, now_us(), |event| {
            any = true;
            match &event {
                Event::Size { columns, rows } => screen.resize(*columns, *rows),
                Event::Key { key: Key::Char('c'), modifiers } if modifiers.control => interrupt.ring(),
                _ => {}
            }
            // The ring has one direction: what shell does not read in time is overwritten, and shell sees the gap.
            let mut record = [0; RECORD_BYTES];
            match ipc::encode(&event, &mut record).map(|bytes| keys.push_silently(&[bytes])) {
                Some(Ok(())) => {}
                failed => log::error!("a key did not fit: {failed:?}"),
            }
        });
        self.typed.clear();
        if any {
            self.keys.ring();
        }
        !quiet
    }

    /// Shows some of what PDs have sent, as far as the UART can take it. Says whether there was anything.
    fn displays(&mut self) -> bool {
        let any = self.uart.waiting() < ENOUGH && self.turns.round(&mut self.displays, &mut self.screen);
        self.screen.take_output(&mut self.drawn);
        self.uart.send(&self.drawn);
        let drew = !self.drawn.is_empty();
        self.drawn.clear();
        any | drew
    }
}

struct Display(RingIn);

impl Source for Display {
    fn take(&mut self, buffer: &mut [u8]) -> Taken {
        match self.0.pop(buffer) {
            Ok(None) => Taken::Nothing,
            Ok(Some(length)) => Taken::Record(length),
            Err(PopError::Lost { records, .. }) => Taken::Lost(records),
            Err(PopError::Restarted { .. }) => Taken::Restarted,
            Err(PopError::TooSmall { .. } | PopError::Corrupt) => Taken::Malformed,
        }
    }
}
