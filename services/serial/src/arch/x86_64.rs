//! I/O ports.

use crate::layout;
use pd::arch::Ports;
use serial_core::uart16550::Registers;

pub struct Console(Ports);

impl Console {
    pub fn open() -> Console {
        Console(Ports::new(layout::PORTS_CONSOLE))
    }
}

impl Registers for Console {
    fn read(&mut self, register: u8) -> u8 {
        self.0.read8(register.into())
    }

    fn write(&mut self, register: u8, value: u8) {
        self.0.write8(register.into(), value)
    }
}
