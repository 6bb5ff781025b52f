//! The start page: what root tells a PD.

use crate::Start;
use core::sync::atomic::{AtomicPtr, Ordering};
use serde::Deserialize;

static START: AtomicPtr<Start> = AtomicPtr::new(core::ptr::null_mut());

/// What root told this PD at its start.
///
/// # Panics
/// Before the PD's own function runs.
pub fn start() -> &'static Start {
    let start = START.load(Ordering::Acquire);
    assert!(!start.is_null(), "the start page was not read yet");
    // SAFETY: set once, to what stays for ever.
    unsafe { &*start }
}

#[cfg(target_os = "none")]
pub(crate) fn init(start: &'static Start) {
    START.store(core::ptr::from_ref(start).cast_mut(), Ordering::Release);
}

/// The first fields of [`Start`], which can be read before there is a heap.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Head<'a> {
    pub version: u32,
    pub name: &'a str,
    pub epoch: u64,
    pub ipc_buffer: u64,
    pub heap_vaddr: u64,
    pub heap_bytes: u64,
}

pub(crate) fn head(bytes: &[u8]) -> Option<Head<'_>> {
    postcard::take_from_bytes(bytes).ok().map(|(head, _)| head)
}

/// The bytes on the start page: a length, then as many bytes.
///
/// # Safety
/// `page` must be the address of a page that stays mapped and that nobody writes to any more.
#[cfg(target_os = "none")]
pub(crate) unsafe fn bytes(page: *const u8) -> &'static [u8] {
    // SAFETY: a page has room for the length.
    let length = unsafe { page.cast::<u32>().read_unaligned() } as usize;
    let length = length.min(spec::PAGE as usize - 4);
    // SAFETY: the bytes end with the page at the latest, and stay as they are by the caller's promise.
    unsafe { core::slice::from_raw_parts(page.add(4), length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_is_the_beginning_of_the_whole() {
        let start = Start {
            version: spec::VERSION,
            name: "echo".into(),
            epoch: 3,
            ipc_buffer: 0x2000_1000,
            heap_vaddr: 0x4000_0000,
            heap_bytes: 65536,
            tsc_hz: 1,
            seed: None,
            cores: 1,
            memory_bytes: 1,
            dma_base: 0,
            mode: "Local Only".into(),
            model: None,
            spare: None,
            fault_slot: 1,
            log: None,
        };
        let bytes = postcard::to_allocvec(&start).unwrap();
        let head = head(&bytes).unwrap();
        assert_eq!((head.version, head.name, head.epoch), (spec::VERSION, "echo", 3));
        assert_eq!((head.ipc_buffer, head.heap_vaddr, head.heap_bytes), (0x2000_1000, 0x4000_0000, 65536));
        assert_eq!(super::head(&bytes[..6]), None);
    }
}
