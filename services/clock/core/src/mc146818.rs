//! The calendar chip of a PC, read once.

/// Access to its registers.
pub trait Registers {
    fn read(&mut self, register: u8) -> u8;
}

const SECONDS: u8 = 0;
const MINUTES: u8 = 2;
const HOURS: u8 = 4;
const DAY: u8 = 7;
const MONTH: u8 = 8;
const YEAR: u8 = 9;
const STATUS_A: u8 = 10;
const STATUS_B: u8 = 11;
/// Where most machines keep it; others keep something else there.
const CENTURY: u8 = 0x32;

const UPDATING: u8 = 0x80;
const HOURS_24: u8 = 2;
const BINARY: u8 = 4;
const AFTERNOON: u8 = 0x80;

/// An update takes 2 ms; reading a register so often takes longer than that.
const PATIENCE: usize = 20_000;
const TRIES: usize = 8;

/// Why there is no time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// It says that it is being updated, and goes on saying so.
    Stuck,
    /// Two readings never agreed.
    Unsteady,
    /// What it says is no date.
    Nonsense,
}

/// Seconds since 1970-01-01 00:00, taking what the chip says for UTC.
pub fn read(registers: &mut impl Registers) -> Result<u64, Error> {
    let mut last = snapshot(registers)?;
    for _ in 0..TRIES {
        let next = snapshot(registers)?;
        if next == last {
            return decode(next);
        }
        last = next;
    }
    Err(Error::Unsteady)
}

type Snapshot = [u8; 8];

fn snapshot(registers: &mut impl Registers) -> Result<Snapshot, Error> {
    if !(0..PATIENCE).any(|_| registers.read(STATUS_A) & UPDATING == 0) {
        return Err(Error::Stuck);
    }
    Ok([SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR, CENTURY, STATUS_B].map(|register| registers.read(register)))
}

