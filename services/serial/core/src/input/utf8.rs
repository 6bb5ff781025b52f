//! Bytes to characters.

pub(super) enum Decoded {
    More,
    Char(char),
    /// So many bytes are no UTF-8. `again`: the last byte is not among them and begins something new.
    Invalid {
        bytes: u16,
        again: bool,
    },
}

/// One character at a time.
#[derive(Default)]
pub(super) struct Utf8 {
    bytes: [u8; 4],
    length: usize,
}

impl Utf8 {
    pub(super) fn is_idle(&self) -> bool {
        self.length == 0
    }

    pub(super) fn cut(&mut self) -> u16 {
        core::mem::take(&mut self.length) as u16
    }

    pub(super) fn push(&mut self, byte: u8) -> Decoded {
        let held = self.length;
        if let Some(free) = self.bytes.get_mut(held) {
            *free = byte;
            self.length += 1;
        }
        match core::str::from_utf8(&self.bytes[..self.length]) {
            Ok(text) => {
                self.length = 0;
                // One character: a shorter beginning would have been complete before.
                text.chars().next().map_or(Decoded::More, Decoded::Char)
            }
            Err(error) if error.error_len().is_none() => Decoded::More,
            Err(_) => {
                self.length = 0;
                match held {
                    0 => Decoded::Invalid { bytes: 1, again: false },
                    _ => Decoded::Invalid { bytes: held as u16, again: true },
                }
            }
        }
    }
}
