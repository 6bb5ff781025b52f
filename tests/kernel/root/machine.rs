//! What every test needs: memory, threads, address spaces, the console, a clock.

use crate::sys::*;
use core::arch::asm;
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

#[allow(non_upper_case_globals, dead_code)]
pub mod label {
    include!(env!("KERNEL_LABELS"));
}

/// Object types of the kernel with huge pages and IOMMU (libsel4's objecttype.h).
pub mod object {
    pub const UNTYPED: u64 = 0;
    pub const TCB: u64 = 1;
    pub const ENDPOINT: u64 = 2;
    pub const NOTIFICATION: u64 = 3;
    pub const CNODE: u64 = 4;
    pub const PDPT: u64 = 5;
    pub const PML4: u64 = 6;
    pub const HUGE_PAGE: u64 = 7;
    pub const FRAME_4K: u64 = 8;
    pub const FRAME_2M: u64 = 9;
    pub const PAGE_TABLE: u64 = 10;
    pub const PAGE_DIRECTORY: u64 = 11;
    pub const IO_PAGE_TABLE: u64 = 12;
}

pub mod rights {
    pub const WRITE: u64 = 1;
    pub const READ: u64 = 2;
    // 4 is Grant.
    pub const GRANT_REPLY: u64 = 8;
    pub const ALL: u64 = 15;
}

pub const INVALID_ARGUMENT: Word = 1;
pub const INVALID_CAPABILITY: Word = 2;
pub const ILLEGAL_OPERATION: Word = 3;
pub const FAILED_LOOKUP: Word = 6;
pub const DELETE_FIRST: Word = 8;
pub const REVOKE_FIRST: Word = 9;

/// `seL4_DeadServer` of the patched libsel4.
pub const DEAD_SERVER: Word = 0xD1E;
/// Labels of the messages of a refused instruction and of a page fault.
pub const USER_EXCEPTION: Word = 3;
pub const VM_FAULT: Word = 5;

pub const ROOT_TCB: Cap = 1;
pub const ROOT_CNODE: Cap = 2;
pub const ROOT_VSPACE: Cap = 3;
pub const IRQ_CONTROL: Cap = 4;
pub const ASID_CONTROL: Cap = 5;
pub const ASID_POOL: Cap = 6;
pub const IO_PORT: Cap = 7;
pub const IO_SPACE: Cap = 8;
pub const DOMAIN: Cap = 11;
const COM1: u64 = 0x3f8;

/// Where the tests map what they make; one page table covers the first 2 MiB, another the next.
pub const BUFFERS: u64 = 0x1000_0000;
pub const PAGES: u64 = 0x1020_0000;

pub const TCB_BITS: u64 = 11;
/// Of root and, unless a test says otherwise, of everybody, so that a yield lets all others run.
pub const ROOT_PRIORITY: u64 = 100;

const THREADS: usize = 24;
const STACK_BYTES: usize = 8192;

/// 12 bytes, packed.
#[repr(C, packed)]
#[derive(Clone, Copy)]
pub struct UntypedDesc {
    pub paddr: u64,
    padding: [u8; 2],
    pub size_bits: u8,
    pub is_device: u8,
}

#[repr(C, packed)]
struct BootInfoHead {
    extra_len: u64,
    node_id: u64,
    nodes: u64,
    io_levels: u64,
    ipc_buffer: u64,
    empty: [u64; 2],
    shared_frames: [u64; 2],
    image_frames: [u64; 2],
    image_paging: [u64; 2],
    io_space: [u64; 2],
    extra_pages: [u64; 2],
    cnode_bits: u8,
    domain: u64,
    tsc_mhz: u64,
    untyped: [u64; 2],
}

struct Global(UnsafeCell<State>);
unsafe impl Sync for Global {}

struct State {
    info: *const BootInfoHead,
    next_slot: Cap,
    pool: Cap,
    /// Of the test that runs; all are deleted when it ends.
    threads: [Cap; THREADS],
    thread_count: usize,
    /// The IPC buffers, one a thread, mapped in each address space at the same place.
    buffers: [Cap; THREADS],
    page: u64,
}

const NEW: State = State {
    info: core::ptr::null(),
    next_slot: 0,
    pool: 0,
    threads: [0; THREADS],
    thread_count: 0,
    buffers: [0; THREADS],
    page: PAGES,
};
static STATE: Global = Global(UnsafeCell::new(NEW));

