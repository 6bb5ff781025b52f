//! Killing a protection domain (PD) in the running release image.
//!
//! The image has no door for this, so the harness comes from below: it finds the PD's page tables in the machine's
//! memory and overwrites the PD's code, through QEMU's debugger port, with an instruction that does not exist. Every
//! thread of the PD faults at its next step, wherever it waits. Root makes a dead PD anew from the boot image, so the
//! new one is whole.
//!
//! How a PD is found: all address spaces share the kernel's half. From the page table root that a core runs on, the
//! entry for the kernel is known; every page of memory with the same entry in the same place is the root of an address
//! space. Which PD it belongs to is seen from what its program keeps unchanged, code and constants.

use crate::{ensure, machine::Machine, Failure, Result};
use alpha::Boot;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

const PAGE: u64 = 4096;
const ENTRIES: usize = 512;
/// The entry of the root table that maps the kernel, the same in every address space (x86_64).
const KERNEL_ENTRY: usize = 511;
/// One byte, and no instruction in 64-bit mode (`push es` once): whichever byte is next, the fault is the same.
const POISON: u8 = 0x06;
/// Does nothing; whichever is next, what stands behind all of them is reached.
const NOTHING: u8 = 0x90;
/// `jmp r14`, in which a waiting thread keeps its stack pointer (`libs/sel4`): to data that it can write.
const JUMP_TO_STACK: [u8; 3] = [0x41, 0xff, 0xe6];

const PRESENT: u64 = 1;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const ACCESSED_DIRTY: u64 = 3 << 5;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// How a PD is told from the others.
#[derive(Clone, Debug)]
pub struct Signature {
    pub name: String,
    /// The parts of its program that nobody writes: where they go and what stands there.
    constant: Vec<(u64, Vec<u8>)>,
    /// Its code: start and end of the executable segments.
    code: Vec<(u64, u64)>,
}

impl Signature {
    /// Takes the PD's program out of the boot image.
    pub fn of(boot: &Boot, name: &str) -> Result<Self> {
        let pd = boot.system.pds.iter().find(|pd| pd.name == name);
        let pd = pd.ok_or_else(|| Failure::new(format!("the layout has no PD {name}")))?;
        let image = fs::read(&boot.image)?;
        let payload = payload(&image)?;
        let segments = pd.image.segments.iter().filter(|segment| !segment.write);
        let constant = segments.clone().map(|segment| {
            let from = segment.payload_offset as usize;
            let bytes = payload.get(from..from + segment.payload_bytes as usize);
            let bytes = bytes.ok_or_else(|| Failure::new("the boot image is shorter than its specification says"))?;
            Ok((segment.vaddr, bytes.to_vec()))
        });
        let code = segments.clone().filter(|segment| segment.execute);
        let code = code.map(|segment| (segment.vaddr, segment.vaddr + segment.payload_bytes)).collect();
        Ok(Signature { name: name.into(), constant: constant.collect::<Result<_>>()?, code })
    }

    fn matches(&self, memory: &File, root: u64) -> Result<bool> {
        for (vaddr, bytes) in &self.constant {
            if read_virtual(memory, root, *vaddr, bytes.len())?.as_ref() != Some(bytes) {
                return Ok(false);
            }
        }
        Ok(!self.constant.is_empty())
    }
}

/// What follows the specification in the boot image.
fn payload(image: &[u8]) -> Result<&[u8]> {
    let magic = spec::BLOB_MAGIC.to_le_bytes();
    let header = size_of::<spec::BlobHeader>();
    for at in (0..image.len().saturating_sub(header)).step_by(8) {
        if image[at..at + 8] == magic {
            let offset = at + word(&image[at..], 2) as usize;
            let bytes = word(&image[at..], 3) as usize;
            // The number also stands in root's code; there nothing sensible follows.
            if let Some(payload) = offset.checked_add(bytes).and_then(|end| image.get(offset..end)) {
                if !payload.is_empty() && word(&image[at..], 2) % PAGE == 0 {
                    return Ok(payload);
                }
            }
        }
    }
    Err(Failure::new("the boot image holds no specification"))
}

