//! What the floating-point unit holds belongs to one thread.

use crate::machine::*;
use crate::sys::*;
use crate::Outcome;
use core::arch::asm;

/// In every register, or in what a register can be made to hold of it.
const LEFT: u64 = 0x5ec2_e75e_c2e7_5ec2;

/// Leaves words in every register of the unit.
#[inline(always)]
fn fill() {
    let word = [LEFT; 4];
    let control: [u32; 2] = [0x7f80, 0x0c7f];
    // SAFETY: the registers are this thread's own, and no code of the compiler's runs in it that would mind the modes.
    unsafe {
        asm!(
            "vmovdqu ymm0, [{0}]", "vmovdqa ymm1, ymm0", "vmovdqa ymm7, ymm0", "vmovdqa ymm15, ymm0",
            "ldmxcsr [{1}]", "fldcw [{1} + 4]", "fld qword ptr [{0}]",
            in(reg) word.as_ptr(), in(reg) control.as_ptr()
        );
    }
}

extern "C" fn leaves_fpu(_: u64) -> ! {
    fill();
    set_shared(0, 1);
    rest()
}

/// SHARED[9]: the vector registers, or'ed; SHARED[10]: MXCSR and the x87 control word; SHARED[11]: the x87 tag word;
/// SHARED[12], SHARED[13]: where the last x87 instruction lay, and its operand; SHARED[14]: the x87 registers, or'ed,
/// with what lies in those that count as empty. `uses`: it takes the unit first, says so in SHARED[7], and looks when
/// that is 0 again.
extern "C" fn looks_at_fpu(uses: u64) -> ! {
    if uses == 1 {
        // SAFETY: no code of the compiler's has anything in the unit.
        unsafe { asm!("fninit") };
        set_shared(7, 1);
        while shared(7) == 1 {
            yield_now();
        }
    }
    #[repr(align(32))]
    struct Seen([u64; 16]);
    let mut seen = Seen([0; 16]);
    let mut mxcsr = 0u32;
    // Seven words of environment, then eight registers of ten bytes.
    let mut x87 = [0u32; 27];
    // SAFETY: it stores what the registers hold into arrays of that size.
    unsafe {
        asm!(
            "vmovdqa [{0}], ymm0", "vmovdqa [{0} + 32], ymm1", "vmovdqa [{0} + 64], ymm7", "vmovdqa [{0} + 96], ymm15",
            "stmxcsr [{1}]", "fnsave [{2}]",
            in(reg) seen.0.as_mut_ptr(), in(reg) &raw mut mxcsr, in(reg) x87.as_mut_ptr()
        );
    }
    set_shared(9, seen.0.iter().fold(0, |all, word| all | word));
    set_shared(10, (mxcsr as u64) << 32 | (x87[0] & 0xffff) as u64);
    set_shared(11, (x87[2] & 0xffff) as u64);
    set_shared(12, x87[3] as u64);
    set_shared(13, x87[5] as u64);
    set_shared(14, x87[7..].iter().fold(0, |all, &word| all | word as u64));
    set_shared(8, 1);
    rest()
}

/// Runs one after the other on a core, and finds the initial state in the second's registers.
fn one_after_the_other(first: Options, second: Options, dies: bool) -> Outcome {
    set_shared(0, 0);
    set_shared(8, 0);
    let thread = spawn(leaves_fpu, 0, first);
    expect("the first thread does not run", || shared(0) == 1);
    if dies {
        // The second one's TCB lies where the first one's lay.
        revoke(first.untyped);
    }
    spawn(looks_at_fpu, 0, second);
    expect("the second thread does not run", || shared(8) == 1);
    if !dies {
        suspend(thread);
    }
    if shared(9) != 0 {
        return Err(("vector registers of one thread reached another", shared(9)));
    }
    if (shared(11), shared(14)) != (0xffff, 0) {
        return Err(("x87 registers of one thread reached another", shared(11) << 32 | shared(14)));
    }
    match shared(10) {
        0x1f80_0000_037f => Ok(()),
        control => Err(("control words of one thread reached another", control)),
    }
}

pub fn fpu_registers() -> Outcome {
    for core in 0..nodes().min(2) {
        let here = Options { core, ..HERE };
        one_after_the_other(here, here, false)?;
        let grave = Options { untyped: make(object::UNTYPED, TCB_BITS), ..here };
        one_after_the_other(grave, grave, true)?;
    }
    Ok(())
}

