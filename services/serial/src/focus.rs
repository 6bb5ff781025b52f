//! Where keys go.

use ipc::keys::{Event, Key, RECORD_BYTES};
use pd::{Doorbell, RingOut};
use serial_core::screen::Screen;

use crate::layout;

/// The input focus. In this mode it is always the shell's.
pub struct Focus {
    shell: RingOut,
    /// Straight to whoever answers, past the shell.
    interrupt: Doorbell,
}

impl Focus {
    pub fn open() -> Focus {
        Focus {
            shell: RingOut::open(layout::RING_OUT_KEYS),
            interrupt: Doorbell::new(layout::SIGNAL_OUT_INTERRUPT),
        }
    }

    pub fn event(&mut self, event: Event, screen: &mut Screen) {
        match event {
            Event::Size { columns, rows } => screen.resize(columns, rows),
            Event::Key { key: Key::Char('c' | 'C'), modifiers } if modifiers.control => self.interrupt.ring(),
            _ => {}
        }
        let mut record = [0; RECORD_BYTES];
        if let Some(record) = ipc::encode(&event, &mut record) {
            // The ring overwrites the oldest keys if the shell does not keep up; shell sees the gap and says so.
            let _ = self.shell.push(&[record]);
        }
    }
}
