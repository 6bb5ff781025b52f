//! Text in a buffer of fixed size, for where there may be no heap.

use core::fmt;

/// At most `N` bytes of UTF-8; what does not fit is cut off at a character.
pub(crate) struct Text<const N: usize> {
    bytes: [u8; N],
    length: usize,
    full: bool,
}

impl<const N: usize> Text<N> {
    pub const fn new() -> Self {
        Text { bytes: [0; N], length: 0, full: false }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // Once something was cut off, nothing may follow the gap.
        if self.full {
            return Ok(());
        }
        let mut end = text.len().min(N - self.length);
        self.full = end < text.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.bytes[self.length..][..end].copy_from_slice(&text.as_bytes()[..end]);
        self.length += end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn what_does_not_fit_is_cut_at_a_character() {
        let mut text = Text::<6>::new();
        write!(text, "ab{}", "cd").unwrap();
        assert_eq!(text.as_bytes(), b"abcd");
        text.write_str("éé").unwrap();
        text.write_str("x").unwrap();
        assert_eq!(text.as_bytes(), "abcdé".as_bytes());
    }
}
