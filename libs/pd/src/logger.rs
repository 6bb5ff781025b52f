//! The log: lines on the PD's log ring, if the layout gives it one.

use core::sync::atomic::{AtomicU64, Ordering};

/// Longest line, as root keeps it; the rest is cut off.
#[cfg(target_os = "none")]
const LINE_BYTES: usize = 256;

static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Lines that went nowhere because the layout gives no log ring, or it was full.
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

#[cfg(target_os = "none")]
mod backend {
    use super::*;
    use crate::{rings::RingOut, text::Text, Start};
    use core::fmt::Write;
    use log::{LevelFilter, Log, Metadata, Record};
    use spinning_top::Spinlock;

    struct Logger(Spinlock<Option<RingOut>>);

    static LOGGER: Logger = Logger(Spinlock::new(None));

    impl Log for Logger {
        fn enabled(&self, _: &Metadata) -> bool {
            true
        }

        fn log(&self, record: &Record) {
            let mut line = Text::<LINE_BYTES>::new();
            let _ = write!(line, "{} {}: {}", record.level(), record.target(), record.args());
            let sent = match self.0.try_lock() {
                Some(mut ring) => ring.as_mut().is_some_and(|ring| ring.push(&[line.as_bytes()]).is_ok()),
                None => false,
            };
            if !sent {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        }

        fn flush(&self) {}
    }

    pub(crate) fn init(start: &Start) {
        *LOGGER.0.lock() = start.log.map(RingOut::open);
        // It fails only if a logger is set already, and this runs once.
        let _ = log::set_logger(&LOGGER);
        log::set_max_level(if cfg!(debug_assertions) { LevelFilter::Debug } else { LevelFilter::Info });
    }
}
#[cfg(target_os = "none")]
pub(crate) use backend::init;
