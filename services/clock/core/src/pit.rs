//! Intel 8254, channel 0 (datasheet "8254 Programmable Interval Timer", 1993).

/// Input clock of the timer in a PC, in Hz.
pub const INPUT_HZ: u32 = 1_193_182;
/// Interrupts in a second that we ask for.
pub const WANTED_HZ: u32 = 100;
/// Control word: channel 0, low byte then high byte, mode 2 (rate generator), binary.
pub const MODE: u8 = 0b00_11_010_0;
/// Offsets behind the first port.
pub const CHANNEL_0: u16 = 0;
pub const CONTROL: u16 = 3;

/// The count that comes nearest to [`WANTED_HZ`].
pub const fn divisor() -> u16 {
    ((INPUT_HZ + WANTED_HZ / 2) / WANTED_HZ) as u16
}

/// Microseconds between two interrupts with that count.
pub const fn period_us() -> u64 {
    divisor() as u64 * 1_000_000 / INPUT_HZ as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_period_is_ten_milliseconds_within_a_thousandth() {
        assert!(period_us().abs_diff(10_000) <= 10, "{}", period_us());
    }
}
