//! No call of a program halts the kernel. A victim with one capability of every kind makes calls without end
//! (`fuzz_call.rs`); root hands it their numbers, one at a time, and makes it anew when it stands still or has spoilt
//! what it holds. A kernel that halts prints nothing more: the driver reads the call out of `SHARED`, and a debug kernel
//! stops at the first assertion that does not hold.

use crate::fuzz_call::{slot, Call, FIRST_FREE, SLOTS};
use crate::machine::{rights::*, *};
use crate::sys::*;
use crate::Outcome;

/// Words of `SHARED`: the number that root hands out, the last that the victim has done, how many calls worked, the
/// seed.
const TURN: usize = 32;
const DONE: usize = 33;
const WORKED: usize = 34;
const SEED: usize = 35;
/// For the driver: number, system call, capability, message info and four words. `driver/src/fuzz.rs` reads them.
const RECORD: usize = 40;

const RADIX_BITS: u64 = 6;
const DEPTH: u64 = 64;
const SMALL_RADIX_BITS: u64 = 4;
/// A guard that makes a CNode resolve a whole word.
const fn guard(radix_bits: u64) -> u64 {
    1 << 31 | (64 - radix_bits) << 2
}
/// Calls after which the victim gets everything anew.
const LIFE: u64 = 160;

/// What outlives the victims.
struct Fuzz {
    seed: u64,
    /// Everything of the victim's that is memory comes out of it.
    untyped: Cap,
    space: Space,
    echo: Cap,
    callers: Cap,
    large: Cap,
    huge: Option<Cap>,
    device: Cap,
    ports: Cap,
    foreign_io: Option<Cap>,
    io_space: Option<Cap>,
    /// Slots of root's for the victim's own things, filled anew each time.
    cnode: Cap,
    tcb: Cap,
    pool_memory: Cap,
    playground: Cap,
    scratch: Cap,
    /// Where the echo server receives what the victim sends it.
    received: Cap,
    core: u64,
    /// In this life the victim has the capability for all interrupts, and for once none for its own CNode.
    lends: bool,
    restarts: u64,
}

extern "C" fn victim(_: u64) -> ! {
    let buffer = buffer_address(LAST_PLACE) as *mut IpcBuffer;
    loop {
        let turn = shared(TURN);
        if turn == shared(DONE) {
            yield_now();
            continue;
        }
        let call = Call::new(shared(SEED), turn);
        let record =
            [turn, call.number, call.cap, call.tag, call.words[0], call.words[1], call.words[2], call.words[3]];
        for (i, word) in record.into_iter().enumerate() {
            set_shared(RECORD + i, word);
        }
        // SAFETY: the buffer is mapped here as in every space of the tests, and nobody holds a reference into it.
        unsafe {
            for (i, &word) in call.words.iter().enumerate() {
                (&raw mut (*buffer).words[i]).write_volatile(word);
            }
            for (i, &cap) in call.caps.iter().enumerate() {
                (&raw mut (*buffer).caps_or_badges[i]).write_volatile(cap);
            }
            (&raw mut (*buffer).receive_cnode).write_volatile(call.receive[0]);
            (&raw mut (*buffer).receive_index).write_volatile(call.receive[1]);
            (&raw mut (*buffer).receive_depth).write_volatile(call.receive[2]);
        }
        let words = [call.words[0], call.words[1], call.words[2], call.words[3]];
        let answer = syscall(call.number, call.cap, call.tag, words);
        if call.number == CALL && answer.label() == 0 {
            set_shared(WORKED, shared(WORKED) + 1);
        }
        set_shared(DONE, turn);
    }
}

/// Answers with as many words as came, and a capability.
extern "C" fn echo(endpoint: u64) -> ! {
    let mut message = syscall(RECV, endpoint, 0, [0; 4]);
    loop {
        let tag = info(0, 1, message.info & 0x7f);
        message = syscall(REPLY_RECV, endpoint, tag, message.words);
    }
}

/// Calls for ever, whoever receives and whatever the answer is.
extern "C" fn calls(endpoint: u64) -> ! {
    loop {
        syscall(CALL, endpoint, info(3, 0, 6), [1, 2, 3, 4]);
    }
}

