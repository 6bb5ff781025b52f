//! Why root could not do what the specification says.

use alloc::string::String;
use core::fmt;

use crate::slots::NoSlots;

#[derive(Debug)]
pub enum Failure {
    /// Memory is used up.
    NoMemory {
        /// Bytes of the objects that were to be made.
        needed: u64,
        /// Bytes that were free, in pieces that may be too small.
        free: u64,
    },
    NoSlots,
    /// No device memory starts at this physical address.
    NoDevice {
        paddr: u64,
    },
    /// The layout's device is not in its place.
    NoPciDevice {
        name: String,
    },
    /// A device that does not end its reset.
    Deaf {
        name: String,
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
            Failure::NoMemory { needed, free } => {
                write!(f, "out of memory: {needed} bytes are needed for one part, and {free} are free")
            }
            Failure::NoSlots => write!(f, "root's capability table is full"),
            Failure::NoDevice { paddr } => write!(f, "no device memory at physical address {paddr:#x}"),
            Failure::NoPciDevice { name } => write!(f, "this machine has no device `{name}` where the layout has it"),
            Failure::Deaf { name } => write!(f, "the device `{name}` does not answer its reset"),
            Failure::Specification(what) => write!(f, "the specification is wrong: {what}"),
            Failure::Kernel { what, error } => write!(f, "the kernel refused to {what}: {error:?}"),
        }
    }
}