/// Only the root thread may call what uses this.
#[allow(clippy::mut_from_ref)]
fn state() -> &'static mut State {
    unsafe { &mut *STATE.0.get() }
}

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; STACK_BYTES]>);
unsafe impl Sync for Stack {}
static STACKS: [Stack; THREADS] = [const { Stack(UnsafeCell::new([0; STACK_BYTES])) }; THREADS];

/// Words that threads of all address spaces share: the image is mapped in each.
pub static SHARED: [AtomicU64; 64] = [const { AtomicU64::new(0) }; 64];

pub fn shared(i: usize) -> u64 {
    SHARED[i].load(SeqCst)
}

pub fn set_shared(i: usize, value: u64) {
    SHARED[i].store(value, SeqCst)
}

pub struct Console;

impl fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            root_invoke(IO_PORT, label::X86IOPortOut8, &[], &[COM1, byte as u64]);
        }
        Ok(())
    }
}

#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::machine::Console, $($arg)*);
    }};
}

fn root_invoke(cap: Cap, label: Word, caps: &[Cap], args: &[Word]) -> (Word, [Word; 4]) {
    let buffer = unsafe { (*state().info).ipc_buffer } as *mut IpcBuffer;
    invoke(buffer, cap, label, caps, args)
}

/// Invokes and gives the error number, 0 for none.
pub fn try_do(cap: Cap, label: Word, caps: &[Cap], args: &[Word]) -> Word {
    root_invoke(cap, label, caps, args).0
}

/// Invokes what must work for the test to mean anything.
#[track_caller]
pub fn must(cap: Cap, label: Word, caps: &[Cap], args: &[Word]) -> [Word; 4] {
    let (error, words) = root_invoke(cap, label, caps, args);
    assert!(error == 0, "invocation {label} failed: error {error}");
    words
}

pub fn start(info: *const u8) {
    let info = info as *const BootInfoHead;
    *state() = State { info, next_slot: unsafe { (*info).empty[0] }, ..NEW };
    let pool = untypeds()
        .filter(|(_, d)| d.is_device == 0 && d.size_bits >= 24)
        .min_by_key(|(_, d)| d.size_bits)
        .expect("an untyped of 16 MiB");
    state().pool = pool.0;
    must(ROOT_TCB, label::TCBSetPriority, &[], &[ROOT_PRIORITY]);
    for base in [BUFFERS, PAGES] {
        let table = make(object::PAGE_TABLE, 0);
        must(table, label::X86PageTableMap, &[ROOT_VSPACE], &[base, 0]);
    }
    for i in 0..THREADS {
        let frame = make(object::FRAME_4K, 0);
        map(copy(frame), ROOT_VSPACE, buffer_address(i), rights::READ | rights::WRITE);
        state().buffers[i] = frame;
    }
}

/// Ends what a test left running.
pub fn delete_threads() {
    for &tcb in &state().threads[..state().thread_count] {
        delete(tcb);
    }
    state().thread_count = 0;
    for word in &SHARED {
        word.store(0, SeqCst);
    }
}

pub fn nodes() -> u64 {
    unsafe { (*state().info).nodes }
}

/// Levels of the IOMMU's tables, as bootinfo has them.
pub fn io_levels() -> u64 {
    unsafe { (*state().info).io_levels }
}

/// Boot-time untypeds with their slots.
pub fn untypeds() -> impl Iterator<Item = (Cap, UntypedDesc)> {
    let info = state().info;
    let [first, end] = unsafe { (*info).untyped };
    let list = unsafe { info.add(1) } as *const UntypedDesc;
    (first..end).map(move |slot| (slot, unsafe { list.add((slot - first) as usize).read_unaligned() }))
}

pub fn new_slot() -> Cap {
    state().next_slot += 1;
    state().next_slot - 1
}

pub fn try_retype(untyped: Cap, kind: u64, bits: u64, slot: Cap, count: u64) -> Word {
    try_do(untyped, label::UntypedRetype, &[ROOT_CNODE], &[kind, bits, 0, 0, slot, count])
}

/// Makes one object out of the pool.
#[track_caller]
pub fn make(kind: u64, bits: u64) -> Cap {
    make_from(state().pool, kind, bits)
}

