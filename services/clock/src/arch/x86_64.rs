//! I/O ports.

use crate::layout;
use clock_core::{mc146818::Registers, pit8254};
use pd::arch::Ports;

pub fn start_timer(period_us: u64) {
    let ports = Ports::new(layout::PORTS_TIMER);
    pit8254::start(period_us, |offset, value| ports.write8(offset, value));
}

/// One port takes the register's number, the next one gives its value.
pub struct Calendar(Ports);

impl Calendar {
    pub fn open() -> Calendar {
        Calendar(Ports::new(layout::PORTS_RTC))
    }
}

impl Registers for Calendar {
    fn read(&mut self, register: u8) -> u8 {
        self.0.write8(0, register);
        self.0.read8(1)
    }
}
