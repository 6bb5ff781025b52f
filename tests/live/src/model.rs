//! The running system as it is found: objects by their physical addresses, and every capability where it lies.

use crate::{difference::Difference, formats::SLOT};
use std::{collections::BTreeMap, fmt};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cap {
    /// `free` bytes from its start are used up.
    Untyped {
        at: u64,
        bits: u64,
        device: bool,
        used: u64,
    },
    Endpoint {
        at: u64,
        badge: u64,
        send: bool,
        receive: bool,
        grant: bool,
        grant_reply: bool,
    },
    Notification {
        at: u64,
        badge: u64,
        send: bool,
        receive: bool,
    },
    /// The right to answer a thread once; a master is the thread's own, from which these are made.
    Reply {
        thread: u64,
        master: bool,
        grant: bool,
    },
    CNode {
        at: u64,
        radix: u64,
        guard: u64,
        guard_bits: u64,
    },
    Thread {
        at: u64,
    },
    IrqControl,
    IrqHandler {
        irq: u64,
    },
    /// What is left of a CNode or thread that is being deleted.
    Zombie {
        id: u64,
    },
    Domain,
    Frame {
        at: u64,
        bytes: u64,
        asid: u64,
        mapped: Mapped,
        vaddr: u64,
        write: bool,
        device: bool,
    },
    /// Level 3 is the root of an address space, level 0 maps small pages.
    Table {
        level: u8,
        at: u64,
        asid: u64,
        mapped: bool,
        vaddr: u64,
    },
    AsidControl,
    AsidPool {
        at: u64,
        base: u64,
    },
    IoSpace {
        domain: u64,
        device: u64,
    },
    IoTable {
        at: u64,
        device: u64,
        mapped: bool,
        level: u64,
        vaddr: u64,
    },
    Ports {
        first: u64,
        last: u64,
    },
    /// Of a kind that this system has no use for.
    Other(String),
}

/// Whose tables a frame is mapped in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapped {
    No,
    AddressSpace,
    /// The field for the address space holds the device instead.
    Device,
}

impl Cap {
    /// For people.
    pub fn kind(&self) -> &str {
        match self {
            Cap::Untyped { .. } => "an untyped capability",
            Cap::Endpoint { .. } => "an endpoint capability",
            Cap::Notification { .. } => "a notification capability",
            Cap::Reply { .. } => "a reply capability",
            Cap::CNode { .. } => "a CNode capability",
            Cap::Thread { .. } => "a TCB capability",
            Cap::IrqControl => "the capability for all interrupts",
            Cap::IrqHandler { .. } => "an interrupt capability",
            Cap::Zombie { .. } => "a half-deleted object",
            Cap::Domain => "the domain capability",
            Cap::Frame { .. } => "a frame capability",
            Cap::Table { level: 3, .. } => "an address space capability",
            Cap::Table { .. } => "a page table capability",
            Cap::AsidControl => "the capability for all address space numbers",
            Cap::AsidPool { .. } => "an ASID pool capability",
            Cap::IoSpace { .. } => "an IO space capability",
            Cap::IoTable { .. } => "an IO page table capability",
            Cap::Ports { .. } => "an I/O port capability",
            Cap::Other(_) => "a capability of a kind that nobody uses",
        }
    }

