//! How much memory the machine gets, and where in it the model lies.

use crate::{Error, Result};
use spec::LARGE_PAGE;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// A machine without a wish gets at least this.
const DEFAULT: u64 = GIB;
/// Memory is chosen in steps of this.
const STEP: u64 = 256 * MIB;
/// Below this lie firmware, kernel, boot modules and root.
const MODEL_LOWEST: u64 = 256 * MIB;
/// Kept free behind the model: the firmware's tables lie at the end of low memory.
const MODEL_TAIL: u64 = 16 * MIB;

/// RAM of QEMU's q35 in physical addresses: from 2.75 GiB on, all that is above 2 GiB moves behind the hole below 4 GiB.
pub fn ram(memory: u64) -> Vec<(u64, u64)> {
    const SPLIT: u64 = 0xb000_0000;
    const LOW: u64 = 0x8000_0000;
    if memory < SPLIT {
        vec![(0, memory)]
    } else {
        vec![(0, LOW), (4 * GIB, 4 * GIB + (memory - LOW))]
    }
}

/// The lowest place for a model: aligned, off the kernel, off the end of each stretch of RAM.
pub fn place_model(model_bytes: u64, memory: u64) -> Result<u64> {
    let bytes = round_up(model_bytes, LARGE_PAGE);
    for (start, end) in ram(memory) {
        let at = start.max(MODEL_LOWEST);
        if at + bytes + MODEL_TAIL <= end {
            return Ok(at);
        }
    }
    Err(Error::NoPlace { model_bytes, memory_bytes: memory })
}

/// What the model's working memory should be and must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arena {
    pub wanted: u64,
    pub least: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub memory: u64,
    pub arena: u64,
    pub model_paddr: u64,
}

/// Chooses memory (if nobody named it), working memory and the model's place. `others` is what the system needs
/// beside model and arena.
pub fn plan(others: u64, model_bytes: u64, arena: Arena, wish: Option<u64>) -> Result<Plan> {
    let model = round_up(model_bytes, LARGE_PAGE);
    let memory = match wish {
        Some(memory) => memory,
        None => {
            let mut memory = round_up(others + model + arena.wanted, STEP).max(DEFAULT);
            // A hole may lie in the way of a large model.
            while place_model(model_bytes, memory).is_err() && memory < 512 * GIB {
                memory += STEP;
            }
            memory
        }
    };
    let left = memory.saturating_sub(others + model);
    // All or nothing: repacked weights that just fit would leave no room for the first embedding.
    let wanted = round_up(arena.wanted, LARGE_PAGE);
    let chosen = if left >= wanted { wanted } else { round_up(arena.least, LARGE_PAGE) };
    let model_paddr = match place_model(model_bytes, memory) {
        Ok(paddr) => paddr,
        // If it does not fit anyway, the sum says so better.
        Err(_) if others + model + chosen > memory => round_up(MODEL_LOWEST, LARGE_PAGE),
        Err(e) => return Err(e),
    };
    Ok(Plan { memory, arena: chosen, model_paddr })
}

/// Bytes of memory of the computer that QEMU runs on.
pub fn of_this_computer() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

pub fn round_up(value: u64, unit: u64) -> u64 {
    value.div_ceil(unit) * unit
}

/// `512M`, `2G`, `2GiB`, `1536 MB`; always powers of two. QEMU takes whole MiB.
pub fn parse_size(text: &str) -> Result<u64> {
    let wrong = || Error::Size(text.into());
    let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let digits = compact.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match compact[digits.len()..].to_ascii_lowercase().as_str() {
        "m" | "mb" | "mib" => MIB,
        "g" | "gb" | "gib" => GIB,
        _ => return Err(wrong()),
    };
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|bytes| *bytes > 0 && *bytes <= 510 * GIB).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside_ram(at: u64, bytes: u64, memory: u64) -> bool {
        ram(memory).iter().any(|(start, end)| at >= *start && at + bytes < *end)
    }

    #[test]
    fn every_place_is_ram() {
        for memory in (512 * MIB..12 * GIB).step_by(128 * MIB as usize) {
            for model in [10 * MIB, 400 * MIB, 1536 * MIB, 1792 * MIB, 4 * GIB, 9 * GIB] {
                if let Ok(at) = place_model(model, memory) {
                    assert!(inside_ram(at, model, memory), "{model} in {memory} at {at:#x}");
                    assert!(at >= MODEL_LOWEST && at % LARGE_PAGE == 0);
                }
            }
        }
    }

    #[test]
    fn a_model_too_large_for_low_memory_goes_above_the_hole() {
        assert_eq!(place_model(1536 * MIB, 3 * GIB).unwrap(), 256 * MIB);
        assert_eq!(place_model(3 * GIB, 6 * GIB).unwrap(), 4 * GIB);
        assert!(place_model(3 * GIB, 4 * GIB).is_err());
    }

    #[test]
    fn memory_follows_the_model() {
        let arena = |bytes| Arena { wanted: bytes, least: 16 * MIB };
        let small = plan(100 * MIB, 10 * MIB, arena(64 * MIB), None).unwrap();
        assert_eq!((small.memory, small.arena), (GIB, 64 * MIB));
        let large = plan(100 * MIB, 3 * GIB, arena(3 * GIB), None).unwrap();
        assert!(large.memory >= 6 * GIB + 100 * MIB && inside_ram(large.model_paddr, 3 * GIB, large.memory));
    }

    #[test]
    fn the_arena_is_what_it_should_be_or_what_it_must_be() {
        let arena = Arena { wanted: GIB, least: 64 * MIB };
        assert_eq!(plan(100 * MIB, 1536 * MIB, arena, Some(3 * GIB)).unwrap().arena, GIB);
        let arena = Arena { wanted: 2 * GIB, ..arena };
        assert_eq!(plan(100 * MIB, 1536 * MIB, arena, Some(3 * GIB)).unwrap().arena, 64 * MIB);
        // It does not fit: the plan comes back, and the sum of the specification says no.
        let too_tight = plan(100 * MIB, 1536 * MIB, arena, Some(GIB)).unwrap();
        assert_eq!(too_tight.arena, 64 * MIB);
    }

    #[test]
    fn sizes() {
        assert_eq!(parse_size("2G").unwrap(), 2 * GIB);
        assert_eq!(parse_size("1536 MiB").unwrap(), 1536 * MIB);
        for wrong in ["", "2", "G", "2T", "-1G", "99999999999999G"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
