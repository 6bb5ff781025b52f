//! What the fuzz target does with its input; the ordinary tests run the corpus through the same function.

use crate::memory::Memory;
use ring::{Consumer, PopError, Producer, PushError};

/// Takes bytes off the front.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// A number that is often near something that matters.
    fn number(&mut self, near: u64) -> Option<u64> {
        Some(match self.byte()? {
            0 => u64::MAX,
            1 => 0,
            2 => near.wrapping_add(self.byte()? as u64),
            3 => near.wrapping_sub(self.byte()? as u64),
            4 => (self.byte()? as u64) << 56,
            5 => u32::MAX as u64,
            _ => {
                let mut bytes = [0; 8];
                for b in &mut bytes {
                    *b = self.byte()?;
                }
                u64::from_le_bytes(bytes)
            }
        })
    }
}

/// Both ends of a ring, and somebody who writes into the shared memory at will.
///
/// What must hold whatever happens: nothing panics, a record is never longer than the buffer, and an idle ring is
/// drained in a bounded number of steps.
pub fn hostile(data: &[u8]) {
    let mut input = Input(data);
    let (Some(mode), Some(size)) = (input.byte(), input.byte()) else { return };
    let memory = Memory::new(64 << (size % 6));
    let lossy = mode & 1 == 0;
    let producer = || if lossy { memory.lossy().0 } else { memory.credit().0 };
    // SAFETY: the memory is as long as the capacity says, and outlives both ends.
    let consumer = || unsafe {
        match (lossy, mode & 2) {
            (true, 0) => Consumer::lossy(memory.area(), memory.capacity).unwrap(),
            (true, _) => Consumer::lossy_kept(memory.area(), memory.capacity, memory.page()).unwrap(),
            (false, _) => Consumer::credit(memory.area(), memory.capacity, memory.page()).unwrap(),
        }
    };
    let mut p: Producer = producer();
    let mut c: Consumer = consumer();
    let mut buffer = vec![0u8; 300];
    let near = |memory: &Memory| memory.get_area(2);
    while let Some(action) = input.byte() {
        match action % 8 {
            0 | 1 => {
                let Some(len) = input.byte() else { break };
                let payload = vec![action; len as usize];
                match p.push(&[&payload[..len as usize / 2], &payload[len as usize / 2..]]) {
                    Ok(()) => assert!(payload.len() <= p.max_payload()),
                    Err(PushError::TooLong) => assert!(payload.len() > p.max_payload()),
                    Err(PushError::Full | PushError::BadTail) => assert!(!lossy),
                }
            }
            2 | 3 => {
                let room = input.byte().unwrap_or(0) as usize;
                match c.pop(&mut buffer[..room]) {
                    Ok(Some(n)) => assert!(n <= room),
                    Err(PopError::TooSmall { needed }) => assert!(needed > room && needed <= memory.capacity),
                    Err(PopError::Lost { bytes, records }) => assert!(lossy && records <= bytes / 8),
                    Ok(None) | Err(_) => {}
                }
            }
            4 => {
                let (Some(i), Some(value)) = (input.byte(), input.number(near(&memory))) else { break };
                memory.set_area(i as usize, value);
            }
            5 => {
                let (Some(i), Some(value)) = (input.byte(), input.number(near(&memory))) else { break };
                memory.set_page(i as usize, value);
            }
            6 => p = producer(),
            _ => c = consumer(),
        }
    }
    // Once nobody writes, every step takes a record, skips something, or ends.
    let most = memory.capacity / 8 + 4;
    let mut steps = 0;
    while !matches!(c.pop(&mut buffer), Ok(None)) {
        steps += 1;
        assert!(steps <= most, "an idle ring is never empty");
    }
    drop(p);
}
