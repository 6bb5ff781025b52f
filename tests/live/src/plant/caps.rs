//! Faults in the capabilities of PDs.

use super::{missing, pointer, table, Fault, ADDRESS};
use crate::{
    difference::Kind,
    expected::Frame,
    model::{Cap, CSPACE},
};

table! {
    CapExtra, "an endpoint more",
        "shell, slot 0: holds an endpoint capability to the endpoint of inference",
        |g| {
            let at = pointer(g.endpoint_of("inference")?);
            g.give("shell", "endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])
        };
    CapExtra, "a notification more",
        "shell, slot 0: holds a notification capability to the notification of assistant",
        |g| {
            let at = pointer(g.notification_of("assistant")?);
            g.give("shell", "notification_cap", &[("capNtfnPtr", at), ("capNtfnCanSend", 1)])
        };
    CapExtra, "a CNode in a PD",
        "router, slot 0: holds a CNode capability to the CNode of assistant",
        |g| {
            let (at, radix) = (g.cnode("assistant")?, g.expected.pds[g.index("assistant")?].cnode_bits);
            g.give("router", "cnode_cap", &[("capCNodePtr", pointer(at)), ("capCNodeRadix", radix)])
        };
    CapExtra, "a thread in a PD",
        "inference, slot 0: holds a TCB capability to a thread of llama",
        |g| {
            let at = pointer(g.thread("llama")?.at);
            g.give("inference", "thread_cap", &[("capTCBPtr", at)])
        };
    CapExtra, "untyped memory in a PD",
        "llama, slot 0: holds an untyped capability",
        |g| {
            let page = pointer(g.free_page()?);
            g.give("llama", "untyped_cap", &[("capPtr", page), ("capBlockSize", 12)])
        };
    CapExtra, "a frame in a PD",
        "(memory of assistant), and should be empty",
        |g| {
            let (_, entry) = g.page("assistant", |page| page.write && page.frame == Frame::Private)?;
            g.give("shell", "frame_cap", &[("capFBasePtr", pointer(entry & ADDRESS)), ("capFVMRights", 3)])
        };
    CapExtra, "a page table in a PD",
        "shell, slot 0: holds a page table capability",
        |g| {
            let table = g.free_page()?;
            g.give("shell", "page_table_cap", &[("capPTBasePtr", pointer(table))])
        };
    CapExtra, "an address space in a PD",
        "shell, slot 0: holds an address space capability to the address space of assistant",
        |g| {
            let at = pointer(g.space("assistant")?);
            g.give("shell", "pml4_cap", &[("capPML4BasePtr", at), ("capPML4IsMapped", 1)])
        };
    CapExtra, "an ASID pool in a PD",
        "shell, slot 0: holds an ASID pool capability",
        |g| {
            let (at, base) = g.report.model.asid_pools.iter().next().ok_or_else(|| missing("no pool"))?;
            g.give("shell", "asid_pool_cap", &[("capASIDPool", pointer(*at)), ("capASIDBase", *base)])
        };
    CapExtra, "address space numbers in a PD",
        "shell, slot 0: holds the capability for all address space numbers",
        |g| g.give("shell", "asid_control_cap", &[]);
    CapExtra, "all interrupts in a PD",
        "clock, slot 0: holds the capability for all interrupts",
        |g| g.give("clock", "irq_control_cap", &[]);
    CapExtra, "an interrupt in a PD",
        "shell, slot 0: holds an interrupt capability for 20",
        |g| g.give("shell", "irq_handler_cap", &[("capIRQ", 20)]);
    CapExtra, "I/O ports in a PD",
        "shell, slot 0: holds an I/O port capability for ports 0x3f8 to 0x3ff",
        |g| {
            g.give("shell", "io_port_cap", &[("capIOPortFirstPort", 0x3f8), ("capIOPortLastPort", 0x3ff)])
        };
    CapExtra, "an IO space in a PD",
        "shell, slot 0: holds an IO space capability for device 0x18",
        |g| g.give("shell", "io_space_cap", &[("capPCIDevice", 0x18)]);
    CapExtra, "the domain capability in a PD",
        "shell, slot 0: holds the domain capability",
        |g| g.give("shell", "domain_cap", &[]);
    CapExtra, "a reply kept in a PD's CNode",
        "router, slot 0: holds a reply capability to a thread of shell",
        |g| {
            let at = pointer(g.thread("shell")?.at);
            g.give("router", "reply_cap", &[("capTCBPtr", at)])
        };
    CapMissing, "a capability less",
        "is empty, and should hold a capability to the endpoint of root",
        |g| {
            let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
            g.put(slot, [0; 2]);
            Ok(())
        };
    CapKind, "an endpoint in place of a notification",
        "holds an endpoint capability to the endpoint of router, and should hold a capability to the notification",
        |g| {
            let slot = g.slot_with("assistant", |cap| matches!(cap, Cap::Notification { send: true, .. }))?;
            let at = pointer(g.endpoint_of("router")?);
            let cap = g.cap("endpoint_cap", &[("capEPPtr", at), ("capCanSend", 1)])?;
            g.put(slot, cap);
            Ok(())
        };
    CapObject, "another endpoint than it should be",
        "to the endpoint of inference, and should hold a capability to the endpoint of router",
        |g| {
            let (router, inference) = (g.endpoint_of("router")?, g.endpoint_of("inference")?);
            let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == router))?;
            g.edit(slot, "endpoint_cap", "capEPPtr", pointer(inference))
        };
    CapObject, "the fault endpoint replaced",
        "to the endpoint of router, and should hold a capability to the endpoint of root",
        |g| {
            let (root, to) = (g.endpoint_of("root")?, g.endpoint_of("router")?);
            let slot = g.slot_with("llama", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == root))?;
            g.edit(slot, "endpoint_cap", "capEPPtr", pointer(to))
        };
    CapObject, "a wider range of I/O ports",
        "0xffff, and should hold the I/O ports of console",
        |g| {
            let slot = g.slot_with("serial", |cap| matches!(cap, Cap::Ports { .. }))?;
            g.edit(slot, "io_port_cap", "capIOPortLastPort", 0xffff)
        };
    CapObject, "another interrupt",
        "holds interrupt 18, and should hold the interrupt of console, 20",
        |g| {
            let slot = g.slot_with("serial", |cap| matches!(cap, Cap::IrqHandler { .. }))?;
            g.edit(slot, "irq_handler_cap", "capIRQ", 18)
        };
    Rights, "receiving on an endpoint that one may only call",
        "has the rights Read, Write, GrantReply, and should have Write, GrantReply",
        |g| {
            let slot = g.slot_with("shell", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
            g.edit(slot, "endpoint_cap", "capCanReceive", 1)
        };
    Rights, "Grant on an endpoint",
        "has the rights Write, Grant, GrantReply, and should have Write, GrantReply",
        |g| {
            let slot = g.slot_with("assistant", |cap| matches!(cap, Cap::Endpoint { send: true, .. }))?;
            g.edit(slot, "endpoint_cap", "capCanGrant", 1)
        };
    Rights, "a notification held both ways",
        "has the rights Read, Write, and should have Write",
        |g| {
            let shell = g.notification_of("shell")?;
            let slot = g.slot_with("serial", |cap| matches!(cap, Cap::Notification { at, .. } if *at == shell))?;
            g.edit(slot, "notification_cap", "capNtfnCanReceive", 1)
        };
    Badge, "another PD's badge at root",
        "the endpoint of root has the badge 0x100, and should have 0x10",
        |g| {
            let root = g.endpoint_of("root")?;
            let slot = g.slot_with("router", |cap| matches!(cap, Cap::Endpoint { at, .. } if *at == root))?;
            g.edit(slot, "endpoint_cap", "capEPBadge", 0x100)
        };
    Badge, "another bit of a notification",
        "has the badge 0x100000, and should have",
        |g| {
            let slot = g.slot_with("clock", |cap| matches!(cap, Cap::Notification { send: true, .. }))?;
            g.edit(slot, "notification_cap", "capNtfnBadge", 1 << 20)
        };
    CNodeShape, "a CNode that is found by other addresses",
        "the thread of shell",
        |g| {
            let slot = g.thread_slot("shell", CSPACE)?;
            g.edit(slot, "cnode_cap", "capCNodeGuardSize", 8)
        };
}