fn decode([second, minute, hour, day, month, year, century, status]: Snapshot) -> Result<u64, Error> {
    let number = |value: u8| match status & BINARY != 0 {
        true => Ok(u64::from(value)),
        false if value & 0xf < 10 && value >> 4 < 10 => Ok(u64::from(value >> 4) * 10 + u64::from(value & 0xf)),
        false => Err(Error::Nonsense),
    };
    let hour = match status & HOURS_24 != 0 {
        true => number(hour)?,
        false => match number(hour & !AFTERNOON)? {
            twelve @ 1..=12 => twelve % 12 + if hour & AFTERNOON != 0 { 12 } else { 0 },
            _ => return Err(Error::Nonsense),
        },
    };
    // A century that cannot be is none. AlphaOS was not there before 2000.
    let century = number(century).ok().filter(|c| (20..=25).contains(c)).unwrap_or(20);
    let year = century * 100 + number(year)?;
    let (second, minute, day, month) = (number(second)?, number(minute)?, number(day)?, number(month)?);
    let leap = is_leap(year);
    let days_in_month = match month {
        2 => 28 + u64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return Err(Error::Nonsense),
    };
    if second > 59 || minute > 59 || hour > 23 || !(1..=days_in_month).contains(&day) || year >= 2600 {
        return Err(Error::Nonsense);
    }
    Ok(((days_before(year, month) + day - 1) * 24 + hour) * 3600 + minute * 60 + second)
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

/// Days from 1970-01-01 to the first of a month.
fn days_before(year: u64, month: u64) -> u64 {
    // Years that begin in March, so that the leap day is the last one.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    // From 0000-03-01 to 1970-01-01.
    year * 365 + leap_days + (month * 153 + 2) / 5 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Chip {
        registers: [u8; 128],
        updating_for: usize,
        /// Seconds change with each reading of the year.
        runs: bool,
    }

    impl Registers for Chip {
        fn read(&mut self, register: u8) -> u8 {
            if register == STATUS_A && self.updating_for > 0 {
                self.updating_for -= 1;
                return UPDATING;
            }
            if register == YEAR && self.runs {
                self.registers[0] = (self.registers[0] + 1) % 50;
            }
            self.registers[register as usize]
        }
    }

    fn chip(date: [u8; 6], century: u8, status: u8) -> Chip {
        let mut registers = [0; 128];
        for (register, value) in [SECONDS, MINUTES, HOURS, DAY, MONTH, YEAR].into_iter().zip(date) {
            registers[register as usize] = value;
        }
        registers[CENTURY as usize] = century;
        registers[STATUS_B as usize] = status;
        Chip { registers, updating_for: 0, runs: false }
    }

    fn seconds(date: [u8; 6], century: u8, status: u8) -> Result<u64, Error> {
        read(&mut chip(date, century, status))
    }

    #[test]
    fn decimal_digits_and_24_hours() {
        assert_eq!(seconds([0x56, 0x34, 0x12, 0x21, 0x11, 0x26], 0x20, HOURS_24), Ok(1_795_264_496));
    }

    #[test]
    fn binary_and_24_hours() {
        assert_eq!(seconds([56, 34, 12, 21, 11, 26], 20, HOURS_24 | BINARY), Ok(1_795_264_496));
    }

    #[test]
    fn twelve_hours() {
        let at = |hour| seconds([0, 0, hour, 1, 1, 0], 0x20, 0).map(|s| (s - 946_684_800) / 3600);
        assert_eq!((at(0x12), at(0x01), at(0x11)), (Ok(0), Ok(1), Ok(11)));
        assert_eq!((at(0x92), at(0x81), at(0x91)), (Ok(12), Ok(13), Ok(23)));
        assert_eq!(at(0x13), Err(Error::Nonsense));
        assert_eq!(at(0x00), Err(Error::Nonsense));
    }

    #[test]
    fn a_century_that_cannot_be_is_passed_over() {
        for century in [0, 0x19, 0x99, 0xff] {
            assert_eq!(seconds([0, 0, 0, 1, 1, 0x26], century, HOURS_24), Ok(1_767_225_600), "{century:#x}");
        }
        assert_eq!(seconds([0, 0, 0, 1, 1, 0], 0x21, HOURS_24), Ok(4_102_444_800));
    }

    #[test]
    fn leap_days() {
        assert_eq!(seconds([0, 0, 0, 0x29, 2, 0x28], 0x20, HOURS_24), Ok(1_835_395_200));
        assert_eq!(seconds([0, 0, 0, 0x29, 2, 0x26], 0x20, HOURS_24), Err(Error::Nonsense));
        assert_eq!(seconds([0, 0, 0, 0x29, 2, 0], 0x21, HOURS_24), Err(Error::Nonsense));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for date in [
            [0x60, 0, 0, 1, 1, 0],
            [0, 0x60, 0, 1, 1, 0],
            [0, 0, 0x24, 1, 1, 0],
            [0, 0, 0, 0, 1, 0],
            [0, 0, 0, 0x31, 4, 0],
            [0, 0, 0, 1, 0, 0],
            [0, 0, 0, 1, 0x13, 0],
            [0x0a, 0, 0, 1, 1, 0],
            [0xff; 6],
        ] {
            assert_eq!(seconds(date, 0x20, HOURS_24), Err(Error::Nonsense), "{date:?}");
        }
    }

    #[test]
    fn it_waits_for_an_update_but_not_for_ever() {
        let mut chip = chip([0, 0, 0, 1, 1, 0x26], 0x20, HOURS_24);
        chip.updating_for = 100;
        assert_eq!(read(&mut chip), Ok(1_767_225_600));
        chip.updating_for = usize::MAX;
        assert_eq!(read(&mut chip), Err(Error::Stuck));
        chip.updating_for = 0;
        chip.runs = true;
        assert_eq!(read(&mut chip), Err(Error::Unsteady));
    }

    proptest! {
        #[test]
        fn any_registers_give_a_time_or_an_error(registers in proptest::array::uniform32(any::<u8>()), century: u8) {
            let mut chip = chip([0; 6], century, 0);
            chip.registers[..32].copy_from_slice(&registers);
            chip.registers[STATUS_A as usize] &= !UPDATING;
            if let Ok(seconds) = read(&mut chip) {
                prop_assert!((946_684_800..19_880_899_200).contains(&seconds));
            }
        }

        #[test]
        fn days_follow_each_other(day in 0u64..200_000) {
            // By counting, not by the formula.
            let (mut year, mut left) = (2000, day);
            let length = |year: u64| 365 + u64::from(is_leap(year));
            while left >= length(year) {
                left -= length(year);
                year += 1;
            }
            prop_assert_eq!(days_before(year, 1) + left, 10_957 + day);
        }
    }
}
