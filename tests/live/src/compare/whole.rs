//! What is true of all parts together: who shares which memory, what capabilities stand for the mappings, and whether
//! all of RAM is accounted for.

use super::{pages::page_words, Compare};
use crate::{
    difference::Kind,
    expected::Frame,
    formats::{SLOT, TCB_OFFSET},
    model::{Cap, Mapped, Page},
};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// A frame that the specification names: memory and page.
type Identity = Option<(usize, u64)>;

impl Compare<'_, '_> {
    /// Every address space is root's or a PD's.
    pub(super) fn spaces(&mut self) {
        let known: HashSet<u64> =
            self.names.pds.iter().chain([&self.names.root]).filter_map(|found| found.space).collect();
        for (at, space) in self.model.spaces.iter().filter(|(at, _)| !known.contains(at)) {
            let pages = space.pages.len();
            let sentence = format!("the address space at {at:#x}, with {pages} pages, belongs to nobody");
            self.out.push(crate::difference::Difference::new(Kind::AddressSpace, sentence));
        }
    }

    fn identity(&self, space: u64, page: &Page) -> Identity {
        let pds = self.expected.pds.iter().zip(&self.names.pds).map(|(pd, found)| (&pd.pages, found));
        let (pages, _) =
            pds.chain([(&self.expected.root.pages, &self.names.root)]).find(|(_, found)| found.space == Some(space))?;
        match pages.get(&page.vaddr)?.frame {
            Frame::Shared { memory, page: number } if pages[&page.vaddr].bytes == page.bytes => Some((memory, number)),
            _ => None,
        }
    }

    /// No physical frame is in two places unless the specification says that both are the same page.
    pub(super) fn sharing(&mut self) {
        let mut pages: Vec<(u64, u64, u64, u64, Identity)> = Vec::new();
        for (at, space) in &self.model.spaces {
            for page in &space.pages {
                let identity = self.identity(*at, page);
                pages.push((page.paddr, page.paddr + page.bytes, *at, page.vaddr, identity));
            }
        }
        pages.sort_unstable();
        for (i, (start, end, space, vaddr, identity)) in pages.iter().enumerate() {
            for (other_start, _, other_space, other_vaddr, other) in pages[i + 1..].iter() {
                if other_start >= end {
                    break;
                }
                if identity.is_none() || identity != other || start != other_start {
                    let sentence = format!(
                        "physical {other_start:#x} is at {vaddr:#x} in {} and at {other_vaddr:#x} in {}, and should not be \
                         shared",
                        self.names.space(*space),
                        self.names.space(*other_space),
                    );
                    self.differ(Kind::SharedFrame, sentence);
                }
            }
        }
    }

    /// Frame capabilities and page tables say the same, and no frame lies over what the kernel keeps.
    pub(super) fn mappings(&mut self) {
        let model = self.model;
        let mut stood_for: HashSet<(u64, u64)> = HashSet::new();
        let mut tables: HashSet<u64> = HashSet::new();
        let objects = self.objects_in_memory();
        for slot in model.slots.values() {
            match slot.cap {
                Cap::Table { at, .. } => {
                    tables.insert(at);
                }
                Cap::Frame { at, bytes, asid, mapped: Mapped::AddressSpace, vaddr, write, .. } => {
                    let place = model.space_of(asid);
                    let page = place.and_then(|(_, space)| space.page_at(vaddr)).filter(|page| page.vaddr == vaddr);
                    match (place, page) {
                        (Some((space, _)), Some(page)) if (page.paddr, page.bytes) == (at, bytes) => {
                            stood_for.insert((space, vaddr));
                            if page.write && !write {
                                let who = self.names.space(space);
                                let sentence =
                                    format!("{who}: the page at {vaddr:#x} is writable, its capability is not");
                                self.differ(Kind::PageWrite, sentence);
                            }
                        }
                        _ => {
                            let (who, held) = (self.names.place(slot.place), self.held(&slot.cap));
                            let sentence =
                                format!("{who}: {held} says that it is mapped at {vaddr:#x}, where it is not");
                            self.differ(Kind::CapWithoutPage, sentence);
                        }
                    }
                }
                _ => {}
            }
            if let Cap::Frame { at, bytes, .. } = slot.cap {
                if let Some(over) = over(&objects, at, at + bytes) {
                    let (who, held) = (self.names.place(slot.place), self.held(&slot.cap));
                    self.differ(Kind::FrameOverObject, format!("{who}: {held} covers {over}"));
                }
            }
        }
        for (at, space) in &model.spaces {
            let who = self.names.space(*at);
            for page in &space.pages {
                let what = page_words(page);
                if !stood_for.contains(&(*at, page.vaddr)) {
                    let sentence = format!("{who}: {what} at {:#x} has no capability that stands for it", page.vaddr);
                    self.differ(Kind::PageWithoutCap, sentence);
                }
                if let Some(over) = over(&objects, page.paddr, page.paddr + page.bytes) {
                    self.differ(Kind::FrameOverObject, format!("{who}: {what} at {:#x} shows {over}", page.vaddr));
                }
            }
            for (level, table) in space.tables.iter().filter(|(_, table)| !tables.contains(table)) {
                let sentence = format!("{who}: the level {level} page table at {table:#x} has no capability");
                self.differ(Kind::PageWithoutCap, sentence);
            }
        }
    }

