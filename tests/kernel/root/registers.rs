//! No register carries a word from one thread to another.

use crate::machine::*;
use crate::sys::*;
use crate::Outcome;
use core::arch::asm;

fn fs_base() -> u64 {
    let base;
    unsafe { asm!("rdfsbase {}", out(reg) base) };
    base
}

fn gs_base() -> u64 {
    let base;
    unsafe { asm!("rdgsbase {}", out(reg) base) };
    base
}

/// SHARED[0..] of the one that leaves something, SHARED[8..] of the one that looks.
const LEFT: u64 = 0x5ec2_e700;

/// Sets both bases, gives the processor away, and looks what it has then.
extern "C" fn leaves_bases(_: u64) -> ! {
    unsafe { asm!("wrfsbase {0}", "wrgsbase {0}", in(reg) LEFT) };
    set_shared(0, 1);
    while shared(0) == 1 {
        yield_now();
    }
    set_shared(1, fs_base());
    set_shared(2, gs_base());
    set_shared(0, 3);
    rest()
}

extern "C" fn looks_at_bases(_: u64) -> ! {
    set_shared(9, fs_base());
    set_shared(10, gs_base());
    set_shared(8, 1);
    rest()
}

/// Keeps a base of its own through whatever interrupts it.
extern "C" fn keeps_base(own: u64) -> ! {
    unsafe { asm!("wrfsbase {0}", in(reg) own) };
    let at = (own & 7) as usize;
    loop {
        if fs_base() != own {
            set_shared(40 + at, fs_base());
        }
        set_shared(48 + at, shared(48 + at) + 1);
    }
}

pub fn fs_gs_base() -> Outcome {
    // The two share an IPC buffer address, as threads of different protection domains do: the kernel's check for a
    // change sees none.
    let first = spawn(leaves_bases, 0, HERE);
    expect("the first thread does not run", || shared(0) == 1);
    spawn(looks_at_bases, 0, Options { buffer_of: Some(first), ..HERE });
    expect("the second thread does not run", || shared(8) == 1);
    if shared(9) != 0 {
        return Err(("FS of one thread reached another", shared(9)));
    }
    if shared(10) != first.buffer as u64 {
        return Err(("GS of one thread reached another", shared(10)));
    }
    set_shared(0, 2);
    if !within(SOON, || shared(0) == 3) || shared(1) != LEFT {
        return Err(("a thread's own FS was not kept", shared(1)));
    }
    if shared(2) != first.buffer as u64 {
        return Err(("GS is not the IPC buffer's address after a system call", shared(2)));
    }

    // From outside: given at the start, and read back as the thread set it.
    set_shared(8, 0);
    let given = spawn(looks_at_bases, 0, Options { tls_base: 0x1234_5678, ..HERE });
    if !within(SOON, || shared(8) == 1) || shared(9) != 0x1234_5678 {
        return Err(("a thread does not start with the base it was given", shared(9)));
    }
    if (read_tls_base(given), read_tls_base(first)) != (0x1234_5678, LEFT) {
        return Err(("the base read from outside is another", read_tls_base(first)));
    }

    // Under preemption, on each core.
    for core in 0..nodes().min(2) {
        for own in [1, 2] {
            spawn(keeps_base, 0x7000_0000 + core * 0x1000 + core * 2 + own, Options { core, ..HERE });
        }
    }
    within(150, || false);
    for at in 1..5 {
        if at <= 2 * nodes().min(2) as usize && (shared(40 + at) != 0 || shared(48 + at) == 0) {
            return Err(("a thread lost its FS when it was interrupted", shared(40 + at)));
        }
    }
    Ok(())
}

extern "C" fn leaves_selectors(_: u64) -> ! {
    unsafe {
        asm!("mov ds, {0:e}", "mov es, {1:e}", "mov fs, {2:e}", "mov gs, {1:e}", in(reg) 3, in(reg) 2, in(reg) 1)
    };
    set_shared(0, 1);
    rest()
}

extern "C" fn looks_at_selectors(_: u64) -> ! {
    let (ds, es, fs, gs): (u64, u64, u64, u64);
    unsafe {
        asm!("mov {0:e}, ds", "mov {1:e}, es", "mov {2:e}, fs", "mov {3:e}, gs", out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs)
    };
    set_shared(9, ds << 48 | es << 32 | fs << 16 | gs);
    set_shared(8, 1);
    rest()
}