/// Both use the unit, so that the second one's state is restored and not made.
pub fn fpu_pointers() -> Outcome {
    for core in 0..nodes().min(2) {
        set_shared(0, 0);
        set_shared(8, 0);
        spawn(looks_at_fpu, 1, Options { core, ..HERE });
        expect("the second thread does not run", || shared(7) == 1);
        let first = spawn(leaves_fpu, 0, Options { core, ..HERE });
        expect("the first thread does not run", || shared(0) == 1);
        set_shared(7, 0);
        expect("the second thread does not look", || shared(8) == 1);
        suspend(first);
        match (shared(12), shared(13)) {
            (0, 0) => {}
            (0, operand) => return Err(("the address of one thread's operand reached another", operand)),
            (instruction, _) => return Err(("the address of one thread's instruction reached another", instruction)),
        }
    }
    Ok(())
}

/// Keeps words of its own in the unit through whatever interrupts it, and through moves to other cores.
/// SHARED[40 + own]: what it found instead; SHARED[48 + own]: rounds.
extern "C" fn keeps_fpu(own: u64) -> ! {
    let mine = LEFT + own;
    loop {
        let (low, high, x87): (u64, u64, u64);
        let (value, mut stored) = (mine as i64, 0i64);
        // SAFETY: it uses registers that it names, and its own words.
        unsafe {
            asm!(
                "vmovq xmm6, {mine}", "vpbroadcastq ymm6, xmm6", "fild qword ptr [{value}]",
                "mov ecx, 20000", "2:", "dec ecx", "jnz 2b",
                "vmovq {low}, xmm6", "vextracti128 xmm6, ymm6, 1", "vmovq {high}, xmm6", "fistp qword ptr [{stored}]",
                mine = in(reg) mine, value = in(reg) &raw const value, stored = in(reg) &raw mut stored,
                low = out(reg) low, high = out(reg) high, out("ecx") _, out("xmm6") _, out("st(0)") _,
            );
        }
        x87 = stored as u64;
        for found in [low, high, x87] {
            if found != mine {
                set_shared(40 + own as usize, found);
            }
        }
        set_shared(48 + own as usize, shared(48 + own as usize) + 1);
    }
}

/// The other half: what is switched comes back.
pub fn fpu_is_kept() -> Outcome {
    let cores = nodes().min(2);
    let threads: [Thread; 4] =
        core::array::from_fn(|own| spawn(keeps_fpu, own as u64, Options { core: own as u64 % cores, ..HERE }));
    for round in 0..20 {
        within(10, || false);
        if cores > 1 {
            must(threads[0].tcb, label::TCBSetAffinity, &[], &[(round + 1) % cores]);
        }
    }
    for (own, thread) in threads.into_iter().enumerate() {
        expect("a thread does not run", || shared(48 + own) > 2);
        suspend(thread);
        if shared(40 + own) != 0 {
            return Err(("a thread lost what it had in the unit", shared(40 + own)));
        }
    }
    Ok(())
}

/// Alignment check and identification: flags that a user can set and that mean nothing here.
const OWN_FLAGS: u64 = 1 << 18 | 1 << 21;

extern "C" fn fills_and_waits(endpoint: u64) -> ! {
    fill();
    // SAFETY: nothing here is compiled differently for these flags.
    unsafe { asm!("pushfq", "or [rsp], {}", "popfq", in(reg) OWN_FLAGS) };
    set_shared(0, 1);
    syscall(RECV, endpoint, 0, [0; 4]);
    rest()
}

/// Where the driver stops the machine and looks into the registers, which hold nothing of anybody's.
#[no_mangle]
extern "C" fn first_instruction(endpoint: u64) -> ! {
    set_shared(8, 1);
    syscall(RECV, endpoint, 0, [0; 4]);
    rest()
}

/// Two threads of which the second runs right after the first (on another core: after its idle thread) and never
/// touches the unit. They block when they are done, because root is below them.
pub fn fpu_is_switched() -> Outcome {
    for core in 0..nodes().min(2) {
        set_shared(0, 0);
        set_shared(8, 0);
        let endpoint = make(object::ENDPOINT, 0);
        let (first, second) = (prepare(Options { core, ..HERE }), prepare(Options { core, ..HERE }));
        must(ROOT_TCB, label::TCBSetPriority, &[], &[ROOT_PRIORITY + 9]);
        must(first.0.tcb, label::TCBSetPriority, &[], &[ROOT_PRIORITY + 6]);
        must(second.0.tcb, label::TCBSetPriority, &[], &[ROOT_PRIORITY + 3]);
        run(first, fills_and_waits, endpoint, 0);
        run(second, first_instruction, endpoint, 0);
        must(ROOT_TCB, label::TCBSetPriority, &[], &[ROOT_PRIORITY]);
        expect("the threads do not run", || shared(0) + shared(8) == 2);
    }
    Ok(())
}
