//! What should be there: the boot image's specification, page by page and slot by slot.
//!
//! This file alone knows the specification's form. It reads it out of the image that was booted, as root does.

use crate::{Error, Result};
use object::{Object as _, ObjectSegment};
use spec::{label, BlobHeader, IrqSource, MemoryKind, Object as SpecObject, PowerOff, System, BLOB_MAGIC, PAGE};
use std::collections::BTreeMap;

/// Interrupts for user code start behind the old controller's sixteen.
const FIRST_USER_IRQ: u64 = 16;
/// Pages behind root's image that the kernel adds: its IPC buffer, the boot information and its extension.
const BOOT_PAGES: u64 = 16;

#[derive(Clone, Debug)]
pub struct Expected {
    /// SHA-256 of the specification, in its own words.
    pub hash: [u8; 32],
    pub mode: String,
    /// Number 0 is root's.
    pub endpoints: Vec<Named>,
    pub notifications: Vec<Named>,
    pub irqs: Vec<Irq>,
    pub ports: Vec<Ports>,
    pub memories: Vec<Memory>,
    pub pds: Vec<Pd>,
    pub root: Root,
    /// Devices that may write to memory, whether their driver runs or not.
    pub devices: Vec<Device>,
    /// From, to and name of each channel in each of its directions.
    pub channels: Vec<(String, String, String)>,
}

/// An endpoint or a notification.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    /// It does in this mode.
    pub exists: bool,
}

#[derive(Clone, Debug)]
pub struct Irq {
    pub name: String,
    pub number: u64,
    /// I/O APIC, pin, level-triggered, low-active.
    pub pin: (u64, u64, bool, bool),
    /// Notification and badge that it is sent to.
    pub route: Option<(usize, u64)>,
}

#[derive(Clone, Debug)]
pub struct Ports {
    pub name: String,
    pub first: u64,
    pub last: u64,
}

