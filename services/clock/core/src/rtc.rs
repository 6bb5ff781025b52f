//! Motorola MC146818: reading date and time out of the PC's real-time clock.

/// Offsets behind the first port: select a register, then read it.
pub const INDEX: u16 = 0;
pub const DATA: u16 = 1;

const SECONDS: u8 = 0x00;
const MINUTES: u8 = 0x02;
const HOURS: u8 = 0x04;
const DAY: u8 = 0x07;
const MONTH: u8 = 0x08;
const YEAR: u8 = 0x09;
const STATUS_A: u8 = 0x0a;
const STATUS_B: u8 = 0x0b;

const UPDATE_IN_PROGRESS: u8 = 1 << 7;
const BINARY: u8 = 1 << 2;
const HOURS_24: u8 = 1 << 1;
const PM: u8 = 1 << 7;

/// Tries before the clock is taken for broken.
const TRIES: usize = 1000;

/// Seconds since 1970-01-01 00:00 (the clock is taken for UTC, as QEMU's is); `None` if what it says is no date, or if
/// it never stands still.
pub fn read(mut register: impl FnMut(u8) -> u8) -> Option<u64> {
    let mut last = None;
    for _ in 0..TRIES {
        if register(STATUS_A) & UPDATE_IN_PROGRESS != 0 {
            last = None;
            continue;
        }
        let now = [SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR].map(&mut register);
        // Two equal readings in a row: no update came between.
        if last == Some(now) {
            return decode(now, register(STATUS_B));
        }
        last = Some(now);
    }
    None
}

fn decode([seconds, minutes, hours, day, month, year]: [u8; 6], status_b: u8) -> Option<u64> {
    let number = |value: u8| -> Option<u64> {
        if status_b & BINARY != 0 {
            return Some(value.into());
        }
        let (high, low) = (value >> 4, value & 0xf);
        (high <= 9 && low <= 9).then_some(u64::from(high) * 10 + u64::from(low))
    };
    let hour = if status_b & HOURS_24 != 0 {
        number(hours)?
    } else {
        // 12 am is midnight, 12 pm noon.
        number(hours & !PM)? % 12 + if hours & PM != 0 { 12 } else { 0 }
    };
    let (second, minute, day, month) = (number(seconds)?, number(minutes)?, number(day)?, number(month)?);
    let year = 2000 + number(year)?;
    if second > 59 || minute > 59 || hour > 23 || !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    Some((days_before(year, month) + day - 1) * 86_400 + hour * 3600 + minute * 60 + second)
}

fn leap(year: u64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap(year) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of this month.
fn days_before(year: u64, month: u64) -> u64 {
    let years: u64 = (1970..year).map(|y| if leap(y) { 366 } else { 365 }).sum();
    years + (1..month).map(|m| days_in(year, m)).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const B24: u8 = HOURS_24;

    #[test]
    fn a_date_in_decimal_digits() {
        // 2026-11-21 12:05:35 UTC
        assert_eq!(decode([0x35, 0x05, 0x12, 0x21, 0x11, 0x26], B24), Some(1_795_262_735));
        assert_eq!(decode([35, 5, 12, 21, 11, 26], B24 | BINARY), Some(1_795_262_735));
    }

    #[test]
    fn twelve_hour_clocks_know_midnight_and_noon() {
        let hour = |hours| decode([0, 0, hours, 1, 1, 0x70], 0).map(|s| s / 3600 % 24);
        assert_eq!(hour(0x12), Some(0));
        assert_eq!(hour(0x12 | PM), Some(12));
        assert_eq!(hour(0x01 | PM), Some(13));
    }

    #[test]
    fn nonsense_is_no_date() {
        assert_eq!(decode([0x61, 0, 0, 1, 1, 0x26], B24), None);
        assert_eq!(decode([0, 0, 0, 0x30, 0x02, 0x26], B24), None);
        assert_eq!(decode([0x0f, 0, 0, 1, 1, 0x26], B24), None);
    }

    #[test]
    fn a_clock_that_never_settles_is_given_up() {
        assert_eq!(read(|_| UPDATE_IN_PROGRESS), None);
        let mut n = 0;
        assert_eq!(read(|r| { n = u8::wrapping_add(n, 1); if r == STATUS_A { 0 } else { n } }), None);
    }

    proptest! {
        #[test]
        fn any_registers_are_read_without_a_panic(registers in any::<[u8; 16]>()) {
            read(|r| registers[r as usize % 16]);
        }
    }
}
