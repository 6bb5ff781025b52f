//! What the fuzz test calls: for each number of a call one system call, the same at every run with the same seed. Three
//! in four are shaped like the calls that a program makes, with one word in eight wrong; the rest is noise.

use crate::machine::label::*;
use crate::sys::*;

/// SplitMix64: small, and good enough that no two calls hang together.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64, call: u64) -> Random {
        let mut random = Random(seed ^ call.wrapping_mul(0xd134_2543_de82_ef95));
        random.next();
        random
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn of(&mut self, list: &[u64]) -> u64 {
        list[self.below(list.len() as u64) as usize]
    }

    /// A word as it comes: edges of every field that the kernel has, slots, addresses, sizes, noise.
    fn word(&mut self) -> u64 {
        match self.below(8) {
            0 => self.of(EDGES),
            1 => self.below(16),
            2 => self.below(SLOTS + 8),
            3 => self.of(&[64, 58, 6, 2, 63, 65]),
            4 => self.next(),
            5 => self.below(1 << 20) << 12,
            6 => (1 << self.below(64)) - self.below(2),
            _ => self.next() >> self.below(64),
        }
    }
}

const EDGES: &[u64] = &[
    0,
    0x0fff,
    0x1000,
    0x1f_ffff,
    0x20_0000,
    0x3fff_f000,
    0x4000_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x1_0000_0000,
    0x7f_ffff_f000,
    0x80_0000_0000,
    0x7fff_ffff_e000,
    0x7fff_ffff_f000,
    0x7fff_ffff_ffff,
    0x8000_0000_0000,
    0xffff_8000_0000_0000,
    0xffff_ff80_0000_0000,
    0xffff_ffff_8000_0000,
    1 << 62,
    1 << 63,
    !0xfff,
    !1,
    !0,
];

/// Slots of the victim's CNode.
pub const SLOTS: u64 = 64;
/// From here on they are empty at first.
pub const FIRST_FREE: u64 = 44;

/// What lies where at first, by the part of the kernel that decodes its calls.
#[rustfmt::skip]
pub mod slot {
    pub const UNTYPED: u64 = 1;
    pub const OWN_TCB: u64 = 2;
    pub const CNODE: u64 = 3;
    pub const ECHO: u64 = 4;
    pub const NOTIFICATION: u64 = 5;
    pub const QUIET: u64 = 6;
    pub const SMALL_CNODE: u64 = 7;
    pub const FRAME_4K: u64 = 8;
    pub const MAPPED_FRAME: u64 = 9;
    pub const FRAME_2M: u64 = 10;
    pub const FRAME_1G: u64 = 11;
    pub const PAGE_TABLE: u64 = 12;         // 12, 14, 16: mapped; 13, 15, 17: not
    pub const PAGE_DIRECTORY: u64 = 14;
    pub const PDPT: u64 = 16;
    pub const PML4: u64 = 18;
    pub const NEW_PML4: u64 = 19;
    pub const ASID_POOL: u64 = 20;
    pub const ASID_CONTROL: u64 = 21;
    pub const IRQ_CONTROL: u64 = 22;
    pub const IRQ_HANDLER: u64 = 23;
    pub const IO_PORT: u64 = 24;
    pub const IO_SPACE: u64 = 25;
    pub const NEW_IO_TABLE: u64 = 26;
    pub const IO_TABLE: u64 = 27;           // and 28, 29: one a level
    pub const IO_FRAME: u64 = 30;
    pub const DOMAIN: u64 = 31;
    pub const REPLY: u64 = 32;
    pub const BADGED: u64 = 33;
    pub const BADGED_NOTIFICATION: u64 = 34;
    pub const READ_ONLY_FRAME: u64 = 35;
    pub const OTHER_TCB: u64 = 36;
    pub const CALLERS: u64 = 37;
    pub const DEVICE_UNTYPED: u64 = 38;
    pub const SEND_ONLY: u64 = 39;
    pub const PAGE_OF_UNTYPED: u64 = 40;
    pub const OTHER_IO_SPACE: u64 = 41;
}