/// Overwrites the code of the PD while the machine stands still. Says how many pages that were.
pub fn kill(machine: &mut Machine, signature: &Signature) -> Result<usize> {
    overwrite(machine, signature, POISON, &[])
}

/// Makes the PD's threads execute their stacks, as one that was taken over could.
pub fn jump_to_stack(machine: &mut Machine, signature: &Signature) -> Result<usize> {
    overwrite(machine, signature, NOTHING, &JUMP_TO_STACK)
}

/// Each byte of the code becomes `fill`, the end of each executable segment `end`.
fn overwrite(machine: &mut Machine, signature: &Signature, fill: u8, end_bytes: &[u8]) -> Result<usize> {
    let mut debugger = machine.debugger()?;
    let memory = machine.memory()?;
    let roots = machine.qmp.page_table_roots()?;
    let spaces = address_spaces(&memory, &roots)?;
    let mut found: Vec<u64> = Vec::new();
    for root in spaces {
        if signature.matches(&memory, root)? {
            found.push(root);
        }
    }
    let &[root] = found.as_slice() else {
        debugger.detach()?;
        return Err(Failure::new(format!("{} address spaces look like {}'s", found.len(), signature.name)));
    };
    debugger.physical(true)?;
    let mut pages = 0;
    for &(start, end) in &signature.code {
        let mut at = start & !(PAGE - 1);
        while at < end {
            if let Some(page) = translate(&memory, root, at)? {
                ensure!(page.executable && !page.writable, "the code of {} at {at:#x} is not code", signature.name);
                let mut bytes = [fill; PAGE as usize];
                if at + PAGE >= end {
                    bytes[PAGE as usize - end_bytes.len()..].copy_from_slice(end_bytes);
                }
                debugger.write(page.paddr, &bytes)?;
                pages += 1;
            }
            at += PAGE;
        }
    }
    debugger.detach()?;
    ensure!(pages > 0, "{} has no code", signature.name);
    Ok(pages)
}

