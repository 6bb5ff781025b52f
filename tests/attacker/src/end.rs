//! What ends a life.

use crate::calls::{info, system_call, NB_RECV, NB_SEND};
use attacker_orders::{End, Kind, Orders};
use core::{arch::asm, hint::black_box};

/// Where nothing is: the end of the range for channels, and the kernel's.
const UNMAPPED: u64 = 0x3fff_f000;
const KERNEL: u64 = 0xffff_ffff_8000_0000;
/// The label of a page fault.
const FAULT: u64 = 5;

pub fn die(end: End, orders: &Orders, start: &pd::Start) -> ! {
    match end {
        End::FalseFault => drop(system_call(NB_SEND, start.fault_slot, info(FAULT, 3, 127), [!0, KERNEL, !0, !0])),
        End::FalsePanic => panic!("PANICKED\n◆ AlphaOS\x1b[2J\x1b]0;title\x07\r◆ gate confirmed \u{9b}2K\u{202e}"),
        End::WrongReceive => {
            // Requests to root or a doorbell, where others wait.
            let sent_to = orders.caps.iter().find(|cap| !cap.read && cap.write && cap.kind != Kind::Fault);
            system_call(NB_RECV, sent_to.map_or(start.fault_slot, |cap| cap.slot), 0, [0; 4]);
        }
        End::UnknownCall => drop(system_call(1000, 0, 0, [0; 4])),
        End::WriteReadOnly => {
            let map = orders.maps.iter().find(|map| !map.write);
            write(map.map_or(die as *const () as u64, |map| map.vaddr));
        }
        End::ReadKernel => read(KERNEL),
        End::ReadUnmapped => read(UNMAPPED),
        End::RunData => {
            // SAFETY: there is none: it must fault. A heap is no code.
            let data: extern "C" fn() = unsafe { core::mem::transmute(start.heap_vaddr as *const ()) };
            black_box(data)();
        }
        // SAFETY: as above, a fault.
        End::Privileged => unsafe { asm!("cli", options(nostack)) },
        // SAFETY: as above, a fault.
        End::PortOut => unsafe { asm!("out dx, al", in("dx") 0xcf8u16, in("al") 0u8, options(nostack)) },
        End::Overflow => drop(black_box(deeper(0))),
    }
    // The test waits for a death that does not come, and says so.
    loop {
        sel4::yield_now();
    }
}

fn read(address: u64) {
    // SAFETY: it must fault.
    black_box(unsafe { (address as *const u64).read_volatile() });
}

fn write(address: u64) {
    // SAFETY: it must fault.
    unsafe { (address as *mut u64).write_volatile(!0) };
}

#[inline(never)]
#[allow(unconditional_recursion)] // the guard page ends it
fn deeper(depth: u64) -> u64 {
    let room = black_box([depth; 64]);
    black_box(deeper(depth + 1)) + room[depth as usize % 64]
}
