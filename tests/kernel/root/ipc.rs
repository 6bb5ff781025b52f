//! Calls, replies, and what becomes of a caller whose server dies.

use crate::machine::{rights::*, *};
use crate::sys::*;
use crate::Outcome;

/// Calls the endpoint in the lower half of the argument once; the answer goes to SHARED from the upper half on:
/// state (1 calling, 2 answered), label, badge, extra capabilities, first word.
extern "C" fn caller(argument: u64) -> ! {
    call_with(argument, 0)
}

/// The same, and sends along the capability that its IPC buffer names.
extern "C" fn generous_caller(argument: u64) -> ! {
    call_with(argument, 1)
}

fn call_with(argument: u64, caps: u64) -> ! {
    let (endpoint, at) = (argument & 0xffff_ffff, (argument >> 32) as usize);
    set_shared(at, 1);
    let answer = syscall(CALL, endpoint, info(7, caps, 2), [0x1234_5678_9abc, 99, 0, 0]);
    set_shared(at + 1, answer.label());
    set_shared(at + 2, answer.badge);
    set_shared(at + 3, answer.extra_caps());
    set_shared(at + 4, answer.words[0]);
    set_shared(at, 2);
    rest()
}

fn call_argument(endpoint: Cap, at: usize) -> u64 {
    endpoint | (at as u64) << 32
}

/// Receives one call, answers with label 9 and, if asked to, a capability; then marks SHARED[60] and waits.
extern "C" fn answering_server(endpoint: u64) -> ! {
    let call = syscall(RECV, endpoint & 0xffff_ffff, 0, [0; 4]);
    set_shared(61, call.extra_caps());
    set_shared(62, call.words[0]);
    let caps = endpoint >> 32;
    syscall(REPLY, 0, info(9, caps, 1), [0x4321, 0, 0, 0]);
    set_shared(60, 1);
    rest()
}

/// Receives one call, marks SHARED[60], and never answers.
extern "C" fn silent_server(endpoint: u64) -> ! {
    let call = syscall(RECV, endpoint, 0, [0; 4]);
    set_shared(62, call.words[0]);
    set_shared(60, shared(60) + 1);
    rest()
}

/// Receives, marks, and receives once more without an answer.
extern "C" fn dropping_server(endpoint: u64) -> ! {
    for _ in 0..2 {
        syscall(RECV, endpoint, 0, [0; 4]);
        set_shared(60, shared(60) + 1);
    }
    rest()
}

extern "C" fn faulting(address: u64) -> ! {
    set_shared(50, read(address));
    set_shared(51, 1);
    rest()
}

fn set_cap_to_send(thread: Thread, cap: Cap) {
    unsafe { (&raw mut (*thread.buffer).caps_or_badges[0]).write_volatile(cap) };
}

fn set_receive_slot(thread: Thread, slot: Cap) {
    unsafe {
        (&raw mut (*thread.buffer).receive_cnode).write_volatile(ROOT_CNODE);
        (&raw mut (*thread.buffer).receive_index).write_volatile(slot);
        (&raw mut (*thread.buffer).receive_depth).write_volatile(64);
    }
}

/// One call and its answer, both trying to move a capability. Gives what arrived: (in the call, in the reply).
fn exchange(client_rights: u64, at: usize) -> Result<(bool, bool), (&'static str, u64)> {
    let endpoint = make(object::ENDPOINT, 0);
    let client_cap = mint(endpoint, client_rights, 5);
    let (token, at_server, at_client) = (make(object::NOTIFICATION, 0), new_slot(), new_slot());
    set_shared(60, 0);
    set_shared(at, 0);

    let (server, server_index) = prepare(HERE);
    let (client, client_index) = prepare(HERE);
    set_cap_to_send(server, token);
    set_cap_to_send(client, token);
    set_receive_slot(server, at_server);
    set_receive_slot(client, at_client);
    run((server, server_index), answering_server, endpoint | 1 << 32, 0);
    settle();
    run((client, client_index), generous_caller, call_argument(client_cap, at), 0);
    if !within(SOON, || shared(at) == 2) {
        return Err(("a call was not answered, rights", client_rights));
    }
    if (shared(at + 1), shared(at + 2), shared(at + 4)) != (9, 0, 0x4321) {
        return Err(("the answer is not the server's, label", shared(at + 1)));
    }
    let (in_call, in_reply) = (!is_empty(at_server), !is_empty(at_client));
    if in_call != (shared(61) == 1) || in_reply != (shared(at + 3) == 1) {
        return Err(("the message and the slots disagree", shared(61)));
    }
    Ok((in_call, in_reply))
}

