//! What `/fetch` and `/ping` take: hosts, ports, texts with escapes, and addresses of the web.

use crate::commands::short;
use alloc::{format, string::String, vec::Vec};
use core::num::NonZeroU16;
use ipc::outbound::{Host, Payload, PAYLOAD_BYTES};

/// What the person wants of the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    Fetch { host: Host, port: NonZeroU16, payload: Payload },
    Ping(Host),
    Net,
}

pub const FETCH_USAGE: &str = "Usage: /fetch HOST PORT TEXT sends the text and shows what comes back, for example \
                               /fetch example.org 80 GET / HTTP/1.0\\r\\nHost: example.org\\r\\n\\r\\n; or /fetch \
                               http://example.org/.";
pub const PING_USAGE: &str = "Usage: /ping HOST, for example /ping example.org.";

const HTTP_PORT: NonZeroU16 = NonZeroU16::new(80).unwrap();

/// What stands behind `/ping`.
pub fn ping(rest: &str) -> Result<Outbound, String> {
    match rest.split_whitespace().collect::<Vec<_>>().as_slice() {
        [host] => Ok(Outbound::Ping(self::host(host)?)),
        _ => Err(PING_USAGE.into()),
    }
}

/// What stands behind `/fetch`.
pub fn fetch(rest: &str) -> Result<Outbound, String> {
    let (first, rest) = word(rest);
    if first.is_empty() {
        return Err(FETCH_USAGE.into());
    }
    if let Some((scheme, address)) = first.split_once("://") {
        if !rest.is_empty() {
            return Err("Nothing can stand behind the address; a space in it is written %20.".into());
        }
        return match scheme.to_ascii_lowercase().as_str() {
            "http" => web(address),
            "https" => Err("There is no encryption here yet: http:// works, https:// does not.".into()),
            _ => Err(format!("{}:// is not known here; http:// is.", short(scheme))),
        };
    }
    let (port, text) = word(rest);
    if port.is_empty() {
        return Err(FETCH_USAGE.into());
    }
    let (host, port) = (host(first)?, self::port(port)?);
    Ok(Outbound::Fetch { host, port, payload: payload(bytes(text)?)? })
}

/// The first word, and what stands behind the one space that ends it.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

fn host(text: &str) -> Result<Host, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    Host::try_from(bare).map_err(|_| match text.is_ascii() {
        true => format!("{} is no name of a host and no address.", short(text)),
        false => format!("{} is not ASCII; names of hosts are sent as ASCII (xn--...).", short(text)),
    })
}

fn port(text: &str) -> Result<NonZeroU16, String> {
    // `+80` is a number for Rust.
    let number = if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None };
    number.ok_or_else(|| format!("{} is no port: a port is a number from 1 to 65535.", short(text)))
}

fn payload(bytes: Vec<u8>) -> Result<Payload, String> {
    let length = bytes.len();
    Payload::try_from(bytes)
        .map_err(|_| format!("That is {length} bytes; {PAYLOAD_BYTES} can be sent at once. Nothing was sent."))
}

/// The bytes that a text with escapes means.
fn bytes(text: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        bytes.push(match rest.next() {
            Some('n') => b'\n',
            Some('r') => b'\r',
            Some('t') => b'\t',
            Some('\\') => b'\\',
            Some('x') => {
                let digits = rest.as_str().get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                rest = rest.as_str().get(2..).unwrap_or_default().chars();
                byte.ok_or("Behind \\x stand two hexadecimal digits.")?
            }
            Some(c) => return Err(format!("\\{c} is no escape: \\n, \\r, \\t, \\\\ and \\xNN are.")),
            None => return Err("The text ends in the middle of an escape; \\\\ is a backslash.".into()),
        });
    }
    Ok(bytes)
}

