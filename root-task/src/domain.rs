//! One protection domain: made from the specification, destroyed whole, made anew.

use alloc::vec::Vec;
use root_core::paging::Tables;
use sel4::{arch::VSpace, CNode, CapData, CapRights, PrioProps, Tcb};
use spec::{label, Cap, Object, PageSize, Pd, StartPage, System, Word, PAGE};

use crate::{
    arch,
    iommu::Iommu,
    kernel::{self, Access, Kind},
    memory::{Memory, Objects},
    shared::Shared,
    slots::Slot,
    window::Window,
    Failure,
};

/// What a domain is made from, beside its own specification.
pub struct Parts<'a> {
    pub system: &'a System,
    pub payload: &'static [u8],
    pub shared: &'a Shared,
    pub memory: &'a mut Memory,
    pub window: &'a mut Window,
    pub tsc_hz: u64,
    pub iommu: Option<&'a Iommu>,
    /// Index into [`System::modes`].
    pub mode: usize,
}

/// The kernel objects of one PD.
pub struct Domain {
    /// What lies in `objects`, in the same order.
    plan: Plan,
    objects: Objects,
    /// Capabilities to shared frames, one per page of each map, whether the mode has it or not.
    mappings: Vec<Vec<Slot>>,
    /// Frames of the memory that a device uses, in one piece: capabilities for the program, and for the device.
    dma_frames: Vec<Slot>,
    dma_device_frames: Vec<Slot>,
}

/// Positions in the list of objects.
struct Plan {
    kinds: Vec<Kind>,
    cnode: usize,
    vspace: usize,
    tables: Vec<(usize, root_core::paging::Table)>,
    tcbs: usize,
    /// First frame of each image segment, of each private memory, of each stack; then IPC buffers and the start page.
    segments: Vec<usize>,
    private: Vec<usize>,
    stacks: Vec<usize>,
    buffers: usize,
    start: usize,
    dma: Option<DmaPlan>,
}

struct DmaPlan {
    /// Untyped memory in one piece, which the pages are made of.
    untyped: usize,
    pages: u64,
    /// Tables of the IOMMU, with the address that each is for.
    tables: Vec<(usize, u64)>,
}

impl Plan {
    fn of(pd: &Pd, system: &System, iommu: Option<&Iommu>) -> Result<Plan, Failure> {
        let mut kinds = Vec::new();
        let mut tables = Tables::default();
        let mut add = |kind: Kind, count: u64| {
            let first = kinds.len();
            kinds.extend(core::iter::repeat_n(kind, count as usize));
            first
        };
        let cnode = add(Kind::CNode(pd.cnode_bits), 1);
        let vspace = add(Kind::VSpace, 1);
        let tcbs = add(Kind::Tcb, pd.threads.len() as u64);
        let small = Kind::Frame(PageSize::Small);
        let mut segments = Vec::new();
        for segment in &pd.image.segments {
            let (first, pages) = page_range(segment.vaddr, segment.memory_bytes);
            tables.cover(first, pages * PAGE, PageSize::Small);
            segments.push(add(small, pages));
        }
        let mut private = Vec::new();
        let mut dma = None;
        for area in &pd.private {
            tables.cover(area.vaddr, area.bytes, area.page);
            if let Some(device) = area.dma {
                let untyped = add(Kind::Untyped(area.bytes.trailing_zeros() as u8), 1);
                let addresses = iommu.into_iter().flat_map(|iommu| iommu.tables(device.io_address, area.bytes));
                let tables = addresses.map(|address| (add(Kind::IoTable, 1), address)).collect();
                dma = Some(DmaPlan { untyped, pages: area.bytes / PAGE, tables });
                continue;
            }
            private.push(add(Kind::Frame(area.page), area.bytes.div_ceil(area.page.bytes())));
        }
        let mut stacks = Vec::new();
        for thread in &pd.threads {
            tables.cover(thread.stack_top - thread.stack_bytes, thread.stack_bytes, PageSize::Small);
            tables.cover(thread.ipc_buffer, PAGE, PageSize::Small);
            stacks.push(add(small, thread.stack_bytes / PAGE));
        }
        let buffers = add(small, pd.threads.len() as u64);
        let start = add(small, 1);
        tables.cover(pd.start_vaddr, PAGE, PageSize::Small);
        for map in &pd.maps {
            let area = crate::shared::get(&system.memories, map.memory)?;
            tables.cover(map.vaddr, area.bytes, area.page);
        }
        let tables = tables.in_order().into_iter().map(|table| (add(Kind::Table(table.level), 1), table)).collect();
        Ok(Plan { kinds, cnode, vspace, tables, tcbs, segments, private, stacks, buffers, start, dma })
    }
}