pub fn grant_reply() -> Outcome {
    // With Grant, as ever, capabilities pass both ways.
    if exchange(ALL, 0)? != (true, true) {
        return Err(("Grant does not let capabilities pass", 0));
    }
    // With GrantReply the answer comes, and nothing else.
    for rights in [WRITE | GRANT_REPLY, WRITE | READ | GRANT_REPLY] {
        match exchange(rights, 0)? {
            (false, false) => {}
            (call, reply) => return Err(("a capability passed without Grant", (call as u64) << 1 | reply as u64)),
        }
    }

    // With neither, a call is not answered, and the caller stands still.
    let endpoint = make(object::ENDPOINT, 0);
    spawn(silent_server, endpoint, HERE);
    spawn(caller, call_argument(mint(endpoint, WRITE, 5), 8), HERE);
    if within(30, || shared(8) == 2) {
        return Err(("a call with Write alone came back, label", shared(9)));
    }

    // The right cannot be got back by copying.
    let without = try_copy(mint(endpoint, WRITE, 5), ALL).map_err(|e| ("copy", e))?;
    spawn(caller, call_argument(without, 16), HERE);
    spawn(silent_server, endpoint, HERE);
    if within(30, || shared(16) == 2) {
        return Err(("a copy has more rights than its source", 0));
    }

    // A short call to a waiting server takes the fast path; both ends in other address spaces.
    let fast = make(object::ENDPOINT, 0);
    let (client, server) = (new_space().vspace, new_space().vspace);
    set_shared(60, 0);
    spawn(answering_server, fast, Options { vspace: server, ..HERE });
    settle();
    let argument = call_argument(mint(fast, WRITE | GRANT_REPLY, 5), 24);
    spawn(caller, argument, Options { vspace: client, ..HERE });
    if !within(SOON, || shared(24) == 2) || shared(62) != 0x1234_5678_9abc {
        return Err(("a short call was not answered", shared(60)));
    }

    // A fault handler's endpoint needs no Grant either, and its answer restarts the thread.
    let faults = make(object::ENDPOINT, 0);
    let at = new_page_address();
    let handler = mint(faults, WRITE | GRANT_REPLY, 6);
    spawn(faulting, at, Options { fault_endpoint: handler, ..HERE });
    let Some(fault) = receive_within(SOON, faults) else {
        return Err(("no fault message came", 0));
    };
    if (fault.badge, fault.label()) != (6, VM_FAULT) {
        return Err(("not the fault message", fault.label()));
    }
    map(make(object::FRAME_4K, 0), ROOT_VSPACE, at, READ | WRITE);
    syscall(REPLY, 0, info(0, 0, 0), [0; 4]);
    if !within(SOON, || shared(51) == 1) {
        return Err(("the thread did not go on after its fault", 0));
    }
    Ok(())
}

fn expect_death(at: usize, what: &'static str) -> Outcome {
    if !within(SOON, || shared(at) == 2) {
        return Err((what, shared(at)));
    }
    if (shared(at + 1), shared(at + 2)) != (DEAD_SERVER, DEAD_SERVER) {
        return Err(("woken, but not with the message for it, label", shared(at + 1)));
    }
    Ok(())
}

/// A server that has taken a call and a client that waits for its answer.
fn waiting_pair(server: Entry, at: usize, client: Options, host: Options) -> (Thread, Thread, Cap) {
    let endpoint = make(object::ENDPOINT, 0);
    set_shared(60, 0);
    set_shared(at, 0);
    let server = spawn(server, endpoint, host);
    settle();
    let client = spawn(caller, call_argument(mint(endpoint, ALL, 5), at), client);
    expect("the server was not called", || shared(60) == 1);
    (server, client, endpoint)
}

