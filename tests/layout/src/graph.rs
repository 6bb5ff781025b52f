//! Places and the edges between them: in which way anything can move from one place to another.
//!
//! A place is `root`, the name of a protection domain, `device:NAME` or, if a device can send to a network,
//! `wire:NAME`. No protection domain has a name with `:` or `@` in it or is called `root`; the resolver sees to that.

use spec::{Crossing, End, PciFunction, System, Trust};
use std::fmt;

pub const ROOT: &str = "root";
/// Where the person sits. What is on the screen and what is typed are two things: docs/wall.md, assumptions.
pub const PERSON: &str = "device:console";

/// What an edge is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Memory that one may write and the other may read.
    Page,
    /// As that: the producer's area of a ring.
    Ring,
    /// As that: the page on which a ring's consumer says how far it is.
    Credits,
    /// An endpoint, from who may send to who may receive.
    Call,
    /// An endpoint, back: by a reply, and by the mere moment at which a send is taken.
    Reply,
    /// A notification.
    Signal,
    /// Registers of a device in memory.
    Registers,
    /// Registers of a device in I/O ports.
    Ports,
    /// An interrupt, and its acknowledgement.
    Interrupt,
    /// Memory of a PD that a device reads and writes, as its driver tells it.
    Dma,
    /// As that, all memory: no IOMMU confines the device.
    AnyMemory,
    /// Faults and panics to root.
    Fault,
    /// What root can do by its capabilities to everything.
    Power,
}

impl Kind {
    pub const ALL: [Kind; 13] = [
        Kind::Page,
        Kind::Ring,
        Kind::Credits,
        Kind::Call,
        Kind::Reply,
        Kind::Signal,
        Kind::Interrupt,
        Kind::Registers,
        Kind::Ports,
        Kind::Dma,
        Kind::AnyMemory,
        Kind::Fault,
        Kind::Power,
    ];

    pub fn word(self) -> &'static str {
        match self {
            Kind::Page => "page",
            Kind::Ring => "ring",
            Kind::Credits => "credits",
            Kind::Call => "call",
            Kind::Reply => "reply",
            Kind::Signal => "signal",
            Kind::Interrupt => "interrupt",
            Kind::Registers => "registers",
            Kind::Ports => "ports",
            Kind::Dma => "dma",
            Kind::AnyMemory => "any-memory",
            Kind::Fault => "fault",
            Kind::Power => "power",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub kind: Kind,
    /// The channel's name, where the specification has it. Bits of notifications and endpoints have none: whatever a
    /// crossing says of a channel between two PDs counts for these too.
    pub name: String,
    /// What in the specification makes it.
    pub reason: String,
}

impl fmt::Display for Edge {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "-({}", self.kind.word())?;
        if !self.name.is_empty() && self.name != self.kind.word() {
            write!(f, " `{}`", self.name)?;
        }
        write!(f, ")-> {}", self.to)
    }
}

/// A path as people read it: `assistant -(ring `leak`)-> net -(registers)-> wire:nic`.
pub fn path_text(path: &[Edge]) -> String {
    let start = path.first().map_or("", |edge| &edge.from);
    path.iter().fold(start.to_owned(), |text, edge| format!("{text} {edge}"))
}

/// A crossing in the layout's words: `typed from router -> approved to cloud`.
pub fn crossing_text(crossing: &Crossing) -> String {
    let end = |end: &End, word: &str| match end {
        End::Device { name } => format!("device {name}"),
        End::Channel { name, other } => format!("{name} {word} {}", other.as_deref().unwrap_or("*")),
    };
    format!("{} -> {}", end(&crossing.from, "from"), end(&crossing.to, "to"))
}

/// What a place does with what comes in.
pub enum Role<'a> {
    /// Anything to anywhere; holds private data of its own.
    Private,
    /// Anything to anywhere.
    Public,
    /// Only this.
    Trusted(&'a [Crossing]),
    /// Anything back to its drivers.
    Device,
    /// It has left the machine.
    Wire,
    /// A person reads it. What a person then types is a decision of theirs.
    Person,
}

/// A place without the mode that [`crate::statement`] writes behind a public PD when it looks at several.
pub fn bare(place: &str) -> &str {
    place.split_once('@').map_or(place, |(name, _)| name)
}

pub fn role<'a>(system: &'a System, place: &str) -> Role<'a> {
    let name = bare(place);
    match system.pds.iter().find(|pd| pd.name == name) {
        Some(pd) => match pd.trust {
            Trust::Private => Role::Private,
            Trust::Public => Role::Public,
            Trust::Trusted => Role::Trusted(&pd.crossings),
        },
        None if name == ROOT => Role::Trusted(&system.root.crossings),
        None if name == PERSON => Role::Person,
        None if name.starts_with("wire:") => Role::Wire,
        None => Role::Device,
    }
}

/// Whether a crossing's end speaks of this edge; `place` has the crossing.
pub fn matches(end: &End, edge: &Edge, place: &str) -> bool {
    let other = if edge.to == place { &edge.from } else { &edge.to };
    let device = other.strip_prefix("device:").or_else(|| other.strip_prefix("wire:"));
    match (end, device) {
        (End::Device { name }, Some(device)) => name == device,
        (End::Channel { name, other: wanted }, None) => {
            wanted.as_deref().is_none_or(|wanted| wanted == bare(other)) && (edge.name.is_empty() || edge.name == *name)
        }
        _ => false,
    }
}

/// Vendor and device number of functions that are known not to send to a network: virtio block, both kinds.
const NO_NETWORK: [u32; 2] = [0x1001_1af4, 0x1042_1af4];

/// Whether what is told to a PCI function may leave the machine. What is not known to be harmless does.
pub fn is_wire(function: &PciFunction) -> bool {
    !NO_NETWORK.contains(&function.id)
}

/// The place of a device that the specification calls so.
pub fn device(system: &System, name: &str) -> String {
    match system.pci.iter().find(|function| function.name == name) {
        Some(function) if is_wire(function) => format!("wire:{name}"),
        _ => format!("device:{name}"),
    }
}