/// First page and number of pages that `[vaddr, vaddr + bytes)` touches.
fn page_range(vaddr: u64, bytes: u64) -> (u64, u64) {
    let first = vaddr & !(PAGE - 1);
    (first, (vaddr + bytes - first).div_ceil(PAGE))
}

impl Domain {
    /// Makes the PD and starts it.
    pub fn create(pd: &Pd, epoch: u64, parts: &mut Parts<'_>) -> Result<Domain, Failure> {
        let plan = Plan::of(pd, parts.system, parts.iommu)?;
        let objects = parts.memory.objects(&plan.kinds)?;
        let mut mappings = Vec::with_capacity(pd.maps.len());
        for map in &pd.maps {
            let area = crate::shared::get(&parts.system.memories, map.memory)?;
            let pages = area.bytes.div_ceil(area.page.bytes());
            let first = parts.memory.slots.take(pages)?;
            mappings.push((first..first + pages).collect());
        }
        let dma_pages = plan.dma.as_ref().map_or(0, |dma| dma.pages);
        let first = parts.memory.slots.take(2 * dma_pages)?;
        let dma_frames = (first..first + dma_pages).collect();
        let dma_device_frames = (first + dma_pages..first + 2 * dma_pages).collect();
        let domain = Domain { plan, objects, mappings, dma_frames, dma_device_frames };
        domain.build(pd, epoch, parts)?;
        Ok(domain)
    }

    /// Destroys the PD down to the untyped memory that it came from. Its callers are woken by the kernel.
    pub fn destroy(&self) -> Result<(), Failure> {
        // Mappings of shared frames go first: with the address space gone they would have nothing to leave.
        for &slot in self.mappings.iter().flatten().chain(&self.dma_device_frames) {
            kernel::delete(slot)?;
        }
        for &(_, chunk) in &self.objects.chunks {
            kernel::revoke(chunk)?;
        }
        Ok(())
    }

    /// Makes a destroyed PD anew in the same memory, zeroed, and starts it.
    pub fn rebuild(&mut self, pd: &Pd, epoch: u64, parts: &mut Parts<'_>) -> Result<(), Failure> {
        parts.memory.refill(&mut self.objects, &self.plan.kinds)?;
        self.build(pd, epoch, parts)
    }

    pub fn bytes(&self) -> u64 {
        self.objects.bytes
    }

    pub fn tcb(&self, thread: usize) -> Tcb {
        Tcb(self.slot(self.plan.tcbs + thread))
    }

    fn slot(&self, position: usize) -> Slot {
        self.objects.slots[position]
    }

    fn build(&self, pd: &Pd, epoch: u64, parts: &mut Parts<'_>) -> Result<(), Failure> {
        self.build_space(pd, epoch, parts)?;
        self.build_caps(pd, parts)?;
        self.build_threads(pd, parts)
    }