/// `HOST[:PORT][/PATH]` as a request of HTTP/1.0, whose answer ends when the server closes.
fn web(address: &str) -> Result<Outbound, String> {
    let address = address.split('#').next().unwrap_or_default();
    let (authority, path) = address.split_at(address.find(['/', '?']).unwrap_or(address.len()));
    let (name, number) = match authority.rfind(':') {
        Some(colon) if !authority.ends_with(']') => (&authority[..colon], Some(&authority[colon + 1..])),
        _ => (authority, None),
    };
    // Without brackets nobody knows where an address of IPv6 ends.
    if name.contains(':') && !name.starts_with('[') {
        return Err(format!("{} is no host; an address with colons stands in brackets.", short(authority)));
    }
    let host = host(name)?;
    let port = number.map_or(Ok(HTTP_PORT), port)?;
    let mut request = String::from("GET ");
    if !path.starts_with('/') {
        request.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' => request.push(byte.into()),
            _ => request += &format!("%{byte:02X}"),
        }
    }
    request += &format!(" HTTP/1.0\r\nHost: {authority}\r\n\r\n");
    Ok(Outbound::Fetch { host, port, payload: payload(request.into())? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fetched(rest: &str) -> (String, u16, String) {
        match fetch(rest) {
            Ok(Outbound::Fetch { host, port, payload }) => {
                (String::from(&*host), port.get(), String::from_utf8(payload.to_vec()).unwrap())
            }
            other => panic!("{rest}: {other:?}"),
        }
    }

    #[test]
    fn a_text_is_sent_as_it_stands_with_its_escapes() {
        let expected = |host: &str, port, text: &str| (String::from(host), port, String::from(text));
        let typed = r"example.org 80 GET / HTTP/1.0\r\nHost: example.org\r\n\r\n";
        assert_eq!(fetched(typed), expected("example.org", 80, "GET / HTTP/1.0\r\nHost: example.org\r\n\r\n"));
        assert_eq!(fetched("  ::1   7  two  spaces\\x20"), expected("::1", 7, " two  spaces "));
        assert_eq!(fetched("[fe80::1] 65535 \\\\n\\t"), expected("fe80::1", 65535, "\\n\t"));
        assert_eq!(fetched("10.0.2.2 1"), expected("10.0.2.2", 1, ""));
    }

    #[test]
    fn an_address_of_the_web_becomes_a_request() {
        for (typed, host, port, line, header) in [
            ("http://example.org", "example.org", 80, "/", "example.org"),
            ("HTTP://example.org/a/b?c=d#part", "example.org", 80, "/a/b?c=d", "example.org"),
            ("http://10.0.2.2:8000/x", "10.0.2.2", 8000, "/x", "10.0.2.2:8000"),
            ("http://[::1]:8080", "::1", 8080, "/", "[::1]:8080"),
            ("http://[::1]/", "::1", 80, "/", "[::1]"),
            ("http://h?q", "h", 80, "/?q", "h"),
            ("http://h/gr\u{f6}\u{df}e", "h", 80, "/gr%C3%B6%C3%9Fe", "h"),
        ] {
            let request = format!("GET {line} HTTP/1.0\r\nHost: {header}\r\n\r\n");
            assert_eq!(fetched(typed), (host.into(), port, request), "{typed}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_a_sentence() {
        for (typed, about) in [
            ("", "Usage"),
            ("example.org", "Usage"),
            ("example.org 0 x", "no port"),
            ("example.org 65536 x", "no port"),
            ("example.org +80 x", "no port"),
            ("example.org http x", "no port"),
            ("exa/mple 80 x", "no name"),
            ("ex\u{430}mple.org 80 x", "not ASCII"),
            ("h 80 a\\q", "no escape"),
            ("h 80 a\\xg0", "hexadecimal"),
            ("h 80 a\\x1", "hexadecimal"),
            ("h 80 a\\x\u{e4}", "hexadecimal"),
            ("h 80 a\\", "in the middle"),
            ("https://example.org", "no encryption"),
            ("gopher://example.org", "not known"),
            ("http://", "no name"),
            ("http://h:/", "no port"),
            ("http://me@h/", "no name"),
            ("http://::1/", "brackets"),
            ("http://h/a b", "%20"),
        ] {
            let sentence = fetch(typed).unwrap_err();
            assert!(sentence.contains(about) && sentence.ends_with('.'), "{typed}: {sentence}");
        }
        assert!(fetch(&format!("h 80 {}", "x".repeat(PAYLOAD_BYTES + 1)))
            .unwrap_err()
            .starts_with("That is 4097 bytes"));
        assert!(fetch(&format!("h 80 {}", "x".repeat(PAYLOAD_BYTES))).is_ok());
        assert!(fetch(&format!("{} 80 x", "h".repeat(10_000))).unwrap_err().len() < 200);
        for typed in ["", "a b", "a b c"] {
            assert_eq!(ping(typed), Err(PING_USAGE.into()));
        }
        assert_eq!(ping(" example.org "), Ok(Outbound::Ping(Host::try_from("example.org").unwrap())));
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_written_with_escapes(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let typed: String = bytes.iter().map(|b| format!("\\x{b:02x}")).collect();
            prop_assert_eq!(self::bytes(&typed), Ok(bytes));
        }

        #[test]
        fn nothing_that_is_typed_is_a_panic(text in "\\PC{0,80}", address in "[a-z0-9:/?#@%\\[\\] \\\\x\u{e4}]{0,40}") {
            _ = fetch(&text);
            _ = ping(&text);
            for prefix in ["http://", "h 80 \\x", "h "] {
                _ = fetch(&format!("{prefix}{address}"));
            }
        }
    }
}
