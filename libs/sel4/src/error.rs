//! What an invocation is refused with.

use crate::{generated::consts, Message, Word};

pub type Result<T> = core::result::Result<T, Error>;

/// The kernel's refusal, with the details that it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Argument `index` (the kernel's count, from 0) is not acceptable.
    InvalidArgument { index: Word },
    /// Capability `index` is of the wrong kind; 0 is the one that was invoked.
    InvalidCapability { index: Word },
    /// The object does not do this, or not now.
    IllegalOperation,
    /// A value is outside `min..=max`.
    RangeError { min: Word, max: Word },
    AlignmentError,
    /// A slot, or a page table on the way, is not there. `source` tells the source slot from the destination.
    FailedLookup { source: bool, failure: LookupFailure },
    /// The message has too few words or capabilities.
    TruncatedMessage,
    /// The destination is not empty.
    DeleteFirst,
    /// The object still has descendants.
    RevokeFirst,
    /// The untyped memory has `left` bytes left.
    NotEnoughMemory { left: Word },
    /// A label that this kernel's headers do not list.
    Unknown { label: Word },
}

/// Why a path through a CSpace or an address space leads nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupFailure {
    InvalidRoot,
    /// Nothing is there with `bits_left` bits still to resolve.
    MissingCapability { bits_left: Word },
    DepthMismatch { bits_left: Word, bits_found: Word },
    GuardMismatch { bits_left: Word, guard: Word, bits_found: Word },
    Unknown { kind: Word },
}

impl LookupFailure {
    /// Reads it from a message, from word `at` on.
    pub fn read(word: impl Fn(usize) -> Word, at: usize) -> LookupFailure {
        let bits_left = word(at + 1);
        match word(at) {
            consts::INVALID_ROOT => LookupFailure::InvalidRoot,
            consts::MISSING_CAPABILITY => LookupFailure::MissingCapability { bits_left },
            consts::DEPTH_MISMATCH => LookupFailure::DepthMismatch { bits_left, bits_found: word(at + 2) },
            consts::GUARD_MISMATCH => {
                LookupFailure::GuardMismatch { bits_left, guard: word(at + 2), bits_found: word(at + 3) }
            }
            kind => LookupFailure::Unknown { kind },
        }
    }
}

impl Error {
    /// The error in the kernel's reply; only for a label other than 0.
    #[cold]
    pub(crate) fn read(reply: Message) -> Error {
        let word = |i| reply.word(i);
        match reply.info.label() {
            consts::INVALID_ARGUMENT => Error::InvalidArgument { index: word(0) },
            consts::INVALID_CAPABILITY => Error::InvalidCapability { index: word(0) },
            consts::ILLEGAL_OPERATION => Error::IllegalOperation,
            consts::RANGE_ERROR => Error::RangeError { min: word(0), max: word(1) },
            consts::ALIGNMENT_ERROR => Error::AlignmentError,
            consts::FAILED_LOOKUP => {
                Error::FailedLookup { source: word(0) != 0, failure: LookupFailure::read(word, 1) }
            }
            consts::TRUNCATED_MESSAGE => Error::TruncatedMessage,
            consts::DELETE_FIRST => Error::DeleteFirst,
            consts::REVOKE_FIRST => Error::RevokeFirst,
            consts::NOT_ENOUGH_MEMORY => Error::NotEnoughMemory { left: word(0) },
            label => Error::Unknown { label },
        }
    }
}
