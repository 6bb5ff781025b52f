//! Faults that are planted into what is seen of a machine, not into the machine: the formats in reverse. Each fault has
//! a name and the kind of difference that has to be found; a test goes through all of them, and through all kinds.

mod caps;
mod pages;
mod whole;

use crate::{
    difference::Kind,
    expected::Expected,
    formats::{Formats, OBJECTS, SLOT, TCB_OFFSET},
    memory::Memory,
    model::{Cap, Thread},
    Error, Report, Result,
};

/// A table of faults: the kind of difference by which each is known, its name, a part of the sentence, the plant.
macro_rules! table {
    ($($kind:ident, $name:literal, $says:literal, $plant:expr;)*) => {
        pub const FAULTS: &[Fault] = &[$(Fault { name: $name, kind: Kind::$kind, says: $says, plant: $plant }),*];
    };
}
use table;

const USER_WRITE: u64 = 7;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const NO_EXECUTE: u64 = 1 << 63;

/// Every fault there is.
pub fn faults() -> impl Iterator<Item = &'static Fault> {
    [caps::FAULTS, pages::FAULTS, whole::FAULTS].into_iter().flatten()
}

pub struct Fault {
    pub name: &'static str,
    pub kind: Kind,
    /// A part of the sentence by which it is known: who, where, what.
    pub says: &'static str,
    plant: fn(&mut Garden<'_, '_>) -> Result<()>,
}

impl Fault {
    /// Plants it; `report` is of the same machine without it.
    pub fn plant(&self, memory: &mut Memory, formats: &Formats, expected: &Expected, report: &Report) -> Result<()> {
        (self.plant)(&mut Garden { memory, formats, expected, report, pages: 0 })
    }
}

struct Garden<'a, 's> {
    memory: &'a mut Memory<'s>,
    formats: &'a Formats,
    expected: &'a Expected,
    report: &'a Report,
    /// Free pages that were taken.
    pages: u64,
}

/// An address as the kernel writes it.
fn pointer(paddr: u64) -> u64 {
    OBJECTS + paddr
}

fn missing(what: impl Into<String>) -> Error {
    Error::new(format!("nothing to plant in: {}", what.into()))
}

impl Garden<'_, '_> {
    fn index(&self, pd: &str) -> Result<usize> {
        self.expected.pds.iter().position(|wanted| wanted.name == pd).ok_or_else(|| missing(format!("no PD {pd}")))
    }

    fn cnode(&self, pd: &str) -> Result<u64> {
        self.report.names.pds[self.index(pd)?].cnode.ok_or_else(|| missing(format!("no CNode of {pd}")))
    }

    fn root_cnode(&self) -> Result<u64> {
        self.report.names.root.cnode.ok_or_else(|| missing("no CNode of root"))
    }

    fn space(&self, pd: &str) -> Result<u64> {
        self.report.names.pds[self.index(pd)?].space.ok_or_else(|| missing(format!("no address space of {pd}")))
    }

    fn thread(&self, pd: &str) -> Result<&Thread> {
        let threads = &self.report.names.pds[self.index(pd)?].threads;
        let at = threads.first().ok_or_else(|| missing(format!("no thread of {pd}")))?;
        Ok(&self.report.model.threads[at])
    }

    /// Address of a PD's slot that holds such a capability.
    fn slot_with(&self, pd: &str, wanted: impl Fn(&Cap) -> bool) -> Result<u64> {
        let cnode = self.cnode(pd)?;
        let found = self.report.model.cnode(cnode).find(|(_, cap)| wanted(cap));
        found.map(|(slot, _)| cnode + slot * SLOT).ok_or_else(|| missing(format!("no such capability of {pd}")))
    }

    /// Address of an empty slot of root's, far behind all others.
    fn empty_root_slot(&self) -> Result<u64> {
        let cnode = self.root_cnode()?;
        Ok(cnode + (SLOT << self.report.model.cnodes[&cnode]) - SLOT)
    }

    /// The two words of a capability.
    fn cap(&self, block: &str, fields: &[(&str, u64)]) -> Result<[u64; 2]> {
        let union = self.formats.bits.union("cap")?;
        let tag = union.tags.iter().find(|(name, _)| name == block).map(|(_, tag)| *tag);
        let mut words = [0; 2];
        self.formats.set(block, &union.tag_field, &mut words, tag.ok_or_else(|| missing(block))?)?;
        for (field, value) in fields {
            self.formats.set(block, field, &mut words, *value)?;
        }
        Ok(words)
    }

