//! Serial: owns the UART. It gives the person's keys to the shell, or, when the person's key says so, whole lines to a
//! PD of the trusted path, and composes the screen of what all PDs show.
//!
//! It trusts nobody: display records and terminal bytes are hostile until `serial-core` has looked at them. It must
//! never wait for a PD, let a control byte of a PD through, hand on what a terminal sends by itself, or let two PDs
//! learn of each other: keys go out, records come in, and nothing passes from one to the other.
//!
//! When it dies, what was being typed stays in the shell, unread display records of private PDs stay in their rings,
//! and the next life begins on a clean row with the focus at the shell, asks the terminal for its size, and goes on.
//! A line for the trusted path that was not entered is gone.
#![no_std]
#![no_main]

extern crate alloc;

mod arch;
mod focus;

use alloc::{string::ToString, vec::Vec};
use focus::Focus;
use pd::{time::now_us, Irq, Notification, PopError, RingIn};
use serial_core::flow::{Source, Taken, Turns, ENOUGH};
use serial_core::{Input, Screen, Speaker, Uart};

pd::layout!("serial");
pd::main!(run);

struct Serial {
    uart: Uart<arch::Console>,
    input: Input,
    focus: Focus,
    screen: Screen,
    displays: Vec<Display>,
    turns: Turns,
    /// Bytes that came in, and bytes to go out.
    typed: Vec<u8>,
    drawn: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let notification = Notification::new(layout::NOTIFICATION);
    let irq = Irq::new(layout::IRQ_CONSOLE);
    let mut serial = Serial::open(start.epoch <= 1);
    // A former life may have left an interrupt unacknowledged.
    irq.ack();
    loop {
        // Both sides, whichever has something: neither waits for the other.
        while serial.device() | serial.displays() {}
        let bits = notification.wait();
        if irq.is_in(bits) {
            serial.device();
            // What the device raises from here on comes as an interrupt, what it raised before is looked at above.
            irq.ack();
        }
        if bits & layout::TICK != 0 {
            serial.tick();
        }
    }
}

impl Serial {
    /// `first`: the system starts, else only serial does.
    fn open(first: bool) -> Serial {
        let speakers = layout::DISPLAYS.iter().map(|display| Speaker {
            label: display.label.to_string(),
            reserved: display.reserved,
            edits: display.edits,
        });
        let mut screen = Screen::new(speakers, first);
        screen.set_hearers(Focus::hearers());
        Serial {
            uart: Uart::new(arch::Console::open()),
            input: Input::default(),
            focus: Focus::open(first),
            screen,
            displays: layout::DISPLAYS.iter().map(Display::open).collect(),
            turns: Turns::new(layout::DISPLAYS.len()),
            typed: Vec::new(),
            drawn: Vec::new(),
        }
    }

    /// Moves bytes, and makes keys of what came. Says whether the device has more to do now.
    fn device(&mut self) -> bool {
        let quiet = self.uart.service(|byte| self.typed.push(byte));
        let now_us = now_us();
        self.input.feed(&self.typed, now_us, |event| self.focus.event(event, now_us, &mut self.screen));
        self.focus.ring();
        self.typed.clear();
        !quiet
    }

    /// An escape that nothing followed was the key.
    fn tick(&mut self) {
        let now_us = now_us();
        self.input.tick(now_us, |event| self.focus.event(event, now_us, &mut self.screen));
        self.focus.ring();
    }

    /// Shows some of what PDs have sent, as far as the UART can take it. Says whether there was anything.
    fn displays(&mut self) -> bool {
        let any = self.uart.waiting() < ENOUGH && self.turns.round(&mut self.displays, &mut self.screen);
        for display in self.displays.iter_mut() {
            let Some(hearer) = display.hearer else { continue };
            self.screen.set_runs(hearer, display.has_producer());
            if core::mem::take(&mut display.restarted) && display.has_producer() {
                self.focus.restarted(hearer);
            }
        }
        self.screen.take_output(&mut self.drawn);
        self.uart.send(&self.drawn);
        let drew = !self.drawn.is_empty();
        self.drawn.clear();
        any | drew
    }
}

struct Display {
    ring: RingIn,
    /// The number of the trusted path's PD that it belongs to.
    hearer: Option<usize>,
    restarted: bool,
}

impl Display {
    fn open(display: &pd::handle::DisplayIn) -> Display {
        // All of the trusted path have the marker.
        let hearer = Focus::hearer_of(display.label).filter(|_| display.reserved);
        Display { ring: RingIn::open(display.ring), hearer, restarted: false }
    }

    /// Root takes a producer away when the mode has no place for it, and gives the ring an epoch whose lower half is
    /// zero; each producer's life adds one.
    fn has_producer(&self) -> bool {
        self.ring.epoch() as u32 != 0
    }
}

impl Source for Display {
    fn take(&mut self, buffer: &mut [u8]) -> Taken {
        match self.ring.pop(buffer) {
            Ok(None) => Taken::Nothing,
            Ok(Some(length)) => Taken::Record(length),
            Err(PopError::Lost { records, .. }) => Taken::Lost(records),
            Err(PopError::Restarted { .. }) => {
                self.restarted = true;
                Taken::Restarted
            }
            Err(PopError::TooSmall { .. } | PopError::Corrupt) => Taken::Malformed,
        }
    }
}