#[track_caller]
pub fn make_from(untyped: Cap, kind: u64, bits: u64) -> Cap {
    let slot = new_slot();
    let error = try_retype(untyped, kind, bits, slot, 1);
    assert!(error == 0, "retype of object type {kind} failed: error {error}");
    slot
}

const DEPTH: u64 = 64;

pub fn try_copy(cap: Cap, rights: u64) -> Result<Cap, Word> {
    let slot = new_slot();
    match try_do(ROOT_CNODE, label::CNodeCopy, &[ROOT_CNODE], &[slot, DEPTH, cap, DEPTH, rights]) {
        0 => Ok(slot),
        error => Err(error),
    }
}

#[track_caller]
pub fn copy(cap: Cap) -> Cap {
    try_copy(cap, rights::ALL).expect("copy of a capability")
}

#[track_caller]
pub fn mint(cap: Cap, rights: u64, data: u64) -> Cap {
    try_mint(cap, rights, data).expect("mint of a capability")
}

pub fn try_mint(cap: Cap, rights: u64, data: u64) -> Result<Cap, Word> {
    let slot = new_slot();
    match try_do(ROOT_CNODE, label::CNodeMint, &[ROOT_CNODE], &[slot, DEPTH, cap, DEPTH, rights, data]) {
        0 => Ok(slot),
        error => Err(error),
    }
}

#[track_caller]
pub fn delete(cap: Cap) {
    must(ROOT_CNODE, label::CNodeDelete, &[], &[cap, DEPTH]);
}

#[track_caller]
pub fn revoke(cap: Cap) {
    must(ROOT_CNODE, label::CNodeRevoke, &[], &[cap, DEPTH]);
}

/// Whether a slot is empty: nothing can be moved out of it.
pub fn is_empty(slot: Cap) -> bool {
    let to = new_slot();
    try_do(ROOT_CNODE, label::CNodeMove, &[ROOT_CNODE], &[to, DEPTH, slot, DEPTH]) != 0
}

// Address spaces

/// An address space in which the image lies where it lies in root's, so that its threads can run the same functions.
pub struct Space {
    pub vspace: Cap,
    /// Of the first 2 MiB from `PAGES`.
    pub page_table: Cap,
    pub page_directory: Cap,
    pub pdpt: Cap,
}

pub fn new_space() -> Space {
    new_space_in(ASID_POOL)
}

pub fn new_space_in(asid_pool: Cap) -> Space {
    let vspace = make(object::PML4, 0);
    must(asid_pool, label::X86ASIDPoolAssign, &[vspace], &[]);
    let pdpt = make(object::PDPT, 0);
    must(pdpt, label::X86PDPTMap, &[vspace], &[0, 0]);
    let page_directory = make(object::PAGE_DIRECTORY, 0);
    must(page_directory, label::X86PageDirectoryMap, &[vspace], &[0, 0]);
    let table = make(object::PAGE_TABLE, 0);
    let image = &raw const __executable_start as u64;
    must(table, label::X86PageTableMap, &[vspace], &[image, 0]);
    let page_table = make(object::PAGE_TABLE, 0);
    must(page_table, label::X86PageTableMap, &[vspace], &[PAGES, 0]);
    let buffers = make(object::PAGE_TABLE, 0);
    must(buffers, label::X86PageTableMap, &[vspace], &[BUFFERS, 0]);
    let [first, end] = unsafe { (*state().info).image_frames };
    for slot in first..end {
        map(copy(slot), vspace, image + (slot - first) * 4096, rights::READ | rights::WRITE);
    }
    for (i, &frame) in state().buffers.iter().enumerate() {
        map(copy(frame), vspace, buffer_address(i), rights::READ | rights::WRITE);
    }
    Space { vspace, page_table, page_directory, pdpt }
}

extern "C" {
    /// From the linker: where the image begins. It lies within one page table's 2 MiB.
    static __executable_start: u8;
}

pub fn try_map(frame: Cap, vspace: Cap, at: u64, rights: u64) -> Word {
    try_do(frame, label::X86PageMap, &[vspace], &[at, rights, 0])
}

#[track_caller]
pub fn map(frame: Cap, vspace: Cap, at: u64, rights: u64) {
    must(frame, label::X86PageMap, &[vspace], &[at, rights, 0]);
}