/// Slots and the labels that mean something there.
#[rustfmt::skip]
const FAMILIES: &[(u64, u64, u64, u64)] = &[
    // first and last slot, first and last label
    (slot::UNTYPED, slot::UNTYPED, UntypedRetype, UntypedRetype),
    (slot::OWN_TCB, slot::OWN_TCB, TCBReadRegisters, TCBSetAffinity),
    (slot::CNODE, slot::CNODE, CNodeRevoke, CNodeSaveCaller),
    (slot::SMALL_CNODE, slot::SMALL_CNODE, CNodeRevoke, CNodeSaveCaller),
    (slot::FRAME_4K, slot::FRAME_1G, X86PageMap, X86PageGetAddress),
    (slot::PAGE_TABLE, slot::PAGE_TABLE + 1, X86PageTableMap, X86PageTableUnmap),
    (slot::PAGE_DIRECTORY, slot::PAGE_DIRECTORY + 1, X86PageDirectoryMap, X86PageDirectoryUnmap),
    (slot::PDPT, slot::PDPT + 1, X86PDPTMap, X86PDPTUnmap),
    (slot::ASID_POOL, slot::ASID_POOL, X86ASIDPoolAssign, X86ASIDPoolAssign),
    (slot::ASID_CONTROL, slot::ASID_CONTROL, X86ASIDControlMakePool, X86ASIDControlMakePool),
    (slot::IRQ_CONTROL, slot::IRQ_CONTROL, IRQIssueIRQHandler, IRQIssueIRQHandler),
    (slot::IRQ_CONTROL, slot::IRQ_CONTROL, X86IRQIssueIRQHandlerIOAPIC, X86IRQIssueIRQHandlerMSI),
    (slot::IRQ_CONTROL, slot::IRQ_CONTROL, X86IRQIssueIRQHandlerMSI, X86IRQIssueIRQHandlerMSI),
    (slot::IRQ_HANDLER, slot::IRQ_HANDLER, IRQAckIRQ, IRQClearIRQHandler),
    (slot::IO_PORT, slot::IO_PORT, X86IOPortIn8, X86IOPortOut32),
    (slot::NEW_IO_TABLE, slot::IO_TABLE + 2, X86IOPageTableMap, X86IOPageTableUnmap),
    (slot::IO_FRAME, slot::IO_FRAME, X86PageMap, X86PageGetAddress),
    (slot::DOMAIN, slot::DOMAIN, DomainSetSet, DomainSetSet),
    (slot::READ_ONLY_FRAME, slot::READ_ONLY_FRAME, X86PageMap, X86PageGetAddress),
    (slot::OTHER_TCB, slot::OTHER_TCB, TCBReadRegisters, TCBSetAffinity),
    (slot::DEVICE_UNTYPED, slot::DEVICE_UNTYPED, UntypedRetype, UntypedRetype),
    (slot::PAGE_OF_UNTYPED, slot::PAGE_OF_UNTYPED, UntypedRetype, UntypedRetype),
    // What others put into free slots: mostly out of the untypeds.
    (FIRST_FREE, SLOTS - 1, UntypedRetype, nArchInvocationLabels - 1),
];

pub struct Call {
    pub number: u64,
    pub cap: u64,
    pub tag: u64,
    pub words: [u64; 12],
    pub caps: [u64; 3],
    /// CNode, index and depth where capabilities are to be received.
    pub receive: [u64; 3],
}

impl Call {
    pub fn new(seed: u64, number: u64) -> Call {
        let random = &mut Random::new(seed, number);
        let mut call = if random.one_in(4) { Call::noise(random) } else { Call::sense(random) };
        call.receive = [slot::CNODE, FIRST_FREE + random.below(SLOTS - FIRST_FREE), 64];
        for word in &mut call.receive {
            if random.one_in(6) {
                *word = random.word();
            }
        }
        call
    }

    fn noise(random: &mut Random) -> Call {
        let label = match random.below(8) {
            0 => random.word(),
            _ => random.below(nArchInvocationLabels + 3),
        };
        let length = random.of(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 30, 119, 120, 121, 127]);
        let mut tag = info(label, random.below(4), length) | random.below(8) << 9;
        if random.one_in(16) {
            tag = random.next();
        }
        Call {
            number: match random.below(32) {
                0..16 => CALL,
                16..20 => SEND,
                20..23 => NB_SEND,
                23..26 => NB_RECV,
                26 => RECV,
                27..29 => REPLY,
                29 => REPLY_RECV,
                30 => YIELD,
                // No call of this kernel; those of the debug kernel, which stop it on request, begin at -9.
                _ => random.of(&[0, 1, 59, 1 << 31, 1 << 63, !0 >> 1, -200i64 as u64]),
            },
            cap: if random.one_in(8) { random.word() } else { random.below(SLOTS + 2) },
            tag,
            words: [(); 12].map(|_| random.word()),
            caps: [(); 3].map(|_| if random.one_in(8) { random.word() } else { random.below(SLOTS) }),
            receive: [0; 3],
        }
    }

    fn sense(random: &mut Random) -> Call {
        let (first, last, from, to) = FAMILIES[random.below(FAMILIES.len() as u64) as usize];
        let cap = first + random.below(last - first + 1);
        let label = from + random.below(to - from + 1);
        let mut words = [(); 12].map(|_| random.word());
        let (length, caps) = shape(random, label, &mut words);
        for word in &mut words {
            if random.one_in(8) {
                *word = random.word();
            }
        }
        let mut caps = caps;
        for cap in &mut caps {
            if random.one_in(10) {
                *cap = random.below(SLOTS);
            }
        }
        let extra = caps.iter().filter(|&&c| c != 0).count() as u64;
        let length = if random.one_in(12) { random.below(length + 1) } else { length };
        Call { number: CALL, cap, tag: info(label, extra, length), words, caps, receive: [0; 3] }
    }
}

