//! The boot image: root's program with the specification and the payload as one more segment behind it.

use crate::addresses::round_up;
use crate::error::{Error, Result};
use crate::{elf, Program, Resolved};
use spec::{BlobHeader, BLOB_MAGIC, PAGE};

/// Header, specification, and from the next page on the payload.
pub fn blob(resolved: &Resolved) -> Result<Vec<u8>> {
    let text = encode(&resolved.system)?;
    let payload_offset = round_up(size_of::<BlobHeader>() as u64 + text.len() as u64, PAGE);
    let mut blob = Vec::with_capacity(payload_offset as usize + resolved.payload.len());
    for word in [BLOB_MAGIC, text.len() as u64, payload_offset, resolved.payload.len() as u64] {
        blob.extend_from_slice(&word.to_le_bytes());
    }
    blob.extend_from_slice(&text);
    blob.resize(payload_offset as usize, 0);
    blob.extend_from_slice(&resolved.payload);
    Ok(blob)
}

pub fn encode(system: &spec::System) -> Result<Vec<u8>> {
    postcard::to_allocvec(system).map_err(|e| Error::Inconsistent { what: format!("it does not encode: {e}") })
}

/// Writes an ELF file with root's segments and `blob` on the page behind the last of them, where root looks for it.
pub fn append_to_root(root: &[u8], blob: &[u8]) -> Result<Vec<u8>> {
    const EHDR: u64 = 64;
    const PHDR: u64 = 56;
    let program = Program::parse_any("root-task", root)?;
    let last = program.segments.last().map_or(0, |s| s.end());
    let end = elf::symbol("root-task", root, "__image_end")?.unwrap_or(last);
    if round_up(end, PAGE) < last {
        return Err(Error::Elf { program: "root-task".into(), why: "its __image_end lies before its end".into() });
    }
    let mut parts: Vec<(u64, u64, u32, &[u8])> = program
        .segments
        .iter()
        .map(|s| (s.vaddr, s.memory_bytes, 4 | u32::from(s.write) << 1 | u32::from(s.execute), s.data.as_slice()))
        .collect();
    parts.push((round_up(end, PAGE), blob.len() as u64, 4, blob));

    let mut out = Vec::new();
    let mut header = [0u8; 64];
    header[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    // The machine (offset 18) is root's own.
    let halves = [(16, 2u16), (18, u16::from_le_bytes([root[18], root[19]])), (52, 64), (54, 56), (56, parts.len() as u16), (58, 64)];
    for (at, value) in halves {
        header[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    header[20..24].copy_from_slice(&1u32.to_le_bytes());
    header[24..32].copy_from_slice(&program.entry.to_le_bytes());
    header[32..40].copy_from_slice(&EHDR.to_le_bytes());
    out.extend_from_slice(&header);

    let mut offset = EHDR + PHDR * parts.len() as u64;
    let mut offsets = Vec::new();
    for (vaddr, memory_bytes, flags, data) in &parts {
        // File offset and address agree within a page, as loaders expect.
        offset = round_up(offset, PAGE) + vaddr % PAGE;
        offsets.push(offset);
        out.extend_from_slice(&1u32.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        for word in [offset, *vaddr, *vaddr, data.len() as u64, *memory_bytes, PAGE] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        offset += data.len() as u64;
    }
    for (offset, (_, _, _, data)) in offsets.iter().zip(&parts) {
        out.resize(*offset as usize, 0);
        out.extend_from_slice(data);
    }
    Ok(out)
}
