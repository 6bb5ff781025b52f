//! x86_64.

use core::arch::asm;
use sel4::arch::IoPort;
use spec::handle;

// Root gives a stack and the start page's address in rdi. The psABI wants the stack aligned to 16 before a call, and a
// zero frame pointer as the end of the chain.
#[cfg(target_os = "none")]
core::arch::global_asm!(
    ".section .text._start, \"ax\"",
    ".global _start",
    "_start:",
    "xor ebp, ebp",
    "and rsp, -16",
    "call {entry}",
    "ud2",
    entry = sym crate::entry::entry,
);

/// Ticks of the CPU's counter.
#[inline]
pub fn counter() -> u64 {
    // SAFETY: reads a register.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Stops the PD: the exception is a fault that root receives.
pub fn stop() -> ! {
    // SAFETY: does not return.
    unsafe { asm!("ud2", options(noreturn, nomem, nostack)) }
}

/// Thread-local storage: variables end at the thread pointer, at which its own address stands.
pub const TLS_BELOW_POINTER: bool = true;
/// Bytes at the thread pointer that belong to the runtime.
pub const TLS_HEADER_BYTES: usize = 8;

/// # Safety
/// `pointer` must be the thread pointer of a block of thread-local storage that stays, aligned for a pointer, with
/// [`TLS_HEADER_BYTES`] of the block at it.
#[cfg(target_os = "none")]
pub unsafe fn set_thread_pointer(pointer: *mut u8) {
    // SAFETY: the caller promises that the header is there to be written. FS holds nothing else in a PD, and the kernel
    // lets user mode set it.
    unsafe {
        pointer.cast::<*mut u8>().write(pointer);
        asm!("wrfsbase {}", in(reg) pointer, options(nostack, preserves_flags));
    }
}

/// I/O ports that the layout gives. Every access is a system call: the kernel checks the range.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    cap: IoPort,
    first: u16,
}

impl Ports {
    pub const fn new(handle: handle::Ports) -> Ports {
        Ports { cap: IoPort(handle.slot), first: handle.first }
    }

    /// Reads the port `offset` behind the first one.
    ///
    /// # Panics
    /// If the layout does not give this port.
    pub fn read8(self, offset: u16) -> u8 {
        match self.cap.in8(self.first + offset) {
            Ok(value) => value,
            Err(error) => refused(self.first + offset, error),
        }
    }

    /// Writes the port `offset` behind the first one.
    ///
    /// # Panics
    /// If the layout does not give this port.
    pub fn write8(self, offset: u16, value: u8) {
        if let Err(error) = self.cap.out8((self.first + offset).into(), value.into()) {
            refused(self.first + offset, error)
        }
    }
}

#[cold]
fn refused(port: u16, error: sel4::Error) -> ! {
    panic!("I/O port {port:#x} refused: {error:?}")
}
