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
    pub endpoints: Vec<String>,
    pub notifications: Vec<String>,
    pub irqs: Vec<Irq>,
    pub ports: Vec<Ports>,
    pub memories: Vec<Memory>,
    pub pds: Vec<Pd>,
    pub root: Root,
    /// Devices that reach memory through the IOMMU; the specification has none yet.
    pub devices: Vec<Device>,
    /// From, to and name of each channel in each of its directions.
    pub channels: Vec<(String, String, String)>,
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
    /// What it reaches: by its own addresses, the frame and whether it may write.
    pub pages: BTreeMap<u64, (Frame, bool)>,
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
    /// Ports that switch the machine off.
    pub power_off: Option<(u64, u64)>,
    /// Slots of signals beside: notification and badge.
    pub signals: Vec<(usize, u64)>,
}

impl Expected {
    /// Of the boot image whose bytes these are.
    pub fn of_image(image: &[u8]) -> Result<Expected> {
        let elf = object::File::parse(image).map_err(|e| Error::new(format!("the boot image: {e}")))?;
        let (system, payload) = specification(&elf)?;
        let mut expected = Expected::of(&system, payload)?;
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

    /// Of a specification and the bytes that its segments are cut from.
    pub fn of(system: &System, payload: &[u8]) -> Result<Expected> {
        let memories = system.memories.iter().map(|memory| Memory {
            name: memory.name.clone(),
            pages: memory.bytes.div_ceil(memory.page.bytes()),
            page_bytes: memory.page.bytes(),
            paddr: match memory.kind {
                MemoryKind::Ram => None,
                MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } => Some(paddr),
            },
        });
        let ports = |range: &spec::PortRange| Ports {
            name: range.name.clone(),
            first: range.first.into(),
            last: range.last.into(),
        };
        let mut expected = Expected {
            hash: system.hash,
            mode: system.mode.clone(),
            endpoints: std::iter::once("root".to_owned()).chain(system.endpoints.iter().cloned()).collect(),
            notifications: system.notifications.clone(),
            irqs: irqs(system)?,
            ports: system.ports.iter().map(ports).collect(),
            memories: memories.collect(),
            pds: Vec::new(),
            root: root(system),
            devices: Vec::new(),
            channels: channels(system),
        };
        for map in &system.root.maps {
            shared_pages(&mut expected.root.pages, system, map);
        }
        for pd in &system.pds {
            expected.pds.push(self::pd(pd, system, payload)?);
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

fn irqs(system: &System) -> Result<Vec<Irq>> {
    let route = |index: usize| {
        system.pds.iter().find_map(|pd| {
            let cap = pd.caps.iter().find(|cap| cap.object == SpecObject::Irq(index as u16))?;
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
    let signal = |cap: &spec::Cap| match cap.object {
        SpecObject::Notification(i) => Some((usize::from(i), cap.badge)),
        _ => None,
    };
    Root {
        pages: BTreeMap::new(),
        image: (0, 0),
        constants: Vec::new(),
        notification: root.notification.into(),
        tick_bit: root.tick_bit,
        priority: root.priority.into(),
        power_off: match root.power_off {
            PowerOff::Port { port, .. } => Some((port.into(), u64::from(port) + 1)),
            _ => None,
        },
        signals: root.signals.iter().filter_map(signal).collect(),
    }
}

fn channels(system: &System) -> Vec<(String, String, String)> {
    let mut edges = Vec::new();
    for channel in &system.channels {
        let both = matches!(channel.kind, spec::ChannelKind::Rpc | spec::ChannelKind::CreditRing);
        edges.push((channel.from.clone(), channel.to.clone(), channel.name.clone()));
        if both {
            edges.push((channel.to.clone(), channel.from.clone(), channel.name.clone()));
        }
    }
    edges
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

fn pd(pd: &spec::Pd, system: &System, payload: &[u8]) -> Result<Pd> {
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
    for area in &pd.private {
        private(area.vaddr, area.bytes, area.page.bytes(), true, false);
    }
    let mut unmapped = vec![(0, "page zero")];
    for thread in &pd.threads {
        private(thread.stack_top - thread.stack_bytes, thread.stack_bytes, PAGE, true, false);
        private(thread.ipc_buffer, PAGE, PAGE, true, false);
        unmapped.push((thread.stack_top - thread.stack_bytes - PAGE, "the guard page of a stack"));
    }
    private(pd.start_vaddr, PAGE, PAGE, false, false);
    for map in &pd.maps {
        shared_pages(&mut pages, system, map);
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
        caps: pd.caps.iter().map(|cap| (cap.slot, self::cap(cap))).collect(),
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
