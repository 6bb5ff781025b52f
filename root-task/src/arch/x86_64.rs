//! x86_64: entry, registers of a new thread, entropy, I/O ports.

use core::arch::{asm, global_asm, x86_64::__cpuid};

use sel4::{arch::IoPort, Fault as KernelFault, Tcb, UserContext};
use spec::{Entropy, PowerOff, Thread};

use root_core::fault::{Access, Fault};

use crate::slots::Slot;

// The kernel starts root without a stack; rdi holds the address of the boot information.
global_asm!(
    ".section .text._start, \"ax\"",
    ".global _start",
    "_start:",
    "lea rsp, [rip + __stack_top]",
    "xor ebp, ebp",
    "call {main}",
    "ud2",
    main = sym crate::main,
);

/// The CPU's counter.
pub fn counter() -> u64 {
    // SAFETY: rdtsc has no preconditions; the kernel leaves it open to user mode.
    unsafe { core::arch::x86_64::_rdtsc() }
}

/// Entry, stack and argument of a thread that has not run yet.
pub fn set_registers(tcb: Tcb, thread: &Thread) -> sel4::Result<()> {
    let context = UserContext {
        rip: thread.entry,
        // As after a call: 16-byte aligned before the return address was pushed.
        rsp: thread.stack_top - 8,
        rflags: 0x2,
        rdi: thread.argument,
        ..UserContext::default()
    };
    tcb.write_registers(false, 0, UserContext::WORDS as u64, context)
}

/// Starts a thread of root's own.
pub fn start_at(tcb: Tcb, entry: u64, stack_top: u64) -> sel4::Result<()> {
    let context = UserContext { rip: entry, rsp: stack_top - 8, rflags: 0x2, ..UserContext::default() };
    tcb.write_registers(true, 0, UserContext::WORDS as u64, context)
}

/// Fresh entropy for one start of a PD.
pub fn seed(source: Entropy) -> Option<[u8; 32]> {
    match source {
        Entropy::None => None,
        Entropy::RdRand => {
            const RDRAND: u32 = 1 << 30;
            if __cpuid(1).ecx & RDRAND == 0 {
                return None;
            }
            let mut seed = [0; 32];
            for chunk in seed.chunks_exact_mut(8) {
                chunk.copy_from_slice(&rdrand()?.to_le_bytes());
            }
            Some(seed)
        }
    }
}

/// One word; Intel's manual asks for ten tries before giving up.
fn rdrand() -> Option<u64> {
    for _ in 0..10 {
        let (word, good): (u64, u8);
        // SAFETY: the caller has checked that the processor has RDRAND; it touches registers only.
        unsafe { asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack)) };
        if good != 0 {
            return Some(word);
        }
    }
    None
}

/// The fault in the kernel's words, put into ours.
pub fn fault(fault: KernelFault) -> Option<Fault> {
    // Page fault error code: Intel SDM volume 3, section 4.7.
    const WRITE: u64 = 1 << 1;
    Some(match fault {
        KernelFault::NullFault => return None,
        KernelFault::CapFault(f) => Fault::Capability { address: f.addr, ip: f.ip },
        KernelFault::UnknownSyscall(f) => Fault::UnknownSyscall { number: f.syscall, ip: f.fault_ip },
        KernelFault::UserException(f) => Fault::Exception { number: f.number, code: f.code, ip: f.fault_ip },
        KernelFault::VmFault(f) => Fault::Memory {
            address: f.addr,
            ip: f.ip,
            access: if f.prefetch_fault != 0 {
                Access::Execute
            } else if f.fsr & WRITE != 0 {
                Access::Write
            } else {
                Access::Read
            },
        },
    })
}

/// COM1's first port.
pub const CONSOLE_PORT: u16 = 0x3f8;

/// Writes text to COM1 through the I/O port capability in `ports`, for when nothing else can speak.
pub fn emergency(ports: Slot, text: &str) {
    const LINE_STATUS: u16 = CONSOLE_PORT + 5;
    const TRANSMITTER_EMPTY: u8 = 1 << 5;
    let ports = IoPort(ports);
    for byte in text.bytes() {
        for _ in 0..100_000 {
            if ports.in8(LINE_STATUS).is_ok_and(|status| status & TRANSMITTER_EMPTY != 0) {
                break;
            }
        }
        if byte == b'\n' {
            let _ = ports.out8(CONSOLE_PORT.into(), b'\r'.into());
        }
        let _ = ports.out8(CONSOLE_PORT.into(), byte.into());
    }
}

/// The ports that switching off needs.
pub fn power_off_ports(power_off: PowerOff) -> Option<(u16, u16)> {
    match power_off {
        PowerOff::Port { port, .. } => Some((port, port + 1)),
        _ => None,
    }
}

pub fn power_off(power_off: PowerOff, ports: Slot) {
    if let PowerOff::Port { port, value } = power_off {
        let _ = IoPort(ports).out16(port.into(), value.into());
    }
}

/// Stops for good without burning the processor: waits for a message that nobody sends.
pub fn halt() -> ! {
    loop {
        sel4::yield_now();
        core::hint::spin_loop();
    }
}