pub fn fuzz() -> Outcome {
    let [seed, first, count] = crate::fuzz_parameters();
    say!("fuzz record at {:x}", shared_paddr(RECORD));
    let mut fuzz = Fuzz::new(seed)?;
    set_shared(SEED, seed);
    let mut turn = first;
    while turn < first + count {
        let life = turn / LIFE;
        fuzz.core = if nodes() > 1 && life % 8 == 3 { 1 } else { 0 };
        fuzz.lends = life % 8 == 5;
        fuzz.rebuild();
        set_shared(TURN, turn);
        set_shared(DONE, turn);
        fuzz.start();
        // A life's numbers begin at a multiple of its length, so that any call can be reached without those before.
        let end = (turn / LIFE + 1) * LIFE;
        while turn < end.min(first + count) {
            turn += 1;
            set_shared(TURN, turn);
            if !fuzz.finishes(turn) {
                set_shared(DONE, turn);
                fuzz.start();
                fuzz.restarts += 1;
            }
        }
        fuzz.take_back();
        // Two cores are slow on a busy host, and the driver waits for a line.
        if nodes() > 1 || life % 32 == 0 {
            say!("\nfuzz {seed:x}, {turn:x}");
        }
    }
    revoke(fuzz.untyped);
    let worked = shared(WORKED);
    say!("\nfuzz: seed {seed:#x}, {count} calls, {worked} worked, {} began anew", fuzz.restarts);
    // Else it would try nothing but the checks.
    match worked * 12 > count {
        true => Ok(()),
        false => Err(("hardly a call is one that can work", worked)),
    }
}

impl Fuzz {
    fn new(seed: u64) -> Result<Fuzz, (&'static str, u64)> {
        let endpoint = || make(object::ENDPOINT, 0);
        let (echo_endpoint, callers) = (endpoint(), endpoint());
        let received = new_slot();
        let (thread, index) = prepare(HERE);
        // SAFETY: the thread does not run yet; nobody else writes to its buffer.
        unsafe {
            (&raw mut (*thread.buffer).receive_cnode).write_volatile(ROOT_CNODE);
            (&raw mut (*thread.buffer).receive_index).write_volatile(received);
            (&raw mut (*thread.buffer).receive_depth).write_volatile(DEPTH);
            (&raw mut (*thread.buffer).caps_or_badges[0]).write_volatile(make(object::NOTIFICATION, 0));
        }
        run((thread, index), echo, echo_endpoint, 0);
        spawn(calls, mint(callers, WRITE | GRANT_REPLY, 9), HERE);
        let of_size = |bits: u8, device: u8| {
            untypeds().filter(|(_, d)| d.is_device == device && d.size_bits >= bits).min_by_key(|(_, d)| d.size_bits)
        };
        let (device, _) = of_size(12, 1).ok_or(("no untyped of a device", 0))?;
        let io = io_levels() > 0;
        Ok(Fuzz {
            seed,
            untyped: make(object::UNTYPED, 19),
            space: new_space(),
            echo: echo_endpoint,
            callers,
            large: make(object::FRAME_2M, 0),
            huge: of_size(30, 1).map(|(untyped, _)| make_from(untyped, object::HUGE_PAGE, 0)),
            device,
            ports: mint(IO_PORT, ALL, 0x2f8 << 16 | 0x2ff),
            foreign_io: io.then(|| mint(IO_SPACE, ALL, 8 << 16 | 0xfd)),
            io_space: io.then(new_slot),
            cnode: new_slot(),
            tcb: new_slot(),
            pool_memory: new_slot(),
            playground: new_slot(),
            scratch: new_slot(),
            received,
            core: 0,
            lends: false,
            restarts: 0,
        })
    }

    /// Retypes into one of root's slots that the last revoke has emptied.
    #[track_caller]
    fn make_at(&self, kind: u64, bits: u64, slot: Cap) {
        let error = try_retype(self.untyped, kind, bits, slot, 1);
        assert!(error == 0, "the victim's object of type {kind}: error {error}");
    }

    /// Retypes into the victim's CNode.
    #[track_caller]
    fn give_new(&self, kind: u64, bits: u64, at: u64) {
        must(self.untyped, label::UntypedRetype, &[self.cnode], &[kind, bits, 0, 0, at, 1]);
    }

    #[track_caller]
    fn give_copy(&self, cap: Cap, rights: u64, at: u64) {
        must(self.cnode, label::CNodeCopy, &[ROOT_CNODE], &[at, RADIX_BITS, cap, DEPTH, rights]);
    }

