//! Root's own capability slots.

use core::ops::Range;

/// A slot in root's CNode.
pub type Slot = u64;

/// Hands out slots of root's CNode, once each: a restarted PD gets its own slots again.
pub struct Slots {
    next: Slot,
    end: Slot,
}

/// Root's CNode is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSlots;

impl Slots {
    pub fn new(empty: Range<Slot>) -> Self {
        Slots { next: empty.start, end: empty.end }
    }

    /// `count` adjacent empty slots.
    pub fn take(&mut self, count: u64) -> Result<Slot, NoSlots> {
        if self.end - self.next < count {
            return Err(NoSlots);
        }
        let first = self.next;
        self.next += count;
        Ok(first)
    }
}
