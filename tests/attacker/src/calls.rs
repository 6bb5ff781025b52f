//! System calls: every one on every slot, with every label, and messages that nobody meant.

use crate::{random::Random, screen};
use attacker_orders::{Cap, Kind, Orders};
use core::arch::asm;

pub const CALL: i64 = -1;
const REPLY_RECV: i64 = -2;
const SEND: i64 = -3;
pub const NB_SEND: i64 = -4;
const REPLY: i64 = -6;
const YIELD: i64 = -7;
pub const NB_RECV: i64 = -8;

/// Past the last one that the kernel knows.
const LABELS: u64 = 72;
const FLOOD: u32 = 500;

pub fn info(label: u64, caps: u64, length: u64) -> u64 {
    label << 12 | caps << 7 | length
}

/// A bare system call: the bindings refuse what is tried here. Gives the badge and the message info.
pub fn system_call(number: i64, cap: u64, tag: u64, words: [u64; 4]) -> (u64, u64) {
    let (badge, info);
    // SAFETY: the kernel changes no register but those that are named, and of memory the IPC buffer alone, to which
    // nobody holds a reference. This part has no capability to its own memory: root alone has.
    unsafe {
        asm!(
            "mov r14, rsp",
            "syscall",
            "mov rsp, r14",
            inlateout("rdx") number => _,
            inlateout("rdi") cap => badge,
            inlateout("rsi") tag => info,
            inlateout("r10") words[0] => _,
            inlateout("r8") words[1] => _,
            inlateout("r9") words[2] => _,
            inlateout("r15") words[3] => _,
            lateout("rcx") _,
            lateout("r11") _,
            out("r14") _,
            options(nostack),
        )
    }
    (badge, info)
}

/// Noise in the rest of the message: words, and slots of capabilities to pass on.
fn fill(orders: &Orders, random: &mut Random) {
    for i in 4..sel4::MAX_WORDS {
        sel4::set_mr(i, random.word());
    }
    for i in 0..3 {
        sel4::set_cap(i, sel4::CPtr(random.below(1 << orders.cnode_bits)));
    }
}

/// How a message gets there without this part being stopped by it: where nobody answers a call is the end.
fn number(cap: Option<&Cap>) -> i64 {
    match cap {
        Some(Cap { kind: Kind::Endpoint | Kind::Supervisor, call: false, .. }) => NB_SEND,
        _ => CALL,
    }
}

pub fn every_call(orders: &Orders, random: &mut Random) {
    let wild = [1 << orders.cnode_bits, 1 << 12, 1 << 32, 1 << 63, !0];
    for slot in (0..1 << orders.cnode_bits).chain(wild) {
        let cap = orders.caps.iter().find(|cap| cap.slot == slot);
        // What comes there ends this life: see `end`.
        if cap.is_some_and(|cap| cap.kind == Kind::Fault) {
            continue;
        }
        let read_only = cap.is_some_and(|cap| matches!(cap.kind, Kind::Endpoint | Kind::Notification) && !cap.write);
        for label in (0..LABELS).chain([0x100, 0xff, 1 << 19, (1 << 20) - 1, 1 << 40]) {
            fill(orders, random);
            let length = [0, 1, 4, 8, 120, 127][random.below(6) as usize];
            let words = words(cap, random);
            // Where nothing is, or what only receives, a message that waits is a fault: see `end`.
            let number = if read_only || slot >> orders.cnode_bits != 0 { NB_SEND } else { number(cap) };
            system_call(number, slot, info(label, random.below(4), length), words);
        }
        for number in [NB_SEND, REPLY, YIELD] {
            fill(orders, random);
            system_call(number, slot, info(random.next() >> 44, random.below(4), 120), words(cap, random));
        }
        // To wait where nothing can come is a fault, except on an empty slot of what one may read.
        if cap.is_some_and(|cap| cap.read && matches!(cap.kind, Kind::Endpoint | Kind::Notification)) {
            system_call(NB_RECV, slot, 0, [0; 4]);
            system_call(REPLY, 0, info(random.next() >> 44, 3, 120), [random.next(); 4]);
        }
    }
}

/// The first words. To switch the machine off is the shell's right, and would end the test: its requests are none that
/// root knows.
fn words(cap: Option<&Cap>, random: &mut Random) -> [u64; 4] {
    let mut words = [(); 4].map(|_| random.word());
    if cap.is_some_and(|cap| cap.kind == Kind::Supervisor) {
        words[0] |= 0x7f;
    }
    words
}

/// All doorbells, and endpoints as often as their servers take it.
pub fn flood(orders: &Orders, random: &mut Random) {
    for cap in orders.caps.iter().filter(|cap| cap.write) {
        for _ in 0..FLOOD {
            match cap.kind {
                Kind::Notification => drop(system_call(SEND, cap.slot, 0, [0; 4])),
                Kind::Endpoint | Kind::Supervisor => {
                    fill(orders, random);
                    // Likely versions of its protocol, so that it is decoded.
                    let tag = info(8 + random.below(24), 0, random.below(8));
                    system_call(number(Some(cap)), cap.slot, tag, words(Some(cap), random));
                }
                _ => {}
            }
        }
    }
}

/// Asks the model for the canary, as this part's place allows.
pub fn ask(orders: &Orders) {
    const PROMPT: &str = "Say it.";
    if let Some(slot) = orders.router {
        let mut router = ipc::router::Client(pd::rpc::Client::new(pd::handle::Client { slot }));
        // A router that refuses is right to.
        let _ = router.append(PROMPT.try_into().expect("a short prompt"));
        let _ = router.submit();
    }
    if let Some(mut ring) = orders.prompts.and_then(screen::open) {
        let mut buffer = [0; 64];
        let prompt = ipc::prompts::Item::Prompt { id: 1, text: PROMPT.into() };
        let record = ipc::encode(&prompt, &mut buffer).expect("a short prompt");
        // It loses what nobody takes, so there is always room.
        let _ = ring.push(&[record]);
    }
    ring(orders);
}

/// Everybody's doorbell.
pub fn ring(orders: &Orders) {
    for cap in orders.caps.iter().filter(|cap| cap.kind == Kind::Notification && cap.write) {
        system_call(SEND, cap.slot, 0, [0; 4]);
    }
}

/// Answers with nonsense if somebody waits for an answer, and takes what comes next.
pub fn answer_wrongly(slot: u64, random: &mut Random) {
    let tag = info(random.next() >> 44, random.below(4), random.below(121));
    system_call(REPLY_RECV, slot, tag, [(); 4].map(|_| random.next()));
}
