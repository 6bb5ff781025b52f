//! Thread-local storage for the first thread, from the ELF file's own template.

use crate::arch;
use alloc::alloc::{alloc_zeroed, Layout};
use core::{ptr, slice};

#[repr(C)]
struct Header {
    ident: [u8; 16],
    kind: u16,
    machine: u16,
    version: u32,
    entry: u64,
    program_headers: u64,
    section_headers: u64,
    flags: u32,
    header_bytes: u16,
    program_header_bytes: u16,
    program_header_count: u16,
}

#[repr(C)]
struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    vaddr: u64,
    paddr: u64,
    file_bytes: u64,
    memory_bytes: u64,
    align: u64,
}

const PT_TLS: u32 = 7;

unsafe extern "C" {
    /// The ELF header, where the linker put it into the first segment.
    static __ehdr_start: Header;
}

/// # Safety
/// Once, after the heap.
pub unsafe fn init() {
    let header = &raw const __ehdr_start;
    // SAFETY: the linker put the headers there.
    let headers = unsafe {
        let first = header.cast::<u8>().add((*header).program_headers as usize);
        slice::from_raw_parts(first.cast::<ProgramHeader>(), (*header).program_header_count as usize)
    };
    let template = headers.iter().find(|h| h.kind == PT_TLS);
    let (vaddr, file_bytes, memory_bytes, template_align) = match template {
        Some(h) => (h.vaddr, h.file_bytes as usize, h.memory_bytes as usize, (h.align as usize).max(1)),
        None => (0, 0, 0, 1),
    };
    let align = template_align.max(16);
    let variables = memory_bytes.next_multiple_of(align);
    let header_bytes = arch::TLS_HEADER_BYTES.next_multiple_of(align);
    let Ok(layout) = Layout::from_size_align(variables + header_bytes, align) else { arch::stop() };
    // SAFETY: the size is not zero; the template lies in this program's own segments.
    unsafe {
        let block = alloc_zeroed(layout);
        if block.is_null() {
            arch::stop();
        }
        let (pointer, first) = if arch::TLS_BELOW_POINTER {
            // The linker counts back from the pointer, and rounds by the template's own alignment only.
            let pointer = block.add(variables);
            (pointer, pointer.sub(memory_bytes.next_multiple_of(template_align)))
        } else {
            (block, block.add(header_bytes))
        };
        ptr::copy_nonoverlapping(vaddr as *const u8, first, file_bytes);
        arch::set_thread_pointer(pointer);
    }
}
