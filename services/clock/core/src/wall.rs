//! The wall clock page: clock writes it, others map it read-only. Words of 8 bytes:
//!
//! | word | what |
//! |---|---|
//! | 0 | number of the writing: odd while it goes on, 0 before the first |
//! | 1 | seconds since 1970-01-01 00:00 UTC at a moment |
//! | 2 | the CPU's counter at that moment |
//! | 3 | the counter's ticks in a second |
//!
//! A reader adds what the counter has counted since. Loads and stores must be acquire and release, as those of
//! `pd::SharedPage` are.

/// What the page tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wall {
    pub seconds: u64,
    pub counter: u64,
    pub counter_hz: u64,
}

const READS: usize = 8;

impl Wall {
    /// Writes the page. Only clock can; its former life may have died while it wrote.
    pub fn write(&self, load: impl Fn(usize) -> u64, store: impl Fn(usize, u64)) {
        let number = (load(0) | 1).wrapping_add(2);
        store(0, number);
        store(1, self.seconds);
        store(2, self.counter);
        store(3, self.counter_hz);
        // Never 0 again, though the number may come round.
        store(0, number.wrapping_add(1).max(2));
    }

    /// Reads the page; `None` while nobody has set the time, or it is being written.
    pub fn read(load: impl Fn(usize) -> u64) -> Option<Wall> {
        for _ in 0..READS {
            let number = load(0);
            if number == 0 {
                return None;
            }
            let wall = Wall { seconds: load(1), counter: load(2), counter_hz: load(3) };
            if number.is_multiple_of(2) && load(0) == number {
                return Some(wall);
            }
        }
        None
    }

    /// Seconds since 1970-01-01 00:00 UTC when the counter stands at `counter`.
    pub fn seconds_at(&self, counter: u64) -> u64 {
        let passed = counter.saturating_sub(self.counter) / self.counter_hz.max(1);
        self.seconds.saturating_add(passed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::*};

    #[derive(Default)]
    struct Page([AtomicU64; 4]);

    impl Page {
        fn write(&self, wall: Wall) {
            wall.write(|i| self.0[i].load(Acquire), |i, value| self.0[i].store(value, Release));
        }

        fn read(&self) -> Option<Wall> {
            Wall::read(|i| self.0[i].load(Acquire))
        }
    }

    #[test]
    fn time_goes_on_behind_the_page() {
        let page = Page::default();
        assert_eq!(page.read(), None);
        page.write(Wall { seconds: 1000, counter: 5_000_000, counter_hz: 1_000_000 });
        let wall = page.read().unwrap();
        assert_eq!(wall.seconds_at(5_000_000), 1000);
        assert_eq!(wall.seconds_at(7_500_000), 1002);
        assert_eq!(wall.seconds_at(0), 1000);
    }

    #[test]
    fn a_writer_that_died_is_noticed_and_followed() {
        let page = Page::default();
        page.write(Wall { seconds: 1, counter: 1, counter_hz: 1 });
        page.0[0].fetch_add(1, Relaxed);
        page.0[1].store(99, Relaxed);
        assert_eq!(page.read(), None);
        page.write(Wall { seconds: 2, counter: 2, counter_hz: 2 });
        assert_eq!(page.read(), Some(Wall { seconds: 2, counter: 2, counter_hz: 2 }));
    }

    #[test]
    fn nonsense_on_the_page_is_no_panic() {
        let wall = Wall { seconds: u64::MAX, counter: 0, counter_hz: 0 };
        assert_eq!(wall.seconds_at(u64::MAX), u64::MAX);
    }

    #[test]
    fn no_reader_sees_half_of_a_writing() {
        let (page, done) = (Page::default(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 1..20_000 {
                    page.write(Wall { seconds: i, counter: i, counter_hz: i });
                }
                done.store(true, Release);
            });
            scope.spawn(|| {
                while !done.load(Acquire) {
                    if let Some(wall) = page.read() {
                        assert!(wall.seconds == wall.counter && wall.counter == wall.counter_hz, "{wall:?}");
                    }
                }
            });
        });
    }
}