    fn build_space(&self, pd: &Pd, epoch: u64, parts: &mut Parts<'_>) -> Result<(), Failure> {
        let vspace = self.slot(self.plan.vspace);
        kernel::assign_asid(vspace)?;
        for &(position, table) in &self.plan.tables {
            kernel::map_table(self.slot(position), table, vspace)?;
        }
        for (segment, &first) in pd.image.segments.iter().zip(&self.plan.segments) {
            let access = match (segment.write, segment.execute) {
                (true, true) => return Err(Failure::Specification("a segment both writable and executable")),
                (true, false) => Access::Write,
                (false, true) => Access::Execute,
                (false, false) => Access::Read,
            };
            let (base, pages) = page_range(segment.vaddr, segment.memory_bytes);
            let file = parts
                .payload
                .get(segment.payload_offset as usize..(segment.payload_offset + segment.payload_bytes) as usize)
                .ok_or(Failure::Specification("a segment outside the payload"))?;
            for page in 0..pages {
                let frame = self.slot(first + page as usize);
                let at = base + page * PAGE;
                // The part of the file that falls on this page.
                let from = at.max(segment.vaddr);
                let to = (at + PAGE).min(segment.vaddr + segment.payload_bytes);
                if from < to {
                    let bytes = &file[(from - segment.vaddr) as usize..(to - segment.vaddr) as usize];
                    let offset = (from - at) as usize;
                    parts.window.fill(frame, |target| target[offset..offset + bytes.len()].copy_from_slice(bytes))?;
                }
                kernel::map(frame, vspace, at, access)?;
            }
        }
        let own = pd.private.iter().filter(|area| area.dma.is_none());
        for (area, &first) in own.zip(&self.plan.private) {
            let step = area.page.bytes();
            for page in 0..area.bytes.div_ceil(step) {
                kernel::map(self.slot(first + page as usize), vspace, area.vaddr + page * step, Access::Write)?;
            }
        }
        for (i, (thread, &first)) in pd.threads.iter().zip(&self.plan.stacks).enumerate() {
            let bottom = thread.stack_top - thread.stack_bytes;
            for page in 0..thread.stack_bytes / PAGE {
                kernel::map(self.slot(first + page as usize), vspace, bottom + page * PAGE, Access::Write)?;
            }
            kernel::map(self.slot(self.plan.buffers + i), vspace, thread.ipc_buffer, Access::Write)?;
        }
        let dma_base = self.build_dma(pd, vspace, parts.iommu)?;
        let start = self.slot(self.plan.start);
        let page = start_page(pd, epoch, dma_base, parts)?;
        parts.window.fill(start, |target| target[..page.len()].copy_from_slice(&page))?;
        kernel::map(start, vspace, pd.start_vaddr, Access::Read)?;

        for (map, slots) in pd.maps.iter().zip(&self.mappings).filter(|(map, _)| map.modes.has(parts.mode)) {
            for ((frame, vaddr, access), &slot) in parts.shared.mapping(parts.system, map)?.zip(slots) {
                let rights = if access == Access::Read { CapRights::READ } else { CapRights::READ_WRITE };
                kernel::copy(frame, slot, rights)?;
                kernel::map(slot, vspace, vaddr, access)?;
            }
        }
        Ok(())
    }

    /// Memory that the PD's device uses, in one piece. Gives the address at which the device sees it.
    fn build_dma(&self, pd: &Pd, vspace: Slot, iommu: Option<&Iommu>) -> Result<u64, Failure> {
        let area = pd.private.iter().find_map(|area| Some((area, area.dma?)));
        let (Some(plan), Some((area, dma))) = (&self.plan.dma, area) else { return Ok(0) };
        let small = Kind::Frame(PageSize::Small);
        for frames in self.dma_frames.chunks(kernel::FAN_OUT as usize) {
            kernel::retype(self.slot(plan.untyped), small, frames[0], frames.len() as u64)?;
        }
        for (i, &frame) in self.dma_frames.iter().enumerate() {
            kernel::map(frame, vspace, area.vaddr + i as u64 * PAGE, Access::Write)?;
        }
        let Some(iommu) = iommu else { return kernel::paddr(self.dma_frames[0]) };
        for &(table, address) in &plan.tables {
            iommu.map_table(dma.device, self.slot(table), address)?;
        }
        for (i, (&frame, &slot)) in self.dma_frames.iter().zip(&self.dma_device_frames).enumerate() {
            kernel::copy(frame, slot, CapRights::READ_WRITE)?;
            iommu.map(dma.device, slot, dma.io_address + i as u64 * PAGE)?;
        }
        Ok(dma.io_address)
    }

    fn build_caps(&self, pd: &Pd, parts: &Parts<'_>) -> Result<(), Failure> {
        for cap in pd.caps.iter().filter(|cap| cap.modes.has(parts.mode)) {
            self.give(pd, cap, parts.system, parts.shared)?;
        }
        Ok(())
    }

