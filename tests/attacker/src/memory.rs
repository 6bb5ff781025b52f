//! Rubbish in all memory that others read, and all memory that there is to have.

use crate::random::Random;
use alloc::vec::Vec;
use attacker_orders::Orders;

/// Words from one copy of the canary to the next.
const APART: usize = 64;

/// Into everything that this part may write and others see: producers' pages and records, consumers' positions,
/// registers of devices.
pub fn rubbish(orders: &Orders, random: &mut Random) {
    let canary: Vec<u64> = orders.canary.as_bytes().chunks(8).map(word).collect();
    for map in orders.maps.iter().filter(|map| map.write) {
        for i in 0..map.bytes as usize / 8 {
            let noise = match i {
                // Positions: a whole one is likelier to be believed.
                0..8 => random.word() & !7,
                _ => random.next(),
            };
            let word = canary.get(i % APART).copied().filter(|_| i >= APART).unwrap_or(noise);
            // SAFETY: the orders name what root has mapped for writing, and nothing of Rust's lies there.
            unsafe { (map.vaddr as *mut u64).add(i).write_volatile(word) };
        }
    }
    read_everything(orders);
}

fn word(chunk: &[u8]) -> u64 {
    let mut bytes = [b'.'; 8];
    bytes[..chunk.len()].copy_from_slice(chunk);
    u64::from_le_bytes(bytes)
}

/// Others' rings are for reading: what may be read, is.
fn read_everything(orders: &Orders) {
    for map in &orders.maps {
        for i in 0..map.bytes as usize / 8 {
            // SAFETY: the orders name what root has mapped.
            core::hint::black_box(unsafe { (map.vaddr as *const u64).add(i).read_volatile() });
        }
    }
}

/// The whole heap, in ever smaller pieces.
pub fn exhaust() {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let mut size = 1 << 24;
    while size >= 1 << 12 && pieces.len() < 1 << 12 {
        let mut piece = Vec::new();
        match piece.try_reserve_exact(size) {
            // Its list of pieces takes memory as well.
            Ok(()) if pieces.try_reserve(1).is_ok() => pieces.push(piece),
            _ => size /= 2,
        }
    }
}
