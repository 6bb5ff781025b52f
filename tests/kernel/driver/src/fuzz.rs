//! The fuzz test from the host's side: its long round, and what a kernel that has halted was asked to do.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// As in `root/fuzz.rs`: number, system call, capability, message info and four words.
const WORDS: usize = 8;

/// The call that the victim has made last, out of the memory of a machine that prints nothing any more.
pub fn last_call(lines: &[String], seed: u64, memory: &Path) -> Option<String> {
    let paddr = lines.iter().find_map(|l| u64::from_str_radix(l.strip_prefix("fuzz record at ")?, 16).ok())?;
    let mut bytes = [0; WORDS * 8];
    File::open(memory).ok()?.read_exact_at(&mut bytes, paddr).ok()?;
    let word = |i: usize| u64::from_le_bytes(bytes[i * 8..][..8].try_into().expect("eight bytes"));
    let (call, number, cap, tag) = (word(0), word(1) as i64, word(2), word(3));
    Some(format!(
        "seed {seed}, call {call}: system call {number} on slot {cap:#x}, label {}, {} words, {} capabilities, \
         {:#x} {:#x} {:#x} {:#x}",
        tag >> 12,
        tag & 0x7f,
        tag >> 7 & 3,
        word(4),
        word(5),
        word(6),
        word(7)
    ))
}

/// What a debug kernel said when it stopped: the assertion, and what it was doing.
pub fn last_words(lines: &[String]) -> String {
    let from = lines.iter().rposition(|l| l.contains("assertion") || l.contains("called fail")).unwrap_or(lines.len());
    let words: Vec<&str> = lines[from..].iter().map(String::as_str).filter(|l| !l.is_empty()).collect();
    match words.is_empty() {
        true => lines.last().cloned().unwrap_or_default(),
        false => words.join("; "),
    }
}
