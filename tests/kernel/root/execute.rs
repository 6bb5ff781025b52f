//! Pages that are data and not code.

use crate::machine::{rights::*, *};
use crate::Outcome;

/// `seL4_X86_ExecuteNever` of the patched libsel4.
const EXECUTE_NEVER: u64 = 8;

/// A function that gives `ANSWER`: `mov eax, 0x600d; ret`.
const CODE: u64 = 0xc300_0060_0db8;
const ANSWER: u64 = 0x600d;

#[derive(PartialEq, Eq)]
enum Called {
    Answer(u64),
    /// At the address, with the bits of the processor's error code.
    Fault(u64, u64, u64),
    Nothing,
}

/// SHARED[0] says that it came back, SHARED[1] with what.
extern "C" fn caller(at: u64) -> ! {
    // SAFETY: what lies there is `CODE`, or cannot be executed.
    let function: extern "C" fn() -> u64 = unsafe { core::mem::transmute(at) };
    set_shared(1, function());
    set_shared(0, 1);
    rest()
}

fn call(at: u64, core: u64) -> Called {
    let faults = make(object::ENDPOINT, 0);
    set_shared(0, 0);
    let thread = spawn(caller, at, Options { fault_endpoint: mint(faults, ALL, 1), core, ..HERE });
    let mut called = Called::Nothing;
    within(SOON, || {
        if shared(0) == 1 {
            called = Called::Answer(shared(1));
        } else if let Some(fault) = receive_within(0, faults) {
            called = match fault.label() {
                VM_FAULT => Called::Fault(fault.words[1], fault.words[2], fault.words[3]),
                _ => Called::Fault(0, 0, fault.label()),
            };
        }
        called != Called::Nothing
    });
    suspend(thread);
    called
}

/// Present page, by the user, an instruction fetch: Intel SDM volume 3, section 4.7.
const FETCH: u64 = 1 | 1 << 2 | 1 << 4;

fn refused(at: u64, core: u64, what: &'static str) -> Outcome {
    match call(at, core) {
        Called::Fault(address, 1, FETCH) if address == at => Ok(()),
        Called::Fault(.., code) => Err((what, code)),
        Called::Answer(answer) => Err((what, answer)),
        Called::Nothing => Err((what, at)),
    }
}

/// Code in `frame`, mapped at `at` with and without the attribute, and remapped.
fn with_and_without(frame: u64, at: u64, core: u64) -> Outcome {
    let map_as = |attributes| _ = must(frame, label::X86PageMap, &[ROOT_VSPACE], &[at, READ | WRITE, attributes]);
    let remap_as = |attributes| _ = must(frame, label::X86PageRemap, &[ROOT_VSPACE], &[READ | WRITE, attributes]);
    map_as(EXECUTE_NEVER);
    write(at, CODE);
    refused(at, core, "code on a never-execute page was not refused as such")?;
    if read(at) != CODE {
        return Err(("a never-execute page cannot be read", read(at)));
    }
    remap_as(0);
    if call(at, core) != Called::Answer(ANSWER) {
        return Err(("a page without the attribute cannot be executed", at));
    }
    remap_as(EXECUTE_NEVER);
    refused(at, core, "a page remapped to never-execute was executed")?;
    must(frame, label::X86PageUnmap, &[], &[]);
    Ok(())
}

pub fn never_execute() -> Outcome {
    const LARGE_AT: u64 = 0x1080_0000;
    const HUGE_AT: u64 = 0x4000_0000;
    let (small, large) = (make(object::FRAME_4K, 0), make(object::FRAME_2M, 0));
    for core in 0..nodes().min(2) {
        with_and_without(small, new_page_address(), core)?;
        with_and_without(large, LARGE_AT, core)?;
    }
    // There is no gigabyte of memory here, but of addresses where a device might be: enough to be refused a jump.
    let (untyped, _) =
        untypeds().find(|(_, d)| d.is_device == 1 && d.size_bits >= 30).expect("a device untyped of 1 GiB");
    let huge = make_from(untyped, object::HUGE_PAGE, 0);
    must(huge, label::X86PageMap, &[ROOT_VSPACE], &[HUGE_AT, READ | WRITE, EXECUTE_NEVER]);
    refused(HUGE_AT, 0, "a jump into a never-execute page of 1 GiB was not refused as such")?;
    delete(huge);

    // Now that the processor tells them apart, a read is no fetch.
    let faults = make(object::ENDPOINT, 0);
    spawn(reads, 0x1000, Options { fault_endpoint: mint(faults, ALL, 1), ..HERE });
    match receive_within(SOON, faults) {
        Some(fault) if fault.words[1..3] == [0x1000, 0] => Ok(()),
        Some(fault) => Err(("a read is reported as a fetch", fault.words[2])),
        None => Err(("no fault", 0x1000)),
    }
}

extern "C" fn reads(at: u64) -> ! {
    read(at);
    rest()
}
