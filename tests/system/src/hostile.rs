//! The attacker in another part's place: its orders, taken from the specification of the image that it is put into, and
//! the eyes that look for what it must not achieve.

use crate::{Failure, Result};
use attacker_orders::{Cap, End, Kind, Map, Orders, Ring};
use spec::{MemoryKind, Object, Pd, System, PAGE};

/// Every word of what attackers draw has this in its row.
pub const FORGED: &str = "FORGED";
/// The marker of root and the trusted path.
pub const MARKER: char = '◆';

/// What the one in this part's place is told.
pub fn orders(system: &System, part: &str, ends: &[End], spin_ms: u64, canary: &str) -> Result<Orders> {
    let pd = system.pds.iter().find(|pd| pd.name == part);
    let pd = pd.ok_or_else(|| Failure::new(format!("the layout has no {part}")))?;
    let own = pd.notification.map(Object::Notification);
    let slot = |wanted: &dyn Fn(&spec::Cap) -> bool| pd.caps.iter().find(|cap| wanted(cap)).map(|cap| cap.slot);
    // A server's notification is bound to it: both come where it serves.
    let serves = slot(&|cap| matches!(cap.object, Object::Endpoint(_)) && cap.rights.read);
    let waits = slot(&|cap| Some(cap.object) == own && cap.rights.read);
    Ok(Orders {
        maps: maps(system, pd),
        caps: pd.caps.iter().map(cap).collect(),
        cnode_bits: pd.cnode_bits,
        receive: serves.or(waits).ok_or_else(|| Failure::new(format!("{part} waits for nothing")))?,
        display: ring(system, pd, "display:"),
        ends: ends.to_vec(),
        spin_ms,
        canary: canary.into(),
        router: match part {
            "shell" => slot(&|cap| matches!(cap.object, Object::Endpoint(_)) && cap.rights.grant_reply),
            _ => None,
        },
        prompts: ring(system, pd, "prompts:"),
    })
}

fn maps(system: &System, pd: &Pd) -> Vec<Map> {
    // What is there in every mode in which the part is: the others would be faults in some.
    let always = pd.maps.iter().filter(|map| map.modes == pd.modes);
    let map =
        |map: &spec::Map| Map { vaddr: map.vaddr, bytes: system.memories[map.memory as usize].bytes, write: map.write };
    always.map(map).collect()
}

fn cap(cap: &spec::Cap) -> Cap {
    let kind = match cap.object {
        Object::Endpoint(_) => Kind::Endpoint,
        Object::Notification(_) => Kind::Notification,
        Object::Irq(_) => Kind::Irq,
        Object::Ports(_) => Kind::Ports,
        Object::RootEndpoint if cap.badge & spec::label::BADGE_FAULT != 0 => Kind::Fault,
        Object::RootEndpoint => Kind::Supervisor,
    };
    Cap { slot: cap.slot, kind, read: cap.rights.read, write: cap.rights.write, call: cap.rights.grant_reply }
}

/// The ring of this name that the part writes.
fn ring(system: &System, pd: &Pd, name: &str) -> Option<Ring> {
    let memory = |map: &spec::Map| &system.memories[map.memory as usize];
    let writes =
        |map: &&spec::Map| map.write && memory(map).kind == MemoryKind::Ring && memory(map).name.starts_with(name);
    let data = pd.maps.iter().find(writes)?;
    let of_it = |map: &&spec::Map| memory(map).kind == MemoryKind::RingPage { ring: data.memory };
    let credit = pd.maps.iter().find(of_it).map(|map| map.vaddr);
    Some(Ring { vaddr: data.vaddr, capacity: memory(data).bytes - PAGE, credit })
}

/// Rows in which somebody has drawn the marker who may not.
pub fn forged_rows(rows: &[String]) -> Vec<&String> {
    let marker = |row: &&String| match row.find(MARKER) {
        None => false,
        // Root tells of a death in its own name, and quotes.
        Some(0) if !row.contains(FORGED) => row.matches(MARKER).count() > 1,
        Some(_) => true,
    };
    rows.iter().filter(marker).collect()
}

