//! The root task of the boot time test: says what the TSC has counted since the machine was switched on. The driver lets
//! QEMU count one nanosecond an instruction, so the number is the same on every host, however busy.

#![no_std]
#![no_main]
#![allow(dead_code)]

mod mem;
mod sys;

use core::arch::global_asm;
use core::panic::PanicInfo;
use core::ptr::addr_of;
use sys::{invoke, IpcBuffer};

#[allow(non_upper_case_globals)]
mod label {
    include!(env!("KERNEL_LABELS"));
}

/// An image of some size, as a real root task has; the kernel copies it twice.
#[used]
static BULK: [u8; 8 << 20] = [7; 8 << 20];

global_asm!(".globl _start", "_start:", "lea rsp, [rip + STACK + 16384]", "call main", "ud2");

#[repr(C, align(16))]
struct Stack([u8; 16384]);
#[no_mangle]
static mut STACK: Stack = Stack([0; 16384]);

#[no_mangle]
extern "C" fn main(info: *const u64) -> ! {
    let now = unsafe { core::arch::x86_64::_rdtsc() };
    let buffer = unsafe { info.add(4).read() } as *mut IpcBuffer;
    let say = |byte: u8| _ = invoke(buffer, 7, label::X86IOPortOut8, &[], &[0x3f8, byte as u64]);
    "tsc ".bytes().for_each(say);
    let mut divisor = 1_000_000_000_000_000;
    while divisor > 0 {
        say(b'0' + (now / divisor % 10) as u8);
        divisor /= 10;
    }
    // The linker keeps what is read.
    say(if unsafe { addr_of!(BULK[1]).read_volatile() } == 7 { b'\n' } else { b'?' });
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo) -> ! {
    loop {}
}
