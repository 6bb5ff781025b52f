//! Looks at the finished ELF: no way into the kernel but the two places that are ours, nothing dynamic, nothing left
//! undefined, nothing both writable and executable.
//!
//! An instruction that is forbidden to user programs (hlt, in) or undefined (ud2) enters no kernel service: it is a
//! fault, and the program that runs into it is over. Those are counted. The scan goes by instruction; x86 code always
//! holds byte pairs that would be a `syscall` if somebody jumped between two instructions. What bounds such a program
//! is that it holds no capability worth calling.

use crate::{command, io_at, Error};
use std::fmt;
use std::fs;
use std::path::Path;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub bytes: u64,
    pub entry: u64,
    /// Where a worker thread may start as well.
    pub worker_entry: u64,
    pub segments: Vec<Segment>,
    pub instructions: u64,
    /// `(address, function)` of each instruction that enters the kernel; all ours.
    pub kernel_calls: Vec<(u64, String)>,
    /// Instructions that can only end the program.
    pub faulting: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub vaddr: u64,
    pub file_bytes: u64,
    pub memory_bytes: u64,
    pub write: bool,
    pub execute: bool,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} bytes, entry {:#x}, workers {:#x}", self.bytes, self.entry, self.worker_entry)?;
        for s in &self.segments {
            let rights = ["r-", "rw"][usize::from(s.write)].to_string() + ["-", "x"][usize::from(s.execute)];
            writeln!(f, "  {:#x}  {rights}  {} bytes, {} of them in the file", s.vaddr, s.memory_bytes, s.file_bytes)?;
        }
        write!(f, "{} instructions, {} that only fault", self.instructions, self.faulting)?;
        for (address, function) in &self.kernel_calls {
            write!(f, "\nkernel call at {address:#x} in {function}")?;
        }
        Ok(())
    }
}

/// Instructions that ask a kernel for something.
const CALLS: &[&str] = &["syscall", "sysenter", "int", "int1", "into", "vmcall", "vmmcall", "enclu", "lcall", "sysexit", "sysret", "iret", "iretq"];
const FAULTING: &[&str] = &[
    "ud0", "ud1", "ud2", "hlt", "in", "out", "ins", "outs", "insb", "insl", "outsb", "outsl", "cli", "sti", "rdmsr", "wrmsr", "lgdt",
    "lidt", "invd", "wbinvd", "invlpg", "clts", "swapgs", "ljmp",
];
/// Functions that may hold one `syscall` each, within this many bytes of their start.
const OURS: &[&str] = &["alpha_signal", "alpha_wait"];
const OURS_BYTES: u64 = 64;

/// Fails with a sentence that names what was found.
pub fn scan(elf: &Path) -> Result<Report, Error> {
    let bytes = io_at(elf, fs::read(elf))?;
    let bad = |what: String| Error::Scan(format!("{}: {what}", elf.display()));
    let mut report = headers(&bytes).map_err(bad)?;
    let path = elf.to_string_lossy();

    let undefined = command::run("nm", &["-u", &path], &[])?;
    if !undefined.trim().is_empty() {
        return Err(bad(format!("undefined symbols: {}", undefined.trim())));
    }
    let mut ours = Vec::new();
    for line in command::run("nm", &[&path], &[])?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [address, _, name] = words[..] {
            let address = u64::from_str_radix(address, 16).map_err(|e| bad(e.to_string()))?;
            if name == "alpha_worker_entry" {
                report.worker_entry = address;
            }
            if OURS.contains(&name) {
                ours.push((address, name.to_string()));
            }
        }
    }
    if report.worker_entry == 0 || ours.len() != OURS.len() {
        return Err(bad("its own symbols are missing".into()));
    }

    let listing = command::run("objdump", &["-d", "--no-show-raw-insn", &path], &[])?;
    for line in listing.lines() {
        let Some((address, rest)) = line.split_once(":\t") else { continue };
        let Ok(address) = u64::from_str_radix(address.trim(), 16) else { continue };
        report.instructions += 1;
        /* prefixes such as rep or data16 come first */
        for word in rest.split_whitespace().take(3) {
            if FAULTING.contains(&word) {
                report.faulting += 1;
            }
            if CALLS.contains(&word) {
                let home = ours.iter().filter(|(start, _)| (*start..*start + OURS_BYTES).contains(&address)).max();
                match home {
                    Some((_, name)) if word == "syscall" => report.kernel_calls.push((address, name.clone())),
                    _ => return Err(bad(format!("`{}` at {address:#x}", rest.trim()))),
                }
            }
        }
    }
    if report.kernel_calls.len() != OURS.len() || report.instructions < 1000 {
        return Err(bad(format!("{} kernel calls in {} instructions", report.kernel_calls.len(), report.instructions)));
    }
    Ok(report)
}

fn headers(bytes: &[u8]) -> Result<Report, String> {
    let word = |at: usize, size: usize| -> Result<u64, String> {
        let part = bytes.get(at..at + size).ok_or("cut short")?;
        Ok(part.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b)))
    };
    if bytes.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Err("not a 64-bit little-endian ELF".into());
    }
    if word(16, 2)? != 2 {
        return Err("not linked to fixed addresses".into());
    }
    let mut report = Report { bytes: bytes.len() as u64, entry: word(24, 8)?, ..Report::default() };
    let (table, size, count) = (word(32, 8)?, word(54, 2)?, word(56, 2)?);
    for i in 0..count {
        let at = (table + i * size) as usize;
        let (kind, flags) = (word(at, 4)?, word(at + 4, 4)?);
        match kind {
            1 => report.segments.push(Segment {
                vaddr: word(at + 16, 8)?,
                file_bytes: word(at + 32, 8)?,
                memory_bytes: word(at + 40, 8)?,
                write: flags & 2 != 0,
                execute: flags & 1 != 0,
            }),
            2 | 3 => return Err("dynamically linked".into()),
            _ => {}
        }
    }
    for (i, s) in report.segments.iter().enumerate() {
        if s.write && s.execute {
            return Err(format!("the segment at {:#x} is writable and executable", s.vaddr));
        }
        if report.segments[..i].iter().any(|t| t.vaddr >> 12 <= (s.vaddr + s.memory_bytes - 1) >> 12 && s.vaddr >> 12 <= (t.vaddr + t.memory_bytes - 1) >> 12) {
            return Err(format!("two segments share a page at {:#x}", s.vaddr));
        }
    }
    Ok(report)
}
