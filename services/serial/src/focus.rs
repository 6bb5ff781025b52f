//! Where keys go.

use crate::layout;
use ipc::keys::{Event, Key, RECORD_BYTES};
use pd::{Doorbell, RingOut};
use serial_core::Screen;

/// The input focus. In this mode it is always the shell's.
pub struct Focus {
    shell: RingOut,
    /// Straight to whoever answers, past the shell.
    interrupts: [Doorbell; 2],
    /// Something lies in the ring that the shell was not told of.
    untold: bool,
}

impl Focus {
    pub fn open() -> Focus {
        Focus {
            shell: RingOut::open(layout::RING_OUT_KEYS),
            // In a mode without cloud nothing lies in its slot, and the kernel passes over the signal.
            interrupts: [layout::SIGNAL_OUT_INTERRUPT_ASSISTANT, layout::SIGNAL_OUT_INTERRUPT_CLOUD].map(Doorbell::new),
            untold: false,
        }
    }

    pub fn event(&mut self, event: Event, screen: &mut Screen) {
        match event {
            Event::Size { columns, rows } => screen.resize(columns, rows),
            Event::Key { key: Key::Char('c' | 'C'), modifiers } if modifiers.control => {
                self.interrupts.into_iter().for_each(Doorbell::ring);
            }
            _ => {}
        }
        let mut record = [0; RECORD_BYTES];
        // The ring has one direction: what the shell does not read in time is overwritten, and it sees the gap.
        match ipc::encode(&event, &mut record).map(|bytes| self.shell.push_silently(&[bytes])) {
            Some(Ok(())) => self.untold = true,
            failed => log::error!("a key did not fit: {failed:?}"),
        }
    }

    /// Tells the shell of keys that came.
    pub fn ring(&mut self) {
        if core::mem::take(&mut self.untold) {
            self.shell.ring();
        }
    }
}
