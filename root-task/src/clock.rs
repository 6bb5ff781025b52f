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

    pub fn now_us(&self) -> u64 {
        (arch::counter().wrapping_sub(self.start) as u128 * 1_000_000 / self.hz as u128) as u64
    }
}
