//! Root's own capability slots.

use alloc::vec::Vec;
use core::ops::Range;

/// A slot in root's CNode.
pub type Slot = u64;

/// Hands out slots of root's CNode. Ranges that were given back are reused when they fit.
pub struct Slots {
    next: Slot,
    end: Slot,
    free: Vec<Range<Slot>>,
}

/// Root's CNode is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlots;

impl Slots {
    pub fn new(empty: Range<Slot>) -> Self {
        Slots { next: empty.start, end: empty.end, free: Vec::new() }
    }

    /// `count` adjacent empty slots.
    pub fn take(&mut self, count: u64) -> Result<Slot, NoSlots> {
        if let Some(range) = self.free.iter_mut().find(|range| range.end - range.start >= count) {
            let first = range.start;
            range.start += count;
            self.free.retain(|range| !range.is_empty());
            return Ok(first);
        }
        if self.end - self.next < count {
            return Err(NoSlots);
        }
        let first = self.next;
        self.next += count;
        Ok(first)
    }

    /// Slots that are empty again.
    pub fn give_back(&mut self, first: Slot, count: u64) {
        if count > 0 {
            self.free.push(first..first + count);
        }
    }
}
