//! DNS messages (RFC 1035): makes questions, reads answers.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use heapless::Vec;

/// Bytes of a name at most, as it travels: labels with their lengths, and a 0.
pub const NAME_BYTES: usize = 255;
/// Bytes of a message over UDP at most, without extensions.
pub const MESSAGE_BYTES: usize = 512;
/// Addresses that are kept of an answer.
pub const ADDRESSES: usize = 8;
/// Names that lead to one another in an answer at most.
const ALIASES: usize = 8;

const HEADER_BYTES: usize = 12;
const INTERNET: u16 = 1;

/// A name as it travels, in small letters.
pub type Name = Vec<u8, NAME_BYTES>;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum Kind {
    A = 1,
    Aaaa = 28,
}

const ALIAS: u16 = 5;

/// What a server says to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// None, if the name is there without an address of this kind.
    Addresses(Vec<IpAddr, ADDRESSES>),
    /// There is no such name.
    Unknown,
    /// A response code other than these.
    Failed { code: u8 },
}

/// A host name as it travels: letters, digits, `-` and `_` (which some networks use), one dot at the end or none.
pub fn name(text: &str) -> Option<Name> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut name = Name::new();
    for label in text.split('.') {
        let usual = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if label.is_empty() || label.len() > 63 || label.starts_with('-') || !label.as_bytes().iter().all(usual) {
            return None;
        }
        name.push(label.len() as u8).ok()?;
        for byte in label.bytes() {
            name.push(byte.to_ascii_lowercase()).ok()?;
        }
    }
    name.push(0).ok()?;
    Some(name)
}

/// The question, as a message.
pub fn question(id: u16, name: &Name, kind: Kind) -> Vec<u8, MESSAGE_BYTES> {
    let mut message = Vec::new();
    // Recursion desired; one question.
    let header = [id, 0x0100, 1, 0, 0, 0];
    let tail = [kind as u16, INTERNET];
    let bytes = header.iter().flat_map(|number| number.to_be_bytes()).chain(name.iter().copied());
    message.extend(bytes.chain(tail.iter().flat_map(|number| number.to_be_bytes())));
    message
}

/// Reads a message; `None` if it does not answer this question.
pub fn answer(message: &[u8], id: u16, name: &Name, kind: Kind) -> Option<Answer> {
    let flags = number(message, 2)?;
    let (response, opcode) = (flags & 0x8000 != 0, flags & 0x7800);
    if number(message, 0)? != id || !response || opcode != 0 || number(message, 4)? != 1 {
        return None;
    }
    let (asked, at) = expand(message, HEADER_BYTES)?;
    if asked != *name || number(message, at)? != kind as u16 || number(message, at + 2)? != INTERNET {
        return None;
    }
    match (flags & 0xf) as u8 {
        0 => Some(Answer::Addresses(addresses(message, at + 4, number(message, 6)?, asked, kind))),
        3 => Some(Answer::Unknown),
        code => Some(Answer::Failed { code }),
    }
}

/// The addresses among the records, by way of aliases; what does not read ends the list.
fn addresses(message: &[u8], start: usize, count: u16, name: Name, kind: Kind) -> Vec<IpAddr, ADDRESSES> {
    let mut found = Vec::new();
    let mut name = name;
    // Servers put an alias before what it stands for, but do not have to.
    for _ in 0..ALIASES {
        let mut alias = None;
        let mut at = start;
        for _ in 0..count {
            let Some((record, next)) = record(message, at) else { break };
            at = next;
            if record.name != name {
                continue;
            }
            if record.kind == kind as u16 {
                if let Some(address) = address(record.data) {
                    let _ = found.push(address);
                }
            } else if record.kind == ALIAS {
                alias = expand(message, record.data_at).map(|(target, _)| target);
            }
        }
        match alias {
            Some(target) if found.is_empty() => name = target,
            _ => break,
        }
    }
    found
}

struct Record<'a> {
    name: Name,
    kind: u16,
    data: &'a [u8],
    data_at: usize,
}

fn record(message: &[u8], at: usize) -> Option<(Record<'_>, usize)> {
    let (name, at) = expand(message, at)?;
    // Type, class, time to live, length.
    let class = number(message, at + 2)?;
    let length = usize::from(number(message, at + 8)?);
    let data_at = at + 10;
    let data = message.get(data_at..data_at + length)?;
    // One of another class is none that we look for.
    let kind = if class == INTERNET { number(message, at)? } else { 0 };
    Some((Record { name, kind, data, data_at }, data_at + length))
}

fn address(data: &[u8]) -> Option<IpAddr> {
    if let Ok(octets) = <[u8; 4]>::try_from(data) {
        return Some(Ipv4Addr::from(octets).into());
    }
    <[u8; 16]>::try_from(data).ok().map(|octets| Ipv6Addr::from(octets).into())
}

/// The name at a place, without pointers and in small letters, and where it ends.
fn expand(message: &[u8], at: usize) -> Option<(Name, usize)> {
    let mut name = Name::new();
    let mut end = None;
    let (mut at, mut before) = (at, at);
    loop {
        let length = *message.get(at)?;
        match length {
            0 => {
                name.push(0).ok()?;
                return Some((name, end.unwrap_or(at + 1)));
            }
            1..=63 => {
                let label = message.get(at + 1..at + 1 + usize::from(length))?;
                name.push(length).ok()?;
                name.extend_from_slice(label).ok()?;
                let letters = name.len() - label.len();
                name[letters..].make_ascii_lowercase();
                at += 1 + label.len();
            }
            0xc0.. => {
                end.get_or_insert(at + 2);
                at = usize::from(number(message, at)? & 0x3fff);
                // Pointers lead back, each further than the one before: so they end.
                if at >= before {
                    return None;
                }
                before = at;
            }
            _ => return None,
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

#[cfg(test)]
mod tests;
