//! The binary specification: the resolved layout as `alpha` hands it to the root task, and the start page that
//! root hands to each protection domain (PD).
//!
//! Root holds no policy. Every object, capability, right, badge and mapping that exists after boot stands in
//! [`System`]; root creates exactly that. Sizes are in bytes and addresses are virtual unless a name says otherwise.
#![no_std]

extern crate alloc;

use alloc::{string::String, vec::Vec};
use serde::{Deserialize, Serialize};

pub mod handle;
pub mod label;

/// Bumped with every change of the formats in this crate.
pub const VERSION: u32 = 1;

/// Bytes of a small page, on every platform.
pub const PAGE: u64 = 4096;
/// Bytes of a large page (x86_64: PD entry; aarch64: level 2 block).
pub const LARGE_PAGE: u64 = 2 << 20;

/// A whole system in one mode on one platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct System {
    pub version: u32,
    /// SHA-256 of the resolved specification with this field zeroed.
    pub hash: [u8; 32],
    /// What the boot banner says, for example `AlphaOS 0.1.0`.
    pub name: String,
    pub kernel: String,
    pub platform: String,
    /// What people read: `Local Only`.
    pub mode: String,
    pub cores: u8,
    /// RAM of the machine that the system was resolved for.
    pub memory_bytes: u64,
    /// The GGUF that the loader put into a reserved physical range.
    pub model: Option<Model>,
    /// A second one, loaded when the first is no good.
    pub spare: Option<Model>,
    pub memories: Vec<Memory>,
    pub endpoints: Vec<String>,
    pub notifications: Vec<String>,
    pub irqs: Vec<Irq>,
    pub ports: Vec<PortRange>,
    pub pds: Vec<Pd>,
    pub root: Root,
    /// The edges in people's words, for `/caps`.
    pub channels: Vec<Channel>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    pub name: String,
    /// Physical address, aligned to [`LARGE_PAGE`].
    pub paddr: u64,
    /// Length of the file; the reserved range is this rounded up to [`LARGE_PAGE`].
    pub bytes: u64,
}

/// Memory that outlives PDs: rings, shared pages, device registers, the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    pub name: String,
    pub bytes: u64,
    pub page: PageSize,
    pub kind: MemoryKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PageSize {
    Small,
    Large,
}

