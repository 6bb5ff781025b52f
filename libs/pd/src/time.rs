//! Time by the CPU's counter. It tells how long something took; what time of day it is only `clock` knows.

use core::sync::atomic::{AtomicU64, Ordering};

/// Bits behind the point in [`SCALE`].
const SHIFT: u32 = 40;

/// Microseconds in a tick of the counter.
static SCALE: AtomicU64 = AtomicU64::new(1 << (SHIFT - 10));

/// A division once, so that reading the time is a multiplication.
fn scale(hz: u64) -> u64 {
    ((1_000_000u128 << SHIFT) / u128::from(hz.max(1))).min(u128::from(u64::MAX)) as u64
}

fn to_us(ticks: u64, scale: u64) -> u64 {
    ((u128::from(ticks) * u128::from(scale)) >> SHIFT) as u64
}

#[cfg(target_os = "none")]
pub(crate) fn init(hz: u64) {
    SCALE.store(scale(hz), Ordering::Relaxed);
}

/// Microseconds since the counter was zero, which is about when the machine was switched on. Never goes back.
#[inline]
pub fn now_us() -> u64 {
    ticks_to_us(ticks())
}

/// The counter itself, for measuring what is short.
#[inline]
pub fn ticks() -> u64 {
    crate::arch::counter()
}

#[inline]
pub fn ticks_to_us(ticks: u64) -> u64 {
    to_us(ticks, SCALE.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_a_day_at_any_frequency() {
        for hz in [1_000_000, 62_500_000, 2_999_999_999, 5_000_000_000u64] {
            let day = 86_400_000_000u64;
            let us = to_us(hz * 86_400, scale(hz));
            assert!(us.abs_diff(day) <= day / 100_000_000, "{hz}: {us}");
        }
        // Nonsense from outside must not divide by zero.
        to_us(u64::MAX, scale(0));
    }
}
