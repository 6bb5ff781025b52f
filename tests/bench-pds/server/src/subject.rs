//! What the runtime promises, tried from inside.

use alloc::vec::Vec;
use core::{cell::Cell, hint::black_box};
use rpc_protocol::Heap;

/// All blocks of 1 KiB that the heap gives before it refuses one.
fn fill() -> u64 {
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(1024);
    while blocks.len() < blocks.capacity() {
        let mut block = Vec::new();
        if block.try_reserve_exact(1024).is_err() {
            break;
        }
        block.resize(1024, blocks.len() as u8);
        blocks.push(block);
    }
    // Nobody wrote into anybody else's.
    for (i, block) in blocks.iter().enumerate() {
        assert!(block.iter().all(|byte| *byte == i as u8), "block {i} was overwritten");
    }
    1024 * blocks.len() as u64
}

pub fn heap() -> Heap {
    let layout_bytes = pd::start().heap_bytes;
    let had_bytes = fill();
    let again_bytes = fill();
    let refused = Vec::<u8>::new().try_reserve_exact(layout_bytes as usize + 1).is_err();
    let ordinary = Vec::<u8>::new().try_reserve_exact(1024).is_ok();
    Heap { layout_bytes, had_bytes, again_bytes, large_refused: refused && ordinary }
}

#[thread_local]
static WITH_VALUE: Cell<u32> = Cell::new(0x1234_5678);
#[thread_local]
static WITHOUT: Cell<u32> = Cell::new(0);

pub fn thread_local() -> [u32; 4] {
    let before = [black_box(&WITH_VALUE).get(), black_box(&WITHOUT).get()];
    WITH_VALUE.set(before[0] + 1);
    WITHOUT.set(before[1] + 1);
    [before[0], before[1], black_box(&WITH_VALUE).get(), black_box(&WITHOUT).get()]
}

/// Ends at the guard page below the stack.
#[allow(unconditional_recursion)]
#[inline(never)]
pub fn overflow(depth: u64) {
    let mut frame = [depth; 64];
    overflow(black_box(&mut frame)[0] + 1);
    black_box(&frame);
}