    /// Start, end and name of all that the kernel keeps in memory.
    fn objects_in_memory(&self) -> BTreeMap<u64, (u64, String)> {
        let model = self.model;
        let mut objects = BTreeMap::new();
        let mut add = |at: u64, bytes: u64, what: &str| {
            // A thread is known by the address of its structure, which lies behind its slots.
            let name = self.names.name(at).or_else(|| self.names.name(at + TCB_OFFSET).filter(|_| what == "a thread"));
            let name = name.map_or_else(|| format!("{what} at {at:#x}"), str::to_owned);
            objects.insert(at, (at + bytes, name));
        };
        for (start, end) in &model.kernel_memory {
            add(*start, end - start, "the kernel's memory");
        }
        model.cnodes.iter().for_each(|(at, radix)| add(*at, SLOT << radix, "a CNode"));
        for at in model.threads.keys() {
            add(at.saturating_sub(TCB_OFFSET), model.thread_bytes, "a thread");
        }
        model.endpoints.keys().for_each(|at| add(*at, 16, "an endpoint"));
        model.notifications.keys().for_each(|at| add(*at, 32, "a notification"));
        model.asid_pools.keys().for_each(|at| add(*at, 4096, "an ASID pool"));
        for slot in model.slots.values() {
            if let Cap::IoTable { at, .. } = slot.cap {
                add(at, 4096, "an IO page table");
            }
        }
        for (root, space) in &model.spaces {
            add(*root, 4096, "an address space");
            space.tables.iter().for_each(|(_, at)| add(*at, 4096, "a page table"));
        }
        objects
    }

    /// Nothing that is used lies in free untyped memory, and nothing in RAM is nobody's.
    pub(super) fn accounts(&mut self) {
        let model = self.model;
        let objects = self.objects_in_memory();
        let mut used: BTreeMap<u64, (u64, String)> = objects.clone();
        let mut covered: Vec<(u64, u64)> = Vec::new();
        for slot in model.slots.values() {
            match slot.cap {
                Cap::Frame { at, bytes, .. } => {
                    used.insert(at, (at + bytes, format!("the frame at {at:#x}")));
                    covered.push((at, at + bytes));
                }
                Cap::Untyped { at, bits, .. } => covered.push((at, at + (1 << bits))),
                _ => {}
            }
        }
        for slot in model.slots.values() {
            let Cap::Untyped { at, bits, used: gone, .. } = slot.cap else { continue };
            if let Some(over) = over(&used, at + gone, at + (1 << bits)) {
                let who = self.names.place(slot.place);
                let sentence = format!("{who}: the free part of {} covers {over}", slot.cap);
                self.differ(Kind::UntypedOverUse, sentence);
            }
        }
        covered.extend(objects.iter().map(|(start, (end, _))| (*start, *end)));
        for (start, end) in gaps(self.memory.ram(), covered) {
            let sentence = format!("RAM from {start:#x} to {end:#x} is neither the kernel's nor below any capability");
            self.differ(Kind::Unaccounted, sentence);
        }
    }

    /// Devices reach what the specification gives them.
    pub(super) fn devices(&mut self) {
        let expected = self.expected;
        if !self.model.iommu {
            for device in expected.devices.iter().filter(|device| device.in_use && self.rules.iommu) {
                let sentence = format!("{} is behind no IOMMU: it reaches all of memory", device.name);
                self.differ(Kind::DeviceMemory, sentence);
            }
            return;
        }
        let mut missing: BTreeSet<(u64, u64)> =
            expected.devices.iter().flat_map(|device| device.pages.keys().map(|at| (device.id, *at))).collect();
        for page in &self.model.device_pages {
            missing.remove(&(page.device, page.address));
            let device = expected.devices.iter().find(|device| device.id == page.device);
            let wanted =
                device.and_then(|device| device.pages.get(&page.address)).and_then(|(frame, write)| match frame {
                    Frame::Shared { memory, page } => Some((self.names.frames[*memory][*page as usize]?, *write)),
                    Frame::Private => None,
                });
            if wanted != Some((page.paddr, page.write)) {
                let name = device.map_or_else(|| format!("device {:#x}", page.device), |device| device.name.clone());
                let should = match wanted {
                    Some((paddr, true)) => format!("reach {paddr:#x} and write"),
                    Some((paddr, false)) => format!("reach {paddr:#x} and read only"),
                    None => "reach nothing".into(),
                };
                let access = if page.write { "writes" } else { "reads" };
                let sentence = format!(
                    "{name} {access} physical {:#x} at its address {:#x}, and should {should} there",
                    page.paddr, page.address
                );
                self.differ(Kind::DeviceMemory, sentence);
            }
        }
        for device in &expected.devices {
            let lost: Vec<u64> = missing.iter().filter(|(id, _)| *id == device.id).map(|(_, at)| *at).collect();
            if let (Some(first), count) = (lost.first(), lost.len()) {
                let sentence = format!("{} lacks {count} pages of its memory, from {first:#x} on", device.name);
                self.differ(Kind::DeviceMemory, sentence);
            }
        }
    }
}