    /// Puts a capability into a slot, in no list.
    fn put(&mut self, slot: u64, cap: [u64; 2]) {
        for (i, word) in [cap[0], cap[1], 0, 0].into_iter().enumerate() {
            self.memory.plant(slot + i as u64 * 8, word);
        }
    }

    /// Into the slot of the PD that is always empty.
    fn give(&mut self, pd: &str, block: &str, fields: &[(&str, u64)]) -> Result<()> {
        let cap = self.cap(block, fields)?;
        let slot = self.cnode(pd)?;
        self.put(slot, cap);
        Ok(())
    }

    fn give_root(&mut self, block: &str, fields: &[(&str, u64)]) -> Result<()> {
        let cap = self.cap(block, fields)?;
        let slot = self.empty_root_slot()?;
        self.put(slot, cap);
        Ok(())
    }

    /// Changes one field of the block at an address.
    fn edit(&mut self, at: u64, block: &str, field: &str, value: u64) -> Result<()> {
        let mut words = self.memory.words(at, self.formats.bits.block(block)?.words as u64)?;
        self.formats.set(block, field, &mut words, value)?;
        for (i, word) in words.into_iter().enumerate() {
            self.memory.plant(at + i as u64 * 8, word);
        }
        Ok(())
    }

    /// Address of one of a thread's own slots.
    fn thread_slot(&self, pd: &str, slot: usize) -> Result<u64> {
        Ok(self.thread(pd)?.at - TCB_OFFSET + slot as u64 * SLOT)
    }

    /// Address of the page table entry for an address, at `level` or above if a large page ends the walk.
    fn entry(&self, space: u64, vaddr: u64, level: u32) -> Result<u64> {
        let mut table = space;
        for depth in (level..4).rev() {
            let at = table + (vaddr >> (12 + 9 * depth) & 511) * 8;
            if depth == level {
                return Ok(at);
            }
            let entry = self.memory.word(at)?;
            if entry & 1 == 0 || entry & 1 << 7 != 0 {
                return Err(missing(format!("no page table for {vaddr:#x}")));
            }
            table = entry & 0x000f_ffff_ffff_f000;
        }
        Err(missing("no such level"))
    }

    /// Address and content of the entry of the first page of the PD that is as wanted.
    fn page(&self, pd: &str, wanted: impl Fn(&crate::expected::Page) -> bool) -> Result<(u64, u64)> {
        let pages = &self.expected.pds[self.index(pd)?].pages;
        let found = pages.iter().find(|(_, page)| page.bytes == 4096 && wanted(page));
        let (vaddr, _) = found.ok_or_else(|| missing(format!("no such page of {pd}")))?;
        let at = self.entry(self.space(pd)?, *vaddr, 0)?;
        Ok((at, self.memory.word(at)?))
    }

    /// A page of free memory, all zero.
    fn free_page(&mut self) -> Result<u64> {
        self.pages += 1;
        let free = self.report.model.slots.values().find_map(|slot| match slot.cap {
            Cap::Untyped { at, bits, device: false, used } if (1 << bits) - used >= 64 << 12 => {
                Some((at + used).next_multiple_of(4096) + self.pages * 4096)
            }
            _ => None,
        });
        let page = free.ok_or_else(|| missing("no free memory"))?;
        for word in 0..512 {
            self.memory.plant(page + word * 8, 0);
        }
        Ok(page)
    }

    fn endpoint_of(&self, name: &str) -> Result<u64> {
        let index = self.expected.endpoints.iter().position(|known| known.name == name);
        index.and_then(|i| self.report.names.endpoints[i]).ok_or_else(|| missing(format!("no endpoint of {name}")))
    }

    fn notification_of(&self, name: &str) -> Result<u64> {
        let index = self.expected.notifications.iter().position(|known| known.name == name);
        index
            .and_then(|i| self.report.names.notifications[i])
            .ok_or_else(|| missing(format!("no notification of {name}")))
    }

    /// Physical address of a kernel variable.
    fn variable(&self, name: &str) -> Result<u64> {
        crate::memory::physical(self.formats.symbol(name)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_has_a_fault() {
        let without: Vec<_> = Kind::ALL.iter().filter(|kind| !faults().any(|fault| fault.kind == **kind)).collect();
        assert!(without.is_empty(), "no fault for {without:?}");
    }

    #[test]
    fn faults_have_names_of_their_own() {
        for (i, fault) in faults().enumerate() {
            assert!(faults().take(i).all(|other| other.name != fault.name), "{} is there twice", fault.name);
        }
    }
}
