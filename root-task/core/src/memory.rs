//! Cutting untyped memory.
//!
//! A PD owns a few untyped objects and nothing outside them, so that revoking those destroys it whole. Kernel objects
//! are powers of two, aligned to their size: placed in descending order they fill descending power-of-two chunks
//! without a gap.

use alloc::vec::Vec;

/// Untyped chunks that a PD's need is cut into at most; it is rounded up until that does.
pub const CHUNKS: u32 = 12;

/// Sizes (as powers of two, descending) of the untyped chunks that hold objects of `object_bits` (any order).
pub fn chunks(object_bits: &[u8]) -> Vec<u8> {
    let mut need: u64 = object_bits.iter().map(|&bits| 1u64 << bits).sum();
    while need.count_ones() > CHUNKS {
        // Adding the lowest set bit clears at least that bit.
        need += need & need.wrapping_neg();
    }
    (0..64).rev().filter(|bit| need >> bit & 1 == 1).map(|bit| bit as u8).collect()
}

/// Whether the objects, placed in descending order into the chunks one after the other, all find room.
fn fits(objects: &[u8], chunks: &[u8]) -> bool {
    let mut objects = objects.to_vec();
    objects.sort_unstable_by(|a, b| b.cmp(a));
    let mut left: Vec<u64> = chunks.iter().map(|&bits| 1u64 << bits).collect();
    let mut at = 0;
    for bits in objects {
        while at < left.len() && left[at] < 1 << bits {
            at += 1;
        }
        if at == left.len() {
            return false;
        }
        left[at] -= 1 << bits;
    }
    true
}

/// Free untyped memory: which capability covers which power-of-two block.
///
/// Splitting is done by the caller through `split`: it turns the untyped in slot `S` of size `bits` into two of
/// `bits - 1` and returns their slots.
pub struct Pool<S> {
    free: Vec<(u8, S)>,
}

impl<S: Copy> Pool<S> {
    pub fn new() -> Self {
        Pool { free: Vec::new() }
    }

    pub fn add(&mut self, bits: u8, slot: S) {
        self.free.push((bits, slot));
    }

    pub fn free_bytes(&self) -> u64 {
        self.free.iter().map(|&(bits, _)| 1u64 << bits).sum()
    }

    /// Takes a block of exactly `bits`, splitting the smallest one that is large enough. `Ok(None)`: no block is
    /// large enough.
    pub fn take<E>(&mut self, bits: u8, mut split: impl FnMut(S, u8) -> Result<[S; 2], E>) -> Result<Option<S>, E> {
        let best = (0..self.free.len()).filter(|&i| self.free[i].0 >= bits).min_by_key(|&i| self.free[i].0);
        let Some(best) = best else { return Ok(None) };
        let (mut size, mut slot) = self.free.swap_remove(best);
        while size > bits {
            size -= 1;
            let [low, high] = split(slot, size)?;
            self.free.push((size, high));
            slot = low;
        }
        Ok(Some(slot))
    }
}

impl<S: Copy> Pool<S> {
    /// Takes chunks (size and slot, descending) that hold objects of `object_bits`. Where no block is large enough for a
    /// chunk, two halves do, as long as the objects fit. `Ok(None)`: there is no room; what was taken is gone.
    pub fn take_for<E>(
        &mut self,
        object_bits: &[u8],
        mut split: impl FnMut(S, u8) -> Result<[S; 2], E>,
    ) -> Result<Option<Vec<(u8, S)>>, E> {
        let mut sizes = chunks(object_bits);
        let mut taken = Vec::with_capacity(sizes.len());
        while let Some(&size) = sizes.get(taken.len()) {
            match self.take(size, &mut split)? {
                Some(slot) => taken.push((size, slot)),
                None if size == 0 => return Ok(None),
                None => {
                    let at = taken.len();
                    sizes.splice(at..=at, [size - 1; 2]);
                    if !fits(object_bits, &sizes) {
                        return Ok(None);
                    }
                }
            }
        }
        Ok(Some(taken))
    }
}

impl<S: Copy> Default for Pool<S> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_object_fits_into_the_chunks(objects in proptest::collection::vec(4u8..26, 1..400)) {
            let chunks = chunks(&objects);
            prop_assert!(chunks.len() as u32 <= CHUNKS);
            prop_assert!(chunks.windows(2).all(|pair| pair[0] > pair[1]));
            prop_assert!(fits(&objects, &chunks));
        }

        /// Whatever the pieces that memory comes in: objects of a page get all of it.
        #[test]
        fn no_piece_is_too_small_for_pages(pieces in proptest::collection::vec(12u8..20, 1..30), less in 0usize..3) {
            let mut pool = Pool::new();
            for (i, bits) in pieces.iter().enumerate() {
                pool.add(*bits, i);
            }
            let free = pool.free_bytes();
            // The need may be rounded up by one part in 2^11.
            let pages = (free >> 12) as usize;
            let pages = pages - pages / 1024 - usize::from(pages > 4096) - less.min(pages - 1);
            let mut next = 100;
            let taken = pool.take_for::<()>(&vec![12; pages], |_, _| { next += 2; Ok([next - 2, next - 1]) }).unwrap();
            let taken = taken.expect("room for every page");
            let sizes: Vec<u8> = taken.iter().map(|(bits, _)| *bits).collect();
            prop_assert!(sizes.is_sorted_by(|a, b| a >= b));
            prop_assert!(fits(&vec![12; pages], &sizes));
            let sum: u64 = sizes.iter().map(|bits| 1u64 << bits).sum();
            prop_assert_eq!(sum + pool.free_bytes(), free);
        }

        #[test]
        fn the_pool_loses_no_byte(sizes in proptest::collection::vec(12u8..20, 1..40)) {
            let mut pool = Pool::new();
            pool.add(22, 0u32);
            pool.add(21, 1);
            let before = pool.free_bytes();
            let mut next = 2;
            let mut taken = 0;
            for bits in sizes {
                let got = pool.take::<()>(bits, |_, _| { next += 2; Ok([next - 2, next - 1]) }).unwrap();
                if got.is_some() {
                    taken += 1u64 << bits;
                }
                prop_assert_eq!(pool.free_bytes() + taken, before);
            }
        }
    }

    #[test]
    fn a_pool_too_small_says_so() {
        let mut pool = Pool::new();
        pool.add(12, ());
        pool.add(12, ());
        // Two pages are there, one of twice the size is not.
        assert_eq!(pool.take_for::<()>(&[13], |_, _| unreachable!()), Ok(None));
        assert_eq!(pool.take_for::<()>(&[12, 12], |_, _| unreachable!()), Ok(Some(alloc::vec![(12, ()), (12, ())])));
        pool.add(12, ());
        assert_eq!(pool.take::<()>(13, |_, _| unreachable!()), Ok(None));
    }
}
