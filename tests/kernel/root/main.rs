//! The root task of the kernel tests. Each test shows one fault of seL4 5.0.0 that the overlay mends: it passes on the
//! patched kernel and fails on the one without the patch. It prints a line a test on COM1, by port, so that it needs
//! nothing of a debug kernel.
//!
//! The host driver writes the name of one test into `SELECTED` to run that one only.

#![no_std]
#![no_main]

#[macro_use]
mod machine;

mod boot;
mod edu;
mod execute;
mod fpu;
mod fuzz;
mod fuzz_call;
mod iommu;
mod ipc;
mod mem;
mod memory;
mod refused;
mod registers;
mod sys;

use core::arch::global_asm;
use core::panic::PanicInfo;

/// What a test finds: nothing, or the sentence that says what went wrong, with a number.
pub type Outcome = Result<(), (&'static str, u64)>;

const TESTS: &[(&str, fn() -> Outcome)] = &[
    ("grant_reply", ipc::grant_reply),
    ("dead_server", ipc::dead_server),
    ("stall_restart", ipc::stall_restart),
    ("fast_path", ipc::fast_path),
    ("fastpath_asid", refused::fastpath_asid),
    ("frame_delete", memory::frame_delete),
    ("pdpt_copy", memory::pdpt_copy),
    ("unmap_shootdown", memory::unmap_shootdown),
    ("remap_flush", memory::remap_flush),
    ("dead_address_space", memory::dead_address_space),
    ("quiet_cores", memory::quiet_cores),
    ("fault_address", memory::fault_address),
    ("user_top", memory::user_top),
    ("never_execute", execute::never_execute),
    ("fs_gs_base", registers::fs_gs_base),
    ("segment_selectors", registers::segment_selectors),
    ("entry_flags", registers::entry_flags),
    ("unreachable_registers", registers::unreachable_registers),
    ("fpu_registers", fpu::fpu_registers),
    ("fpu_pointers", fpu::fpu_pointers),
    ("fpu_is_kept", fpu::fpu_is_kept),
    ("fpu_is_switched", fpu::fpu_is_switched),
    ("clear_at_retype", boot::clear_at_retype),
    ("reserve", boot::reserve),
    ("iommu_told", iommu::iommu_told),
    ("io_dma", iommu::io_dma),
    ("io_frame_delete", iommu::io_frame_delete),
    ("io_context_flush", iommu::io_context_flush),
    ("io_table_copies", iommu::io_table_copies),
    ("io_table_clear", iommu::io_table_clear),
    ("io_table_as_page", iommu::io_table_as_page),
    ("io_address", iommu::io_address),
    ("unmap_idle", refused::unmap_idle),
    ("badge_width", refused::badge_width),
    ("fuzz", fuzz::fuzz),
];

/// Filled in by the driver behind the colons: a test's name; the physical range that it had filled by QEMU; whether the
/// machine has an IOMMU that the kernel can use; the fuzz test's seed, first call and number of calls.
#[used]
static SELECTED: [u8; 144] = *b"kernel-tests select:                            range:                          \
iommu:  fuzz:                                                   ";

fn parameter(from: usize, to: usize) -> &'static str {
    let bytes: &'static [u8; 144] = unsafe { &*core::hint::black_box(&raw const SELECTED) };
    core::str::from_utf8(&bytes[from..to]).unwrap_or("").trim()
}

fn numbers<const N: usize>(from: usize, to: usize) -> [u64; N] {
    let mut numbers = parameter(from, to).split(',').map(|n| u64::from_str_radix(n, 16).unwrap_or(0));
    [(); N].map(|_| numbers.next().unwrap_or(0))
}

/// Start and size.
pub fn reserved_range() -> [u64; 2] {
    numbers(54, 80)
}

pub fn has_iommu() -> bool {
    parameter(86, 87) == "1"
}

/// Seed, first call, number of calls.
pub fn fuzz_parameters() -> [u64; 3] {
    numbers(93, 144)
}

global_asm!(".globl _start", "_start:", "lea rsp, [rip + FIRST_STACK + 65536]", "xor ebp, ebp", "call main", "ud2");

#[repr(C, align(16))]
struct FirstStack(#[allow(dead_code)] [u8; 65536]);
#[no_mangle]
static mut FIRST_STACK: FirstStack = FirstStack([0; 65536]);

#[no_mangle]
extern "C" fn main(info: *const u8) -> ! {
    machine::start(info);
    let selected = parameter(20, 48);
    say!("kernel tests on {} cores", machine::nodes());
    for (name, test) in TESTS {
        if !selected.is_empty() && selected != *name {
            continue;
        }
        match test() {
            Ok(()) => say!("test {name} ok"),
            Err((what, value)) => say!("test {name} FAILED: {what} ({value:#x})"),
        }
        machine::delete_threads();
    }
    say!("kernel tests done");
    loop {
        machine::yield_now();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    let line = info.location().map_or(0, |l| l.line());
    say!("\ntest FAILED: {}, line {line}", info.message());
    say!("kernel tests done");
    loop {}
}
