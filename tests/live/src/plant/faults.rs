//! The table of faults.

use super::{missing, pointer, Fault, Garden};
use crate::{
    difference::Kind,
    expected::Frame,
    formats::{SLOT, TCB_OFFSET},
    model::{Cap, BUFFER, CALLER, CSPACE, VSPACE},
    Result,
};

const USER_WRITE: u64 = 7;
const LARGE: u64 = 1 << 7;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
const NO_EXECUTE: u64 = 1 << 63;

macro_rules! faults {
    ($($kind:ident, $name:literal, $plant:expr;)*) => {
        /// Every fault, with the kind of difference by which it is known.
        pub const FAULTS: &[Fault] = &[$(Fault { name: $name, kind: Kind::$kind, plant: $plant }),*];
    };
}

faults! {
    CapExtra, "an endpoint more", |g| {
        let at = pointer(g.endpoint_of("inference")?);
        g.give("shell", "endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])
    };
    CapExtra, "a notification more", |g| {
        let at = pointer(g.notification_of("assistant")?);
        g.give("shell", "notification_cap", &[("capNtfnPtr", at), ("capNtfnCanSend", 1)])
    };
    CapExtra, "a CNode in a PD", |g| {
        let (at, radix) = (g.cnode("assistant")?, g.expected.pds[g.index("assistant")?].cnode_bits);
        g.give("router", "cnode_cap", &[("capCNodePtr", pointer(at)), ("capCNodeRadix", radix)])
    };
    CapExtra, "a thread in a PD", |g| {
        let at = pointer(g.thread("llama")?.at);
        g.give("inference", "thread_cap", &[("capTCBPtr", at)])
    };
    CapExtra, "untyped memory in a PD", |g| {
        let page = pointer(g.free_page()?);
        g.give("llama", "untyped_cap", &[("capPtr", page), ("capBlockSize", 12)])
    };
    CapExtra, "a frame in a PD", |g| {
        let (_, entry) = g.page("assistant", |page| page.write && page.frame == Frame::Private)?;
        g.give("shell", "frame_cap", &[("capFBasePtr", pointer(entry & ADDRESS)), ("capFVMRights", 3)])
    };
    CapExtra, "a page table in a PD", |g| {
        let table = g.free_page()?;
        g.give("shell", "page_table_cap", &[("capPTBasePtr", pointer(table))])
    };
    CapExtra, "an address space in a PD", |g| {
        let at = pointer(g.space("assistant")?);
        g.give("shell", "pml4_cap", &[("capPML4BasePtr", at), ("capPML4IsMapped", 1)])
    };
    CapExtra, "an ASID pool in a PD", |g| {
        let (at, base) = g.report.model.asid_pools.iter().next().map(|(at, base)| (*at, *base)).ok_or_else(|| missing("no pool"))?;
        g.give("shell", "asid_pool_cap", &[("capASIDPool", pointer(at)), ("capASIDBase", base)])
    };
    CapExtra, "address space numbers in a PD", |g| g.give("shell", "asid_control_cap", &[]);
    CapExtra, "all interrupts in a PD", |g| g.give("clock", "irq_control_cap", &[]);
    CapExtra, "an interrupt in a PD", |g| g.give("shell", "irq_handler_cap", &[("capIRQ", 20)]);
    CapExtra, "I/O ports in a PD", |g| {
        g.give("shell", "io_port_cap", &[("capIOPortFirstPort", 0x3f8), ("capIOPortLastPort", 0x3ff)])
    };
    CapExtra, "an IO space in a PD", |g| g.give("shell", "io_space_cap", &[("capPCIDevice", 0x18)]);
    CapExtra, "the domain capability in a PD", |g| g.give("shell", "domain_cap", &[]);
    CapExtra, "a reply kept in a PD's CNode", |g| {
        let at = pointer(g.thread("shell")?.at);
        g.give("router", "reply_cap", &[("capTCBPtr", at)])
    };
    CapMissing, "a capability less", |g| {
        let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
        g.put(slot, [0; 2]);
        Ok(())
    };
    CapKind, "an endpoint in place of a notification", |g| {
        let slot = g.slot_with("assistant", |cap| matches!(cap, Cap::Notification { send: true, .. }))?;
        let at = pointer(g.endpoint_of("router")?);
        let cap = g.cap("endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])?;
        g.put(slot, cap);
        Ok(())
    };
    CapObject, "another endpoint than it should be", |g| {
        let (router, inference) = (g.endpoint_of("router")?, g.endpoint_of("inference")?);
        let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == router))?;
        g.edit(slot, "endpoint_cap", "capEPPtr", pointer(inference))
    };
    CapObject, "the fault endpoint replaced", |g| {
        let (root, to) = (g.endpoint_of("root")?, g.endpoint_of("router")?);
        let slot = g.slot_with("llama", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == root))?;
        g.edit(slot, "endpoint_cap", "capEPPtr", pointer(to))
    };
    CapObject, "a wider range of I/O ports", |g| {
        let slot = g.slot_with("serial", |cap| matches!(cap, Cap::Ports { .. }))?;
        g.edit(slot, "io_port_cap", "capIOPortLastPort", 0xffff)
    };
    CapObject, "another interrupt", |g| {
        let slot = g.slot_with("serial", |cap| matches!(cap, Cap::IrqHandler { .. }))?;
        g.edit(slot, "irq_handler_cap", "capIRQ", 18)
    };
    Rights, "receiving on an endpoint that one may only call", |g| {
        let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
        g.edit(slot, "endpoint_cap", "capCanReceive", 1)
    };
    Rights, "Grant on an endpoint", |g| {
        let slot = g.slot_with("assistant", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
        g.edit(slot, "endpoint_cap", "capCanGrant", 1)
    };
    Rights, "a notification held both ways", |g| {
        let slot = g.slot_with("serial", |cap| matches!(cap, Cap::Notification { send: true, .. }))?;
        g.edit(slot, "notification_cap", "capNtfnCanReceive", 1)
    };
    Badge, "another PD's badge at root", |g| {
        let root = g.endpoint_of("root")?;
        let slot = g.slot_with("router", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == root))?;
        g.edit(slot, "endpoint_cap", "capEPBadge", 0x100)
    };
    Badge, "another bit of a notification", |g| {
        let slot = g.slot_with("clock", |cap| matches!(cap, Cap::Notification { send: true, .. }))?;
        g.edit(slot, "notification_cap", "capNtfnBadge", 1 << 20)
    };
    CNodeShape, "a CNode that is found by other addresses", |g| {
        let slot = g.thread_slot("shell", CSPACE)?;
        g.edit(slot, "cnode_cap", "capCNodeGuardSize", 8)
    };
    PageExtra, "a page more", |g| {
        let page = g.free_page()?;
        let (at, _) = g.page("shell", |page| !page.write)?;
        let free = (at & !0xfff..(at & !0xfff) + 4096).step_by(8).find(|at| g.memory.word(*at).is_ok_and(|word| word == 0));
        g.memory.plant(free.ok_or_else(|| missing("no free entry"))?, page | USER_WRITE);
        Ok(())
    };
    PageMissing, "a page less", |g| {
        let (at, _) = g.page("shell", |page| page.write && page.frame == Frame::Private)?;
        g.memory.plant(at, 0);
        Ok(())
    };
    PageFrame, "another frame in a ring", |g| {
        let page = g.free_page()?;
        let (at, entry) = g.page("shell", |page| !page.write && page.frame != Frame::Private)?;
        g.memory.plant(at, entry & !ADDRESS | page);
        Ok(())
    };
    PageSize, "a large page in place of a page table", |g| {
        let pages = &g.expected.pds[g.index("shell")?].pages;
        let vaddr = pages.keys().copied().find(|at| at % (2 << 20) == 0).ok_or_else(|| missing("no such page"))?;
        let at = g.entry(g.space("shell")?, vaddr, 1)?;
        g.memory.plant(at, LARGE | USER_WRITE);
        Ok(())
    };
    PageWrite, "the reader of a ring may write it", |g| {
        let (at, entry) = g.page("assistant", |page| !page.write && page.frame != Frame::Private)?;
        g.memory.plant(at, entry | 2);
        Ok(())
    };
    PageExecute, "data that can be executed", |g| {
        let (at, entry) = g.page("shell", |page| page.write)?;
        g.memory.plant(at, entry & !NO_EXECUTE);
        Ok(())
    };
    WriteExecute, "code that can be written", |g| {
        let (at, entry) = g.page("shell", |page| page.execute)?;
        g.memory.plant(at, entry | 2);
        Ok(())
    };
    PageCache, "a page past the cache", |g| {
        let (at, entry) = g.page("shell", |page| page.write)?;
        g.memory.plant(at, entry | 1 << 4);
        Ok(())
    };
    SharedFrame, "a frame of the private side in shell", |g| {
        let (_, secret) = g.page("assistant", |page| page.write && page.frame == Frame::Private)?;
        let (at, entry) = g.page("shell", |page| page.write && page.frame == Frame::Private)?;
        g.memory.plant(at, entry & !ADDRESS | secret & ADDRESS);
        Ok(())
    };
    PageZero, "page zero mapped", |g| {
        let at = g.entry(g.space("router")?, 0, 1)?;
        g.memory.plant(at, LARGE | USER_WRITE);
        Ok(())
    };
    GuardPage, "a stack without a guard page", |g| {
        let pd = &g.expected.pds[g.index("router")?];
        let guard = pd.unmapped.iter().find(|(at, _)| *at != 0).ok_or_else(|| missing("no guard page"))?.0;
        let page = g.free_page()?;
        let at = g.entry(g.space("router")?, guard, 0)?;
        g.memory.plant(at, page | USER_WRITE);
        Ok(())
    };
    PageWithoutCap, "a page that no capability stands for", |g| {
        let page = g.free_page()?;
        let (at, entry) = g.page("clock", |page| page.write && page.frame == Frame::Private)?;
        g.memory.plant(at, entry & !ADDRESS | page);
        Ok(())
    };
    CapWithoutPage, "a capability whose page is gone", |g| {
        let (at, _) = g.page("clock", |page| page.write)?;
        g.memory.plant(at, 0);
        Ok(())
    };
    FrameOverObject, "a PD that sees its own CNode", |g| {
        let cnode = g.cnode("inference")?;
        let (at, entry) = g.page("inference", |page| page.write && page.frame == Frame::Private)?;
        g.memory.plant(at, entry & !ADDRESS | cnode & ADDRESS);
        Ok(())
    };
    UntypedOverUse, "untyped memory that takes itself for free", |g| {
        let found = g.report.model.slots.iter().find_map(|(at, slot)| match slot.cap {
            Cap::Untyped { device: false, used, bits, .. } if used > 0 && bits > 12 => Some(*at),
            _ => None,
        });
        g.edit(found.ok_or_else(|| missing("no used untyped"))?, "untyped_cap", "capFreeIndex", 0)
    };
    Content, "other code in a PD", |g| {
        let (_, entry) = g.page("router", |page| page.execute)?;
        let word = g.memory.word(entry & ADDRESS)?;
        g.memory.plant(entry & ADDRESS, word ^ 0x10);
        Ok(())
    };
    Content, "another specification in root's hands", |g| {
        let (vaddr, bytes) = g.expected.root.constants.last().cloned().ok_or_else(|| missing("no constants"))?;
        let space = g.report.names.root.space.and_then(|at| g.report.model.spaces.get(&at));
        let page = space.and_then(|space| space.page_at(vaddr)).ok_or_else(|| missing("no page"))?;
        let at = page.paddr + (vaddr - page.vaddr) + bytes.len() as u64 / 2 / 8 % 64 * 8;
        let word = g.memory.word(at)?;
        g.memory.plant(at, !word);
        Ok(())
    };
    Threads, "a thread more", |g| {
        let page = g.free_page()?;
        let at = g.thread("shell")?.at - TCB_OFFSET;
        let words = g.memory.words(at, (TCB_OFFSET + g.formats.tcb.bytes) / 8)?;
        for (i, word) in words.into_iter().enumerate() {
            g.memory.plant(page + i as u64 * 8, word);
        }
        g.give_root("thread_cap", &[("capTCBPtr", pointer(page + TCB_OFFSET))])
    };
    CSpace, "a thread with another PD's CSpace", |g| {
        let at = pointer(g.cnode("assistant")?);
        let slot = g.thread_slot("shell", CSPACE)?;
        g.edit(slot, "cnode_cap", "capCNodePtr", at)
    };
    VSpace, "a thread in another PD's address space", |g| {
        let at = pointer(g.space("assistant")?);
        let slot = g.thread_slot("shell", VSPACE)?;
        g.edit(slot, "pml4_cap", "capPML4BasePtr", at)
    };
    FaultHandler, "another fault handler", |g| field(g, "shell", g.formats.tcb.fault_handler, 2);
    Priority, "a higher priority", |g| field(g, "llama", g.formats.tcb.priority.0, 250);
    ControlledPriority, "the right to give priorities", |g| field(g, "llama", g.formats.tcb.controlled.0, 255);
    Core, "a thread on another core", |g| {
        let offset = g.formats.tcb.affinity.ok_or_else(|| missing("one core only"))?;
        field(g, "shell", offset, 7)
    };
    Domain, "a thread in another time domain", |g| field(g, "shell", g.formats.tcb.domain.0, 1);
    IpcBuffer, "another frame for the IPC buffer", |g| {
        let page = pointer(g.free_page()?);
        let slot = g.thread_slot("shell", BUFFER)?;
        g.edit(slot, "frame_cap", "capFBasePtr", page)
    };
    BoundNotification, "another notification bound", |g| {
        let at = pointer(g.notification_of("assistant")?);
        field(g, "router", g.formats.tcb.bound, at)
    };
    Queue, "a thread that waits where it may not", |g| {
        let thread = pointer(g.thread("shell")?.at);
        let at = g.endpoint_of("inference")?;
        g.edit(at, "endpoint", "epQueue_head", thread)
    };
    Reply, "an answer to somebody who cannot have called", |g| {
        let thread = pointer(g.thread("assistant")?.at);
        let cap = g.cap("reply_cap", &[("capTCBPtr", thread)])?;
        let slot = g.thread_slot("router", CALLER)?;
        g.put(slot, cap);
        Ok(())
    };
    IrqRoute, "an interrupt that tells another PD", |g| {
        let number = g.expected.irqs.first().ok_or_else(|| missing("no interrupt"))?.number;
        let node = crate::memory::physical(g.memory.word(g.variable("intStateIRQNode")?)?)?;
        let to = pointer(g.notification_of("shell")?);
        g.edit(node + number * SLOT, "notification_cap", "capNtfnPtr", to)
    };
    RootHolds, "root kept all interrupts", |g| g.give_root("irq_control_cap", &[]);
    RootHolds, "root kept all I/O ports", |g| g.give_root("io_port_cap", &[("capIOPortLastPort", 0xffff)]);
    RootHolds, "root kept all address space numbers", |g| g.give_root("asid_control_cap", &[]);
    RootHolds, "root kept an endpoint of nobody's", |g| {
        let page = pointer(g.free_page()?);
        g.give_root("endpoint_cap", &[("capEPPtr", page), ("capCanReceive", 1)])
    };
    RootHolds, "root kept a frame of nobody's", |g| {
        let page = pointer(g.free_page()?);
        g.give_root("frame_cap", &[("capFBasePtr", page), ("capFVMRights", 3)])
    };
    Helper, "root's helper holds more", |g| {
        let helper = g.report.names.helpers.first().ok_or_else(|| missing("no helper"))?;
        let cnode = g.report.model.threads[helper].slots[CSPACE].as_ref().and_then(Cap::object);
        let at = pointer(g.endpoint_of("inference")?);
        let cap = g.cap("endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])?;
        g.put(cnode.ok_or_else(|| missing("no CNode of the helper"))?, cap);
        Ok(())
    };
    AddressSpace, "an address space of nobody's", |g| {
        let page = pointer(g.free_page()?);
        let pool = *g.report.model.asid_pools.keys().next().ok_or_else(|| missing("no pool"))?;
        g.edit(pool + 511 * 8, "asid_map_vspace", "vspace_root", page)?;
        g.edit(pool + 511 * 8, "asid_map_vspace", "type", 1)
    };
    KernelHalf, "a page in the kernel's half", |g| {
        let page = g.free_page()?;
        let space = g.space("shell")?;
        g.memory.plant(space + 300 * 8, page | USER_WRITE);
        Ok(())
    };
    KernelHalf, "the kernel's memory open to user code", |g| {
        let at = g.variable("x64KSGlobalPDPT")?;
        let word = g.memory.word(at)?;
        g.memory.plant(at, word | 4);
        Ok(())
    };
    KernelCode, "other code in the kernel", |g| {
        let at = crate::memory::physical(g.formats.constants[0].vaddr)? + 64;
        let word = g.memory.word(at)?;
        g.memory.plant(at, word ^ 1);
        Ok(())
    };
    PortMap, "ports open to user code", |g| {
        let (at, bytes) = g.formats.cores[0].port_map;
        let at = (crate::memory::physical(at)? + bytes / 2) & !7;
        g.memory.plant(at, 0);
        Ok(())
    };
    Hidden, "a capability in a CNode that nobody can reach", |g| {
        let page = g.free_page()?;
        let last = g.report.model.slots.iter().find(|(_, slot)| slot.next.is_none() && matches!(slot.cap, Cap::Frame { .. }));
        let last = *last.ok_or_else(|| missing("no end of a list"))?.0;
        let cap = g.cap("cnode_cap", &[("capCNodePtr", pointer(page)), ("capCNodeRadix", 4)])?;
        g.put(page, cap);
        g.edit(page + 16, "mdb_node", "mdbPrev", pointer(last))?;
        g.edit(last + 16, "mdb_node", "mdbNext", pointer(page))
    };
    Broken, "a list of derivations that was cut and tied elsewhere", |g| {
        let mut slots = g.report.model.slots.iter().filter(|(_, slot)| slot.next.is_some()).map(|(at, _)| *at);
        let (Some(a), Some(b)) = (slots.next(), slots.nth(5)) else { return Err(missing("no lists")) };
        g.edit(a + 16, "mdb_node", "mdbNext", pointer(b))
    };
    Unaccounted, "memory that no capability covers", |g| {
        let free = g.report.model.slots.iter().find(|(_, slot)| {
            matches!(slot.cap, Cap::Untyped { device: false, used: 0, bits, .. } if bits > 16)
        });
        let slot = *free.ok_or_else(|| missing("no free untyped"))?.0;
        g.put(slot, [0; 2]);
        Ok(())
    };
    DeviceMemory, "a device that reaches memory", |g| {
        let tables = [g.free_page()?, g.free_page()?, g.free_page()?, g.free_page()?];
        let (units, levels) = (g.variable("x86KSnumDrhu")?, g.variable("x86KSnumIOPTLevels")?);
        let root = g.variable("x86KSvtdRootTable")?;
        // Halves of words, so each keeps its neighbour.
        for (at, value) in [(units, 1u64), (levels, 2)] {
            let shift = (at % 8) * 8;
            let word = g.memory.word(at & !7)? & !(0xffff_ffff << shift) | value << shift;
            g.memory.plant(at & !7, word);
        }
        g.memory.plant(root, pointer(tables[0]));
        g.edit(tables[0], "vtd_rte", "ctp", tables[1])?;
        g.edit(tables[0], "vtd_rte", "present", 1)?;
        let context = tables[1] + 0x18 * 16;
        g.edit(context, "vtd_cte", "asr", tables[2])?;
        g.edit(context, "vtd_cte", "present", 1)?;
        let (_, secret) = g.page("assistant", |page| page.write)?;
        for (table, to) in [(tables[2], tables[3]), (tables[3], secret & ADDRESS)] {
            g.edit(table, "vtd_pte", "addr", to)?;
            g.edit(table, "vtd_pte", "write", 1)?;
            g.edit(table, "vtd_pte", "read", 1)?;
        }
        Ok(())
    };
}

/// Changes a word of a PD's first thread.
fn field(g: &mut Garden<'_, '_>, pd: &str, offset: u64, value: u64) -> Result<()> {
    let at = g.thread(pd)?.at + offset;
    g.memory.plant(at, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_has_a_fault() {
        let without: Vec<_> = Kind::ALL.iter().filter(|kind| !FAULTS.iter().any(|fault| fault.kind == **kind)).collect();
        assert!(without.is_empty(), "no fault for {without:?}");
    }

    #[test]
    fn faults_have_names_of_their_own() {
        for (i, fault) in FAULTS.iter().enumerate() {
            assert!(FAULTS[..i].iter().all(|other| other.name != fault.name), "{} is there twice", fault.name);
        }
    }
}
