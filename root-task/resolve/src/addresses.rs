//! Where things lie in a protection domain's address space. This page is the whole plan.
//!
//! | from          | to            | what                                                                         |
//! |---------------|---------------|------------------------------------------------------------------------------|
//! | `0x0`         | `0x1f_ffff`   | never mapped: page zero, and small offsets from a null pointer               |
//! | `0x20_0000`   | `0x1fff_ffff` | the program's ELF segments                                                   |
//! | `0x2000_0000` | `0x27ff_ffff` | start page, then each thread's IPC buffer and stack                          |
//! | `0x2800_0000` | `0x3fff_ffff` | channels: rings, credit pages, shared pages, device registers                |
//! | `0x4000_0000` |               | heap                                                                         |
//! | `0x10_0000_0000` |            | arena, in large pages (llama)                                                |
//! | `0x1c_0000_0000` |            | the spare model, as the model (llama)                                        |
//! | `0x20_0000_0000` |            | model, in large pages, read-only (llama)                                     |
//!
//! Between any two things lies at least one unmapped page. The first three GiB-sized rows share their page tables.
//! Root's own address space is root's affair, except for its ends of channels, which lie at [`ROOT_CHANNELS`].

use spec::PAGE;

pub const IMAGE: u64 = 0x20_0000;
pub const IMAGE_END: u64 = 0x2000_0000;
pub const THREADS: u64 = 0x2000_0000;
pub const THREADS_END: u64 = 0x2800_0000;
pub const CHANNELS: u64 = 0x2800_0000;
pub const CHANNELS_END: u64 = 0x4000_0000;
pub const HEAP: u64 = 0x4000_0000;
pub const HEAP_END: u64 = 0x10_0000_0000;
pub const ARENA: u64 = 0x10_0000_0000;
pub const ARENA_END: u64 = 0x1c_0000_0000;
pub const SPARE: u64 = 0x1c_0000_0000;
pub const SPARE_END: u64 = 0x20_0000_0000;
pub const MODEL: u64 = 0x20_0000_0000;
pub const MODEL_END: u64 = 0x80_0000_0000;
/// Where a device behind an IOMMU sees its driver's DMA memory; each device has an address space of its own. Below
/// 4 GiB, and not page zero: a driver's bug that hands out a null address reaches nothing.
pub const IO: u64 = 0x1000_0000;
pub const ROOT_CHANNELS: u64 = 0x10_0000_0000;
pub const ROOT_CHANNELS_END: u64 = 0x10_4000_0000;

/// Gives out addresses upwards, with an unmapped page before each thing.
#[derive(Clone, Debug)]
pub struct Region {
    next: u64,
    end: u64,
}

impl Region {
    pub fn new(start: u64, end: u64) -> Region {
        Region { next: start, end }
    }

    /// `None` if the region is full.
    pub fn place(&mut self, bytes: u64) -> Option<u64> {
        let at = self.next.checked_add(PAGE)?;
        let end = at.checked_add(round_up(bytes, PAGE))?;
        // The page behind the last thing stays unmapped as well.
        if end > self.end - PAGE {
            return None;
        }
        self.next = end;
        Some(at)
    }
}

pub fn round_up(value: u64, unit: u64) -> u64 {
    value.div_ceil(unit) * unit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn things_have_an_unmapped_page_on_both_sides() {
        let mut region = Region::new(0x10000, 0x20000);
        let a = region.place(1).unwrap();
        let b = region.place(2 * PAGE).unwrap();
        assert_eq!(a, 0x11000);
        assert_eq!(b, a + PAGE + PAGE);
        assert_eq!(region.place(0x10000), None);
    }
}
