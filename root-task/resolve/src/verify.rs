//! Reads a finished specification as a stranger would: nothing overlaps, nothing dangles, nobody may do too much.
//! It knows nothing of how the numbers came about.

use crate::error::{Error, Result};
use spec::{label, Object, System, PAGE};

pub fn verify(system: &System) -> Result<()> {
    let wrong = |what: String| Err(Error::Inconsistent { what });
    let mut writers = vec![0u32; system.memories.len()];

    for (index, pd) in system.pds.iter().enumerate() {
        let mut areas: Vec<(u64, u64, String)> = Vec::new();
        for segment in &pd.image.segments {
            if segment.write && segment.execute {
                return Err(Error::WriteExecute { program: pd.name.clone(), vaddr: segment.vaddr });
            }
            let first = segment.vaddr / PAGE * PAGE;
            let end = (segment.vaddr + segment.memory_bytes).div_ceil(PAGE) * PAGE;
            areas.push((first, end, format!("a segment at {:#x}", segment.vaddr)));
        }
        for area in &pd.private {
            if area.vaddr % area.page.bytes() != 0 || area.bytes % area.page.bytes() != 0 {
                return wrong(format!("{} of {} is not in whole pages", area.name, pd.name));
            }
            areas.push((area.vaddr, area.vaddr + area.bytes, area.name.clone()));
        }
        for (i, thread) in pd.threads.iter().enumerate() {
            if thread.core >= system.cores {
                return wrong(format!("a thread of {} runs on core {} of {}", pd.name, thread.core, system.cores));
            }
            // The guard page belongs to the stack: nothing may lie there.
            areas.push((thread.stack_top - thread.stack_bytes - PAGE, thread.stack_top, format!("stack {i}")));
            areas.push((thread.ipc_buffer, thread.ipc_buffer + PAGE, format!("IPC buffer {i}")));
        }
        areas.push((pd.start_vaddr, pd.start_vaddr + PAGE, "the start page".into()));
        for map in &pd.maps {
            let Some(memory) = system.memories.get(map.memory as usize) else {
                return wrong(format!("{} maps memory {} of {}", pd.name, map.memory, system.memories.len()));
            };
            if map.vaddr % memory.page.bytes() != 0 || memory.bytes % memory.page.bytes() != 0 {
                return wrong(format!("`{}` is not in whole pages in {}", memory.name, pd.name));
            }
            writers[map.memory as usize] += u32::from(map.write);
            areas.push((map.vaddr, map.vaddr + memory.bytes, format!("`{}`", memory.name)));
        }
        areas.sort();
        if let Some((first, ..)) = areas.first().filter(|(first, ..)| *first < PAGE) {
            return wrong(format!("{} has something at {first:#x}, in page zero", pd.name));
        }
        for pair in areas.windows(2) {
            if pair[0].1 > pair[1].0 {
                return Err(Error::Overlap {
                    pd: pd.name.clone(),
                    first: pair[0].2.clone(),
                    second: pair[1].2.clone(),
                    vaddr: pair[1].0,
                });
            }
        }

        let mut slots: Vec<u64> = pd.caps.iter().map(|c| c.slot).collect();
        slots.sort_unstable();
        if slots.first() == Some(&0) || slots.last().is_some_and(|s| *s >= 1 << pd.cnode_bits) {
            return wrong(format!("{} has a capability in slot 0 or outside of its CNode", pd.name));
        }
        if slots.windows(2).any(|s| s[0] == s[1]) {
            return wrong(format!("{} has two capabilities in one slot", pd.name));
        }
        for cap in &pd.caps {
            let (count, i) = match cap.object {
                Object::Endpoint(i) => (system.endpoints.len(), i),
                Object::Notification(i) => (system.notifications.len(), i),
                Object::Irq(i) => (system.irqs.len(), i),
                Object::Ports(i) => (system.ports.len(), i),
                Object::RootEndpoint => (1, 0),
            };
            if i as usize >= count {
                return wrong(format!("slot {} of {} leads to no object", cap.slot, pd.name));
            }
            if cap.badge >> 28 != 0 {
                return wrong(format!("the badge {:#x} of {} has more than 28 bits", cap.badge, pd.name));
            }
            match cap.object {
                Object::Endpoint(_) if cap.rights.write && cap.badge & label::BADGE_CALLER == 0 => {
                    return wrong(format!("a caller's badge of {} looks like a notification", pd.name));
                }
                Object::Endpoint(_) if cap.rights.write && cap.rights.read => {
                    return wrong(format!("{} both calls and serves one endpoint", pd.name));
                }
                Object::RootEndpoint if cap.rights.read || cap.badge & label::BADGE_PD_MASK != index as u64 => {
                    return wrong(format!("{} can pass for another PD at root", pd.name));
                }
                Object::Notification(_) | Object::Irq(_) if cap.badge & label::BADGE_CALLER != 0 => {
                    return wrong(format!("a notification of {} looks like a call", pd.name));
                }
                _ => {}
            }
        }
    }
    for map in &system.root.maps {
        writers[map.memory as usize] += u32::from(map.write);
    }
    for (memory, writers) in system.memories.iter().zip(writers) {
        if matches!(memory.kind, spec::MemoryKind::Device { .. }) && memory.page != spec::PageSize::Small {
            return wrong(format!("`{}` gives a driver more than its device's pages", memory.name));
        }
        let wanted = u32::from(!matches!(memory.kind, spec::MemoryKind::Loaded { .. }));
        if writers != wanted {
            return wrong(format!("`{}` has {writers} writers instead of {wanted}", memory.name));
        }
    }
    if system.pds.len() > label::BADGE_PD_MASK as usize {
        return wrong(format!("{} PDs are more than root can tell apart", system.pds.len()));
    }
    Ok(())
}
