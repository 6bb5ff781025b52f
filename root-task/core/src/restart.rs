//! When a dead PD is started again (in the way of Hubris' jefe): at once, and ever later when it keeps failing.

/// A PD that ran this long before it failed starts with a clean slate.
pub const GOOD_RUN_US: u64 = 10_000_000;
/// Delay before the second restart in a row; each further one waits four times as long.
pub const FIRST_DELAY_US: u64 = 100_000;
pub const MAX_DELAY_US: u64 = 30_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Running,
    /// Destroyed; made anew at this time (microseconds since boot).
    Waiting {
        until_us: u64,
    },
    /// The mode does not have it.
    Absent,
}

/// The life of one PD.
#[derive(Clone, Debug)]
pub struct Life {
    pub starts: u64,
    pub state: State,
    started_us: u64,
    failures_in_a_row: u32,
}

impl Life {
    pub fn begun(now_us: u64) -> Self {
        Life { starts: 1, state: State::Running, started_us: now_us, failures_in_a_row: 0 }
    }

    /// Of a PD that the mode does not have.
    pub fn absent() -> Self {
        Life { starts: 0, state: State::Absent, started_us: 0, failures_in_a_row: 0 }
    }

    /// Notes a failure. Returns how long to wait before the next start; 0 means at once.
    pub fn failed(&mut self, now_us: u64) -> u64 {
        if now_us.saturating_sub(self.started_us) >= GOOD_RUN_US {
            self.failures_in_a_row = 0;
        }
        let delay = match self.failures_in_a_row {
            0 => 0,
            n => FIRST_DELAY_US.saturating_mul(4u64.saturating_pow(n - 1)).min(MAX_DELAY_US),
        };
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.state = State::Waiting { until_us: now_us + delay };
        delay
    }

    pub fn started(&mut self, now_us: u64) {
        self.starts += 1;
        self.started_us = now_us;
        self.state = State::Running;
    }

    /// Whether the wait is over.
    pub fn due(&self, now_us: u64) -> bool {
        matches!(self.state, State::Waiting { until_us } if until_us <= now_us)
    }

    pub fn failures_in_a_row(&self) -> u32 {
        self.failures_in_a_row
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_failure_is_mended_at_once() {
        let mut life = Life::begun(0);
        assert_eq!(life.failed(5), 0);
        assert!(life.due(5));
        life.started(6);
        assert_eq!((life.starts, life.state), (2, State::Running));
        assert!(!life.due(100));
    }

    #[test]
    fn a_pd_that_keeps_failing_waits_longer_each_time_up_to_a_bound() {
        let mut life = Life::begun(0);
        let mut delays = std::vec::Vec::new();
        let mut now = 0;
        for _ in 0..9 {
            let delay = life.failed(now);
            delays.push(delay);
            now += delay;
            assert!(life.due(now));
            life.started(now);
        }
        assert_eq!(delays, [0, 100_000, 400_000, 1_600_000, 6_400_000, 25_600_000, 30_000_000, 30_000_000, 30_000_000]);
    }

    #[test]
    fn a_good_run_clears_the_slate() {
        let mut life = Life::begun(0);
        life.failed(1);
        life.started(1);
        life.failed(2);
        life.started(200_000);
        assert_eq!(life.failed(200_000 + GOOD_RUN_US), 0);
    }
}