    #[track_caller]
    fn give_badged(&self, from: u64, rights: u64, data: u64, at: u64) {
        must(self.cnode, label::CNodeMint, &[self.cnode], &[at, RADIX_BITS, from, RADIX_BITS, rights, data]);
    }

    #[track_caller]
    fn give_moved(&self, cap: Cap, at: u64) {
        must(self.cnode, label::CNodeMove, &[ROOT_CNODE], &[at, RADIX_BITS, cap, DEPTH]);
    }

    /// Takes out of the victim's CNode what root wants to invoke: only what is in root's own is at hand.
    fn with(&self, at: u64, use_it: impl FnOnce(Cap)) {
        must(ROOT_CNODE, label::CNodeMove, &[self.cnode], &[self.scratch, DEPTH, at, RADIX_BITS]);
        use_it(self.scratch);
        self.give_moved(self.scratch, at);
    }

    /// All that the victim has, as at first.
    fn rebuild(&self) {
        revoke(self.untyped);
        delete(self.received);
        // Made out of no memory, so no revoke takes it.
        if let Some(space) = self.io_space {
            delete(space);
            let device = 7 << 16 | 0xfe;
            must(ROOT_CNODE, label::CNodeMint, &[ROOT_CNODE], &[space, DEPTH, IO_SPACE, DEPTH, ALL, device]);
        }
        self.make_at(object::UNTYPED, 16, self.scratch);
        self.make_at(object::CNODE, RADIX_BITS, self.cnode);
        self.give_moved(self.scratch, slot::UNTYPED);
        self.make_at(object::TCB, 0, self.tcb);
        self.give_copy(self.tcb, ALL, slot::OWN_TCB);
        self.give_copy(self.echo, ALL, slot::ECHO);
        self.give_new(object::NOTIFICATION, 0, slot::NOTIFICATION);
        self.give_new(object::ENDPOINT, 0, slot::QUIET);
        self.give_new(object::CNODE, SMALL_RADIX_BITS, slot::SMALL_CNODE);
        self.give_new(object::FRAME_4K, 0, slot::FRAME_4K);
        self.give_copy(self.large, ALL, slot::FRAME_2M);
        if let Some(huge) = self.huge {
            self.give_copy(huge, ALL, slot::FRAME_1G);
        }
        self.give_tables();
        self.make_at(object::UNTYPED, 12, self.pool_memory);
        must(
            ASID_CONTROL,
            label::X86ASIDControlMakePool,
            &[self.pool_memory, self.cnode],
            &[slot::ASID_POOL, RADIX_BITS],
        );
        self.give_copy(ASID_CONTROL, ALL, slot::ASID_CONTROL);
        must(
            IRQ_CONTROL,
            label::X86IRQIssueIRQHandlerMSI,
            &[self.cnode],
            &[slot::IRQ_HANDLER, RADIX_BITS, 0, 31, 7, 0, 100],
        );
        self.give_copy(self.ports, ALL, slot::IO_PORT);
        self.give_io();
        self.give_copy(DOMAIN, ALL, slot::DOMAIN);
        if receive_within(2, self.callers).is_some() {
            must(ROOT_CNODE, label::CNodeSaveCaller, &[], &[self.scratch, DEPTH]);
            self.give_moved(self.scratch, slot::REPLY);
        }
        self.give_badged(slot::QUIET, ALL, 0x77, slot::BADGED);
        self.give_badged(slot::NOTIFICATION, ALL, 0x70, slot::BADGED_NOTIFICATION);
        self.give_badged(slot::FRAME_4K, READ, 0, slot::READ_ONLY_FRAME);
        self.give_new(object::TCB, 0, slot::OTHER_TCB);
        self.give_copy(self.callers, READ | WRITE, slot::CALLERS);
        revoke(self.device);
        self.give_copy(self.device, ALL, slot::DEVICE_UNTYPED);
        self.give_badged(slot::QUIET, WRITE, 0, slot::SEND_ONLY);
        self.give_new(object::UNTYPED, 12, slot::PAGE_OF_UNTYPED);
        if self.lends {
            self.give_moved(IRQ_CONTROL, slot::IRQ_CONTROL);
            self.give_badged(slot::SMALL_CNODE, ALL, guard(SMALL_RADIX_BITS), slot::CNODE);
        } else {
            let all = guard(RADIX_BITS);
            must(self.cnode, label::CNodeMint, &[ROOT_CNODE], &[slot::CNODE, RADIX_BITS, self.cnode, DEPTH, ALL, all]);
        }
    }

