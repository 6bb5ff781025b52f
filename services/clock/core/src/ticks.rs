//! Which of the layout's ticks are due.

/// One receiver of ticks.
#[derive(Clone, Copy, Debug)]
pub struct Due {
    period_us: u64,
    next_us: u64,
}

impl Due {
    pub fn new(period_us: u64, now_us: u64) -> Due {
        let period_us = period_us.max(1);
        Due { period_us, next_us: now_us + period_us }
    }

    /// Whether a tick is to be sent now. After a long pause one tick is sent, not all that were missed.
    pub fn take(&mut self, now_us: u64) -> bool {
        if now_us < self.next_us {
            return false;
        }
        let behind = now_us - self.next_us;
        self.next_us += self.period_us * (1 + behind / self.period_us);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_a_period_and_none_in_between() {
        let mut due = Due::new(100, 0);
        let sent = (0..1000).filter(|&now| due.take(now)).count();
        assert_eq!(sent, 9);
    }

    #[test]
    fn missed_ticks_are_not_made_up_for() {
        let mut due = Due::new(100, 0);
        assert!(due.take(1050));
        assert!(!due.take(1060));
        assert!(due.take(1100));
    }
}
