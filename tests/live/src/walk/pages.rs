//! Page tables, as the processor reads them.

use super::Walk;
use crate::{
    difference::Kind,
    model::{Page, Space},
    Result,
};

const ENTRIES: u64 = 512;
/// Entries of the root table below this belong to user code.
const USER_ENTRIES: u64 = 256;
const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const UNCACHED: u64 = 1 << 4;
const ACCESSED_DIRTY: u64 = 3 << 5;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// Bits of an address below each level, from the root (level 3) down.
const SHIFTS: [u32; 4] = [12, 21, 30, 39];

/// What the tables above allow.
#[derive(Clone, Copy)]
struct Above {
    write: bool,
    execute: bool,
    user: bool,
}

impl Walk<'_, '_> {
    /// Adds the address space whose root table lies at `root`.
    pub(super) fn space(&mut self, root: u64, asid: Option<u64>) {
        if let Some(space) = self.model.spaces.get_mut(&root) {
            space.asid = space.asid.or(asid);
            return;
        }
        let mut space = Space { asid, ..Space::default() };
        let entries = self.memory.words(root, ENTRIES);
        if let Some(entries) = self.sound(entries) {
            let above = Above { write: true, execute: true, user: true };
            for index in 0..USER_ENTRIES {
                self.entry(&mut space, 3, entries[index as usize], index << SHIFTS[3], above);
            }
            let half = self.kernel_half(root, &entries);
            self.sound(half);
        }
        self.model.spaces.insert(root, space);
    }

    fn entry(&mut self, space: &mut Space, level: u8, entry: u64, vaddr: u64, above: Above) {
        if entry & PRESENT == 0 {
            return;
        }
        let above = Above {
            write: above.write && entry & WRITE != 0,
            execute: above.execute && entry & NO_EXECUTE == 0,
            user: above.user && entry & USER != 0,
        };
        let bytes = 1u64 << SHIFTS[level as usize];
        if level == 0 || entry & LARGE != 0 && level < 3 {
            if !above.user {
                // User code cannot reach it; the kernel makes no such pages.
                let sentence = format!("an address space has a page at {vaddr:#x} that is the kernel's alone");
                return self.odd(Kind::KernelHalf, sentence);
            }
            // Bit 7 is the page attribute bit in the lowest table, bit 12 in the others.
            let attribute = if level == 0 { LARGE } else { 1 << 12 };
            space.pages.push(Page {
                vaddr,
                paddr: entry & ADDRESS & !(bytes - 1),
                bytes,
                write: above.write,
                execute: above.execute,
                cached: entry & (WRITE_THROUGH | UNCACHED | attribute) == 0,
            });
            return;
        }
        let table = entry & ADDRESS;
        space.tables.push((level - 1, table));
        let entries = self.memory.words(table, ENTRIES);
        let Some(entries) = self.sound(entries) else { return };
        for (index, entry) in entries.into_iter().enumerate() {
            self.entry(space, level - 1, entry, vaddr | (index as u64) << SHIFTS[level as usize - 1], above);
        }
    }

    /// All address spaces share the kernel's half, and user code reaches nothing in it.
    fn kernel_half(&mut self, root: u64, entries: &[u64]) -> Result<()> {
        let global = self.memory.words(self.model.kernel_space, ENTRIES)?;
        let known = !ACCESSED_DIRTY;
        for index in USER_ENTRIES as usize..ENTRIES as usize {
            // The kernel keeps a bit map of cores in words below its own entry, none of which says "present".
            let entry = entries[index];
            if entry & PRESENT != 0 && (entry & known != global[index] & known || entry & USER != 0) {
                let at = (index as u64) << SHIFTS[3] | 0xffff << 48;
                self.odd(
                    Kind::KernelHalf,
                    format!(
                        "the address space at {root:#x} maps something of its own at {at:#x}, in the kernel's half"
                    ),
                );
            }
        }
        Ok(())
    }

    /// The tables that all address spaces share map nothing that user code reaches.
    pub(super) fn kernel_tables(&mut self) -> Result<()> {
        let mut open = vec![(3u8, self.model.kernel_space)];
        while let Some((level, table)) = open.pop() {
            for (index, entry) in self.memory.words(table, ENTRIES)?.into_iter().enumerate() {
                if entry & PRESENT == 0 || level == 3 && (index as u64) < USER_ENTRIES {
                    continue;
                }
                if entry & USER != 0 {
                    let sentence =
                        format!("entry {index} of the kernel's own table at {table:#x} is open to user code");
                    self.odd(Kind::KernelHalf, sentence);
                }
                if level > 0 && entry & LARGE == 0 {
                    open.push((level - 1, entry & ADDRESS));
                }
            }
        }
        Ok(())
    }
}
