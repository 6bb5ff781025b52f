//! The kernel operations that root needs, on plain slots of its own CNode.

use root_core::paging::Table;
use sel4::{
    arch::{init, Frame, FrameSize, VSpace, IO_PAGE_TABLE_BITS, IO_PAGE_TABLE_OBJECT, VSPACE_BITS, VSPACE_OBJECT},
    consts, CNode, CPtr, CapData, CapRights, Untyped as UntypedCap, VmAttributes,
};
use spec::PageSize;

use crate::{failure::Failure, slots::Slot};

/// Objects made by one retype at most.
pub const FAN_OUT: u64 = sel4::config::RETYPE_FAN_OUT_LIMIT;

/// What memory can be turned into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Untyped(u8),
    /// 2^bits slots.
    CNode(u8),
    Frame(PageSize),
    VSpace,
    /// Table of this level (0 maps small pages).
    Table(u8),
    /// Table of the IOMMU, of any level.
    IoTable,
    Tcb,
    Notification,
    Endpoint,
}

fn frame(page: PageSize) -> FrameSize {
    match page {
        PageSize::Small => FrameSize::Small,
        PageSize::Large => FrameSize::Large,
    }
}

fn table(level: u8) -> sel4::arch::Table {
    // Levels count from the bottom, the architecture's list from the top.
    sel4::arch::Table::ALL[sel4::arch::Table::ALL.len() - 1 - level as usize]
}

impl Kind {
    /// The object has 2^this bytes.
    pub fn bits(&self) -> u8 {
        match self {
            Kind::Untyped(bits) => *bits,
            Kind::CNode(bits) => bits + consts::SLOT_BITS as u8,
            Kind::Frame(page) => frame(*page).bits(),
            Kind::VSpace => VSPACE_BITS,
            Kind::Table(level) => table(*level).bits(),
            Kind::IoTable => IO_PAGE_TABLE_BITS,
            Kind::Tcb => consts::TCB_BITS as u8,
            Kind::Notification => consts::NOTIFICATION_BITS as u8,
            Kind::Endpoint => consts::ENDPOINT_BITS as u8,
        }
    }

    fn object(&self) -> (u64, u8) {
        match self {
            Kind::Untyped(bits) => (consts::UNTYPED_OBJECT, *bits),
            Kind::CNode(bits) => (consts::CAP_TABLE_OBJECT, *bits),
            Kind::Frame(page) => (frame(*page).object(), 0),
            Kind::VSpace => (VSPACE_OBJECT, 0),
            Kind::Table(level) => (table(*level).object(), 0),
            Kind::IoTable => (IO_PAGE_TABLE_OBJECT, 0),
            Kind::Tcb => (consts::TCB_OBJECT, 0),
            Kind::Notification => (consts::NOTIFICATION_OBJECT, 0),
            Kind::Endpoint => (consts::ENDPOINT_OBJECT, 0),
        }
    }
}

/// A block of untyped memory.
#[derive(Clone, Copy, Debug)]
pub struct Untyped {
    pub slot: Slot,
    pub paddr: u64,
    pub bits: u8,
    pub device: bool,
}

/// Names the operation that the kernel refused.
pub fn refused(what: &'static str) -> impl FnOnce(sel4::Error) -> Failure {
    move |error| Failure::Kernel { what, error }
}

fn own(slot: Slot) -> sel4::Slot {
    sel4::Slot::deep(init::CNODE, slot)
}

pub fn retype(untyped: Slot, kind: Kind, first: Slot, count: u64) -> Result<(), Failure> {
    let (object, bits) = kind.object();
    UntypedCap(untyped).retype_into(object, bits, init::CNODE, first, count).map_err(refused("retype"))
}

pub fn delete(slot: Slot) -> Result<(), Failure> {
    own(slot).delete().map_err(refused("delete a capability"))
}

/// Empties slot `index` of the CNode in slot `cnode`, which has 2^`bits` slots.
pub fn delete_from(cnode: Slot, bits: u8, index: u64) -> Result<(), Failure> {
    sel4::Slot::shallow(CNode(cnode), index, bits).delete().map_err(refused("take a capability away"))
}

pub fn revoke(slot: Slot) -> Result<(), Failure> {
    own(slot).revoke().map_err(refused("revoke"))
}

pub fn copy(from: Slot, to: Slot, rights: CapRights) -> Result<(), Failure> {
    own(to).copy_from(own(from), rights).map_err(refused("copy a capability"))
}

/// A copy with a badge (or other data); `data` 0 keeps what the source has.
pub fn mint(from: Slot, to: Slot, rights: CapRights, data: CapData) -> Result<(), Failure> {
    own(to).mint_from(own(from), rights, data).map_err(refused("mint a capability"))
}

/// Puts a copy into slot `index` of the CNode in slot `cnode`, which has 2^`bits` slots.
pub fn mint_into(
    from: Slot,
    cnode: Slot,
    bits: u8,
    index: u64,
    rights: CapRights,
    data: CapData,
) -> Result<(), Failure> {
    let to = sel4::Slot::shallow(CNode(cnode), index, bits);
    to.mint_from(own(from), rights, data).map_err(refused("hand out a capability"))
}

pub fn rights(r: spec::Rights) -> CapRights {
    let mut rights = CapRights::NONE;
    if r.read {
        rights = rights | CapRights::READ;
    }
    if r.write {
        rights = rights | CapRights::WRITE;
    }
    if r.grant_reply {
        rights = rights | CapRights::GRANT_REPLY;
    }
    rights
}

/// A badge; 0 leaves the capability without one.
pub fn badge(badge: u64) -> CapData {
    if badge == 0 {
        CapData::NONE
    } else {
        CapData::badge(badge)
    }
}

pub fn map_table(slot: Slot, table_: Table, vspace: Slot) -> Result<(), Failure> {
    table(table_.level).map(CPtr(slot), VSpace(vspace), table_.vaddr).map_err(refused("map a page table"))
}

/// How a frame is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    Read,
    Write,
    /// Code: what can be executed can be read, and not written. No other page can be executed.
    Execute,
    /// Device registers: uncached, read-write.
    Device,
}

pub fn map(frame: Slot, vspace: Slot, vaddr: u64, access: Access) -> Result<(), Failure> {
    let (rights, attributes) = match access {
        Access::Read => (CapRights::READ, VmAttributes::CACHED.never_execute()),
        Access::Write => (CapRights::READ_WRITE, VmAttributes::CACHED.never_execute()),
        Access::Execute => (CapRights::READ, VmAttributes::CACHED),
        Access::Device => (CapRights::READ_WRITE, VmAttributes::DEVICE.never_execute()),
    };
    Frame(frame).map(VSpace(vspace), vaddr, rights, attributes).map_err(refused("map a frame"))
}

/// Physical address of a frame.
pub fn paddr(frame: Slot) -> Result<u64, Failure> {
    Frame(frame).get_address().map_err(refused("tell a frame's address"))
}

pub fn unmap(frame: Slot) -> Result<(), Failure> {
    Frame(frame).unmap().map_err(refused("unmap a frame"))
}

pub fn assign_asid(vspace: Slot) -> Result<(), Failure> {
    init::ASID_POOL.assign(VSpace(vspace)).map_err(refused("give an address space its number"))
}
