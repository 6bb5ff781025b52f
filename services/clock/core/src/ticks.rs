//! Who gets a tick when. The timer's interrupt only wakes us; what is due the CPU's counter says, so an interrupt that
//! came late or not at all delays a tick and never makes time run slower.

/// The timer's longest period that the chip can do, rounded down.
const LONGEST_US: u64 = 50_000;
const SHORTEST_US: u64 = 1_000;

/// The timer's period that all these periods are multiples of, as long as possible: each interrupt costs.
pub fn timer_period(periods_us: impl IntoIterator<Item = u64>) -> u64 {
    let common = periods_us.into_iter().filter(|p| *p > 0).fold(0, gcd);
    if common == 0 {
        return LONGEST_US;
    }
    (common / common.div_ceil(LONGEST_US)).max(SHORTEST_US)
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        gcd(b, a % b)
    }
}

/// One receiver of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    period_us: u64,
    next_us: u64,
}

impl Due {
    pub fn new(period_us: u64, now_us: u64) -> Due {
        let period_us = period_us.max(SHORTEST_US);
        Due { period_us, next_us: now_us.saturating_add(period_us) }
    }

    /// Whether a tick is due. `early_us`: half of the timer's period, so that a tick is not put off by one whole period
    /// because an interrupt came a little early. Ticks that were missed are not made up for.
    pub fn is_due(&mut self, now_us: u64, early_us: u64) -> bool {
        if now_us.saturating_add(early_us) < self.next_us {
            return false;
        }
        self.next_us = self.next_us.saturating_add(self.period_us);
        if self.next_us <= now_us {
            self.next_us = now_us.saturating_add(self.period_us);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_timer_is_as_slow_as_the_ticks_allow() {
        assert_eq!(timer_period([100_000, 100_000]), 50_000);
        assert_eq!(timer_period([20_000, 50_000]), 10_000);
        assert_eq!(timer_period([1_000_000]), 50_000);
        assert_eq!(timer_period([70_000]), 35_000);
        assert_eq!(timer_period([]), 50_000);
        assert_eq!(timer_period([0, 7]), 1_000);
    }

    #[test]
    fn after_a_long_pause_there_is_one_tick() {
        let mut due = Due::new(100_000, 0);
        assert!(due.is_due(5_000_000, 25_000));
        assert!(!due.is_due(5_050_000, 25_000));
        assert!(due.is_due(5_100_000, 25_000));
    }

    proptest! {
        #[test]
        fn jitter_does_not_change_the_rate(jitter in proptest::collection::vec(0u64..10_000, 200)) {
            let mut due = Due::new(100_000, 0);
            let count = jitter.iter().enumerate().filter(|(i, jitter)| due.is_due((*i as u64 + 1) * 50_000 + **jitter, 25_000));
            prop_assert_eq!(count.count(), 100);
        }
    }
}
