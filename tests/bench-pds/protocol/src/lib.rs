//! What `rpc-client` asks of `rpc-server`.
#![cfg_attr(not(test), no_std)]

use serde::{Deserialize, Serialize};

/// Bytes of an echo beside its text: which request it is, the number, the text's length. A reply has as many.
pub const HEAD_BYTES: usize = 3;

pub type Text = heapless::String<61>;

/// Bytes of the messages that are measured. Of one byte is the shortest request: it says which it is, and its reply is
/// empty. The others are echoes.
pub const SHORTEST: usize = 1;
pub const LENGTHS: [usize; 4] = [SHORTEST, 8, 32, 64];

/// Label of a bare message after which the server goes back to typed ones.
pub const LEAVE: u64 = 1;

/// What the heap gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// What the layout says.
    pub layout_bytes: u64,
    /// What could be had in blocks of 1 KiB before one was refused.
    pub had_bytes: u64,
    /// As much again once all that was given back.
    pub again_bytes: u64,
    /// A block larger than the heap was refused, and an ordinary one was still given afterwards.
    pub large_refused: bool,
}

ipc::protocol! {
    version 1;
    /// Gives back what it was given.
    Echo echo(number: u8, text: Text) -> (u8, u8, Text);
    /// Nothing there, nothing back.
    Nothing nothing() -> ();
    /// From here on bare messages are answered, until one is labelled [`LEAVE`].
    Bare bare() -> ();
    /// Fills the heap.
    Heap heap() -> Heap;
    /// Thread-local variables: one with a value in the program's file, one without; and again after each was changed.
    ThreadLocal thread_local() -> [u32; 4];
    /// Logs the text.
    Say say(text: Text) -> ();
    /// Runs out of stack.
    Overflow overflow() -> ();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_as_long_as_the_measurement_says() {
        let mut buffer = [0; 128];
        assert_eq!(ipc::encode(&Request::Nothing {}, &mut buffer).unwrap().len(), SHORTEST);
        assert_eq!(ipc::encode(&(), &mut buffer).unwrap().len(), 0);
        for bytes in LENGTHS.into_iter().filter(|bytes| *bytes > SHORTEST) {
            let text = Text::try_from("x".repeat(bytes - HEAD_BYTES).as_str()).unwrap();
            let request = Request::Echo { number: 7, text: text.clone() };
            assert_eq!(ipc::encode(&request, &mut buffer).unwrap().len(), bytes);
            assert_eq!(ipc::encode(&(7u8, 7u8, text), &mut buffer).unwrap().len(), bytes);
        }
    }
}
