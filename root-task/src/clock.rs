//! Time since boot, from the CPU's counter.

use crate::arch;

pub struct Clock {
    pub hz: u64,
    start: u64,
}

impl Clock {
    /// `mhz` as the kernel measured it.
    pub fn new(mhz: u64, start: u64) -> Clock {
        Clock { hz: mhz.max(1) * 1_000_000, start }
    }

    /// The counter's value so many microseconds from now.
    pub fn counter_in(&self, us: u64) -> u64 {
        arch::counter().wrapping_add((us as u128 * self.hz as u128 / 1_000_000) as u64)
    }

    pub fn now_us(&self) -> u64 {
        (arch::counter().wrapping_sub(self.start) as u128 * 1_000_000 / self.hz as u128) as u64
    }
}