/// An unused page address below `PAGES`' page table.
pub fn new_page_address() -> u64 {
    state().page += 4096;
    assert!(state().page < PAGES + 0x20_0000, "out of page addresses");
    state().page - 4096
}

/// A page, mapped for root to read and write.
pub fn new_page() -> (Cap, u64) {
    let frame = make(object::FRAME_4K, 0);
    let at = new_page_address();
    map(frame, ROOT_VSPACE, at, rights::READ | rights::WRITE);
    (frame, at)
}

pub fn read(at: u64) -> u64 {
    unsafe { (at as *const u64).read_volatile() }
}

pub fn write(at: u64, value: u64) {
    unsafe { (at as *mut u64).write_volatile(value) }
}

// Threads

pub type Entry = extern "C" fn(u64) -> !;

#[derive(Clone, Copy)]
pub struct Options {
    pub vspace: Cap,
    /// Sent to when the thread faults; the capability is looked up in the thread's own CSpace, which is root's.
    pub fault_endpoint: Cap,
    pub core: u64,
    pub tls_base: u64,
    /// Use this thread's IPC buffer address instead of an own one.
    pub buffer_of: Option<Thread>,
    /// Where the TCB's memory comes from; 0 for the common pool.
    pub untyped: Cap,
}

pub const HERE: Options =
    Options { vspace: ROOT_VSPACE, fault_endpoint: 0, core: 0, tls_base: 0, buffer_of: None, untyped: 0 };

#[derive(Clone, Copy)]
pub struct Thread {
    pub tcb: Cap,
    pub buffer: *mut IpcBuffer,
}

pub fn buffer_address(index: usize) -> u64 {
    BUFFERS + index as u64 * 4096
}

/// Makes a thread and lets it run.
#[track_caller]
pub fn spawn(entry: Entry, argument: u64, options: Options) -> Thread {
    let thread = prepare(options);
    run(thread, entry, argument, options.tls_base);
    thread.0
}

#[track_caller]
pub fn prepare(options: Options) -> (Thread, usize) {
    let index = state().thread_count;
    assert!(index < THREADS, "out of stacks");
    let tcb = make_from(if options.untyped == 0 { state().pool } else { options.untyped }, object::TCB, 0);
    state().threads[index] = tcb;
    state().thread_count += 1;
    let at = match options.buffer_of {
        Some(other) => other.buffer as u64,
        None => buffer_address(index),
    };
    let priority = 255 << 8 | ROOT_PRIORITY;
    must(
        tcb,
        label::TCBConfigure,
        &[ROOT_CNODE, options.vspace, state().buffers[index]],
        &[options.fault_endpoint, priority, 0, 0, at],
    );
    if options.core != 0 {
        must(tcb, label::TCBSetAffinity, &[], &[options.core]);
    }
    (Thread { tcb, buffer: at as *mut IpcBuffer }, index)
}

/// Sets all registers and resumes.
#[track_caller]
pub fn run((thread, index): (Thread, usize), entry: Entry, argument: u64, tls_base: u64) {
    // As a call leaves it: the return address (there is none) lies where the alignment says.
    let stack = STACKS[index].0.get() as u64 + STACK_BYTES as u64 - 8;
    let mut registers = [0; 19];
    registers[0] = entry as *const () as u64;
    registers[1] = stack;
    registers[2] = 0x202;
    registers[8] = argument; // rdi
    registers[18] = tls_base;
    must(thread.tcb, label::TCBWriteRegisters, &[], &[&[1, 19][..], &registers].concat_in(&mut [0; 21]));
}

/// `concat` without an allocator.
trait ConcatIn {
    fn concat_in<'a>(&self, into: &'a mut [u64; 21]) -> &'a [u64];
}

impl ConcatIn for [&[u64]; 2] {
    fn concat_in<'a>(&self, into: &'a mut [u64; 21]) -> &'a [u64] {
        let split = self[0].len();
        into[..split].copy_from_slice(self[0]);
        into[split..split + self[1].len()].copy_from_slice(self[1]);
        into
    }
}

