//! Protocols between protection domains (PDs).
//!
//! Two kinds of traffic exist (docs/architecture.md):
//! * **Calls**: a request enum and a reply per method, postcard in the message registers. [`protocol!`] makes the
//!   request enum, the server's trait, its dispatcher and the typed client out of one definition.
//! * **Ring records**: postcard enums on a one-way or credited ring ([`display`], [`keys`], [`prompts`],
//!   [`inference`], [`outbound`], [`focus`], [`net`]).
//!
//! Nothing here makes a system call: the transport is `libs/pd`'s, tests use one of their own. Whatever is decoded
//! here comes from another PD and is checked: a malformed message is a typed error, never a panic.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod protocol;
mod wire;

pub mod display;
pub mod echo;
pub mod focus;
pub mod inference;
pub mod keys;
pub mod net;
pub mod outbound;
pub mod prompts;
pub mod router;
pub mod supervisor;

#[doc(hidden)]
pub use protocol::made;
pub use protocol::{status, CallError, Reply, Transport, MESSAGE_BYTES};

/// Decodes one ring record. Trailing bytes are an error: a record is exactly one value.
#[inline]
pub fn decode<'a, T: serde::Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    let mut decoder = wire::Decoder::new(bytes);
    let value = T::deserialize(&mut decoder).map_err(|_| Malformed)?;
    if decoder.at_end() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

/// Encodes one ring record into `buffer`; `None` if it does not fit.
#[inline]
pub fn encode<'a, T: serde::Serialize>(value: &T, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let left = postcard::serialize_with_flavor(value, wire::Room::new(buffer)).ok()?;
    buffer.get(..buffer.len() - left)
}

/// Bytes that are no value of the expected type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// At most `N` bytes of a string starting at `*at`, cut at a character border; advances `*at`.
pub fn next_chunk<'a, const N: usize>(text: &'a str, at: &mut usize) -> Option<&'a str> {
    let rest = text.get(*at..)?;
    if rest.is_empty() {
        return None;
    }
    let mut end = rest.len().min(N);
    while !rest.is_char_boundary(end) {
        end -= 1;
    }
    *at += end;
    Some(&rest[..end])
}
