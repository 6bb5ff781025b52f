//! From `_start` to the PD's own function.

use crate::{heap, logger, panic, start, time, tls, Start};
use alloc::boxed::Box;

unsafe extern "Rust" {
    /// Made by [`crate::main!`], with this signature.
    safe fn alphaos_pd_main(start: &'static Start) -> !;
}

/// Called by `_start` with the address of the start page.
pub extern "C" fn entry(page: *const u8) -> ! {
    // SAFETY: root maps the page for as long as the PD lives and passes its address.
    let bytes = unsafe { start::bytes(page) };
    let Some(head) = start::head(bytes) else {
        // Nobody can be told why yet; root sees the fault and its address.
        crate::arch::stop()
    };
    // SAFETY: root mapped these for this thread and this PD alone, and this runs once, the heap before what needs it.
    unsafe {
        sel4::set_ipc_buffer(head.ipc_buffer as *mut _);
        heap::init(head.heap_vaddr as *mut u8, head.heap_bytes as usize);
        tls::init();
    }
    let Ok(start) = postcard::from_bytes::<Start>(bytes) else { crate::arch::stop() };
    let start: &'static Start = Box::leak(Box::new(start));
    panic::init(start);
    start::init(start);
    time::init(start.tsc_hz);
    assert_eq!(start.version, spec::VERSION, "root speaks another version of the start page");
    logger::init(start);
    alphaos_pd_main(start)
}
