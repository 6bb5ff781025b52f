//! Faults in threads, in what root and the kernel hold, and in what belongs to devices.

use super::{missing, pointer, table, Fault, Garden, ADDRESS, USER_WRITE};
use crate::{
    difference::Kind,
    formats::{SLOT, TCB_OFFSET},
    memory::Core,
    model::{Cap, BUFFER, CALLER, CSPACE, VSPACE},
    Result,
};

table! {
    UntypedOverUse, "untyped memory that takes itself for free",
        "the free part of an untyped capability",
        |g| {
            let found = g.report.model.slots.iter().find_map(|(at, slot)| match slot.cap {
                Cap::Untyped { device: false, used, bits, .. } if used > 0 && bits > 12 => Some(*at),
                _ => None,
            });
            g.edit(found.ok_or_else(|| missing("no used untyped"))?, "untyped_cap", "capFreeIndex", 0)
        };
    Threads, "a thread more",
        "shell has 2 threads, and should have 1",
        |g| {
            let page = g.free_page()?;
            let at = g.thread("shell")?.at - TCB_OFFSET;
            let words = g.memory.words(at, (TCB_OFFSET + g.formats.tcb.bytes) / 8)?;
            for (i, word) in words.into_iter().enumerate() {
                g.memory.plant(page + i as u64 * 8, word);
            }
            g.give_root("thread_cap", &[("capTCBPtr", pointer(page + TCB_OFFSET))])
        };
    CSpace, "a thread with another PD's CSpace",
        "its CSpace is a CNode capability to the CNode of assistant",
        |g| {
            let at = pointer(g.cnode("assistant")?);
            let slot = g.thread_slot("shell", CSPACE)?;
            g.edit(slot, "cnode_cap", "capCNodePtr", at)
        };
    VSpace, "a thread in another PD's address space",
        "it runs in an address space capability to the address space of assistant",
        |g| {
            let at = pointer(g.space("assistant")?);
            let slot = g.thread_slot("shell", VSPACE)?;
            g.edit(slot, "pml4_cap", "capPML4BasePtr", at)
        };
    FaultHandler, "another fault handler",
        "sends its faults to slot 2, and should be 1",
        |g| field(g, "shell", g.formats.tcb.fault_handler, 2);
    Priority, "a higher priority",
        "has priority 250, and should have 50",
        |g| field(g, "llama", g.formats.tcb.priority.0, 250);
    ControlledPriority, "the right to give priorities",
        "may give priorities up to 255, and should be 0",
        |g| field(g, "llama", g.formats.tcb.controlled.0, 255);
    Core, "a thread on another core",
        "runs on core 7, and should be 0",
        |g| {
            let offset = g.formats.tcb.affinity.ok_or_else(|| missing("one core only"))?;
            field(g, "shell", offset, 7)
        };
    Domain, "a thread in another time domain",
        "time domain 1, and should be 0",
        |g| field(g, "shell", g.formats.tcb.domain.0, 1);
    IpcBuffer, "another frame for the IPC buffer",
        "for it, and should have the page there",
        |g| {
            let page = pointer(g.free_page()?);
            let slot = g.thread_slot("shell", BUFFER)?;
            g.edit(slot, "frame_cap", "capFBasePtr", page)
        };
    BoundNotification, "another notification bound",
        "hears the notification of assistant, and should hear the notification of router",
        |g| {
            let at = pointer(g.notification_of("assistant")?);
            field(g, "router", g.formats.tcb.bound, at)
        };
    Queue, "a thread that waits where it may not",
        "a thread of shell waits at the endpoint of inference",
        |g| {
            let thread = pointer(g.thread("shell")?.at);
            let at = g.endpoint_of("inference")?;
            g.edit(at, "endpoint", "epQueue_head", thread)
        };
    Reply, "an answer to somebody who cannot have called",
        "may answer with a reply capability to a thread of assistant",
        |g| {
            let thread = pointer(g.thread("assistant")?.at);
            let cap = g.cap("reply_cap", &[("capTCBPtr", thread)])?;
            let slot = g.thread_slot("router", CALLER)?;
            g.put(slot, cap);
            Ok(())
        };
    IrqRoute, "an interrupt that tells another PD",
        "leads to a notification capability to the notification of shell",
        |g| {
            let number = g.expected.irqs.first().ok_or_else(|| missing("no interrupt"))?.number;
            let node = crate::memory::physical(g.memory.word(g.variable("intStateIRQNode")?)?)?;
            let to = pointer(g.notification_of("shell")?);
            g.edit(node + number * SLOT, "notification_cap", "capNtfnPtr", to)
        };
    RootHolds, "root kept all interrupts",
        "holds the capability for all interrupts, which is not on root's list",
        |g| g.give_root("irq_control_cap", &[]);
    RootHolds, "root kept all I/O ports",
        "for ports 0x0 to 0xffff, which is not on root's list",
        |g| g.give_root("io_port_cap", &[("capIOPortLastPort", 0xffff)]);
    RootHolds, "root kept all address space numbers",
        "holds the capability for all address space numbers",
        |g| g.give_root("asid_control_cap", &[]);
    RootHolds, "root kept an endpoint of nobody's",
        "holds an endpoint capability to 0x",
        |g| {
            let page = pointer(g.free_page()?);
            g.give_root("endpoint_cap", &[("capEPPtr", page), ("capCanReceive", 1)])
        };
    RootHolds, "root kept a frame of nobody's",
        "holds a frame capability to 0x",
        |g| {
            let page = pointer(g.free_page()?);
            g.give_root("frame_cap", &[("capFBasePtr", page), ("capFVMRights", 3)])
        };
    Helper, "root's helper holds more",
        "slot 0: holds an endpoint capability to the endpoint of inference",
        |g| {
            let helper = g.report.names.helpers.first().ok_or_else(|| missing("no helper"))?;
            let cnode = g.report.model.threads[helper].slots[CSPACE].as_ref().and_then(Cap::object);
            let at = pointer(g.endpoint_of("inference")?);
            let cap = g.cap("endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])?;
            g.put(cnode.ok_or_else(|| missing("no CNode of the helper"))?, cap);
            Ok(())
        };
    AddressSpace, "an address space of nobody's",
        "with 0 pages, belongs to nobody",
        |g| {
            let page = pointer(g.free_page()?);
            let pool = *g.report.model.asid_pools.keys().next().ok_or_else(|| missing("no pool"))?;
            g.edit(pool + 511 * 8, "asid_map_vspace", "vspace_root", page)?;
            g.edit(pool + 511 * 8, "asid_map_vspace", "type", 1)
        };
    KernelHalf, "a page in the kernel's half",
        "maps something of its own at 0xffff960000000000",
        |g| {
            let page = g.free_page()?;
            let space = g.space("shell")?;
            g.memory.plant(space + 300 * 8, page | USER_WRITE);
            Ok(())
        };
    KernelHalf, "the kernel's memory open to user code",
        "is open to user code",
        |g| {
            let at = g.variable("x64KSGlobalPDPT")?;
            let word = g.memory.word(at)?;
            g.memory.plant(at, word | 4);
            Ok(())
        };
    KernelCode, "other code in the kernel",
        "are not its file's",
        |g| {
            let at = crate::memory::physical(g.formats.constants[0].vaddr)? + 64;
            let word = g.memory.word(at)?;
            g.memory.plant(at, word ^ 1);
            Ok(())
        };
    PortMap, "ports open to user code",
        "core 0 lets user code use I/O ports from 0x8000",
        |g| {
            let (at, bytes) = g.formats.cores[0].port_map;
            let at = (crate::memory::physical(at)? + bytes / 2) & !7;
            g.memory.plant(at, 0);
            Ok(())
        };
    PortMap, "a thread with I/O privilege",
        "a thread of router may use all I/O ports",
        |g| {
            let at = g.thread("router")?.at + g.formats.tcb.flags;
            let word = g.memory.word(at)?;
            g.memory.plant(at, word | 3 << 12);
            Ok(())
        };
    Processor, "a core on page tables of nobody's",
        "core 0 runs on page tables at",
        |g| {
            let page = g.free_page()?;
            processor(g, |core| core.cr3 = page)
        };
    Processor, "a core without paging",
        "core 0 has paging off",
        |g| processor(g, |core| core.cr0 &= !(1 << 31));
    Hidden, "a capability in a CNode that nobody can reach",
        "a CNode capability to",
        |g| {
            let page = g.free_page()?;
            let mut slots = g.report.model.slots.iter();
            let last = slots.find(|(_, slot)| slot.next.is_none() && matches!(slot.cap, Cap::Frame { .. }));
            let last = *last.ok_or_else(|| missing("no end of a list"))?.0;
            let cap = g.cap("cnode_cap", &[("capCNodePtr", pointer(page)), ("capCNodeRadix", 4)])?;
            g.put(page, cap);
            g.edit(page + 16, "mdb_node", "mdbPrev", pointer(last))?;
            g.edit(last + 16, "mdb_node", "mdbNext", pointer(page))
        };
    Broken, "a list of derivations that was cut and tied elsewhere",
        "are neighbours for one of them only",
        |g| {
            let mut slots = g.report.model.slots.iter().filter(|(_, slot)| slot.next.is_some()).map(|(at, _)| *at);
            let (Some(a), Some(b)) = (slots.next(), slots.nth(5)) else { return Err(missing("no lists")) };
            g.edit(a + 16, "mdb_node", "mdbNext", pointer(b))
        };
    Unaccounted, "memory that no capability covers",
        "is neither the kernel's nor below any capability",
        |g| {
            let memory = |cap: &Cap| match *cap {
                Cap::Untyped { at, device: false, used, bits } => Some((at, at + (1 << bits), used)),
                _ => None,
            };
            let slots = &g.report.model.slots;
            let free = slots.values().filter_map(|slot| memory(&slot.cap)).find(|(.., used)| *used == 0);
            let (start, end, _) = free.ok_or_else(|| missing("no free untyped"))?;
            // With it goes whatever it was cut off from.
            let over = |cap: &Cap| memory(cap).is_some_and(|(from, to, _)| from <= start && end <= to);
            for slot in slots.iter().filter(|(_, slot)| over(&slot.cap)).map(|(at, _)| *at).collect::<Vec<_>>() {
                g.put(slot, [0; 2]);
            }
            Ok(())
        };
    DeviceMemory, "a device that reaches memory",
        "at its address 0x0, and should reach nothing there",
        |g| {
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

/// Changes what is seen of the first core.
fn processor(g: &mut Garden<'_, '_>, change: impl FnOnce(&mut Core)) -> Result<()> {
    let mut core = *g.memory.cores().first().ok_or_else(|| missing("no core"))?;
    change(&mut core);
    g.memory.plant_core(0, core);
    Ok(())
}