/// Root tables of all address spaces in memory. `running` are those that the cores use now.
pub fn address_spaces(memory: &File, running: &[u64]) -> Result<Vec<u64>> {
    let mut kernel = Vec::new();
    for root in running {
        let entry = read_entry(memory, *root, KERNEL_ENTRY)? & !ACCESSED_DIRTY;
        if !kernel.contains(&entry) {
            kernel.push(entry);
        }
    }
    let bytes = memory.metadata()?.len();
    const STEP: usize = 2 << 20;
    let mut buffer = vec![0; STEP];
    let mut roots = Vec::new();
    let mut at = 0;
    while at < bytes {
        let count = STEP.min((bytes - at) as usize);
        memory.read_exact_at(&mut buffer[..count], at)?;
        for (index, page) in buffer[..count].chunks_exact(PAGE as usize).enumerate() {
            let entry = word(page, KERNEL_ENTRY);
            if entry & PRESENT != 0 && kernel.contains(&(entry & !ACCESSED_DIRTY)) {
                roots.push(at + index as u64 * PAGE);
            }
        }
        at += count as u64;
    }
    Ok(roots)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Translation {
    pub paddr: u64,
    pub writable: bool,
    pub executable: bool,
}

/// Where a user address leads in an address space.
pub fn translate(memory: &File, root: u64, vaddr: u64) -> Result<Option<Translation>> {
    let mut table = root;
    let mut writable = true;
    let mut executable = true;
    for shift in [39, 30, 21, 12] {
        let entry = read_entry(memory, table, (vaddr >> shift) as usize % ENTRIES)?;
        if entry & (PRESENT | USER) != PRESENT | USER {
            return Ok(None);
        }
        writable &= entry & WRITE != 0;
        executable &= entry & NO_EXECUTE == 0;
        if shift == 12 || (entry & LARGE != 0 && shift < 39) {
            let inside = (1 << shift) - 1;
            let paddr = (entry & ADDRESS & !inside) | (vaddr & inside);
            return Ok(Some(Translation { paddr, writable, executable }));
        }
        table = entry & ADDRESS;
    }
    unreachable!("the last level ends the walk")
}

/// Bytes as the address space sees them; `None` where nothing is mapped.
pub fn read_virtual(memory: &File, root: u64, vaddr: u64, bytes: usize) -> Result<Option<Vec<u8>>> {
    let mut out = Vec::with_capacity(bytes);
    while out.len() < bytes {
        let at = vaddr + out.len() as u64;
        let Some(page) = translate(memory, root, at)? else { return Ok(None) };
        let count = (PAGE - at % PAGE).min((bytes - out.len()) as u64) as usize;
        let mut part = vec![0; count];
        memory.read_exact_at(&mut part, page.paddr)?;
        out.extend(part);
    }
    Ok(Some(out))
}

fn read_entry(memory: &File, table: u64, index: usize) -> Result<u64> {
    if table + PAGE > memory.metadata()?.len() {
        return Ok(0);
    }
    let mut bytes = [0; 8];
    memory.read_exact_at(&mut bytes, table + index as u64 * 8)?;
    Ok(u64::from_le_bytes(bytes))
}

fn word(page: &[u8], index: usize) -> u64 {
    u64::from_le_bytes(page[index * 8..index * 8 + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Folder;

    /// Memory with two address spaces; the first maps one small page of code and one large page.
    fn memory(folder: &Folder) -> File {
        let path = folder.0.join("memory");
        let mut bytes = vec![0u8; 8 << 20];
        let mut set = |table: usize, index: usize, entry: u64| {
            bytes[table + index * 8..table + index * 8 + 8].copy_from_slice(&entry.to_le_bytes());
        };
        for root in [0x1000, 0x9000] {
            set(root, 511, 0x5000 | PRESENT | WRITE);
        }
        set(0x9000, 511, 0x5000 | PRESENT | WRITE | ACCESSED_DIRTY);
        set(0x1000, 0, 0x2000 | PRESENT | WRITE | USER);
        set(0x2000, 0, 0x3000 | PRESENT | WRITE | USER);
        set(0x3000, 2, 0x4000 | PRESENT | WRITE | USER);
        set(0x3000, 3, 0x40_0000 | PRESENT | WRITE | USER | LARGE | NO_EXECUTE);
        set(0x4000, 1, 0x6000 | PRESENT | USER);
        bytes[0x6010..0x6014].copy_from_slice(b"code");
        std::fs::write(&path, bytes).unwrap();
        File::open(path).unwrap()
    }

    #[test]
    fn address_spaces_are_found_by_the_kernel_half() {
        let folder = Folder::new().unwrap();
        assert_eq!(address_spaces(&memory(&folder), &[0x1000]).unwrap(), [0x1000, 0x9000]);
    }

    #[test]
    fn user_addresses_are_translated() {
        let folder = Folder::new().unwrap();
        let memory = memory(&folder);
        let code = translate(&memory, 0x1000, 0x40_1010).unwrap().unwrap();
        assert_eq!(code, Translation { paddr: 0x6010, writable: false, executable: true });
        let data = translate(&memory, 0x1000, 0x61_2345).unwrap().unwrap();
        assert_eq!(data, Translation { paddr: 0x41_2345, writable: true, executable: false });
        assert_eq!(translate(&memory, 0x1000, 0x40_2000).unwrap(), None);
        assert_eq!(translate(&memory, 0x9000, 0x40_1010).unwrap(), None);
        assert_eq!(read_virtual(&memory, 0x1000, 0x40_1010, 4).unwrap().unwrap(), b"code");
    }
}
