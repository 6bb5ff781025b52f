//! Why root could not do what the specification says.

use core::fmt;

use crate::slots::NoSlots;

#[derive(Debug)]
pub enum Failure {
    /// No untyped block of 2^`bits` bytes is left.
    NoMemory {
        bits: u8,
    },
    NoSlots,
    /// No device memory starts at this physical address.
    NoDevice {
        paddr: u64,
    },
    /// The specification names something that it does not contain.
    Specification(&'static str),
    Kernel {
        what: &'static str,
        error: sel4::Error,
    },
}

impl From<NoSlots> for Failure {
    fn from(_: NoSlots) -> Self {
        Failure::NoSlots
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NoMemory { bits } => write!(f, "out of memory: no free block of {} bytes", 1u64 << bits),
            Failure::NoSlots => write!(f, "root's capability table is full"),
            Failure::NoDevice { paddr } => write!(f, "no device memory at physical address {paddr:#x}"),
            Failure::Specification(what) => write!(f, "the specification is wrong: {what}"),
            Failure::Kernel { what, error } => write!(f, "the kernel refused to {what}: {error:?}"),
        }
    }
}
