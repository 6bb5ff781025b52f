//! Records from router to gate, and from gate to cloud: what the person wants to leave this machine. One way; what
//! comes of it cloud shows on its own display ring.

use alloc::{string::String, vec::Vec};
use core::{fmt, num::NonZeroU16, ops::Deref};
use serde::{Deserialize, Serialize};

/// Bytes that one request sends at most: the person reads all of them before they say yes.
pub const PAYLOAD_BYTES: usize = 4096;
/// Bytes of a host's name or address at most: the longest name that DNS knows, as text.
pub const HOST_BYTES: usize = 253;
/// Bytes of an encoded record at most: one number of ten bytes, three of three, one of one.
pub const RECORD_BYTES: usize = PAYLOAD_BYTES + HOST_BYTES + 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Connect over TCP, send these bytes, show what comes back. `id` counts requests since router's start.
    Fetch { id: u64, host: Host, port: NonZeroU16, payload: Payload },
    /// Ask the host whether it is there.
    Ping { id: u64, host: Host },
    /// Show addresses and counters. Nothing leaves for it.
    NetStatus { id: u64 },
}

/// A host's name or address: printable ASCII of the characters that either consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "&str", into = "String")]
pub struct Host(heapless::String<HOST_BYTES>);

/// A text that is no [`Host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoHost;

impl TryFrom<&str> for Host {
    type Error = NoHost;

    fn try_from(text: &str) -> Result<Host, NoHost> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':');
        let is_one = text.bytes().all(fits) && text.bytes().any(|b| b.is_ascii_alphanumeric() || b == b':');
        if !is_one {
            return Err(NoHost);
        }
        heapless::String::try_from(text).map(Host).map_err(|_| NoHost)
    }
}

impl From<Host> for String {
    fn from(host: Host) -> String {
        host.0.as_str().into()
    }
}

impl Deref for Host {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for NoHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no host")
    }
}

/// At most [`PAYLOAD_BYTES`] of anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u8>", into = "Vec<u8>")]
pub struct Payload(Vec<u8>);

/// More bytes than a [`Payload`] holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl TryFrom<Vec<u8>> for Payload {
    type Error = TooLong;

    fn try_from(bytes: Vec<u8>) -> Result<Payload, TooLong> {
        if bytes.len() <= PAYLOAD_BYTES {
            Ok(Payload(bytes))
        } else {
            Err(TooLong)
        }
    }
}

impl From<Payload> for Vec<u8> {
    fn from(payload: Payload) -> Vec<u8> {
        payload.0
    }
}

impl Deref for Payload {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too long")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fetch(host: &str, payload: Vec<u8>) -> Request {
        let port = NonZeroU16::MAX;
        Request::Fetch { id: u64::MAX, host: host.try_into().unwrap(), port, payload: payload.try_into().unwrap() }
    }

    fn there_and_back(request: &Request) -> Request {
        let mut record = [0; RECORD_BYTES];
        let bytes = crate::encode(request, &mut record).expect("a request fits into a record");
        crate::decode(bytes).unwrap()
    }

    #[test]
    fn the_longest_request_fits_into_a_record() {
        let longest = fetch(&"h".repeat(HOST_BYTES), vec![0xff; PAYLOAD_BYTES]);
        assert_eq!(there_and_back(&longest), longest);
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in ["a", "example.org", "EXAMPLE.org.", "_srv.x-1.net", "10.0.2.2", "::1", "::", "fe80::1"] {
            assert_eq!(Host::try_from(text).as_deref(), Ok(text));
        }
        let long = "h".repeat(HOST_BYTES + 1);
        for text in ["", ".", "-", "a b", "a\n", "a/b", "user@host", "ex\u{430}mple.org", "[::1]", "a\u{202e}", &long] {
            assert_eq!(Host::try_from(text), Err(NoHost), "{text}");
        }
    }

    /// Whoever decodes need not check again.
    #[test]
    fn what_is_no_host_and_no_port_and_too_long_does_not_decode() {
        #[derive(Serialize)]
        struct Anything<'a>(u32, u64, &'a str, u16, &'a [u8]);
        let decoded = |host: &str, port: u16, payload: &[u8]| {
            let mut record = vec![0; 2 * RECORD_BYTES];
            let bytes = crate::encode(&Anything(0, 1, host, port, payload), &mut record).unwrap();
            crate::decode::<Request>(bytes).is_ok()
        };
        assert!(decoded("host", 80, &[7; PAYLOAD_BYTES]));
        assert!(!decoded("host", 80, &[7; PAYLOAD_BYTES + 1]));
        assert!(!decoded("host", 0, &[]));
        assert!(!decoded("ho st", 80, &[]));
        assert!(!decoded("", 80, &[]));
        assert!(!decoded(&"h".repeat(HOST_BYTES + 1), 80, &[]));
    }

    proptest! {
        #[test]
        fn every_request_arrives_as_it_was(
            host in "[a-z0-9:._-]{0,260}", payload in prop::collection::vec(any::<u8>(), 0..5000),
        ) {
            let (host, payload) = (Host::try_from(host.as_str()), Payload::try_from(payload));
            let (Ok(host), Ok(payload)) = (host, payload) else { return Ok(()) };
            for request in [
                Request::Fetch { id: 1, host: host.clone(), port: NonZeroU16::MIN, payload },
                Request::Ping { id: 1 << 40, host },
                Request::NetStatus { id: 0 },
            ] {
                prop_assert_eq!(there_and_back(&request), request);
            }
        }
    }
}
