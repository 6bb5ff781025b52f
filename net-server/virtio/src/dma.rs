//! The memory that a card can reach: one contiguous piece, given once.

use core::{
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};
use virtio_drivers::{BufferDirection, Hal, PhysAddr, PAGE_SIZE};

/// Memory that both the driver and the card see.
#[derive(Clone, Copy, Debug)]
pub struct Dma {
    /// Where the driver sees it; aligned to a page.
    pub vaddr: *mut u8,
    pub bytes: usize,
    /// Where the card sees it; not 0.
    pub device_base: u64,
}

// `Hal` has no `self`. A program drives cards out of one piece of memory, which is set before the first of them.
static VADDR: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
static DEVICE_BASE: AtomicU64 = AtomicU64::new(0);
static USED: AtomicUsize = AtomicUsize::new(0);

pub(crate) struct Pool;

impl Pool {
    /// # Safety
    /// The memory must stay, readable and writable, and be nobody else's; once, before everything else.
    pub unsafe fn give(dma: Dma) {
        VADDR.store(dma.vaddr as usize, Relaxed);
        BYTES.store(dma.bytes, Relaxed);
        DEVICE_BASE.store(dma.device_base, Relaxed);
    }

    /// Zeroed pages that are nobody's, for ever.
    pub fn pages(count: usize) -> Option<(u64, NonNull<u8>)> {
        let bytes = count.checked_mul(PAGE_SIZE)?;
        let total = BYTES.load(Relaxed);
        let taken = USED.try_update(Relaxed, Relaxed, |used| used.checked_add(bytes).filter(|used| *used <= total));
        let start = taken.ok()?;
        let vaddr = NonNull::new((VADDR.load(Relaxed) + start) as *mut u8)?;
        // SAFETY: within the memory that `give` was promised, and no other allocation has it.
        unsafe { ptr::write_bytes(vaddr.as_ptr(), 0, bytes) };
        Some((DEVICE_BASE.load(Relaxed) + start as u64, vaddr))
    }
}

// SAFETY: allocations are disjoint parts of memory that is nobody else's, page by page from an aligned start, zeroed.
unsafe impl Hal for Pool {
    fn dma_alloc(pages: usize, _direction: BufferDirection) -> (PhysAddr, NonNull<u8>) {
        // Address 0 says that there is none.
        Pool::pages(pages).unwrap_or((0, NonNull::dangling()))
    }

    unsafe fn dma_dealloc(_paddr: PhysAddr, _vaddr: NonNull<u8>, _pages: usize) -> i32 {
        // A card lives as long as its program.
        0
    }

    unsafe fn mmio_phys_to_virt(_paddr: PhysAddr, _size: usize) -> NonNull<u8> {
        panic!("registers are found by the layout, not by their physical address")
    }

    unsafe fn share(buffer: NonNull<[u8]>, _direction: BufferDirection) -> PhysAddr {
        let start = (buffer.as_ptr() as *mut u8 as usize).wrapping_sub(VADDR.load(Relaxed));
        let end = start.checked_add(buffer.len());
        assert!(end.is_some_and(|end| end <= BYTES.load(Relaxed)), "a buffer that the card does not see");
        DEVICE_BASE.load(Relaxed) + start as u64
    }

    unsafe fn unshare(_paddr: PhysAddr, _buffer: NonNull<[u8]>, _direction: BufferDirection) {}
}