pub fn segment_selectors() -> Outcome {
    spawn(leaves_selectors, 0, HERE);
    expect("the first thread does not run", || shared(0) == 1);
    spawn(looks_at_selectors, 0, HERE);
    expect("the second thread does not run", || shared(8) == 1);
    match shared(9) {
        0 => Ok(()),
        selectors => Err(("segment selectors of one thread reached another", selectors)),
    }
}

// Into the kernel with flags that mean something to its own instructions: direction, nested task, access control. The
// driver stops the machine at `enters_by_syscall` and `enters_by_interrupt`: what comes next leads into the kernel.
core::arch::global_asm!(
    ".globl yield_with_flags",
    "yield_with_flags:", // flags in rdi, the number of a yield in rsi
    "push r12",
    "push r15",
    "mov rdx, rsi",
    "mov r12, rsp",
    "pushfq",
    "or [rsp], rdi",
    "popfq",
    ".globl enters_by_syscall",
    "enters_by_syscall:",
    "syscall",
    "mov rsp, r12",
    ".globl enters_by_interrupt",
    "enters_by_interrupt:",
    "int 0xff", // the vector of interrupts that nobody raised: the kernel does nothing
    "push 0x202",
    "popfq",
    "pop r15",
    "pop r12",
    "ret",
);

const FLAGS: u64 = 1 << 10 | 1 << 14 | 1 << 18;

extern "C" {
    fn yield_with_flags(flags: u64, number: u64);
}

extern "C" fn marks(_: u64) -> ! {
    set_shared(0, 1);
    rest()
}

/// What the flags would do in the kernel the driver sees from outside, except for nested task: with it set, the return
/// to a thread that was not in a system call (a new one is not) faults in the kernel.
pub fn entry_flags() -> Outcome {
    spawn(marks, 0, HERE);
    // SAFETY: it keeps the registers that a function keeps, and leaves the flags as they should be.
    unsafe { yield_with_flags(FLAGS, YIELD) };
    expect("the other thread does not run", || shared(0) == 1);
    Ok(())
}

/// Instructions that reach registers which nobody switches, so they must not be a user's to execute.
static PRIVILEGED: [(&str, [u8; 4]); 9] = [
    ("mov rax, dr0", [0x0f, 0x21, 0xc0, 0xc3]),
    ("mov dr0, rax", [0x0f, 0x23, 0xc0, 0xc3]),
    ("mov rax, dr7", [0x0f, 0x21, 0xf8, 0xc3]),
    ("mov rax, cr4", [0x0f, 0x20, 0xe0, 0xc3]),
    ("rdpkru", [0x0f, 0x01, 0xee, 0xc3]),
    ("wrpkru", [0x0f, 0x01, 0xef, 0xc3]),
    ("rdpmc", [0x0f, 0x33, 0xc3, 0xc3]),
    ("rdmsr", [0x0f, 0x32, 0xc3, 0xc3]),
    ("xsetbv", [0x0f, 0x01, 0xd1, 0xc3]),
];

extern "C" fn executes(at: u64) -> ! {
    // SAFETY: it faults, or touches rax and rdx only and returns.
    unsafe { asm!("call {}", in(reg) at, in("rcx") 0, inout("rax") 0u64 => _, inout("rdx") 0u64 => _) };
    rest()
}

pub fn unreachable_registers() -> Outcome {
    for core in 0..nodes().min(2) {
        for (name, bytes) in &PRIVILEGED {
            let (faults, at) = (make(object::ENDPOINT, 0), bytes.as_ptr() as u64);
            let handler = mint(faults, rights::ALL, 1);
            let thread = spawn(executes, at, Options { core, fault_endpoint: handler, ..HERE });
            match receive_within(SOON, faults) {
                Some(fault) if fault.label() == USER_EXCEPTION && fault.words[0] == at => {}
                Some(fault) => return Err(("not the fault of a privileged instruction", fault.label())),
                None => {
                    say!("{name} was executed");
                    return Err(("a user can execute a privileged instruction on core", core));
                }
            }
            suspend(thread);
        }
    }
    // x87, SSE, AVX: what the kernel switches, and nothing that it does not know.
    let (low, high): (u32, u32);
    // SAFETY: it reads a register.
    unsafe { asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high) };
    match (high as u64) << 32 | low as u64 {
        7 => Ok(()),
        enabled => Err(("other features are enabled than the kernel saves", enabled)),
    }
}