/// Bits of the processor's registers (Intel SDM volume 3, chapter 2).
const PAGING: u64 = 1 << 31;
const PAGE_TABLES: u64 = 0x000f_ffff_ffff_f000;
const NO_EXECUTE_ENABLE: u64 = 1 << 11;
const SMEP_SMAP: u64 = 3 << 20;
const IO_PRIVILEGE: u64 = 3 << 12;

impl Compare<'_, '_> {
    /// The page tables that were read are those that the processors use, and mean what they say; nobody reaches I/O
    /// ports by a privilege of its own.
    pub(super) fn processors(&mut self) {
        for (index, core) in self.memory.cores().iter().enumerate() {
            let tables = core.cr3 & PAGE_TABLES;
            if !self.model.spaces.contains_key(&tables) && tables != self.model.kernel_space {
                let sentence = format!("core {index} runs on page tables at {tables:#x}, which are nobody's");
                self.differ(Kind::Processor, sentence);
            }
            if core.cr0 & PAGING == 0 {
                self.differ(Kind::Processor, format!("core {index} has paging off"));
            }
            if self.rules.never_execute && core.efer & NO_EXECUTE_ENABLE == 0 {
                self.differ(Kind::Processor, format!("core {index} ignores the never-execute bit"));
            }
            if self.rules.closed_kernel && core.cr4 & SMEP_SMAP != SMEP_SMAP {
                self.differ(Kind::Processor, format!("core {index} has SMEP or SMAP off"));
            }
            if core.flags & IO_PRIVILEGE != 0 {
                self.differ(Kind::PortMap, format!("core {index} runs something that may use all I/O ports"));
            }
        }
        for thread in self.model.threads.values().filter(|thread| !thread.idle && thread.flags & IO_PRIVILEGE != 0) {
            let who = self.names.thread(thread.at);
            let sentence = format!("{who} may use all I/O ports by its privilege level");
            self.out.push(crate::difference::Difference::new(Kind::PortMap, sentence));
        }
    }
}

/// What of `things` lies in the range.
fn over(things: &BTreeMap<u64, (u64, String)>, start: u64, end: u64) -> Option<&str> {
    // Things do not overlap, so only the one before the range can reach into it.
    let before = things.range(..start).next_back().filter(|(_, (until, _))| *until > start);
    let inside = things.range(start..end).next();
    before.or(inside).filter(|_| start < end).map(|(_, (_, name))| name.as_str())
}

/// Parts of `ram` that nothing covers.
fn gaps(ram: &[(u64, u64)], mut covered: Vec<(u64, u64)>) -> Vec<(u64, u64)> {
    covered.sort_unstable();
    let mut gaps = Vec::new();
    for &(start, end) in ram {
        let mut at = start;
        for &(from, to) in &covered {
            if to <= at || from >= end {
                continue;
            }
            if from > at {
                gaps.push((at, from));
            }
            at = at.max(to);
        }
        if at < end {
            gaps.push((at, end));
        }
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_nothing_covers() {
        assert_eq!(
            gaps(&[(0, 100), (200, 300)], vec![(50, 60), (0, 10), (55, 80), (90, 250)]),
            [(10, 50), (80, 90), (250, 300)]
        );
        assert_eq!(gaps(&[(0, 100)], vec![(0, 100)]), []);
    }

    #[test]
    fn what_lies_over_a_range_is_found() {
        let things = BTreeMap::from([(10, (20, "a".to_owned())), (30, (31, "b".to_owned()))]);
        assert_eq!(over(&things, 0, 10), None);
        assert_eq!(over(&things, 15, 16), Some("a"));
        assert_eq!(over(&things, 20, 40), Some("b"));
        assert_eq!(over(&things, 15, 15), None);
    }
}