/// In which of the encodings that come to mind a word stands in what was recorded.
pub fn finds(wire: &[u8], word: &str) -> Vec<&'static str> {
    let plain = word.as_bytes();
    let utf16 = |bytes: fn(u16) -> [u8; 2]| word.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut encodings: Vec<(&str, Vec<u8>)> = vec![
        ("plain", plain.to_vec()),
        ("upper case", word.to_uppercase().into_bytes()),
        ("lower case", word.to_lowercase().into_bytes()),
        ("reversed", plain.iter().rev().copied().collect()),
        ("inverted", plain.iter().map(|byte| !byte).collect()),
        ("hex", hex.clone().into_bytes()),
        ("HEX", hex.to_uppercase().into_bytes()),
        ("UTF-16LE", utf16(u16::to_le_bytes)),
        ("UTF-16BE", utf16(u16::to_be_bytes)),
        (
            "words, bytes turned round",
            plain.chunks(8).take(plain.len() / 8).flat_map(|w| w.iter().rev().copied()).collect(),
        ),
    ];
    // Wherever in a text it begins: the groups of three that lie wholly in the word.
    for skipped in 0..3 {
        let whole = &plain[skipped..];
        encodings.push(("base64", base64(&whole[..whole.len() / 3 * 3])));
    }
    let holds = |bytes: &[u8]| !bytes.is_empty() && wire.windows(bytes.len()).any(|window| window == bytes);
    encodings.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| *name).collect()
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let number = group.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        [18, 12, 6, 0].map(|shift| DIGITS[number >> shift & 63])
    };
    bytes.chunks_exact(3).flat_map(digits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORD: &str = "Quetzal-27-Canary";

    #[test]
    fn a_word_is_found_however_it_is_written() {
        let inside = |bytes: &[u8]| [b"GET /?".as_slice(), bytes, b"\r\n"].concat();
        assert_eq!(finds(&inside(WORD.as_bytes()), WORD), ["plain"]);
        assert_eq!(finds(&inside(b"yranaC-72-lazteuQ"), WORD), ["reversed"]);
        assert_eq!(finds(&inside(b"5175657 517565747a616"), "Quetzal"), [""; 0]);
        assert_eq!(finds(&inside(b"517565747a616c"), "Quetzal"), ["hex"]);
        // echo -n Quetzal-27-Canary | base64; with an x at both ends; with two
        for text in ["UXVldHphbC0yNy1DYW5hcnk=", "eFF1ZXR6YWwtMjctQ2FuYXJ5eA==", "eHhRdWV0emFsLTI3LUNhbmFyeXh4"] {
            assert_eq!(finds(&inside(text.as_bytes()), WORD), ["base64"], "{text}");
        }
        let inverted: Vec<u8> = WORD.bytes().map(|byte| byte ^ 0xff).collect();
        assert_eq!(finds(&inside(&inverted), WORD), ["inverted"]);
        let wide: Vec<u8> = WORD.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(finds(&inside(&wide), WORD), ["UTF-16LE"]);
        assert_eq!(finds(&inside(b"Quetzal and a canary"), WORD), [""; 0]);
    }

    #[test]
    fn the_marker_belongs_to_root_and_stands_at_the_left() {
        let rows = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
        assert!(forged_rows(&rows("◆ AlphaOS router failed (PANICKED ◇ AlphaOS)\n[router] ◇ FORGED\n> ")).is_empty());
        for row in ["◆ AlphaOS FORGED", "[router] ◆ x", "◆ AlphaOS failed (◆ x)", "  ◆ AlphaOS> yes"] {
            assert_eq!(forged_rows(&rows(row)).len(), 1, "{row}");
        }
    }
}
