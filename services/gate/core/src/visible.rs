//! Bytes as text from which the very same bytes can be told, whatever terminal and font show it.
//!
//! | byte or character | shown as |
//! |---|---|
//! | printable ASCII but `\` and the space | itself |
//! | space | `·`, because rows of the screen begin and end without spaces |
//! | `\`, line feed, carriage return, tab | `\\`, `\n`, `\r`, `\t` |
//! | a character beyond ASCII, whatever it looks like, or if it looks like nothing | `\u{...}`, its number |
//! | any other byte | `\x..`, two digits |
//!
//! Only a space becomes `·`, and every `\` begins an escape, so no two sequences of bytes look the same.

use alloc::{format, string::String, vec::Vec};

/// In front of each line: nothing else that gate says begins so.
pub const QUOTE: &str = "| ";
/// Columns of a line at most. Then a line ends, which means nothing: only `\n` is a line feed.
pub const COLUMNS: usize = 64;

/// Lines for the display. After a line feed a line ends, so that text reads as text.
pub fn lines(bytes: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::from(QUOTE);
    let mut columns = 0;
    let mut put = |sign: &str, ends: bool| {
        // All signs but the dot are ASCII.
        let width = sign.chars().count();
        if columns + width > COLUMNS {
            lines.push(core::mem::replace(&mut line, QUOTE.into()));
            columns = 0;
        }
        line.push_str(sign);
        columns += width;
        if ends {
            lines.push(core::mem::replace(&mut line, QUOTE.into()));
            columns = 0;
        }
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                ' ' => put("·", false),
                '\\' => put("\\\\", false),
                '\n' => put("\\n", true),
                '\r' => put("\\r", false),
                '\t' => put("\\t", false),
                '!'..='~' => put(c.encode_utf8(&mut [0; 4]), false),
                '\0'..='\x7f' => put(&format!("\\x{:02x}", u32::from(c)), false),
                _ => put(&format!("\\u{{{:x}}}", u32::from(c)), false),
            }
        }
        for byte in chunk.invalid() {
            put(&format!("\\x{byte:02x}"), false);
        }
    }
    if line.len() > QUOTE.len() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads lines back as a careful person would.
    pub fn read(lines: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            let mut rest = line.strip_prefix(QUOTE).expect("each line is quoted");
            while let Some(c) = rest.chars().next() {
                rest = &rest[c.len_utf8()..];
                match c {
                    '·' => bytes.push(b' '),
                    '\\' => {
                        let (escape, behind) = rest.split_at(1);
                        rest = behind;
                        match escape {
                            "\\" => bytes.push(b'\\'),
                            "n" => bytes.push(b'\n'),
                            "r" => bytes.push(b'\r'),
                            "t" => bytes.push(b'\t'),
                            "x" => {
                                bytes.push(u8::from_str_radix(&rest[..2], 16).unwrap());
                                rest = &rest[2..];
                            }
                            "u" => {
                                let (digits, behind) = rest[1..].split_once('}').unwrap();
                                rest = behind;
                                let c = char::from_u32(u32::from_str_radix(digits, 16).unwrap()).unwrap();
                                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                            }
                            other => panic!("\\{other}"),
                        }
                    }
                    '!'..='~' => bytes.push(c as u8),
                    _ => panic!("{c:?} is shown as itself"),
                }
            }
        }
        bytes
    }

    #[test]
    fn what_deceives_the_eye_is_shown_as_its_number() {
        for (bytes, shown) in [
            ("GET / HTTP/1.0\r\n", "| GET·/·HTTP/1.0\\r\\n"),
            ("\u{202e}cod.exe", "| \\u{202e}cod.exe"),
            ("\u{430}\u{200b}\u{e4}", "| \\u{430}\\u{200b}\\u{e4}"),
            ("\u{b7}\\x20", "| \\u{b7}\\\\x20"),
            ("\x1b[2J\0\x7f", "| \\x1b[2J\\x00\\x7f"),
            ("| ", "| |·"),
        ] {
            assert_eq!(lines(bytes.as_bytes()), [shown]);
        }
        assert_eq!(lines(b"\xff\xc3\xe4"), ["| \\xff\\xc3\\xe4"]);
        assert_eq!(lines(b"\n\n"), ["| \\n", "| \\n"]);
        assert!(lines(b"").is_empty());
    }

    #[test]
    fn nothing_that_is_shown_is_longer_than_a_line() {
        for bytes in [vec![b' '; 1000], vec![0xff; 1000], "\u{10ffff}".repeat(250).into_bytes()] {
            let lines = lines(&bytes);
            assert!(lines.iter().all(|line| line.chars().count() <= COLUMNS + QUOTE.len()));
            assert_eq!(read(&lines), bytes);
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let text = "[ -~\\r\\n\\t\\\\·äа\u{202e}\u{200b}\u{feff}\u{1f600}\u{25c6}]{0,200}";
        prop_oneof![
            prop::collection::vec(any::<u8>(), 0..400),
            text.prop_map(String::into_bytes),
            ".{0,100}".prop_map(String::into_bytes)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn the_bytes_can_be_read_back(bytes in bytes()) {
            prop_assert_eq!(read(&lines(&bytes)), bytes);
        }

        #[test]
        fn lines_hold_printable_ascii_and_the_dot(bytes in bytes()) {
            for line in lines(&bytes) {
                prop_assert!(line[QUOTE.len()..].chars().all(|c| matches!(c, '!'..='~' | '·')), "{line:?}");
            }
        }
    }
}
