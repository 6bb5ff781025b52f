//! Serial: the UART's driver, the input focus, and the screen that everybody's lines are composed into.
//!
//! It is trusted: it sees what the person types and every answer. It passes keys to the PD that has the focus and to
//! nobody else, and display records to the UART and nowhere else; what a display ring carries never becomes input, and
//! no control byte of a PD reaches the terminal (`serial-core`). It waits for nobody: rings towards it are read as the
//! UART drains, a record of each PD in turn, so that none can crowd out the others.
//!
//! When it dies, the screen is drawn anew; keys pressed meanwhile are lost, answers that wait on rings with credit are
//! not.
#![no_std]
#![no_main]

extern crate alloc;

mod focus;

use alloc::vec::Vec;

use focus::Focus;
use pd::{arch::Ports, time, Irq, Notification, PopError, RingIn};
use serial_core::{
    input::Input,
    screen::{Screen, Speaker},
    uart16550::{Registers, Uart},
};

pd::layout!("serial");
pd::main!(run);

/// Bytes on their way to the terminal at most before display rings are left to wait.
const OUTPUT_BYTES: usize = 2048;
/// Records taken from display rings before the UART is looked after again.
const RECORDS: usize = 64;

struct Console(Ports);

impl Registers for Console {
    fn read(&mut self, register: u8) -> u8 {
        self.0.read8(register.into())
    }
    fn write(&mut self, register: u8, value: u8) {
        self.0.write8(register.into(), value)
    }
}

fn run(start: &'static pd::Start) -> ! {
    let notification = Notification::new(layout::NOTIFICATION);
    let irq = Irq::new(layout::IRQ_CONSOLE);
    let mut uart = Uart::new(Console(Ports::new(layout::PORTS_CONSOLE)));
    let mut displays: Vec<RingIn> = layout::DISPLAYS.iter().map(|display| RingIn::open(display.ring)).collect();
    let speakers = layout::DISPLAYS.iter().map(|display| Speaker {
        label: display.label.into(),
        reserved: display.reserved,
        edits: display.edits,
    });
    let mut screen = Screen::new(speakers, start.epoch == 1);
    let mut input = Input::default();
    let mut focus = Focus::open();
    let (mut received, mut output) = (Vec::new(), Vec::new());
    let mut record = alloc::vec![0; ipc::display::RECORD_BYTES];
    loop {
        let mut quiet = uart.service(|byte| received.push(byte));
        input.feed(&received, time::now_us(), |event| focus.event(event, &mut screen));
        received.clear();

        let more = uart.waiting() < OUTPUT_BYTES && show(&mut displays, &mut screen, &mut record);
        screen.take_output(&mut output);
        uart.send(&output);
        quiet &= output.is_empty();
        output.clear();
        if more || !quiet {
            continue;
        }
        irq.ack();
        // What the device raised before the acknowledgement is seen only by looking.
        if !uart.service(|byte| received.push(byte)) || !received.is_empty() {
            continue;
        }
        if notification.wait() & layout::TICK != 0 {
            input.tick(time::now_us(), |event| focus.event(event, &mut screen));
        }
    }
}

/// Takes records off the display rings, one of each in turn. True if there may be more.
fn show(displays: &mut [RingIn], screen: &mut Screen, record: &mut [u8]) -> bool {
    let mut taken = 0;
    loop {
        let mut found = false;
        for (speaker, ring) in displays.iter_mut().enumerate() {
            match ring.pop(record) {
                Ok(None) => {
                    screen.caught_up(speaker);
                    continue;
                }
                Ok(Some(length)) => match ipc::decode(&record[..length]) {
                    Ok(item) => screen.item(speaker, item),
                    Err(ipc::Malformed) => screen.lost(speaker, 1),
                },
                Err(PopError::Lost { records, .. }) => screen.lost(speaker, records),
                Err(PopError::Restarted { .. }) => screen.restarted(speaker),
                Err(PopError::TooSmall { .. } | PopError::Corrupt) => screen.lost(speaker, 1),
            }
            found = true;
            taken += 1;
        }
        if !found {
            return false;
        }
        if taken >= RECORDS {
            return true;
        }
    }
}
