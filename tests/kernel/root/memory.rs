//! Mappings, translations that outlive them, and addresses.

use crate::machine::{rights::*, *};
use crate::sys::*;
use crate::Outcome;
use core::arch::asm;

pub fn frame_delete() -> Outcome {
    let (original, at) = new_page();
    write(at, 0x600d);
    let second = copy(original);
    let other = new_page_address();
    map(second, ROOT_VSPACE, other, READ);
    if probe_read(other, HERE) != Probe::Value(0x600d) {
        return Err(("the second mapping does not work", other));
    }
    delete(second);
    match probe_read(other, HERE) {
        Probe::Fault(address) if address == other => {}
        Probe::Value(value) => return Err(("memory can be read after its capability was deleted", value)),
        _ => return Err(("no fault at the address", other)),
    }
    if probe_read(at, HERE) != Probe::Value(0x600d) {
        return Err(("the first mapping went too", at));
    }

    // The same in another address space.
    let space = new_space();
    let third = copy(original);
    map(third, space.vspace, other, READ);
    let there = Options { vspace: space.vspace, ..HERE };
    if probe_read(other, there) != Probe::Value(0x600d) {
        return Err(("the mapping in another address space does not work", other));
    }
    delete(third);
    match probe_read(other, there) {
        Probe::Fault(_) => Ok(()),
        _ => Err(("memory can be read in another address space after its capability was deleted", other)),
    }
}

pub fn pdpt_copy() -> Outcome {
    const HIGH: u64 = 0x80_0000_0000;
    let space = new_space();
    let pdpt = make(object::PDPT, 0);
    match try_copy(pdpt, ALL) {
        Err(ILLEGAL_OPERATION) => {}
        Err(error) => return Err(("an unmapped PDPT is refused for another reason", error)),
        Ok(_) => return Err(("an unmapped PDPT was copied", 0)),
    }
    must(pdpt, label::X86PDPTMap, &[space.vspace], &[HIGH, 0]);
    let second = try_copy(pdpt, ALL).map_err(|e| ("a mapped PDPT cannot be copied", e))?;
    match try_do(pdpt, label::X86PDPTUnmap, &[], &[]) {
        REVOKE_FIRST => {}
        error => return Err(("a PDPT with two capabilities was unmapped", error)),
    }
    delete(second);
    let another = make(object::PDPT, 0);
    match try_do(another, label::X86PDPTMap, &[space.vspace], &[HIGH, 0]) {
        DELETE_FIRST => {}
        error => return Err(("deleting a copy took the mapping along", error)),
    }
    delete(pdpt);
    match try_do(another, label::X86PDPTMap, &[space.vspace], &[HIGH, 0]) {
        0 => Ok(()),
        error => Err(("deleting the last capability left the mapping", error)),
    }
}

/// Reads for ever and counts in SHARED[0].
extern "C" fn reader(at: u64) -> ! {
    loop {
        read(at);
        set_shared(0, shared(0) + 1);
    }
}

/// Writes for ever and counts in SHARED[0].
extern "C" fn writer(at: u64) -> ! {
    loop {
        write(at, 1);
        set_shared(0, shared(0) + 1);
    }
}

/// Runs `access` on the second core in an address space of its own, takes the page away with `cut`, and expects a
/// fault there at once.
fn cut_under(access: Entry, cut: impl FnOnce(&Space, Cap), what: &'static str) -> Outcome {
    let space = new_space();
    let frame = make(object::FRAME_4K, 0);
    let at = new_page_address();
    map(frame, space.vspace, at, READ | WRITE);
    let faults = make(object::ENDPOINT, 0);
    let handler = mint(faults, ALL, 1);
    set_shared(0, 0);
    let there = Options { vspace: space.vspace, fault_endpoint: handler, core: 1, ..HERE };
    let thread = spawn(access, at, there);
    expect("the thread on the second core does not run", || shared(0) > 1000);
    cut(&space, frame);
    let before = shared(0);
    let fault = receive_within(SOON, faults);
    let after = shared(0);
    suspend(thread);
    match fault {
        Some(fault) if fault.label() == VM_FAULT => Ok(()),
        Some(fault) => Err(("a fault, but another", fault.label())),
        None => Err((what, after - before)),
    }
}

pub fn unmap_shootdown() -> Outcome {
    if nodes() < 2 {
        return Ok(());
    }
    let invoke = |cap, label| must(cap, label, &[], &[]);
    cut_under(reader, |_, frame| _ = invoke(frame, label::X86PageUnmap), "reads after the page was unmapped")?;
    cut_under(reader, |_, frame| delete(frame), "reads after the frame was deleted")?;
    cut_under(
        reader,
        |s, _| _ = invoke(s.page_table, label::X86PageTableUnmap),
        "reads after its page table was unmapped",
    )?;
    // With the levels above goes the code, too.
    cut_under(reader, |s, _| delete(s.page_directory), "reads after its page directory was deleted")?;
    cut_under(reader, |s, _| delete(s.pdpt), "reads after its PDPT was deleted")
}

