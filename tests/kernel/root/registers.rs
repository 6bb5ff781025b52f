//! No register carries a word from one thread to another.

use crate::machine::*;
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
    let given = spawn(looks_at_bases, 0, Options { tls_base: 0x1234_5678, ..HERE });
    set_shared(8, 0);
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

extern "C" fn leaves_fpu(_: u64) -> ! {
    let control: [u32; 2] = [0x7f80, 0x0c7f];
    unsafe {
        asm!(
            "vpcmpeqd ymm0, ymm0, ymm0", "vmovdqa ymm7, ymm0", "vmovdqa ymm15, ymm0",
            "ldmxcsr [{0}]", "fldcw [{0} + 4]", "fldpi",
            in(reg) control.as_ptr()
        );
    }
    set_shared(0, 1);
    rest()
}

extern "C" fn looks_at_fpu(_: u64) -> ! {
    #[repr(align(32))]
    struct Seen([u64; 12]);
    let mut seen = Seen([0; 12]);
    let mut control = [0u32; 2];
    unsafe {
        asm!(
            "vmovdqa [{0}], ymm0", "vmovdqa [{0} + 32], ymm7", "vmovdqa [{0} + 64], ymm15",
            "stmxcsr [{1}]", "fnstcw [{1} + 4]",
            in(reg) seen.0.as_mut_ptr(), in(reg) control.as_mut_ptr()
        );
    }
    set_shared(9, seen.0.iter().fold(0, |all, word| all | word));
    set_shared(10, (control[0] as u64) << 32 | control[1] as u64);
    set_shared(8, 1);
    rest()
}

pub fn fpu_registers() -> Outcome {
    spawn(leaves_fpu, 0, HERE);
    expect("the first thread does not run", || shared(0) == 1);
    spawn(looks_at_fpu, 0, HERE);
    expect("the second thread does not run", || shared(8) == 1);
    if shared(9) != 0 {
        return Err(("vector registers of one thread reached another", shared(9)));
    }
    match shared(10) {
        0x1f80_0000_037f => Ok(()),
        control => Err(("control words of one thread reached another", control)),
    }
}