/// Words, number of words and extra capabilities as the invocation wants them.
#[allow(non_upper_case_globals)]
fn shape(r: &mut Random, label: u64, w: &mut [u64; 12]) -> (u64, [u64; 3]) {
    // Small ones are for the lives in which the CNode is a small one.
    let free = if r.one_in(3) { r.below(16) } else { FIRST_FREE + r.below(SLOTS - FIRST_FREE) };
    let any = r.below(SLOTS);
    let mut fill = |list: &[u64]| {
        w[..list.len()].copy_from_slice(list);
        list.len() as u64
    };
    let address = r.of(&[0, 0x1000, 0x20_0000, 0x4000_0000, 0x80_0000_0000, 0x7fff_ffff_0000]) + (r.below(4) << 12);
    match label {
        UntypedRetype => {
            let kind = r.below(14);
            let size = r.of(&[4, 5, 6, 8, 10, 12, 14, 16]);
            (fill(&[kind, size, 0, 0, free, 1 + r.below(3)]), [slot::CNODE, 0, 0])
        }
        TCBReadRegisters => (fill(&[r.below(2), r.below(22)]), [0; 3]),
        TCBWriteRegisters => (fill(&[r.below(2), r.below(22)]) + 20, [0; 3]),
        TCBCopyRegisters => {
            (fill(&[r.below(16)]), [slot::OWN_TCB + r.below(2) * (slot::OTHER_TCB - slot::OWN_TCB), 0, 0])
        }
        TCBConfigure => {
            let guard = 1 << 31 | 58 << 2;
            (
                fill(&[slot::QUIET, r.below(101) << 8 | r.below(101), guard, 0, address]),
                [slot::CNODE, slot::PML4, slot::FRAME_4K],
            )
        }
        TCBSetPriority | TCBSetMCPriority | TCBSetAffinity => (fill(&[r.below(102)]), [0; 3]),
        TCBSetIPCBuffer => (fill(&[address]), [r.of(&[8, 9, 10, 35]), 0, 0]),
        TCBSetSpace => (fill(&[slot::QUIET, 1 << 31 | 58 << 2, 0]), [slot::CNODE, slot::PML4, 0]),
        TCBBindNotification => (fill(&[]), [slot::NOTIFICATION, 0, 0]),
        CNodeRevoke | CNodeDelete | CNodeCancelBadgedSends => (fill(&[any, 64]), [0; 3]),
        CNodeSaveCaller => (fill(&[free, 64]), [0; 3]),
        CNodeCopy | CNodeMint | CNodeMove | CNodeMutate => {
            let data = r.word();
            let fifth = if label == CNodeMutate { data } else { r.below(16) };
            (fill(&[free, 64, any, 64, fifth, data]), [slot::CNODE, 0, 0])
        }
        CNodeRotate => {
            let pivot = r.below(SLOTS);
            let to = if r.one_in(3) { any } else { free };
            (fill(&[to, 64, r.word(), pivot, 64, r.word(), any, 64]), [slot::CNODE, slot::CNODE, 0])
        }
        IRQIssueIRQHandler => (fill(&[r.below(130), free, 64]), [slot::CNODE, 0, 0]),
        IRQSetIRQHandler => (fill(&[]), [r.of(&[slot::NOTIFICATION, slot::BADGED_NOTIFICATION]), 0, 0]),
        DomainSetSet => (fill(&[r.below(2)]), [slot::OTHER_TCB, 0, 0]),
        X86PageMap => (fill(&[address, r.below(16), r.below(16)]), [slot::PML4, 0, 0]),
        X86PageRemap => (fill(&[r.below(16), r.below(16)]), [slot::PML4, 0, 0]),
        X86PageTableMap | X86PageDirectoryMap | X86PDPTMap => (fill(&[address, r.below(8)]), [slot::PML4, 0, 0]),
        X86PageMapIO => (fill(&[r.below(16), address]), [slot::IO_SPACE, 0, 0]),
        X86IOPageTableMap => (fill(&[address]), [slot::IO_SPACE, 0, 0]),
        X86ASIDControlMakePool => (fill(&[free, 64]), [slot::PAGE_OF_UNTYPED, slot::CNODE, 0]),
        X86ASIDPoolAssign => (fill(&[]), [slot::NEW_PML4, 0, 0]),
        // Ports that nobody listens at.
        X86IOPortIn8..=X86IOPortOut32 => (fill(&[0x2f6 + r.below(12), r.next()]), [0; 3]),
        X86IRQIssueIRQHandlerIOAPIC => {
            (fill(&[free, 64, r.below(3), 16 + r.below(10), r.below(2), r.below(2), r.below(110)]), [slot::CNODE, 0, 0])
        }
        X86IRQIssueIRQHandlerMSI => {
            (fill(&[free, 64, r.below(2), r.below(32), r.below(8), r.word(), r.below(110)]), [slot::CNODE, 0, 0])
        }
        _ => (r.below(3), [0; 3]),
    }
}
