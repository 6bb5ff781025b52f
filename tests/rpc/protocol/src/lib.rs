//! A typed call whose request and reply are 64 bytes each, and one that is as short as a call can be.
#![cfg_attr(not(test), no_std)]

/// Bytes of text that make a message of 64: one byte says which request it is, one is the number, one the length.
pub const TEXT_BYTES: usize = 61;
pub type Text = heapless::String<TEXT_BYTES>;

/// What a typed message of 64 bytes costs is held against bare words of the same length.
pub const WORDS: usize = 8;

/// Label of a bare message after which the server goes back to typed ones.
pub const LEAVE: u64 = 1;

ipc::protocol! {
    version 1;
    /// Gives back what it was given.
    Echo echo(number: u8, text: Text) -> (u8, u8, Text);
    /// Nothing there, nothing back: the shortest call.
    Nothing nothing() -> ();
    /// From here on bare messages are answered.
    Bare bare() -> ();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_and_reply_have_64_bytes() {
        let text = Text::try_from("x".repeat(TEXT_BYTES).as_str()).unwrap();
        let mut buffer = [0; 256];
        let request = Request::Echo { number: 7, text: text.clone() };
        assert_eq!(ipc::encode(&request, &mut buffer).unwrap().len(), 8 * WORDS);
        assert_eq!(ipc::encode(&(7u8, 7u8, text), &mut buffer).unwrap().len(), 8 * WORDS);
    }
}
