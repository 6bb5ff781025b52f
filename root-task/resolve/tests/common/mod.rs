#![allow(dead_code)]

use layout::{resolve, Layout, Machine, ModelFile, Resolved, Wiring};
use std::collections::BTreeMap;
use std::path::Path;

pub fn real_layout() -> Layout {
    Layout::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../layout"), "x86_64").unwrap()
}

pub fn machine(cores: u8) -> Machine {
    Machine {
        name: "AlphaOS test".into(),
        kernel: "seL4 5.0.0".into(),
        cores,
        memory_bytes: 1 << 30,
        model: Some(ModelFile { name: "tiny.gguf".into(), bytes: 3_000_001, paddr: 256 << 20 }),
        spare: None,
        arena_bytes: 64 << 20,
    }
}

/// A program for every package of the real layout.
pub fn programs() -> BTreeMap<String, Vec<u8>> {
    let program = elf(&[(0x20_0000, 5, 0x1234), (0x20_2000, 6, 0x3000)]);
    real_layout().pds.iter().map(|pd| (pd.program.name().to_owned(), program.clone())).collect()
}

pub fn real(machine: &Machine) -> Resolved {
    let layout = real_layout();
    let wiring = Wiring::new(&layout).unwrap();
    resolve(&layout, &wiring, machine, &programs()).unwrap()
}

/// An ELF file with segments of (address, flags, bytes in memory), half of each in the file. Entry: the first.
pub fn elf(segments: &[(u64, u32, u64)]) -> Vec<u8> {
    let mut out = vec![0u8; 64];
    out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    for (at, value) in [(16, 2u16), (18, 62), (20, 1), (52, 64), (54, 56), (56, segments.len() as u16), (58, 64)] {
        out[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    out[24..32].copy_from_slice(&segments[0].0.to_le_bytes());
    out[32..40].copy_from_slice(&64u64.to_le_bytes());
    let mut offset = 64 + 56 * segments.len() as u64;
    for &(vaddr, flags, memory) in segments {
        out.extend_from_slice(&1u32.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        for word in [offset, vaddr, vaddr, memory / 2, memory, 4096] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        offset += memory / 2;
    }
    for (i, &(_, _, memory)) in segments.iter().enumerate() {
        out.resize(out.len() + memory as usize / 2, i as u8 + 1);
    }
    out
}

/// A program with a symbol table that wants `symbol` from elsewhere.
pub fn elf_that_wants(symbol: &str) -> Vec<u8> {
    let mut out = elf(&[(0x20_0000, 5, 64)]);
    let strings = format!("\0{symbol}\0").into_bytes();
    let strings_at = out.len() as u64;
    out.extend_from_slice(&strings);
    let symbols_at = out.len() as u64;
    let mut symbols = vec![0u8; 48];
    symbols[24..28].copy_from_slice(&1u32.to_le_bytes()); // name
    symbols[28] = 0x10; // global, of no type, in no section
    out.extend_from_slice(&symbols);
    let sections_at = out.len() as u64;
    // Name, type, flags, address, offset, bytes, link, info, alignment, bytes of an entry.
    let sections: [[u64; 10]; 3] = [
        [0; 10],
        [0, 3, 0, 0, strings_at, strings.len() as u64, 0, 0, 1, 0],
        [0, 2, 0, 0, symbols_at, 48, 1, 1, 8, 24],
    ];
    for section in sections {
        for (i, word) in section.into_iter().enumerate() {
            match i {
                0 | 1 | 6 | 7 => out.extend_from_slice(&(word as u32).to_le_bytes()),
                _ => out.extend_from_slice(&word.to_le_bytes()),
            }
        }
    }
    out[40..48].copy_from_slice(&sections_at.to_le_bytes());
    out[60..62].copy_from_slice(&3u16.to_le_bytes());
    out[62..64].copy_from_slice(&1u16.to_le_bytes());
    out
}
