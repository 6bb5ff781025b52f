//! How much memory a system needs, counted from its specification.

use crate::addresses::round_up;
use crate::error::{Error, Result};
use spec::{MemoryKind, PageSize, System, LARGE_PAGE, PAGE};

/// Firmware, kernel, boot modules' first copy below 16 MiB and the kernel's own tables.
const KERNEL_BYTES: u64 = 24 << 20;
/// What is lost by aligning untyped memory, and root's own heap and window.
const ROOT_BYTES: u64 = 12 << 20;
/// A thread's control block with its FPU state; root counts in the same unit.
const TCB_BYTES: u64 = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    pub what: String,
    pub bytes: u64,
}

/// Rows for people, and their sum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needs {
    pub rows: Vec<Need>,
}

impl Needs {
    pub fn total(&self) -> u64 {
        self.rows.iter().map(|n| n.bytes).sum()
    }

    /// The sentence with the numbers, if it does not fit.
    pub fn fit(&self, available: u64) -> Result<()> {
        let needed = self.total();
        if needed <= available {
            return Ok(());
        }
        let parts = self.rows.iter().map(|n| (n.what.clone(), n.bytes)).collect();
        Err(Error::Memory { needed, available, parts })
    }
}

/// `image_bytes`: the boot image, root and blob.
pub fn needs(system: &System, image_bytes: u64) -> Needs {
    let mut rows = vec![Need { what: "firmware, kernel and root".into(), bytes: KERNEL_BYTES + ROOT_BYTES }];
    // The boot loader's copy and the kernel's copy of the image.
    rows.push(Need { what: "boot image, twice".into(), bytes: 2 * round_up(image_bytes, PAGE) });
    for pd in &system.pds {
        let mut bytes = PAGE * 2 + TCB_BYTES * pd.threads.len() as u64 + (32 << pd.cnode_bits);
        let mut areas: Vec<(u64, u64, PageSize)> = Vec::new();
        for s in &pd.image.segments {
            let first = s.vaddr / PAGE * PAGE;
            areas.push((first, round_up(s.vaddr + s.memory_bytes, PAGE) - first, PageSize::Small));
        }
        for t in &pd.threads {
            areas.push((t.stack_top - t.stack_bytes, t.stack_bytes, PageSize::Small));
            areas.push((t.ipc_buffer, PAGE, PageSize::Small));
        }
        areas.push((pd.start_vaddr, PAGE, PageSize::Small));
        areas.extend(pd.private.iter().filter(|p| p.name != "arena").map(|p| (p.vaddr, p.bytes, p.page)));
        bytes += areas.iter().map(|(_, b, _)| b).sum::<u64>();
        areas.extend(pd.private.iter().filter(|p| p.name == "arena").map(|p| (p.vaddr, p.bytes, p.page)));
        for map in &pd.maps {
            let memory = &system.memories[map.memory as usize];
            areas.push((map.vaddr, memory.bytes, memory.page));
        }
        bytes += tables(&areas) * PAGE;
        rows.push(Need { what: pd.name.clone(), bytes });
        for arena in pd.private.iter().filter(|p| p.name == "arena") {
            rows.push(Need { what: format!("{}'s working memory", pd.name), bytes: arena.bytes });
        }
    }
    let rings = system.memories.iter().filter(|m| !matches!(m.kind, MemoryKind::Device { .. } | MemoryKind::Loaded { .. })).map(|m| m.bytes).sum();
    rows.push(Need { what: "rings and shared pages".into(), bytes: rings });
    for model in system.model.iter().chain(&system.spare) {
        rows.push(Need { what: format!("model {}", model.name), bytes: round_up(model.bytes, LARGE_PAGE) });
    }
    Needs { rows }
}

/// Page tables below the top one.
fn tables(areas: &[(u64, u64, PageSize)]) -> u64 {
    let mut keys = std::collections::BTreeSet::new();
    for &(vaddr, bytes, page) in areas {
        // Spans of a page table, a page directory and a page directory pointer table.
        let shifts: &[u32] = if page == PageSize::Small { &[21, 30, 39] } else { &[30, 39] };
        for &shift in shifts {
            keys.extend((vaddr >> shift..=(vaddr + bytes.max(1) - 1) >> shift).map(|n| (shift, n)));
        }
    }
    keys.len() as u64
}