    /// The object behind it, if it has an address.
    pub fn object(&self) -> Option<u64> {
        match *self {
            Cap::Untyped { at, .. }
            | Cap::Endpoint { at, .. }
            | Cap::Notification { at, .. }
            | Cap::CNode { at, .. }
            | Cap::Thread { at }
            | Cap::Frame { at, .. }
            | Cap::Table { at, .. }
            | Cap::AsidPool { at, .. }
            | Cap::IoTable { at, .. } => Some(at),
            Cap::Reply { thread, .. } => Some(thread),
            _ => None,
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self {
            Cap::Untyped { at, bits, .. } => write!(f, " to {:#x}..{:#x}", at, at + (1 << bits)),
            Cap::Frame { at, bytes, .. } => write!(f, " to {:#x}..{:#x}", at, at + bytes),
            Cap::Ports { first, last } => write!(f, " for ports {first:#x} to {last:#x}"),
            Cap::IrqHandler { irq } => write!(f, " for {irq}"),
            Cap::IoSpace { device, .. } => write!(f, " for device {device:#x}"),
            Cap::Other(name) => write!(f, " ({name})"),
            other => match other.object() {
                Some(at) => write!(f, " to {at:#x}"),
                None => Ok(()),
            },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    CNode {
        at: u64,
        index: u64,
    },
    /// One of a thread's own five slots.
    Thread {
        at: u64,
        slot: usize,
    },
    Irq {
        irq: u64,
    },
    /// Found only because another capability's list leads there.
    Hidden,
}

/// A thread's own slots, by the kernel's numbers.
pub const CSPACE: usize = 0;
pub const VSPACE: usize = 1;
pub const REPLY: usize = 2;
pub const CALLER: usize = 3;
pub const BUFFER: usize = 4;
pub const THREAD_SLOTS: usize = 5;

#[derive(Clone, Debug)]
pub struct Slot {
    pub place: Place,
    pub cap: Cap,
    /// Its neighbours in the list of derivations, by address.
    pub previous: Option<u64>,
    pub next: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Thread {
    pub at: u64,
    pub slots: [Option<Cap>; THREAD_SLOTS],
    pub bound: Option<u64>,
    pub state: State,
    pub fault_handler: u64,
    pub ipc_buffer: u64,
    pub priority: u64,
    /// The highest priority that it may give.
    pub controlled: u64,
    pub domain: u64,
    pub core: u64,
    /// The processor's flags, as they are loaded when it runs.
    pub flags: u64,
    /// The kernel's own, one a core.
    pub idle: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Runs,
    Inactive,
    Receives { endpoint: u64 },
    Sends { endpoint: u64 },
    AwaitsReply,
    Waits { notification: u64 },
    Unknown(u64),
}

#[derive(Clone, Debug, Default)]
pub struct Queue {
    /// Threads that wait here, in order.
    pub threads: Vec<u64>,
    /// Of a notification: the thread that hears it at any receive.
    pub bound: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub vaddr: u64,
    pub paddr: u64,
    pub bytes: u64,
    pub write: bool,
    pub execute: bool,
    pub cached: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Space {
    pub asid: Option<u64>,
    /// Ascending by address; what user code can reach.
    pub pages: Vec<Page>,
    /// Level and physical address of each table below the root.
    pub tables: Vec<(u8, u64)>,
}

#[derive(Clone, Debug)]
pub struct Irq {
    pub number: u64,
    /// A thread may be told of it.
    pub signals: bool,
    pub cap: Option<Cap>,
    /// I/O APIC, pin, level-triggered, low-active.
    pub pin: Option<(u64, u64, bool, bool)>,
}

/// What a device can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DevicePage {
    /// Bus, device and function.
    pub device: u64,
    pub address: u64,
    pub paddr: u64,
    pub read: bool,
    pub write: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Model {
    /// Every capability, by the address of its slot.
    pub slots: BTreeMap<u64, Slot>,
    /// Address and radix of each CNode.
    pub cnodes: BTreeMap<u64, u64>,
    pub threads: BTreeMap<u64, Thread>,
    pub endpoints: BTreeMap<u64, Queue>,
    pub notifications: BTreeMap<u64, Queue>,
    pub spaces: BTreeMap<u64, Space>,
    pub irqs: Vec<Irq>,
    pub asid_pools: BTreeMap<u64, u64>,
    /// Pages that devices reach through the IOMMU; empty where there is none.
    pub device_pages: Vec<DevicePage>,
    /// The kernel uses one.
    pub iommu: bool,
    /// Bytes of a thread's object, its slots included.
    pub thread_bytes: u64,
    /// Memory that the kernel took for itself at boot and no capability stands for.
    pub kernel_memory: Vec<(u64, u64)>,
    /// The root table of the kernel's own address space.
    pub kernel_space: u64,
    /// What was wrong already on the way.
    pub oddities: Vec<Difference>,
}

impl Model {
    /// The capabilities of a CNode, by slot.
    pub fn cnode(&self, at: u64) -> impl Iterator<Item = (u64, &Cap)> + '_ {
        let bytes = self.cnodes.get(&at).map_or(0, |radix| SLOT << radix);
        self.slots.range(at..at + bytes).map(move |(address, slot)| ((address - at) / SLOT, &slot.cap))
    }

    pub fn space_of(&self, asid: u64) -> Option<(u64, &Space)> {
        self.spaces.iter().find(|(_, space)| space.asid == Some(asid)).map(|(at, space)| (*at, space))
    }
}

impl Space {
    pub fn page_at(&self, vaddr: u64) -> Option<&Page> {
        let index = self.pages.partition_point(|page| page.vaddr <= vaddr);
        self.pages[..index].last().filter(|page| vaddr < page.vaddr + page.bytes)
    }
}
