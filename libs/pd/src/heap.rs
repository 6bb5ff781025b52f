//! The heap: one range, of the size that the layout gives. An allocation that finds no room is a panic.

use talc::{source::Manual, TalcLock};

#[global_allocator]
static HEAP: TalcLock<spinning_top::RawSpinlock, Manual> = TalcLock::new(Manual);

/// # Safety
/// The range must be mapped read-write and belong to nobody else.
pub unsafe fn init(base: *mut u8, bytes: usize) {
    // SAFETY: the caller gives the range away. Too small a heap fails at the first allocation, with a message.
    let _ = unsafe { HEAP.lock().claim(base, bytes) };
}
