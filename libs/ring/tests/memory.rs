//! Shared memory for tests, and a way to write to it as a hostile peer would.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A ring's memory: the producer's area and the consumer's page.
pub struct Memory {
    area: Box<[AtomicU64]>,
    page: Box<[AtomicU64]>,
    pub capacity: usize,
}

#[allow(dead_code)]
impl Memory {
    pub fn new(capacity: usize) -> Self {
        let zeroed = |bytes: usize| (0..bytes / 8).map(|_| AtomicU64::new(0)).collect();
        Memory { area: zeroed(ring::DATA + capacity), page: zeroed(4096), capacity }
    }

    pub fn area(&self) -> *mut u8 {
        self.area.as_ptr().cast_mut().cast()
    }

    pub fn page(&self) -> *mut u8 {
        self.page.as_ptr().cast_mut().cast()
    }

    /// Word `i` of the producer's area: its header, then the data.
    pub fn set_area(&self, i: usize, value: u64) {
        let i = if i < 8 { i } else { ring::DATA / 8 + (i - 8) % (self.capacity / 8) };
        self.area[i].store(value, Relaxed);
    }

    pub fn get_area(&self, i: usize) -> u64 {
        self.area[i].load(Relaxed)
    }

    pub fn set_page(&self, i: usize, value: u64) {
        self.page[i % 3].store(value, Relaxed);
    }

    pub fn lossy(&self) -> (ring::Producer, ring::Consumer) {
        // SAFETY: area and page are as long as promised; tests keep the memory longer than the ends.
        unsafe {
            (
                ring::Producer::lossy(self.area(), self.capacity).unwrap(),
                ring::Consumer::lossy_kept(self.area(), self.capacity, self.page()).unwrap(),
            )
        }
    }

    pub fn credit(&self) -> (ring::Producer, ring::Consumer) {
        // SAFETY: area and page are as long as promised; tests keep the memory longer than the ends.
        unsafe {
            (
                ring::Producer::credit(self.area(), self.capacity, self.page()).unwrap(),
                ring::Consumer::credit(self.area(), self.capacity, self.page()).unwrap(),
            )
        }
    }
}
