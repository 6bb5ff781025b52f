//! What a PD knows of its own capabilities and mappings: plain numbers, written by the layout's resolver into each
//! PD's generated `layout` module. `libs/pd` turns them into working ends.

use serde::{Deserialize, Serialize};

/// The consuming end of a ring (libs/ring).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingIn {
    /// Producer header page; the data follow at +4096. Mapped read-only.
    pub vaddr: u64,
    /// Data bytes, a power of two.
    pub capacity: u64,
    /// The consumer's page, mapped read-write, which outlives the PD's restarts; `None` if nobody keeps the position.
    pub page_vaddr: Option<u64>,
    /// The producer sees that page; on a one-way ring nobody does but this PD.
    pub credit: bool,
    /// Bit in the PD's notification that the producer's doorbell sets; 0 if it has none.
    pub bit: u64,
    /// Slot of the notification capability that tells the producer of new room; 0 if there is none.
    pub credit_bell: u64,
}

/// The producing end of a ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RingOut {
    pub vaddr: u64,
    pub capacity: u64,
    /// The consumer's page, mapped read-only; `None` for a one-way ring.
    pub credit_vaddr: Option<u64>,
    /// Slot of the notification capability that rings the consumer; 0 if it has none.
    pub doorbell: u64,
    /// Bit in the PD's notification that the consumer sets when it has made room; 0 if it never does.
    pub credit_bit: u64,
}

/// The calling end of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    pub slot: u64,
}

/// The serving end of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Server {
    pub slot: u64,
}

/// A notification that this PD signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    pub slot: u64,
}

/// An interrupt: acknowledged through `slot`, seen as `bit` in the PD's notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Irq {
    pub slot: u64,
    pub bit: u64,
}

/// x86 I/O ports `first..=last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ports {
    pub slot: u64,
    pub first: u16,
    pub last: u16,
}

/// Shared or device memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    pub vaddr: u64,
    pub bytes: u64,
}

/// A display ring as serial sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayIn {
    pub ring: RingIn,
    /// Who speaks, in the layout's words.
    pub label: &'static str,
    /// Drawn with the reserved marker: root and the other PDs of the trusted path.
    pub reserved: bool,
    /// May send the input line.
    pub edits: bool,
}

/// A tick that clock sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick {
    pub signal: Signal,
    pub period_us: u64,
}

/// A ring on which serial hands a trusted PD what the person types to it, and the key with which the person does so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FocusOut {
    pub ring: RingOut,
    /// The control character that the key sends.
    pub key: u8,
    /// Who hears, in the layout's words.
    pub label: &'static str,
}

/// Memory that a device reads and writes; the start page has the address at which the device sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dma {
    pub vaddr: u64,
    pub bytes: u64,
}