pub fn dead_server() -> Outcome {
    // The server is deleted.
    let (server, _, _) = waiting_pair(silent_server, 0, HERE, HERE);
    delete(server.tcb);
    expect_death(0, "the server was deleted and its caller waits on")?;

    // In other address spaces, by the fast path.
    let elsewhere = Options { vspace: new_space().vspace, ..HERE };
    let (server, _, _) = waiting_pair(silent_server, 0, elsewhere, HERE);
    delete(server.tcb);
    expect_death(0, "a caller in another address space waits on")?;

    // On the other core.
    if nodes() > 1 {
        let there = Options { core: 1, ..HERE };
        for (client, host) in [(there, there), (there, HERE), (HERE, there)] {
            let (server, _, _) = waiting_pair(silent_server, 0, client, host);
            delete(server.tcb);
            expect_death(0, "a caller and its server on other cores: it waits on")?;
        }
    }

    // The server receives again without an answer: the first caller is dropped.
    let (_, _, endpoint) = waiting_pair(dropping_server, 0, HERE, HERE);
    spawn(caller, call_argument(mint(endpoint, ALL, 6), 8), HERE);
    expect_death(0, "a dropped caller waits on")?;
    if within(20, || shared(8) == 2) {
        return Err(("the second caller was woken too", shared(9)));
    }

    // A saved reply capability is deleted. Root receives here.
    let endpoint = make(object::ENDPOINT, 0);
    spawn(caller, call_argument(mint(endpoint, ALL, 7), 16), HERE);
    receive_within(SOON, endpoint).ok_or(("root was not called", 0))?;
    let saved = new_slot();
    must(ROOT_CNODE, label::CNodeSaveCaller, &[], &[saved, 64]);
    settle();
    if shared(16) == 2 {
        return Err(("saving the reply capability woke the caller", 0));
    }
    delete(saved);
    expect_death(16, "the saved reply capability is gone and the caller waits on")?;

    // An answer in time is the server's own, and its death later is not told.
    let endpoint = make(object::ENDPOINT, 0);
    set_shared(60, 0);
    let server = spawn(answering_server, endpoint, HERE);
    spawn(caller, call_argument(mint(endpoint, ALL, 8), 24), HERE);
    if !within(SOON, || shared(24) == 2 && shared(60) == 1) || shared(25) != 9 || shared(26) != 0 {
        return Err(("an answered caller got something else, label", shared(25)));
    }
    delete(server.tcb);

    // A suspended caller is not woken, and resumed it makes its call again, whole.
    let (server, client, endpoint) = waiting_pair(silent_server, 32, HERE, HERE);
    suspend(client);
    delete(server.tcb);
    if within(20, || shared(32) == 2) {
        return Err(("a suspended caller was woken", shared(33)));
    }
    resume(client);
    let again = receive_within(SOON, endpoint).ok_or(("a resumed caller does not call again", 0))?;
    if (again.label(), again.words[0], again.words[1]) != (7, 0x1234_5678_9abc, 99) {
        return Err(("the call of a resumed caller is corrupt", again.words[0]));
    }
    syscall(REPLY, 0, info(9, 0, 0), [0; 4]);
    if !within(SOON, || shared(32) == 2 && shared(33) == 9) {
        return Err(("a resumed caller was not answered", shared(33)));
    }

    // A thread that faulted waits on when its handler dies.
    let faults = make(object::ENDPOINT, 0);
    set_shared(60, 0);
    let handler = spawn(silent_server, faults, HERE);
    let at = new_page_address();
    spawn(faulting, at, Options { fault_endpoint: mint(faults, ALL, 9), ..HERE });
    if !within(SOON, || shared(60) == 1) {
        return Err(("no fault message came", 0));
    }
    map(make(object::FRAME_4K, 0), ROOT_VSPACE, at, READ | WRITE);
    delete(handler.tcb);
    if within(20, || shared(51) == 1) {
        return Err(("a faulted thread ran on when its handler died", 0));
    }

    // Server and caller deleted together, by one revoke, in either order of creation.
    for server_first in [true, false] {
        let both = make(object::UNTYPED, 13);
        let endpoint = make(object::ENDPOINT, 0);
        set_shared(60, 0);
        let mut order = [(silent_server as Entry, endpoint), (caller as Entry, call_argument(endpoint, 40))];
        if !server_first {
            order.swap(0, 1);
        }
        for (entry, argument) in order {
            spawn(entry, argument, Options { untyped: both, ..HERE });
        }
        expect("the server was not called", || shared(60) == 1);
        revoke(both);
        settle();
    }
    Ok(())
}