pub fn remap_flush() -> Outcome {
    let (frame, at) = new_page();
    write(at, 1);
    if probe_write(at, HERE) != Probe::Value(!0) {
        return Err(("a writable page cannot be written", at));
    }
    write(at, 1);
    must(frame, label::X86PageRemap, &[ROOT_VSPACE], &[READ, 0]);
    match probe_write(at, HERE) {
        Probe::Fault(address) if address == at => {}
        _ => return Err(("a page remapped to read-only was written", at)),
    }
    if nodes() > 1 {
        let cut = |s: &Space, frame| _ = must(frame, label::X86PageRemap, &[s.vspace], &[READ, 0]);
        cut_under(writer, cut, "writes on another core after a remap to read-only")?;
    }
    Ok(())
}

pub fn dead_address_space() -> Outcome {
    if nodes() < 2 {
        return Ok(());
    }
    let space = new_space();
    let frame = make(object::FRAME_4K, 0);
    let at = new_page_address();
    map(frame, space.vspace, at, READ | WRITE);
    set_shared(0, 0);
    let thread = spawn(reader, at, Options { vspace: space.vspace, core: 1, ..HERE });
    expect("the thread on the second core does not run", || shared(0) > 1000);
    // The thread holds a copy in its own slot: that one and all others go, and the address space with the last.
    revoke(space.vspace);
    delete(space.vspace);
    let before = shared(0);
    within(300, || false);
    let after = shared(0);
    suspend(thread);
    match after - before {
        0..=2 => Ok(()),
        reads => Err(("reads in an address space that was deleted", reads)),
    }
}

/// Maps and unmaps a page there; cycles of the best of many rounds.
fn map_unmap_cycles(space: &Space) -> u64 {
    let frame = make(object::FRAME_4K, 0);
    let at = new_page_address();
    let round = || {
        let begin = cycles();
        map(frame, space.vspace, at, READ);
        must(frame, label::X86PageUnmap, &[], &[]);
        cycles() - begin
    };
    let mut best = round();
    let end = cycles() + 1500 * cycles_per_ms();
    for _ in 0..100 {
        if cycles() > end {
            break;
        }
        best = best.min(round());
    }
    best
}

/// A core that has left an address space is not asked about it any more.
pub fn quiet_cores() -> Outcome {
    if nodes() < 2 {
        return Ok(());
    }
    let (visited, other) = (new_space(), new_space());
    let thread = spawn(reader, BUFFERS, Options { vspace: visited.vspace, core: 1, ..HERE });
    expect("the thread on the second core does not run", || shared(0) > 1000);
    suspend(thread);
    settle();
    let (with, without) = (map_unmap_cycles(&visited), map_unmap_cycles(&other));
    say!("cycles to map and unmap: {without}; {with} where the second core once was");
    if with > without * 3 / 2 {
        return Err(("each mapping waits for a core that has left the address space, cycles", with));
    }
    Ok(())
}

extern "C" fn jump(to: u64) -> ! {
    unsafe { asm!("jmp {}", in(reg) to, options(noreturn)) }
}

pub fn fault_address() -> Outcome {
    const HIGH: u64 = 0x7654_3210_f008;
    match probe_read(HIGH, HERE) {
        Probe::Fault(HIGH) => {}
        Probe::Fault(address) => return Err(("the fault address is cut", address)),
        _ => return Err(("no fault", HIGH)),
    }
    let faults = make(object::ENDPOINT, 0);
    spawn(jump, HIGH, Options { fault_endpoint: mint(faults, ALL, 1), ..HERE });
    match receive_within(SOON, faults) {
        Some(fault) if fault.words[..2] == [HIGH, HIGH] => Ok(()),
        Some(fault) => Err(("the instruction's address is cut", fault.words[1])),
        None => Err(("no fault", HIGH)),
    }
}

pub fn user_top() -> Outcome {
    // The first is an address between the halves, the second aliases the kernel's window, the third is the page whose
    // end is not canonical, the last makes address + size wrap around.
    for (at, what) in [
        (0x0000_8000_0000_0000, "a PDPT was mapped between the halves"),
        (0x0000_ff80_0000_0000, "a PDPT was looked for in the kernel's entries"),
    ] {
        let pdpt = make(object::PDPT, 0);
        match try_do(pdpt, label::X86PDPTMap, &[new_space().vspace], &[at, 0]) {
            INVALID_ARGUMENT => {}
            error => return Err((what, error)),
        }
    }
    for (at, what) in [
        (0x0000_7fff_ffff_f000, "the last page of the lower half was accepted"),
        (0x0000_ff80_0000_0000, "a page was looked for in the kernel's entries"),
        (0xffff_ffff_ffff_f000, "an address that wraps around was accepted"),
    ] {
        match try_map(make(object::FRAME_4K, 0), ROOT_VSPACE, at, READ) {
            INVALID_ARGUMENT => {}
            error => return Err((what, error)),
        }
    }
    // The kernel loads it with an instruction that faults for such an address.
    let thread = spawn(marks, 1, Options { tls_base: 0x0000_8000_0000_0000, ..HERE });
    expect("a thread with a bad base does not run", || shared(0) == 1);
    match read_tls_base(thread) {
        0..=0x7fff_ffff_ffff => Ok(()),
        base => Err(("a base that is not canonical was kept", base)),
    }
}

extern "C" fn marks(value: u64) -> ! {
    set_shared(0, value);
    rest()
}
