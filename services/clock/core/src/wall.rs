//! The wall clock page: clock writes it, others read it.
//!
//! Words of eight bytes: 0 sequence (odd while it is being written), 1 the counter's value, 2 seconds since 1970-01-01
//! UTC at that value (0: unknown). The time now is that plus what the counter counted since.

/// The page as words; libs/pd's `SharedPage` is one.
pub trait Words {
    fn load(&self, word: usize) -> u64;
    fn store(&self, word: usize, value: u64);
}

const SEQUENCE: usize = 0;
const COUNTER: usize = 1;
const SECONDS: usize = 2;
/// Readings before the writer is taken for dead in the middle of writing.
const TRIES: usize = 1000;

pub fn write(page: &impl Words, counter: u64, seconds: u64) {
    let sequence = page.load(SEQUENCE) | 1;
    page.store(SEQUENCE, sequence);
    page.store(COUNTER, counter);
    page.store(SECONDS, seconds);
    page.store(SEQUENCE, sequence.wrapping_add(1));
}

/// Seconds since 1970-01-01 UTC; `None` if the clock does not know.
pub fn read(page: &impl Words, counter: u64, hz: u64) -> Option<u64> {
    for _ in 0..TRIES {
        let before = page.load(SEQUENCE);
        let (then, seconds) = (page.load(COUNTER), page.load(SECONDS));
        if before % 2 == 0 && page.load(SEQUENCE) == before {
            return (seconds != 0).then(|| seconds.saturating_add(counter.saturating_sub(then) / hz.max(1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[derive(Default)]
    struct Page([Cell<u64>; 3]);

    impl Words for Page {
        fn load(&self, word: usize) -> u64 {
            self.0[word].get()
        }
        fn store(&self, word: usize, value: u64) {
            self.0[word].set(value)
        }
    }

    #[test]
    fn time_goes_on_with_the_counter() {
        let page = Page::default();
        assert_eq!(read(&page, 0, 1000), None);
        write(&page, 5_000, 100);
        assert_eq!(read(&page, 7_500, 1000), Some(102));
        // A counter behind the written one (another core) is no time travel.
        assert_eq!(read(&page, 10, 1000), Some(100));
    }

    #[test]
    fn a_writer_that_died_is_noticed_and_its_successor_mends_it() {
        let page = Page::default();
        write(&page, 0, 7);
        page.store(SEQUENCE, 3);
        assert_eq!(read(&page, 0, 1), None);
        write(&page, 0, 8);
        assert_eq!(read(&page, 0, 1), Some(8));
    }
}