/// Two system calls in turn, each counted behind it: in SHARED[0] and SHARED[1].
extern "C" fn counts_its_calls(_: u64) -> ! {
    unsafe {
        core::arch::asm!(
            "2:",
            "mov r12, rsp", "mov rdx, -7", "syscall", "mov rsp, r12", "inc qword ptr [r13]",
            "mov r12, rsp", "mov rdx, -7", "syscall", "mov rsp, r12", "inc qword ptr [r13 + 8]",
            "jmp 2b",
            in("r13") SHARED.as_ptr(), options(noreturn),
        )
    }
}

/// A thread that another core stops in the middle of a system call goes on with that call.
pub fn stall_restart() -> Outcome {
    if nodes() < 2 {
        return Ok(());
    }
    let thread = spawn(counts_its_calls, 0, Options { core: 1, ..HERE });
    expect("the thread on the second core does not run", || shared(0) > 100);
    let stop = || _ = must(thread.tcb, label::TCBSetPriority, &[], &[100]);
    // Some hundred stops are enough without the mend. Each waits for the other core, and the host may have that wait.
    let mut stops = 0;
    within(SOON, || {
        stop();
        stops += 1;
        stops == 3000 || shared(0).wrapping_sub(shared(1)) > 1
    });
    suspend(thread);
    match shared(0).wrapping_sub(shared(1)) {
        0 | 1 => Ok(()),
        _ => Err(("a thread stopped in a system call went on elsewhere, calls", shared(0))),
    }
}

/// Answers for ever with what it got.
extern "C" fn echo(endpoint: u64) -> ! {
    let mut message = syscall(RECV, endpoint, 0, [0; 4]);
    loop {
        message = syscall(REPLY_RECV, endpoint, info(0, 0, 1), message.words);
    }
}

/// Calls in batches and leaves the cycles a call of the best batch in SHARED[1]: the machine may be busy.
extern "C" fn stopwatch(endpoint: u64) -> ! {
    const BATCHES: u64 = 400;
    const CALLS: u64 = 20;
    let length = endpoint >> 32;
    let endpoint = endpoint & 0xffff_ffff;
    let mut best = u64::MAX;
    for _ in 0..BATCHES {
        let begin = cycles();
        for i in 0..CALLS {
            if syscall(CALL, endpoint, info(1, 0, length), [i, 0, 0, 0]).words[0] != i {
                set_shared(0, 2);
            }
        }
        best = best.min((cycles() - begin) / CALLS);
    }
    set_shared(1, best);
    set_shared(0, shared(0) + 1);
    rest()
}

fn round_trip(rights: u64, length: u64) -> Result<u64, (&'static str, u64)> {
    let endpoint = make(object::ENDPOINT, 0);
    let (client, server) = (new_space().vspace, new_space().vspace);
    spawn(echo, endpoint, Options { vspace: server, ..HERE });
    settle();
    set_shared(0, 0);
    let argument = mint(endpoint, rights, 5) | length << 32;
    spawn(stopwatch, argument, Options { vspace: client, ..HERE });
    if !within(4 * SOON, || shared(0) != 0) || shared(0) != 1 {
        return Err(("calls failed", shared(0)));
    }
    Ok(shared(1))
}

/// A call of one word without Grant takes the fast path as one with Grant does, and both are well below the slow one
/// (a message of five words).
pub fn fast_path() -> Outcome {
    let with_grant = round_trip(ALL, 1)?;
    let without = round_trip(WRITE | GRANT_REPLY, 1)?;
    let slow = round_trip(WRITE | GRANT_REPLY, 5)?;
    say!("cycles a round trip: {with_grant} with Grant, {without} without, {slow} on the slow path");
    if without * 10 > with_grant * 13 {
        return Err(("calls without Grant miss the fast path", without));
    }
    Ok(())
}
