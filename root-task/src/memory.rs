//! Untyped memory turned into objects.

use alloc::vec::Vec;
use root_core::memory::Pool;
use spec::PageSize;

use crate::{
    kernel::{self, Kind, Untyped},
    slots::{Slot, Slots},
    Failure,
};

/// Bytes of memory cleared by one retype at most: the kernel is not preemptible for long meanwhile.
const RETYPE_BYTES: u64 = 16 << 20;

pub struct Memory {
    pub slots: Slots,
    pool: Pool<Slot>,
    devices: Vec<Untyped>,
}

/// Objects made together, in the order of the request.
pub struct Objects {
    /// Sizes (as powers of two) and slots of the untyped chunks that hold them; revoking these destroys everything.
    pub chunks: Vec<(u8, Slot)>,
    /// One slot per requested object.
    pub slots: Vec<Slot>,
    pub bytes: u64,
}

impl Memory {
    pub fn new(slots: Slots, untyped: impl Iterator<Item = Untyped>) -> Self {
        let mut memory = Memory { slots, pool: Pool::new(), devices: Vec::new() };
        for block in untyped {
            if block.device {
                memory.devices.push(block);
            } else {
                memory.pool.add(block.bits, block.slot);
            }
        }
        memory.devices.sort_by_key(|block| block.paddr);
        memory
    }

    pub fn free_bytes(&self) -> u64 {
        self.pool.free_bytes()
    }

    /// Makes all `kinds` in untyped memory of their own.
    pub fn objects(&mut self, kinds: &[Kind]) -> Result<Objects, Failure> {
        let bits: Vec<u8> = kinds.iter().map(Kind::bits).collect();
        let slots = &mut self.slots;
        let chunks = self.pool.take_for(&bits, |parent, half| -> Result<[Slot; 2], Failure> {
            let first = slots.take(2)?;
            kernel::retype(parent, Kind::Untyped(half), first, 2)?;
            Ok([first, first + 1])
        })?;
        let needed = bits.iter().map(|&bits| 1u64 << bits).sum();
        let chunks = chunks.ok_or(Failure::NoMemory { needed, free: self.pool.free_bytes() })?;
        let first = self.slots.take(kinds.len() as u64)?;
        let bytes = chunks.iter().map(|(bits, _)| 1u64 << bits).sum();
        let mut objects = Objects { chunks, slots: (first..first + kinds.len() as u64).collect(), bytes };
        fill(&mut objects, kinds)?;
        Ok(objects)
    }

    /// Fills chunks that were revoked with the same objects again.
    pub fn refill(&mut self, objects: &mut Objects, kinds: &[Kind]) -> Result<(), Failure> {
        fill(objects, kinds)
    }

    /// Frames over the physical range `[paddr, paddr + bytes)`, which is device memory to the kernel.
    pub fn device_frames(&mut self, paddr: u64, bytes: u64, page: PageSize) -> Result<Vec<Slot>, Failure> {
        let mut frames = Vec::new();
        let mut at = paddr;
        while at < paddr + bytes {
            let block = self.device_block(at, paddr + bytes - at, page)?;
            let in_block = ((1u64 << block.bits) / page.bytes()).min((paddr + bytes - at).div_ceil(page.bytes()));
            let first = self.slots.take(in_block)?;
            let mut made = 0;
            while made < in_block {
                let count = (in_block - made).min(kernel::FAN_OUT);
                kernel::retype(block.slot, Kind::Frame(page), first + made, count)?;
                made += count;
            }
            frames.extend(first..first + in_block);
            at += in_block * page.bytes();
        }
        Ok(frames)
    }

    /// Removes a device untyped that starts at `paddr` from the pool, splitting larger ones: what `bytes` does not need
    /// stays there for others.
    fn device_block(&mut self, paddr: u64, bytes: u64, page: PageSize) -> Result<Untyped, Failure> {
        loop {
            let at = self
                .devices
                .iter()
                .position(|block| block.paddr <= paddr && paddr < block.paddr + (1 << block.bits))
                .ok_or(Failure::NoDevice { paddr })?;
            let block = self.devices[at];
            let smallest = 1u64 << block.bits <= page.bytes();
            if block.paddr == paddr && (smallest || 1 << block.bits <= bytes) {
                return Ok(self.devices.remove(at));
            }
            if smallest {
                return Err(Failure::NoDevice { paddr });
            }
            let half = block.bits - 1;
            let first = self.slots.take(2)?;
            kernel::retype(block.slot, Kind::Untyped(half), first, 2)?;
            self.devices[at] = Untyped { bits: half, slot: first, ..block };
            self.devices
                .insert(at + 1, Untyped { bits: half, slot: first + 1, paddr: block.paddr + (1 << half), ..block });
        }
    }
}

/// Retypes `kinds` into the chunks, largest first.
fn fill(objects: &mut Objects, kinds: &[Kind]) -> Result<(), Failure> {
    // Slots follow the order of placement inside the kernel call, so equal kinds must get adjacent slots: the order
    // of the request is kept by a permutation.
    let first = objects.slots.iter().copied().min().unwrap_or(0);
    let mut order: Vec<usize> = (0..kinds.len()).collect();
    order.sort_by_key(|&i| (core::cmp::Reverse(kinds[i].bits()), kinds[i]));
    let mut left: Vec<u64> = objects.chunks.iter().map(|(bits, _)| 1u64 << bits).collect();
    let (mut chunk, mut slot, mut at) = (0, first, 0);
    while at < order.len() {
        let kind = kinds[order[at]];
        let size = 1u64 << kind.bits();
        while left[chunk] < size {
            chunk += 1;
        }
        let same = order[at..].iter().take_while(|&&i| kinds[i] == kind).count() as u64;
        let count = same.min(left[chunk] / size).min(kernel::FAN_OUT).min((RETYPE_BYTES / size).max(1));
        kernel::retype(objects.chunks[chunk].1, kind, slot, count)?;
        for k in 0..count {
            objects.slots[order[at + k as usize]] = slot + k;
        }
        left[chunk] -= count * size;
        slot += count;
        at += count as usize;
    }
    Ok(())
}
