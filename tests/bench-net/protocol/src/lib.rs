//! What is said before the bytes that are measured: as much HTTP as curl needs, which is the client on Linux.
#![cfg_attr(not(test), no_std)]

/// Of the server, on the host: QEMU's user network leads there from 10.0.2.2. Below the ports that Linux gives out by
/// itself.
pub const PORT: u16 = 17_316;

/// Asks for the download.
pub const GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// Comes before as many zeroes, or announces them: its end is the blank line.
pub const LENGTH: &[u8] = b"Content-Length: ";

/// Bytes of a head at most.
pub const HEAD_BYTES: usize = 4096;

/// The bytes before the body, the blank line among them; `None` while that has not come.
pub fn head_length(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

/// How long a head says that its body is.
pub fn body_length(head: &[u8]) -> Option<u64> {
    let line = head.split(|byte| *byte == b'\n').find(|line| line.starts_with(LENGTH))?;
    core::str::from_utf8(&line[LENGTH.len()..]).ok()?.trim_end().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_with_a_blank_line_and_says_how_long_its_body_is() {
        let head = b"PUT / HTTP/1.1\r\nHost: 10.0.2.2\r\nContent-Length: 268435456\r\n\r\n";
        let with_body = [&head[..], b"\r\n\r\n body"].concat();
        assert_eq!(head_length(&with_body), Some(head.len()));
        assert_eq!(body_length(head), Some(256 << 20));
        assert_eq!(head_length(&head[..head.len() - 1]), None);
    }

    #[test]
    fn no_length_is_none() {
        for head in [&GET[..], b"", b"Content-Length: many\r\n\r\n", b"X-Content-Length: 1\r\n\r\n"] {
            assert_eq!(body_length(head), None);
        }
    }
}