impl PageSize {
    pub fn bytes(self) -> u64 {
        match self {
            PageSize::Small => PAGE,
            PageSize::Large => LARGE_PAGE,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MemoryKind {
    /// Zeroed when created; lives as long as the mode.
    Ram,
    /// Registers of a device.
    Device { paddr: u64 },
    /// A reserved physical range that the loader filled; never zeroed, mapped cacheable.
    Loaded { paddr: u64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Irq {
    pub name: String,
    pub source: IrqSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum IrqSource {
    /// x86: a pin of an I/O APIC, delivered as user vector `vector` (0..=107).
    IoApic { ioapic: u8, pin: u8, level: bool, active_low: bool, vector: u8 },
    /// Arm: a line of the interrupt controller.
    Gic { irq: u16 },
}

/// x86 I/O ports, both ends included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PortRange {
    pub name: String,
    pub first: u16,
    pub last: u16,
}

/// On which side of the wall a PD stands (docs/architecture.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    Private,
    Public,
    Trusted,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Pd {
    pub name: String,
    /// One sentence for `/caps`.
    pub purpose: String,
    pub trust: Trust,
    /// Slots of the PD's CSpace: 2^bits. Slot 0 stays empty.
    pub cnode_bits: u8,
    pub image: Image,
    pub threads: Vec<Thread>,
    /// Zeroed read-write memory made anew at each start: heap, arena.
    pub private: Vec<PrivateMemory>,
    /// Where the read-only start page is mapped.
    pub start_vaddr: u64,
    pub start: StartPage,
    pub caps: Vec<Cap>,
    pub maps: Vec<Map>,
    /// Index into [`System::notifications`], bound to thread 0.
    pub notification: Option<u16>,
}

/// An ELF file, cut into what has to be mapped. File offsets are relative to the payload that follows the
/// specification in the boot image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Image {
    pub entry: u64,
    pub segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Where the first byte of the file part goes; need not be page-aligned, but no two segments share a page.
    pub vaddr: u64,
    pub memory_bytes: u64,
    pub payload_offset: u64,
    pub payload_bytes: u64,
    pub write: bool,
    pub execute: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thread {
    pub entry: u64,
    /// In the first argument register at start.
    pub argument: u64,
    pub priority: u8,
    pub core: u8,
    /// The stack is mapped below this address; the page under it stays unmapped.
    pub stack_top: u64,
    pub stack_bytes: u64,
    pub ipc_buffer: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PrivateMemory {
    pub name: String,
    pub vaddr: u64,
    pub bytes: u64,
    pub page: PageSize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum StartPage {
    /// A [`Start`] in postcard, prefixed by its length as a little-endian u32; root fills in the values that are
    /// known only at run time.
    Rust(Start),
    /// Little-endian words from the start of the page, for programs in C.
    Words(Vec<Word>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Word {
    Const(u64),
    TscHz,
    Epoch,
    /// Eight bytes of this start's seed.
    Seed,
}

/// What a Rust PD finds on its start page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    pub version: u32,
    pub name: String,
    /// Counts the starts of this PD, from 1.
    pub epoch: u64,
    pub ipc_buffer: u64,
    pub heap_vaddr: u64,
    pub heap_bytes: u64,
    /// Ticks of the CPU's counter in a second.
    pub tsc_hz: u64,
    /// Entropy for this start alone; `None` where the platform has no source (layout: `entropy`).
    pub seed: Option<[u8; 32]>,
    pub cores: u8,
    pub memory_bytes: u64,
    pub mode: String,
    pub model: Option<Model>,
    pub spare: Option<Model>,
    /// Slot of the endpoint on which faults and panics reach root.
    pub fault_slot: u64,
    /// Log ring towards root, if the layout gives one.
    pub log: Option<handle::RingOut>,
}

/// One capability in a PD's CSpace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cap {
    pub slot: u64,
    pub object: Object,
    pub rights: Rights,
    /// 28 bits; 0 for none.
    pub badge: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Object {
    /// Index into [`System::endpoints`].
    Endpoint(u16),
    /// Index into [`System::notifications`].
    Notification(u16),
    /// Index into [`System::irqs`].
    Irq(u16),
    /// Index into [`System::ports`].
    Ports(u16),
    /// The endpoint on which root receives faults, panics and requests.
    RootEndpoint,
}

/// Rights of an endpoint or notification capability. Nobody but root holds Grant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rights {
    pub read: bool,
    pub write: bool,
    /// May call: gets a reply, moves no capability.
    pub grant_reply: bool,
}

/// A [`Memory`] in a PD's address space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Map {
    /// Index into [`System::memories`].
    pub memory: u16,
    pub vaddr: u64,
    pub write: bool,
}

/// Root's own ends of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Root {
    pub maps: Vec<Map>,
    /// Root's lines to the person.
    pub display: handle::RingOut,
    /// One for each PD that logs, with the PD's index.
    pub logs: Vec<(u16, handle::RingIn)>,
    /// Index into [`System::notifications`], bound to root's thread: ticks.
    pub notification: u16,
    /// Badge bit of the clock's tick, and its period.
    pub tick_bit: u64,
    pub tick_us: u64,
    /// Capabilities to signal with (doorbells of root's rings); slots are root's own choice, indexed by position.
    pub signals: Vec<Cap>,
    /// How `/quit` switches the machine off.
    pub power_off: PowerOff,
    /// Where seeds come from.
    pub entropy: Entropy,
    /// Priority of root itself.
    pub priority: u8,
    /// A PD that spins longer than this is put below its neighbours.
    pub spin_limit_us: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PowerOff {
    /// x86: write `value` (16 bits) to an I/O port.
    Port { port: u16, value: u16 },
    /// Arm: PSCI SYSTEM_OFF.
    Psci,
    /// Nothing known: say so and halt.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entropy {
    /// x86 RDRAND/RDSEED, after a CPUID check.
    RdRand,
    None,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channel {
    pub name: String,
    pub from: String,
    pub to: String,
    pub kind: ChannelKind,
    /// One clause for people: what moves here and why.
    pub what: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelKind {
    /// Data or signals in both directions.
    Rpc,
    /// A ring with the consumer's credits going back: both directions.
    CreditRing,
    /// One direction.
    OneWayRing,
    /// One direction.
    Notification,
    /// A page that one PD writes and others read.
    SharedPage,
}

/// Position of the specification in the boot image: the blob starts on a page boundary behind root's own image.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct BlobHeader {
    /// [`BLOB_MAGIC`].
    pub magic: u64,
    /// Bytes of the postcard specification, which follows this header.
    pub spec_bytes: u64,
    /// From the start of the blob; page-aligned.
    pub payload_offset: u64,
    pub payload_bytes: u64,
}

/// "ALPHASPC" read as a little-endian number.
pub const BLOB_MAGIC: u64 = u64::from_le_bytes(*b"ALPHASPC");
