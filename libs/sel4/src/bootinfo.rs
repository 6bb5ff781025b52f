//! What the kernel tells the root task.

use crate::{
    generated::{self, BootInfoHeader, Untyped},
    IpcBuffer, Word,
};
use core::{mem::size_of, ops::Range, ptr, slice};

/// The boot information.
#[derive(Clone, Copy)]
pub struct BootInfo(&'static generated::BootInfo);

/// Memory without a type yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntypedInfo {
    pub cap: Untyped,
    pub paddr: Word,
    /// It has 2^size_bits bytes.
    pub size_bits: u8,
    /// Not ordinary RAM: never cleared, and good for frames only.
    pub device: bool,
}

impl BootInfo {
    /// # Safety
    /// `page` must be the address that the kernel gave the root task in its first argument register.
    pub unsafe fn new(page: *const u8) -> BootInfo {
        // SAFETY: by the caller's promise the kernel's structure lies there; it is written before root starts and stays
        // mapped. Packed, it needs no alignment.
        BootInfo(unsafe { &*page.cast() })
    }

    pub fn ipc_buffer(self) -> *mut IpcBuffer {
        self.0.ipc_buffer as *mut IpcBuffer
    }

    /// Cores that the kernel started.
    pub fn cores(self) -> Word {
        self.0.num_nodes
    }

    /// Levels of the IOMMU's tables. 0 if no device is confined: there is no IOMMU, or the kernel cannot use it and has
    /// left it off.
    pub fn iommu_levels(self) -> Word {
        self.0.num_iopt_levels
    }

    /// Ticks of the CPU's counter in a microsecond; 0 where the kernel does not know.
    pub fn tsc_mhz(self) -> Word {
        self.0.arch_info
    }

    /// The root CNode has 2^this slots.
    pub fn cnode_bits(self) -> u8 {
        self.0.init_thread_cnode_size_bits
    }

    /// Empty slots of the root CNode.
    pub fn empty(self) -> Range<Word> {
        range(self.0.empty)
    }

    /// Frames of the root task's image, in the order of their addresses.
    pub fn image_frames(self) -> Range<Word> {
        range(self.0.user_image_frames)
    }

    pub fn image_tables(self) -> Range<Word> {
        range(self.0.user_image_paging)
    }

    pub fn extra_frames(self) -> Range<Word> {
        range(self.0.extra_bi_pages)
    }

    pub fn untyped(self) -> impl Iterator<Item = UntypedInfo> {
        let slots = range(self.0.untyped);
        // The kernel fills the list only as far as it is long.
        let list = ptr::addr_of!(self.0.untyped_list);
        let count = size_of_list(self.0).min(slots.end.saturating_sub(slots.start) as usize);
        (0..count).map(move |i| {
            // SAFETY: `count` is at most the length of the list. Packed: read without regard to alignment.
            let d = unsafe { ptr::read_unaligned(list.cast::<generated::UntypedDesc>().add(i)) };
            UntypedInfo {
                cap: Untyped(slots.start + i as Word),
                paddr: d.paddr,
                size_bits: d.size_bits,
                device: d.is_device != 0,
            }
        })
    }

    /// Further chunks of information: their kind and their bytes without the header.
    pub fn extra(self) -> impl Iterator<Item = (Word, &'static [u8])> {
        const PAGE: usize = 4096;
        let base = (self.0 as *const generated::BootInfo).cast::<u8>();
        let length = self.0.extra_len as usize;
        let mut at = 0;
        core::iter::from_fn(move || {
            if length - at < size_of::<BootInfoHeader>() {
                return None;
            }
            // SAFETY: the kernel maps `extra_len` bytes from the page behind the boot information on; `at` is among
            // them, with room for a header.
            let chunk = unsafe { base.add(PAGE + at) };
            // SAFETY: as above.
            let header = unsafe { ptr::read_unaligned(chunk.cast::<BootInfoHeader>()) };
            let bytes = header.len as usize;
            if bytes < size_of::<BootInfoHeader>() || bytes > length - at {
                return None;
            }
            at += bytes;
            let skip = size_of::<BootInfoHeader>();
            // SAFETY: the chunk is no shorter than its header and ends where the information does, at the latest;
            // nobody writes to it any more.
            Some((header.id, unsafe { slice::from_raw_parts(chunk.add(skip), bytes - skip) }))
        })
    }
}

fn size_of_list(b: &generated::BootInfo) -> usize {
    core::mem::size_of_val(&b.untyped_list) / size_of::<generated::UntypedDesc>()
}

fn range(r: generated::SlotRegion) -> Range<Word> {
    r.start..r.end
}
