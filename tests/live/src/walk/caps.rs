//! Capabilities out of the two words that the kernel keeps.

use crate::{
    formats::Formats,
    memory::{physical, physical_of_memory},
    model::{Cap, Mapped},
    Error, Result,
};

/// Sizes of frames by the kernel's numbers.
const FRAMES: [(&str, u64); 3] = [("X86_SmallPage", 4 << 10), ("X86_LargePage", 2 << 20), ("X64_HugePage", 1 << 30)];

/// `None` for an empty slot.
pub fn decode(formats: &Formats, words: &[u64]) -> Result<Option<Cap>> {
    let union = formats.bits.union("cap")?;
    let tag = formats.get("null_cap", &union.tag_field, words)?;
    let Some((block, _)) = union.tags.iter().find(|(_, value)| *value == tag) else {
        return Err(Error::new(format!("a capability of the unknown kind {tag}")));
    };
    let get = |field: &str| formats.get(block, field, words);
    let flag = |field: &str| get(field).map(|value| value != 0);
    let object = |field: &str| physical(get(field)?);
    let table = |level: u8, short: &str| -> Result<Cap> {
        let vaddr = if level == 3 { 0 } else { get(&format!("cap{short}MappedAddress"))? };
        Ok(Cap::Table {
            level,
            at: object(&format!("cap{short}BasePtr"))?,
            asid: get(&format!("cap{short}MappedASID"))?,
            mapped: flag(&format!("cap{short}IsMapped"))?,
            vaddr,
        })
    };
    Ok(Some(match block.as_str() {
        "null_cap" => return Ok(None),
        "untyped_cap" => {
            // The free index counts in units of the smallest object.
            const UNIT: u64 = 16;
            let bits = get("capBlockSize")?;
            let (at, used) = (physical_of_memory(get("capPtr")?), get("capFreeIndex")? * UNIT);
            Cap::Untyped { at, bits, device: flag("capIsDevice")?, used }
        }
        "endpoint_cap" => Cap::Endpoint {
            at: object("capEPPtr")?,
            badge: get("capEPBadge")?,
            send: flag("capCanSend")?,
            receive: flag("capCanReceive")?,
            grant: flag("capCanGrant")?,
            grant_reply: flag("capCanGrantReply")?,
        },
        "notification_cap" => Cap::Notification {
            at: object("capNtfnPtr")?,
            badge: get("capNtfnBadge")?,
            send: flag("capNtfnCanSend")?,
            receive: flag("capNtfnCanReceive")?,
        },
        "reply_cap" => Cap::Reply {
            thread: object("capTCBPtr")?,
            master: flag("capReplyMaster")?,
            grant: flag("capReplyCanGrant")?,
        },
        "cnode_cap" => Cap::CNode {
            at: object("capCNodePtr")?,
            radix: get("capCNodeRadix")?,
            guard: get("capCNodeGuard")?,
            guard_bits: get("capCNodeGuardSize")?,
        },
        "thread_cap" => Cap::Thread { at: object("capTCBPtr")? },
        "irq_control_cap" => Cap::IrqControl,
        "irq_handler_cap" => Cap::IrqHandler { irq: get("capIRQ")? },
        "zombie_cap" => Cap::Zombie { id: get("capZombieID")? },
        "domain_cap" => Cap::Domain,
        "frame_cap" => {
            let size = get("capFSize")?;
            let mut bytes = Err(Error::new(format!("a frame of the unknown size {size}")));
            for (name, length) in FRAMES {
                if formats.enumerator(name)? == size {
                    bytes = Ok(length);
                }
            }
            let kind = get("capFMapType")?;
            let mapped = match kind {
                _ if kind == formats.enumerator("X86_MappingNone")? => Mapped::No,
                _ if kind == formats.enumerator("X86_MappingIOSpace")? => Mapped::Device,
                _ => Mapped::AddressSpace,
            };
            Cap::Frame {
                at: physical_of_memory(get("capFBasePtr")?),
                bytes: bytes?,
                asid: get("capFMappedASID")?,
                mapped,
                vaddr: get("capFMappedAddress")?,
                write: get("capFVMRights")? == formats.enumerator("VMReadWrite")?,
                device: flag("capFIsDevice")?,
            }
        }
        "page_table_cap" => table(0, "PT")?,
        "page_directory_cap" => table(1, "PD")?,
        "pdpt_cap" => table(2, "PDPT")?,
        "pml4_cap" => table(3, "PML4")?,
        "asid_control_cap" => Cap::AsidControl,
        "asid_pool_cap" => Cap::AsidPool { at: object("capASIDPool")?, base: get("capASIDBase")? },
        "io_space_cap" => Cap::IoSpace { domain: get("capDomainID")?, device: get("capPCIDevice")? },
        "io_page_table_cap" => Cap::IoTable {
            at: object("capIOPTBasePtr")?,
            device: get("capIOPTIOASID")?,
            mapped: flag("capIOPTIsMapped")?,
            level: get("capIOPTLevel")?,
            vaddr: get("capIOPTMappedAddress")?,
        },
        "io_port_cap" => Cap::Ports { first: get("capIOPortFirstPort")?, last: get("capIOPortLastPort")? },
        other => Cap::Other(other.to_owned()),
    }))
}