    /// There is one capability for all interrupts, and no copy of it.
    fn take_back(&self) {
        if self.lends {
            must(ROOT_CNODE, label::CNodeMove, &[self.cnode], &[IRQ_CONTROL, DEPTH, slot::IRQ_CONTROL, RADIX_BITS]);
        }
    }

    /// An address space of which nothing is the victim's own, with a table of each kind in place and one to spare.
    #[track_caller]
    fn give_tables(&self) {
        self.make_at(object::PML4, 0, self.playground);
        must(ASID_POOL, label::X86ASIDPoolAssign, &[self.playground], &[]);
        let tables = [
            (object::PDPT, slot::PDPT, label::X86PDPTMap),
            (object::PAGE_DIRECTORY, slot::PAGE_DIRECTORY, label::X86PageDirectoryMap),
            (object::PAGE_TABLE, slot::PAGE_TABLE, label::X86PageTableMap),
        ];
        for (kind, at, map) in tables {
            self.make_at(kind, 0, self.scratch);
            must(self.scratch, map, &[self.playground], &[0, 0]);
            self.give_moved(self.scratch, at);
            self.give_new(kind, 0, at + 1);
        }
        self.give_copy(self.playground, ALL, slot::PML4);
        self.give_new(object::PML4, 0, slot::NEW_PML4);
        self.make_at(object::FRAME_4K, 0, self.scratch);
        map(self.scratch, self.playground, 0x3000, READ | WRITE);
        self.give_moved(self.scratch, slot::MAPPED_FRAME);
    }

    /// The IO space of a device that no machine has, with tables and a page in it.
    #[track_caller]
    fn give_io(&self) {
        self.give_new(object::IO_PAGE_TABLE, 0, slot::NEW_IO_TABLE);
        let (Some(space), Some(foreign)) = (self.io_space, self.foreign_io) else { return };
        self.give_copy(space, ALL, slot::IO_SPACE);
        self.give_copy(foreign, ALL, slot::OTHER_IO_SPACE);
        for level in 0..io_levels().min(3) {
            self.make_at(object::IO_PAGE_TABLE, 0, self.scratch);
            must(self.scratch, label::X86IOPageTableMap, &[space], &[0]);
            self.give_moved(self.scratch, slot::IO_TABLE + level);
        }
        self.give_new(object::FRAME_4K, 0, slot::IO_FRAME);
        self.with(slot::IO_FRAME, |frame| {
            try_do(frame, label::X86PageMapIO, &[space], &[READ | WRITE, 0x5000]);
        });
    }

    /// The victim runs, from the beginning of its loop, whatever it has done to itself.
    fn start(&self) {
        let thread = Thread { tcb: self.tcb, buffer: buffer_address(LAST_PLACE) as *mut IpcBuffer };
        suspend(thread);
        must(self.tcb, label::TCBSetAffinity, &[], &[0]);
        let fault_endpoint = if self.seed & 1 == 0 { slot::QUIET } else { slot::BADGED };
        let priority = 100 << 8 | 100;
        must(
            self.tcb,
            label::TCBConfigure,
            &[self.cnode, self.space.vspace, last_buffer_frame()],
            &[fault_endpoint, priority, guard(RADIX_BITS), 0, buffer_address(LAST_PLACE)],
        );
        if self.core != 0 {
            must(self.tcb, label::TCBSetAffinity, &[], &[self.core]);
        }
        run((thread, LAST_PLACE), victim, 0, 0);
    }

    /// Lets the victim do its call; false when it stands still.
    fn finishes(&self, turn: u64) -> bool {
        if self.core != 0 {
            return within(1, || shared(DONE) == turn);
        }
        // One yield lets it begin, another goes by when its time slice was at its end.
        (0..4).any(|_| {
            yield_now();
            shared(DONE) == turn
        })
    }
}

const _: () = assert!(SLOTS == 1 << RADIX_BITS && FIRST_FREE > slot::OTHER_IO_SPACE);
