//! What comes back, as lines: any bytes, in any pieces.

use alloc::{string::String, vec::Vec};
use ipc::display::TEXT_BYTES;

/// Bytes of an answer that are shown at most.
pub const SHOWN_BYTES: usize = 64 * 1024;

/// Bytes of a line at most; a longer one goes on in the next.
const LINE_BYTES: usize = TEXT_BYTES - 1;

/// Bytes that come in and were not shown yet.
#[derive(Default)]
pub struct Text {
    /// The line that has not ended. It holds whole characters.
    line: String,
    /// The beginning of a character whose end has not come.
    part: Vec<u8>,
    /// Bytes taken for showing so far.
    taken: usize,
}

impl Text {
    /// Nothing that comes from here on is shown.
    pub fn full(&self) -> bool {
        self.taken >= SHOWN_BYTES
    }

    /// Takes bytes. Gives texts for the display, of whole lines where lines are not too long.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let bytes = &bytes[..bytes.len().min(SHOWN_BYTES - self.taken)];
        self.taken += bytes.len();
        let mut all = core::mem::take(&mut self.part);
        all.extend_from_slice(bytes);
        let mut ready = Lines::default();
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            for c in chunk.valid().chars() {
                self.put(c, &mut ready);
            }
            if chunk.invalid().is_empty() {
                continue;
            }
            // A character may have been cut by the border between two pieces.
            if chunks.peek().is_none() && begins_a_character(chunk.invalid()) {
                self.part = chunk.invalid().to_vec();
            } else {
                self.put(char::REPLACEMENT_CHARACTER, &mut ready);
            }
        }
        ready.finish()
    }

    /// What has come of the line that has not ended: at the end, or when nothing more comes for a while.
    pub fn rest(&mut self) -> Option<String> {
        if !core::mem::take(&mut self.part).is_empty() {
            self.line.push(char::REPLACEMENT_CHARACTER);
        }
        (!self.line.is_empty()).then(|| core::mem::take(&mut self.line))
    }

    pub fn has_rest(&self) -> bool {
        !self.line.is_empty() || !self.part.is_empty()
    }

    fn put(&mut self, c: char, ready: &mut Lines) {
        match c {
            '\n' => {
                let line = self.line.strip_suffix('\r').unwrap_or(&self.line);
                ready.line(line);
                self.line.clear();
            }
            _ => {
                if self.line.len() + c.len_utf8() > LINE_BYTES {
                    ready.line(&self.line);
                    self.line.clear();
                }
                self.line.push(c);
            }
        }
    }
}

/// Lines put together into texts that a record of the display holds. Each line ends with a line feed, or an empty one
/// at the end would be none.
#[derive(Default)]
struct Lines {
    texts: Vec<String>,
    last: String,
}

impl Lines {
    fn line(&mut self, line: &str) {
        if self.last.len() + line.len() + 1 > TEXT_BYTES {
            self.texts.push(core::mem::take(&mut self.last));
        }
        self.last.push_str(line);
        self.last.push('\n');
    }

    fn finish(mut self) -> Vec<String> {
        if !self.last.is_empty() {
            self.texts.push(self.last);
        }
        self.texts
    }
}

/// Whether bytes that are no character may become one with more behind them.
fn begins_a_character(bytes: &[u8]) -> bool {
    core::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let mut text = Text::default();
        let mut shown: Vec<String> = pieces.iter().flat_map(|piece| text.push(piece)).collect();
        shown.extend(text.rest());
        assert!(!text.has_rest());
        shown.iter().flat_map(|text| text.lines().map(String::from).collect::<Vec<_>>()).collect()
    }

    #[test]
    fn lines_end_as_they_end_on_the_network() {
        assert_eq!(
            all(&[b"HTTP/1.0 200 OK\r\n", b"a: b\r", b"\n\r\nte", b"xt\nend"]),
            ["HTTP/1.0 200 OK", "a: b", "", "text", "end"]
        );
        assert_eq!(all(&[b"\n", b"\n"]), ["", ""]);
        assert!(all(&[b""]).is_empty());
    }

    #[test]
    fn a_character_may_come_in_pieces_and_may_never_come_whole() {
        assert_eq!(all(&[b"\xe2\x82", b"\xac\n"]), ["€"]);
        assert_eq!(all(&[b"\xe2", b"\x82", b"x\n"]), ["\u{fffd}x"]);
        assert_eq!(all(&[b"a\xff\xfe\n\xe2\x82"]), ["a\u{fffd}\u{fffd}", "\u{fffd}"]);
    }

    #[test]
    fn a_line_that_does_not_end_is_shown_nevertheless() {
        let mut text = Text::default();
        assert_eq!(text.push(&[b'x'; 3 * LINE_BYTES]).concat().matches('x').count(), 2 * LINE_BYTES);
        assert_eq!(text.rest().map(|rest| rest.len()), Some(LINE_BYTES));
    }

    #[test]
    fn there_is_an_end_to_what_is_shown() {
        let mut text = Text::default();
        let mut shown = 0;
        for _ in 0..1000 {
            shown += text.push(&[b'x'; 1000]).iter().map(|text| text.matches('x').count()).sum::<usize>();
        }
        assert!(text.full());
        shown += text.rest().map_or(0, |rest| rest.len());
        assert_eq!(shown, SHOWN_BYTES);
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter_and_no_record_is_too_long(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..3000),
                "[a\\r\\nä€\u{1f600}]{0,1500}".prop_map(String::into_bytes),
            ],
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                pieces.push(&bytes[from..cut]);
                from = cut;
            }
            let mut text = Text::default();
            for shown in pieces.iter().flat_map(|piece| text.push(piece)) {
                prop_assert!(!shown.is_empty() && shown.len() <= TEXT_BYTES);
            }
            prop_assert_eq!(all(&pieces), all(&[&bytes]));
        }
    }
}
