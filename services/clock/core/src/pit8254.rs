//! The 8254 timer: channel 0 interrupts at a fixed period.

/// Its input, in Hz.
pub const HZ: u64 = 1_193_182;
/// Offset of channel 0 and of the control register.
pub const CHANNEL_0: u16 = 0;
pub const CONTROL: u16 = 3;
/// Channel 0, low byte then high byte, mode 2 (rate generator), binary.
const PERIODIC: u8 = 0x34;

/// What to count down from for this period.
pub fn count(period_us: u64) -> u16 {
    let count = (period_us.min(1_000_000) * HZ + 500_000) / 1_000_000;
    count.clamp(2, u16::MAX.into()) as u16
}

/// Sets the period through `write(offset, value)`.
pub fn start(period_us: u64, mut write: impl FnMut(u16, u8)) {
    let [low, high] = count(period_us).to_le_bytes();
    write(CONTROL, PERIODIC);
    write(CHANNEL_0, low);
    write(CHANNEL_0, high);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_is_the_period_and_fits_the_chip() {
        assert_eq!(count(10_000), 11_932);
        assert_eq!(count(50_000), 59_659);
        assert_eq!(count(0), 2);
        assert_eq!(count(u64::MAX), u16::MAX);
    }

    #[test]
    fn it_is_programmed_control_byte_first() {
        let mut writes = Vec::new();
        start(50_000, |offset, value| writes.push((offset, value)));
        assert_eq!(writes, [(3, 0x34), (0, 0x0b), (0, 0xe9)]);
    }
}
