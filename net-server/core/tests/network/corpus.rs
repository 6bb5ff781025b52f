//! The fuzz targets' corpus and random bytes through every target, as ordinary tests. `every_seed_is_in_the_corpus`
//! writes it: `ALPHA_WRITE_CORPUS=1 cargo test -p net-core --test network corpus`.

#[path = "../../fuzz/targets.rs"]
mod targets;

use ipc::net::{Host, Id, Record, Request, VERSION};
use net_core::dns;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use targets::TARGETS;

fn folder(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target)
}

fn pieces(pieces: &[Vec<u8>]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| [vec![piece.len() as u8], piece.clone()].concat()).collect()
}

fn encoded(value: &impl serde::Serialize) -> Vec<u8> {
    let mut buffer = [0; 1024];
    ipc::encode(value, &mut buffer).unwrap().to_vec()
}

/// What net sends in the tests' world, and what it is sent, comes from a few frames by hand: a DHCP offer would not fit
/// a piece, so the network here is IPv6's.
fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let id = Id { life: 1, number: 1 };
    let connect = Request::Connect { host: Host::Name("10.0.0.1".try_into().unwrap()), port: 80, timeout_ms: 5000 };
    let ping = Request::Ping { host: Host::Address("10.0.0.1".parse().unwrap()), timeout_ms: 100 };
    let call = |request: &Request| [vec![1, VERSION as u8], encoded(request)].concat();
    let record = |record: &Record| [vec![0], encoded(record)].concat();
    let client = pieces(&[
        call(&connect),
        call(&ping),
        vec![3, 1],
        record(&Record::Data { id, bytes: b"early" }),
        record(&Record::Taken { id, bytes: 5 }),
        record(&Record::Shutdown { id }),
        call(&Request::Status {}),
        vec![3, 4],
        call(&Request::Close { id }),
        vec![2],
        vec![3, 1],
    ]);
    let host = dns::name("host.example").unwrap();
    let mut answer = dns::question(7, &host, dns::Kind::A).to_vec();
    answer[2..8].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1]);
    answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
    vec![
        ("client", client),
        ("dns", answer),
        ("dns", b"host.example".to_vec()),
        ("frames", pieces(&[router_advertisement(), arp_request(), vec![0; 60]])),
    ]
}

/// `fe80::1` announces `2001:db8::/64`.
fn router_advertisement() -> Vec<u8> {
    let mut frame = vec![0x33, 0x33, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 48, 58, 255];
    frame.extend_from_slice(&"fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    frame.extend_from_slice(&"ff02::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    let start = frame.len();
    frame.extend_from_slice(&[134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0]);
    frame.extend_from_slice(&[3, 4, 64, 0xc0, 0, 0, 7, 8, 0, 0, 7, 8, 0, 0, 0, 0]);
    frame.extend_from_slice(&"2001:db8::".parse::<std::net::Ipv6Addr>().unwrap().octets());
    // Its checksum: the sum of addresses, length, protocol and message.
    let words = frame[22..54].chunks(2).chain(frame[start..].chunks(2));
    let sum: u32 = words.map(|word| u32::from(u16::from_be_bytes([word[0], word[1]]))).sum::<u32>() + 48 + 58;
    let folded = (sum & 0xffff) + (sum >> 16);
    let checksum = !((folded & 0xffff) as u16 + (folded >> 16) as u16);
    frame[start + 2..start + 4].copy_from_slice(&checksum.to_be_bytes());
    frame
}

fn arp_request() -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend_from_slice(&[2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1]);
    frame.extend_from_slice(&[0, 0, 0, 0, 0, 0, 10, 0, 0, 50]);
    frame
}

#[test]
fn the_corpus_passes_every_target() {
    for (name, target) in TARGETS {
        let mut files = 0;
        for entry in std::fs::read_dir(folder(name)).unwrap_or_else(|error| panic!("{name}: {error}")) {
            target(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "{name} has no corpus");
    }
}

#[test]
fn every_seed_is_in_the_corpus() {
    for (number, (target, bytes)) in seeds().into_iter().enumerate() {
        let file = folder(target).join(format!("seed-{number:02}"));
        if std::env::var_os("ALPHA_WRITE_CORPUS").is_some() {
            std::fs::create_dir_all(folder(target)).unwrap();
            std::fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(std::fs::read(&file).ok().as_deref(), Some(&bytes[..]), "{} has changed", file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_seeds_pass_their_targets(which in any::<prop::sample::Index>(), damage in
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8))
    {
        let seeds = seeds();
        let (target, mut bytes) = seeds[which.index(seeds.len())].clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        targets::run(target, &bytes);
    }

    #[test]
    fn random_bytes_pass_every_target(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }
}
