//! A layout resolved with programs that do nothing: for tests and pictures, which have no built programs at hand.

use layout::{resolve, Error, Layout, Machine, ModelFile, Wiring};
use spec::System;

pub fn system(layout: &Layout) -> Result<System, Error> {
    let wiring = Wiring::new(layout)?;
    let machine = Machine {
        name: "AlphaOS".into(),
        kernel: "seL4 5.0.0".into(),
        cores: 2,
        memory_bytes: 1 << 30,
        model: Some(ModelFile { name: "model.gguf".into(), bytes: 1 << 20, paddr: 256 << 20 }),
        spare: None,
        arena_bytes: 8 << 20,
    };
    let program = program();
    let programs = layout.pds.iter().map(|pd| (pd.program.name().to_owned(), program.clone())).collect();
    Ok(resolve(layout, &wiring, &machine, &programs)?.system)
}

/// An ELF file with one page to execute and one to write.
fn program() -> Vec<u8> {
    let mut out = vec![0u8; 64];
    out[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    // Executable, x86_64, version; sizes of the header, of a program header, their number; size of a section header.
    for (at, value) in [(16, 2u16), (18, 62), (20, 1), (52, 64), (54, 56), (56, 2), (58, 64)] {
        out[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    let (text, data) = (0x20_0000u64, 0x20_1000u64);
    out[24..32].copy_from_slice(&text.to_le_bytes());
    out[32..40].copy_from_slice(&64u64.to_le_bytes());
    for (vaddr, flags) in [(text, 5u32), (data, 6)] {
        out.extend_from_slice(&1u32.to_le_bytes());
        out.extend_from_slice(&flags.to_le_bytes());
        // Offset, addresses, bytes in the file and in memory, alignment.
        for word in [0, vaddr, vaddr, 0, 4096, 4096] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }
    out
}
