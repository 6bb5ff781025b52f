//! Which page tables a set of mappings needs.

use alloc::{collections::BTreeSet, vec::Vec};
use spec::PageSize;

/// A table at one level: `level` counts up from the table that holds small pages (0); `vaddr` is where it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Table {
    pub level: u8,
    pub vaddr: u64,
}

/// Bytes covered by one table of each level below the root, level 0 first (4 KiB granule, 9 bits a level, as on x86_64
/// and aarch64).
pub const COVER_BITS: [u32; 3] = [21, 30, 39];

/// Collects the tables that mappings need.
#[derive(Default)]
pub struct Tables(BTreeSet<Table>);

impl Tables {
    /// Adds what `[vaddr, vaddr + bytes)` needs when mapped in pages of `page`.
    pub fn cover(&mut self, vaddr: u64, bytes: u64, page: PageSize) {
        let lowest = match page {
            PageSize::Small => 0,
            PageSize::Large => 1,
        };
        for (level, bits) in COVER_BITS.iter().enumerate().skip(lowest) {
            let size = 1u64 << bits;
            let mut at = vaddr & !(size - 1);
            while at < vaddr + bytes {
                self.0.insert(Table { level: level as u8, vaddr: at });
                at += size;
            }
        }
    }

    /// Highest level first, as they have to be mapped.
    pub fn in_order(self) -> Vec<Table> {
        let mut tables: Vec<Table> = self.0.into_iter().collect();
        tables.sort_by(|a, b| b.level.cmp(&a.level).then(a.vaddr.cmp(&b.vaddr)));
        tables
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pages_need_all_three_levels() {
        let mut tables = Tables::default();
        tables.cover(0x20_0000, 0x1000, PageSize::Small);
        let got: Vec<_> = tables.in_order().iter().map(|t| (t.level, t.vaddr)).collect();
        assert_eq!(got, [(2, 0), (1, 0), (0, 0x20_0000)]);
    }

    #[test]
    fn large_pages_need_no_lowest_table_and_ranges_share_theirs() {
        let mut tables = Tables::default();
        tables.cover(1 << 30, 2 << 30, PageSize::Large);
        tables.cover((1 << 30) - 0x1000, 0x2000, PageSize::Small);
        let got: Vec<_> = tables.in_order().iter().map(|t| (t.level, t.vaddr)).collect();
        assert_eq!(got, [(2, 0), (1, 0), (1, 1 << 30), (1, 2 << 30), (0, (1 << 30) - (2 << 20)), (0, 1 << 30)]);
    }
}