pub fn read_tls_base(thread: Thread) -> u64 {
    must(thread.tcb, label::TCBReadRegisters, &[], &[0, 19]);
    let buffer = unsafe { (*state().info).ipc_buffer } as *mut IpcBuffer;
    unsafe { (&raw const (*buffer).words[18]).read_volatile() }
}

pub fn suspend(thread: Thread) {
    must(thread.tcb, label::TCBSuspend, &[], &[]);
}

pub fn resume(thread: Thread) {
    must(thread.tcb, label::TCBResume, &[], &[]);
}

/// For threads that have done their part.
pub fn rest() -> ! {
    loop {
        yield_now();
    }
}

pub fn yield_now() {
    syscall(YIELD, 0, 0, [0; 4]);
}

// Time and waiting

/// Milliseconds in which what must happen does happen, on a host that has other things to do too.
pub const SOON: u64 = 15_000;

pub fn cycles() -> u64 {
    let (low, high): (u32, u32);
    unsafe { asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack)) };
    (high as u64) << 32 | low as u64
}

pub fn cycles_per_ms() -> u64 {
    unsafe { (*state().info).tsc_mhz * 1000 }
}

/// Lets the others run until the condition holds; false when `ms` passed without it.
pub fn within(ms: u64, mut condition: impl FnMut() -> bool) -> bool {
    let end = cycles() + ms * cycles_per_ms();
    loop {
        if condition() {
            return true;
        }
        if cycles() > end {
            return false;
        }
        yield_now();
    }
}

/// Lets the others do what they can do at once.
pub fn settle() {
    within(4, || false);
}

/// Waits for what the test stands on; that it does not come is no finding, and the driver does not take it for one.
#[track_caller]
pub fn expect(what: &str, condition: impl FnMut() -> bool) {
    assert!(within(SOON, condition), "{what}");
}

/// The last of the threads' places (stack and IPC buffer), for a thread that a test makes by itself.
pub const LAST_PLACE: usize = THREADS - 1;

pub fn last_buffer_frame() -> Cap {
    state().buffers[LAST_PLACE]
}

/// Where a word of `SHARED` lies in physical memory: the image's frames are in the order of their addresses.
pub fn shared_paddr(i: usize) -> u64 {
    let at = &raw const SHARED[i] as u64;
    let [first, _] = unsafe { (*state().info).image_frames };
    let frame = first + (at - &raw const __executable_start as u64) / 4096;
    must(frame, label::X86PageGetAddress, &[], &[])[0] + at % 4096
}

/// Receives from an endpoint whose senders all have badges other than 0.
pub fn receive_within(ms: u64, endpoint: Cap) -> Option<Message> {
    let mut got = None;
    within(ms, || {
        let message = syscall(NB_RECV, endpoint, 0, [0; 4]);
        got = (message.badge != 0).then_some(message);
        got.is_some()
    });
    got
}

// Probes: an access by a thread that may fault

const PROBE_READ: u64 = 200;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Probe {
    Value(u64),
    Fault(u64),
    Nothing,
}

static PROBE_AT: AtomicU64 = AtomicU64::new(0);
static PROBE_WRITES: AtomicUsize = AtomicUsize::new(0);

extern "C" fn probe(endpoint: u64) -> ! {
    let at = PROBE_AT.load(SeqCst);
    if PROBE_WRITES.load(SeqCst) == 1 {
        write(at, !0);
    }
    syscall(SEND, endpoint, info(PROBE_READ, 0, 1), [read(at), 0, 0, 0]);
    rest()
}

pub fn probe_read(at: u64, options: Options) -> Probe {
    probe_access(at, false, options)
}

pub fn probe_write(at: u64, options: Options) -> Probe {
    probe_access(at, true, options)
}

fn probe_access(at: u64, writes: bool, options: Options) -> Probe {
    let endpoint = make(object::ENDPOINT, 0);
    let badged = mint(endpoint, rights::ALL, 1);
    PROBE_AT.store(at, SeqCst);
    PROBE_WRITES.store(writes as usize, SeqCst);
    let thread = spawn(probe, badged, Options { fault_endpoint: badged, ..options });
    let result = match receive_within(SOON, endpoint) {
        Some(m) if m.label() == PROBE_READ => Probe::Value(m.words[0]),
        Some(m) => Probe::Fault(m.words[1]),
        None => Probe::Nothing,
    };
    delete(thread.tcb);
    result
}
