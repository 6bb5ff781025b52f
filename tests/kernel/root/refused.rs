//! Calls whose answer was wrong: what is refused, and what is no error.

use crate::machine::{rights::*, *};
use crate::sys::*;
use crate::Outcome;

/// A page that is mapped nowhere can be unmapped.
pub fn unmap_idle() -> Outcome {
    let frame = make(object::FRAME_4K, 0);
    match try_do(frame, label::X86PageUnmap, &[], &[]) {
        0 => Ok(()),
        error => Err(("the unmap of a page that is not mapped fails", error)),
    }
}

/// Answers for ever, and counts the calls in SHARED[0].
extern "C" fn counting_server(endpoint: u64) -> ! {
    syscall(RECV, endpoint, 0, [0; 4]);
    loop {
        set_shared(0, shared(0) + 1);
        syscall(REPLY_RECV, endpoint, info(0, 0, 1), [0; 4]);
    }
}

/// Calls twice, the second time when SHARED[1] says so.
extern "C" fn calls_twice(endpoint: u64) -> ! {
    syscall(CALL, endpoint, info(1, 0, 1), [0; 4]);
    set_shared(2, 1);
    while shared(1) == 0 {
        yield_now();
    }
    syscall(CALL, endpoint, info(1, 0, 1), [0; 4]);
    rest()
}

/// An ASID pool goes, and with it the server's address space: no call may take anybody there any more.
pub fn fastpath_asid() -> Outcome {
    const DEPTH: u64 = 64;
    let (memory, pool) = (make(object::UNTYPED, 12), new_slot());
    must(ASID_CONTROL, label::X86ASIDControlMakePool, &[memory, ROOT_CNODE], &[pool, DEPTH]);
    let endpoint = make(object::ENDPOINT, 0);
    let (client, server) = (new_space().vspace, new_space_in(pool).vspace);
    spawn(counting_server, endpoint, Options { vspace: server, ..HERE });
    settle();
    spawn(calls_twice, mint(endpoint, WRITE | GRANT_REPLY, 5), Options { vspace: client, ..HERE });
    expect("the server does not answer", || shared(2) == 1);
    delete(pool);
    set_shared(1, 1);
    if within(50, || shared(0) > 1) {
        return Err(("a server runs in an address space that was deleted, calls", shared(0)));
    }
    Ok(())
}

/// A badge of an endpoint has 28 bits.
pub fn badge_width() -> Outcome {
    let endpoint = make(object::ENDPOINT, 0);
    for badge in [1 << 28, 1 << 28 | 5, !0] {
        match try_mint(endpoint, ALL, badge) {
            Err(ILLEGAL_OPERATION) => {}
            Err(error) => return Err(("a badge too wide is refused for another reason", error)),
            Ok(_) => return Err(("a badge too wide is not refused", badge)),
        }
    }
    match try_mint(endpoint, ALL, (1 << 28) - 1) {
        Ok(_) => Ok(()),
        Err(error) => Err(("a badge of 28 bits is refused", error)),
    }
}