#[derive(Clone, Debug)]
pub struct Memory {
    pub name: String,
    pub pages: u64,
    pub page_bytes: u64,
    /// Where it has to lie, if it may not lie anywhere.
    pub paddr: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Pd {
    pub name: String,
    pub cnode_bits: u64,
    pub caps: BTreeMap<u64, Cap>,
    /// By address.
    pub pages: BTreeMap<u64, Page>,
    /// Addresses that must lead nowhere, and what they are.
    pub unmapped: Vec<(u64, &'static str)>,
    pub threads: Vec<Thread>,
    /// Bound to the first thread.
    pub notification: Option<usize>,
    /// Code and constants: what has to stand where.
    pub constants: Vec<(u64, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    Endpoint(usize),
    Notification(usize),
    Irq(usize),
    Ports(usize),
}

#[derive(Clone, Copy, Debug)]
pub struct Cap {
    pub object: Object,
    pub badge: u64,
    pub send: bool,
    pub receive: bool,
    pub grant_reply: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Frame {
    /// Nobody else has it.
    Private,
    /// A page of a [`Memory`].
    Shared { memory: usize, page: u64 },
}

#[derive(Clone, Copy, Debug)]
pub struct Page {
    pub bytes: u64,
    pub frame: Frame,
    pub write: bool,
    pub execute: bool,
    pub cached: bool,
}

#[derive(Clone, Debug)]
pub struct Device {
    pub name: String,
    /// Bus, device and function.
    pub id: u64,
    /// What it reaches through the IOMMU: by its own addresses, the frame and whether it may write.
    pub pages: BTreeMap<u64, (Frame, bool)>,
    /// Its driver runs.
    pub in_use: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Thread {
    pub ipc_buffer: u64,
    pub priority: u64,
    pub core: u64,
    pub fault_slot: u64,
}

#[derive(Clone, Debug)]
pub struct Root {
    /// Its ends of channels.
    pub pages: BTreeMap<u64, Page>,
    /// Addresses of its image and of what the kernel puts behind it.
    pub image: (u64, u64),
    pub constants: Vec<(u64, Vec<u8>)>,
    pub notification: usize,
    pub tick_bit: u64,
    pub priority: u64,
    /// Ports that switch the machine off, and those of PCI configuration space.
    pub ports: Vec<(u64, u64)>,
}

impl Expected {
    /// Of the boot image whose bytes these are, in the mode of this number.
    pub fn of_image(image: &[u8], mode: usize) -> Result<Expected> {
        let elf = object::File::parse(image).map_err(|e| Error::new(format!("the boot image: {e}")))?;
        let (system, payload) = specification(&elf)?;
        let mut expected = Expected::of(&system, payload, mode)?;
        let segments = || elf.segments().filter(|segment| segment.size() > 0);
        let start = segments().map(|s| s.address()).min().unwrap_or(0);
        let end = segments().map(|s| s.address() + s.size()).max().unwrap_or(0);
        expected.root.image = (start / PAGE * PAGE, end.next_multiple_of(PAGE) + BOOT_PAGES * PAGE);
        for segment in segments() {
            let writable = match segment.flags() {
                object::SegmentFlags::Elf { p_flags } => p_flags & object::elf::PF_W != 0,
                _ => true,
            };
            if !writable {
                let data = segment.data().map_err(|e| Error::new(format!("the boot image: {e}")))?;
                expected.root.constants.push((segment.address(), data.to_vec()));
            }
        }
        Ok(expected)
    }

    /// Of a specification in one of its modes, and the bytes that segments are cut from.
    pub fn of(system: &System, payload: &[u8], mode: usize) -> Result<Expected> {
        let title = system.modes.get(mode).ok_or_else(|| Error::new(format!("there is no mode number {mode}")))?;
        let memories = system.memories.iter().map(|memory| Memory {
            name: memory.name.clone(),
            pages: memory.bytes.div_ceil(memory.page.bytes()),
            page_bytes: memory.page.bytes(),
            paddr: match memory.kind {
                MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } => Some(paddr),
                MemoryKind::Ram | MemoryKind::Ring | MemoryKind::RingPage { .. } => None,
            },
        });
        let ports = |range: &spec::PortRange| Ports {
            name: range.name.clone(),
            first: range.first.into(),
            last: range.last.into(),
        };
        let runs = |pd: u16| system.pds.get(usize::from(pd)).is_some_and(|pd| pd.modes.has(mode));
        let named = |owned: &spec::Owned| Named {
            name: owned.name.clone(),
            // It is made and destroyed with whoever receives on it.
            exists: owned.owner.is_none_or(runs),
        };
        let root_endpoint = Named { name: "root".into(), exists: true };
        let device = |function: &spec::PciFunction| Device {
            name: function.name.clone(),
            id: function.source_id().into(),
            pages: BTreeMap::new(),
            in_use: function.can_dma && runs(function.driver),
        };
        let mut expected = Expected {
            hash: system.hash,
            mode: title.title.clone(),
            endpoints: std::iter::once(root_endpoint).chain(system.endpoints.iter().map(named)).collect(),
            notifications: system.notifications.iter().map(named).collect(),
            irqs: irqs(system, mode)?,
            ports: system.ports.iter().map(ports).collect(),
            memories: memories.collect(),
            pds: Vec::new(),
            root: root(system),
            devices: system.pci.iter().map(device).collect(),
            channels: channels(system, mode),
        };
        for map in system.root.maps.iter().filter(|map| map.modes.has(mode)) {
            shared_pages(&mut expected.root.pages, system, map);
        }
        for pd in system.pds.iter().filter(|pd| pd.modes.has(mode)) {
            let pd = self::pd(pd, system, payload, mode, &mut expected)?;
            expected.pds.push(pd);
        }
        Ok(expected)
    }
}

/// The specification and the payload behind root's own segments.
fn specification<'d>(elf: &object::File<'d>) -> Result<(System, &'d [u8])> {
    let wrong = |what: &str| Error::new(format!("the boot image: {what}"));
    let magic = BLOB_MAGIC.to_le_bytes();
    let blob = elf.segments().find_map(|segment| segment.data().ok().filter(|data| data.starts_with(&magic)));
    let blob = blob.ok_or_else(|| wrong("no specification in it"))?;
    let word =
        |i: usize| blob.get(i * 8..i * 8 + 8).map(|w| u64::from_le_bytes(w.try_into().expect("eight bytes")) as usize);
    let (Some(bytes), Some(offset), Some(length)) = (word(1), word(2), word(3)) else { return Err(wrong("cut off")) };
    let header = size_of::<BlobHeader>();
    let text = blob.get(header..header + bytes).ok_or_else(|| wrong("its specification is cut off"))?;
    let payload = blob.get(offset..offset + length).ok_or_else(|| wrong("its payload is cut off"))?;
    let system = postcard::from_bytes(text).map_err(|e| wrong(&format!("its specification does not decode: {e}")))?;
    Ok((system, payload))
}

fn irqs(system: &System, mode: usize) -> Result<Vec<Irq>> {
    let route = |index: usize| {
        system.pds.iter().filter(|pd| pd.modes.has(mode)).find_map(|pd| {
            let mut caps = pd.caps.iter().filter(|cap| cap.modes.has(mode));
            let cap = caps.find(|cap| cap.object == SpecObject::Irq(index as u16))?;
            Some((usize::from(pd.notification?), cap.badge))
        })
    };
    let irq = |(index, irq): (usize, &spec::Irq)| match irq.source {
        IrqSource::IoApic { ioapic, pin, level, active_low, vector } => Ok(Irq {
            name: irq.name.clone(),
            number: FIRST_USER_IRQ + u64::from(vector),
            pin: (ioapic.into(), pin.into(), level, active_low),
            route: route(index),
        }),
        other => Err(Error::new(format!("the interrupt {} is of another platform: {other:?}", irq.name))),
    };
    system.irqs.iter().enumerate().map(irq).collect()
}

fn root(system: &System) -> Root {
    let root = &system.root;
    let power_off = match root.power_off {
        PowerOff::Port { port, .. } => Some((port.into(), u64::from(port) + 1)),
        _ => None,
    };
    let pci = root.pci_config.map(|(first, last)| (first.into(), last.into()));
    Root {
        pages: BTreeMap::new(),
        image: (0, 0),
        constants: Vec::new(),
        notification: root.notification.into(),
        tick_bit: root.tick_bit,
        priority: root.priority.into(),
        ports: power_off.into_iter().chain(pci).collect(),
    }
}

fn channels(system: &System, mode: usize) -> Vec<(String, String, String)> {
    let channels = system.channels.iter().filter(|channel| channel.modes.has(mode));
    channels
        .flat_map(|channel| channel.edges().map(|(from, to)| (from.to_owned(), to.to_owned(), channel.name.clone())))
        .collect()
}

fn shared_pages(pages: &mut BTreeMap<u64, Page>, system: &System, map: &spec::Map) {
    let index = usize::from(map.memory);
    let Some(memory) = system.memories.get(index) else { return };
    let bytes = memory.page.bytes();
    // As root maps them: the registers of a device are not cached.
    let cached = !(matches!(memory.kind, MemoryKind::Device { .. }) && map.write);
    for page in 0..memory.bytes.div_ceil(bytes) {
        let frame = Frame::Shared { memory: index, page };
        pages.insert(map.vaddr + page * bytes, Page { bytes, frame, write: map.write, execute: false, cached });
    }
}

/// A PD in one mode. Its memory for a device becomes a memory of its own, which the device shares.
fn pd(pd: &spec::Pd, system: &System, payload: &[u8], mode: usize, expected: &mut Expected) -> Result<Pd> {
    let mut pages = BTreeMap::new();
    let mut private = |from: u64, length: u64, bytes: u64, write: bool, execute: bool| {
        let mut at = from / bytes * bytes;
        while at < from + length {
            pages.insert(at, Page { bytes, frame: Frame::Private, write, execute, cached: true });
            at += bytes;
        }
    };
    let mut constants = Vec::new();
    for segment in &pd.image.segments {
        private(segment.vaddr, segment.memory_bytes, PAGE, segment.write, segment.execute);
        if !segment.write {
            let from = segment.payload_offset as usize;
            let bytes = payload.get(from..from + segment.payload_bytes as usize);
            let bytes = bytes.ok_or_else(|| Error::new(format!("{}: a segment outside the payload", pd.name)))?;
            // What the file does not hold is zero, up to the end of the page.
            let mut bytes = bytes.to_vec();
            let end = (segment.vaddr + segment.memory_bytes).next_multiple_of(PAGE);
            bytes.resize((end - segment.vaddr) as usize, 0);
            constants.push((segment.vaddr, bytes));
        }
    }
    for area in pd.private.iter().filter(|area| area.dma.is_none()) {
        private(area.vaddr, area.bytes, area.page.bytes(), true, false);
    }
    let mut unmapped = vec![(0, "page zero")];
    for thread in &pd.threads {
        private(thread.stack_top - thread.stack_bytes, thread.stack_bytes, PAGE, true, false);
        private(thread.ipc_buffer, PAGE, PAGE, true, false);
        unmapped.push((thread.stack_top - thread.stack_bytes - PAGE, "the guard page of a stack"));
    }
    private(pd.start_vaddr, PAGE, PAGE, false, false);
    for map in pd.maps.iter().filter(|map| map.modes.has(mode)) {
        shared_pages(&mut pages, system, map);
    }
    for (area, dma) in pd.private.iter().filter_map(|area| Some((area, area.dma?))) {
        let memory = expected.memories.len();
        let count = area.bytes.div_ceil(PAGE);
        let name = format!("{} of {}", area.name, pd.name);
        expected.memories.push(Memory { name, pages: count, page_bytes: PAGE, paddr: None });
        let device = expected.devices.get_mut(usize::from(dma.device));
        let device = device.ok_or_else(|| Error::new(format!("{}: memory for no device", pd.name)))?;
        for page in 0..count {
            let frame = Frame::Shared { memory, page };
            let own = Page { bytes: PAGE, frame, write: true, execute: false, cached: true };
            pages.insert(area.vaddr + page * PAGE, own);
            device.pages.insert(dma.io_address + page * PAGE, (frame, true));
        }
    }
    let fault = |cap: &&spec::Cap| cap.object == SpecObject::RootEndpoint && cap.badge & label::BADGE_FAULT != 0;
    let fault_slot = pd.caps.iter().find(fault).map_or(0, |cap| cap.slot);
    let thread = |thread: &spec::Thread| Thread {
        ipc_buffer: thread.ipc_buffer,
        priority: thread.priority.into(),
        core: thread.core.into(),
        fault_slot,
    };
    Ok(Pd {
        name: pd.name.clone(),
        cnode_bits: pd.cnode_bits.into(),
        caps: pd.caps.iter().filter(|cap| cap.modes.has(mode)).map(|cap| (cap.slot, self::cap(cap))).collect(),
        pages,
        unmapped,
        threads: pd.threads.iter().map(thread).collect(),
        notification: pd.notification.map(usize::from),
        constants,
    })
}

fn cap(cap: &spec::Cap) -> Cap {
    Cap {
        object: match cap.object {
            SpecObject::RootEndpoint => Object::Endpoint(0),
            SpecObject::Endpoint(i) => Object::Endpoint(usize::from(i) + 1),
            SpecObject::Notification(i) => Object::Notification(i.into()),
            SpecObject::Irq(i) => Object::Irq(i.into()),
            SpecObject::Ports(i) => Object::Ports(i.into()),
        },
        badge: cap.badge,
        send: cap.rights.write,
        receive: cap.rights.read,
        grant_reply: cap.rights.grant_reply,
    }
}
