//! Shared memory as words.

use core::sync::atomic::{AtomicU64, Ordering};
use spec::handle;

/// Memory that several PDs see, in words of 8 bytes. What others wrote into it may be anything, at any moment.
#[derive(Clone, Copy, Debug)]
pub struct SharedPage {
    words: *const AtomicU64,
    count: usize,
}

// SAFETY: the memory stays mapped as long as the PD lives, in every thread, and all accesses are atomic.
unsafe impl Send for SharedPage {}
// SAFETY: as above.
unsafe impl Sync for SharedPage {}

impl SharedPage {
    pub const fn new(handle: handle::Memory) -> SharedPage {
        SharedPage { words: handle.vaddr as *const AtomicU64, count: handle.bytes as usize / 8 }
    }

    fn word(&self, i: usize) -> &AtomicU64 {
        assert!(i < self.count, "word {i} of {} in shared memory", self.count);
        // SAFETY: the layout's addresses are whole pages, mapped as it says for as long as the PD lives; the word lies
        // in them.
        unsafe { &*self.words.add(i) }
    }

    /// # Panics
    /// Beyond the end.
    #[inline]
    pub fn load(&self, i: usize) -> u64 {
        self.word(i).load(Ordering::Acquire)
    }

    /// Faults if the layout maps the memory read-only.
    ///
    /// # Panics
    /// Beyond the end.
    #[inline]
    pub fn store(&self, i: usize, value: u64) {
        self.word(i).store(value, Ordering::Release)
    }
}
