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
pub const VERSION: u32 = 2;

/// Bytes of a small page, on every platform.
pub const PAGE: u64 = 4096;
/// Bytes of a large page (x86_64: PD entry; aarch64: level 2 block).
pub const LARGE_PAGE: u64 = 2 << 20;

/// A set of modes: bit `i` stands for [`System::modes`]`[i]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modes(pub u32);

impl Modes {
    pub fn has(self, mode: usize) -> bool {
        mode < 32 && self.0 >> mode & 1 != 0
    }

    pub fn add(&mut self, mode: usize) {
        self.0 |= 1 << mode;
    }
}

/// A whole system on one platform, in all of its modes. Whatever has a set of modes exists in these and in no other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct System {
    pub version: u32,
    /// SHA-256 of the resolved specification with this field zeroed.
    pub hash: [u8; 32],
    /// What the boot banner says, for example `AlphaOS 0.1.0`.
    pub name: String,
    pub kernel: String,
    pub platform: String,
    /// The first one is the one in which the system starts.
    pub modes: Vec<Mode>,
    pub cores: u8,
    /// RAM of the machine that the system was resolved for.
    pub memory_bytes: u64,
    /// The GGUF that the loader put into a reserved physical range.
    pub model: Option<Model>,
    /// A second one, loaded when the first is no good.
    pub spare: Option<Model>,
    pub memories: Vec<Memory>,
    pub endpoints: Vec<Owned>,
    pub notifications: Vec<Owned>,
    pub irqs: Vec<Irq>,
    pub ports: Vec<PortRange>,
    pub pci: Vec<PciFunction>,
    pub pds: Vec<Pd>,
    pub root: Root,
    /// The edges in people's words, for `/caps`.
    pub channels: Vec<Channel>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mode {
    /// In the layout: `local-only`.
    pub name: String,
    /// What people read: `Local Only`.
    pub title: String,
}

/// An endpoint or a notification. It exists while the one who receives on it does, and is made anew with a public one
/// at each change of the mode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Owned {
    pub name: String,
    /// Index into [`System::pds`]; `None` for root.
    pub owner: Option<u16>,
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
    pub modes: Modes,
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
    /// Zeroed when created.
    Ram,
    /// As that: the producer's area of a ring (libs/ring).
    Ring,
    /// As that: the consumer's page of the ring with this index.
    RingPage { ring: u16 },
    /// Registers of a device.
    Device { paddr: u64 },
    /// A reserved physical range that the loader filled; never zeroed, mapped cacheable.
    Loaded { paddr: u64 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Irq {
    pub name: String,
    /// Index into [`System::pds`].
    pub driver: u16,
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
    /// Index into [`System::pds`].
    pub driver: u16,
    pub first: u16,
    pub last: u16,
}

/// A device on PCI. Nobody but root touches its configuration space.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PciFunction {
    pub name: String,
    pub bus: u8,
    pub device: u8,
    pub function: u8,
    /// Vendor in the low half, device in the high half, as in the first word of the configuration space.
    pub id: u32,
    /// Base address registers that root points at addresses of the layout's choice: index, address, bytes.
    pub bars: Vec<(u8, u64, u64)>,
    /// The driver, index into [`System::pds`].
    pub driver: u16,
    pub can_dma: bool,
    /// How the device is made to forget everything.
    pub reset: Option<PciReset>,
}

/// A byte that is written to a register; the device is done when the register reads as zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PciReset {
    /// Address of the register: within one of the BARs.
    pub paddr: u64,
    pub value: u8,
}

impl PciFunction {
    /// Bus, device and function in the 16 bits in which DMA requests name their source.
    pub fn source_id(&self) -> u16 {
        u16::from(self.bus) << 8 | u16::from(self.device & 31) << 3 | u16::from(self.function & 7)
    }
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
    /// Of a trusted PD: what it passes on. Nothing else.
    pub crossings: Vec<Crossing>,
    pub modes: Modes,
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

/// From one edge that leads to a trusted PD (or root) to one that leads away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossing {
    pub from: End,
    pub to: End,
    pub why: String,
    /// The package whose tests hold the code to it.
    pub tests: String,
}

/// Edges, seen from the PD that has the crossing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum End {
    /// Of this name; `other` is the PD at the other end, `None` for whoever it is.
    Channel { name: String, other: Option<String> },
    /// What the PD drives.
    Device { name: String },
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
    /// A device reads and writes it too.
    pub dma: Option<Dma>,
}

/// Memory that lies in one piece, a power of two of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dma {
    /// Index into [`System::pci`].
    pub device: u16,
    /// Where the device sees it behind the IOMMU. Without one it sees physical addresses.
    pub io_address: u64,
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
    /// Title of the mode in which it was started; root fills it in.
    pub mode: String,
    /// Where the PD's device sees its DMA memory; root fills it in. 0: it has none.
    pub dma_base: u64,
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
    pub modes: Modes,
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
    pub modes: Modes,
}

/// Root's own ends of channels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Root {
    pub crossings: Vec<Crossing>,
    pub maps: Vec<Map>,
    /// Root's lines to the person.
    pub display: handle::RingOut,
    /// One for each PD that logs, with the PD's index.
    pub logs: Vec<(u16, handle::RingIn)>,
    /// What the person types to root on the trusted path.
    pub focus: Option<handle::RingIn>,
    /// x86: first and last of the I/O ports through which PCI configuration space is reached.
    pub pci_config: Option<(u16, u16)>,
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
    pub modes: Modes,
}

impl Channel {
    /// Every way in which data or signals can move: from, to.
    pub fn edges(&self) -> impl Iterator<Item = (&str, &str)> {
        let there = (self.from.as_str(), self.to.as_str());
        let back = matches!(self.kind, ChannelKind::Rpc | ChannelKind::CreditRing);
        core::iter::once(there).chain(back.then_some((there.1, there.0)))
    }

    /// Whether data can move to `pd` (or, if not `into`, from it), from `other` or whoever it is.
    pub fn leads(&self, pd: &str, other: Option<&str>, into: bool) -> bool {
        self.edges().any(|(from, to)| {
            let (here, there) = if into { (to, from) } else { (from, to) };
            here == pd && other.is_none_or(|other| other == there)
        })
    }
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