    /// Puts a capability into the PD's CNode.
    pub fn give(&self, pd: &Pd, cap: &Cap, system: &System, shared: &Shared) -> Result<(), Failure> {
        let cnode = self.slot(self.plan.cnode);
        let source = shared.object(cap.object)?;
        let (rights, data) = match cap.object {
            // Rights do not apply to these, and an interrupt's badge names a bit of the PD's notification.
            Object::Irq(_) => (CapRights::ALL, CapData::NONE),
            // The kernel reads a new range out of every mint, so the same one is given again.
            Object::Ports(i) => {
                let range = crate::shared::get(&system.ports, i)?;
                (CapRights::ALL, CapData::ports(range.first, range.last))
            }
            _ => (kernel::rights(cap.rights), kernel::badge(cap.badge)),
        };
        kernel::mint_into(source, cnode, pd.cnode_bits, cap.slot, rights, data)
    }

    /// Takes a capability out of the PD's CNode.
    pub fn take(&self, pd: &Pd, cap: &Cap) -> Result<(), Failure> {
        kernel::delete_from(self.slot(self.plan.cnode), pd.cnode_bits, cap.slot)
    }

    fn build_threads(&self, pd: &Pd, parts: &Parts<'_>) -> Result<(), Failure> {
        let fault = pd
            .caps
            .iter()
            .find(|cap| cap.object == Object::RootEndpoint && cap.badge & label::BADGE_FAULT != 0)
            .ok_or(Failure::Specification("a PD without a way to report faults"))?;
        let cnode = self.slot(self.plan.cnode);
        for (i, thread) in pd.threads.iter().enumerate() {
            let tcb = self.tcb(i);
            tcb.configure(
                fault.slot,
                PrioProps::fixed(thread.priority),
                CNode(cnode),
                CapData::skip_guard(pd.cnode_bits),
                VSpace(self.slot(self.plan.vspace)),
                CapData::NONE,
                thread.ipc_buffer,
                sel4::CPtr(self.slot(self.plan.buffers + i)),
            )
            .map_err(kernel::refused("configure a thread"))?;
            if parts.system.cores > 1 {
                tcb.set_affinity(thread.core.into()).map_err(kernel::refused("place a thread on its core"))?;
            }
            if let (0, Some(notification)) = (i, pd.notification) {
                let object = parts.shared.object(Object::Notification(notification))?;
                tcb.bind_notification(sel4::CPtr(object)).map_err(kernel::refused("bind a notification"))?;
            }
            arch::set_registers(tcb, thread).map_err(kernel::refused("set a thread's registers"))?;
        }
        parts.shared.bind_irqs(pd, parts.mode)?;
        for i in 0..pd.threads.len() {
            self.tcb(i).resume().map_err(kernel::refused("start a thread"))?;
        }
        Ok(())
    }
}

/// The bytes of the start page.
fn start_page(pd: &Pd, epoch: u64, dma_base: u64, parts: &Parts<'_>) -> Result<Vec<u8>, Failure> {
    let entropy = parts.system.root.entropy;
    let page = match &pd.start {
        StartPage::Rust(template) => {
            let mut start = template.clone();
            start.epoch = epoch;
            start.mode = parts.system.modes.get(parts.mode).map(|mode| mode.title.clone()).unwrap_or_default();
            start.dma_base = dma_base;
            start.tsc_hz = parts.tsc_hz;
            start.seed = arch::seed(entropy);
            let mut page = alloc::vec![0; 4];
            let text = postcard::to_allocvec(&start)
                .map_err(|_| Failure::Specification("a start page that does not encode"))?;
            page.extend_from_slice(&text);
            page[..4].copy_from_slice(&(text.len() as u32).to_le_bytes());
            page
        }
        StartPage::Words(words) => {
            let seed = arch::seed(entropy).unwrap_or_default();
            let mut seed =
                seed.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default())).cycle();
            words
                .iter()
                .flat_map(|word| {
                    match word {
                        Word::Const(value) => *value,
                        Word::TscHz => parts.tsc_hz,
                        Word::Epoch => epoch,
                        Word::Seed => seed.next().unwrap_or(0),
                    }
                    .to_le_bytes()
                })
                .collect()
        }
    };
    if page.len() as u64 > PAGE {
        return Err(Failure::Specification("a start page of more than one page"));
    }
    Ok(page)
}
