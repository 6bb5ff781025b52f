//! One function for each kind of input: takes any bytes, and panics if something is wrong. The fuzz targets call them
//! with what the fuzzer finds, `tests/network/corpus.rs` with the corpus and with random bytes.

use ipc::net::{Event, Host, Record, Server, RECEIVE_WINDOW};
use net_core::{
    dns,
    smoltcp::{
        phy::{self, Device, DeviceCapabilities, Medium},
        time::Instant,
    },
    Net, Out, Start,
};
use std::collections::VecDeque;

pub const TARGETS: [(&str, fn(&[u8])); 3] = [("frames", frames), ("client", client), ("dns", dns_message)];

/// Gives frames, and takes those that are sent.
#[derive(Default)]
struct Wire {
    frames: VecDeque<Vec<u8>>,
}

impl Device for Wire {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Frame;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Frame)> {
        self.frames.pop_front().map(|frame| (Frame(frame), Frame(Vec::new())))
    }

    fn transmit(&mut self, _: Instant) -> Option<Frame> {
        Some(Frame(Vec::new()))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

struct Frame(Vec<u8>);

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

impl phy::TxToken for Frame {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, length: usize, f: F) -> R {
        assert!(length <= 1514);
        self.0.resize(length, 0);
        f(&mut self.0)
    }
}

/// Reads every event, and holds net to its windows.
#[derive(Default)]
struct Events {
    bytes: u64,
}

impl Out for Events {
    fn room(&self) -> usize {
        1 << 20
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        let record = parts.concat();
        if let Event::Data { bytes, .. } = ipc::decode(&record).expect("an event") {
            self.bytes += bytes.len() as u64;
            // Nobody gives a window back here.
            assert!(self.bytes <= u64::from(RECEIVE_WINDOW) * ipc::net::SOCKETS as u64);
        }
        true
    }
}

fn net() -> Net<Wire> {
    Net::new(Wire::default(), Start { life: 1, mac: [2, 0, 0, 0, 0, 0x42], seed: [3; 32], now_us: 0 })
}

/// The input as pieces, each behind its length as a byte.
fn pieces(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while let Some((length, rest)) = bytes.split_first() {
        let (piece, after) = rest.split_at(usize::from(*length).min(rest.len()));
        pieces.push(piece);
        bytes = after;
    }
    pieces
}

fn name(text: &str) -> Host {
    Host::Name(text.try_into().unwrap())
}

/// Frames from the wire, while there is something under way.
fn frames(bytes: &[u8]) {
    let (mut net, mut out) = (net(), Events::default());
    let mut now_us = 0;
    let _ = net.connect(0, name("10.0.0.1"), 80, 60_000);
    let _ = net.connect(0, name("host.example"), 80, 60_000);
    let _ = net.ping(0, name("fe80::1"), 60_000);
    for piece in pieces(bytes) {
        net.device().frames.push_back(piece.to_vec());
        now_us += 100_000;
        net.turn(now_us, true, &mut out);
    }
    net.status(0);
}

/// Records and calls of the client. A piece's first byte says which.
fn client(bytes: &[u8]) {
    let (mut net, mut out) = (net(), Events::default());
    for (i, piece) in pieces(bytes).into_iter().enumerate() {
        match piece {
            [0, rest @ ..] => net.record(rest),
            [1, version, rest @ ..] => {
                let mut reply = [0; ipc::MESSAGE_BYTES];
                let answer = ipc::net::dispatch(&mut net, 0, u16::from(*version), rest, &mut reply);
                assert!(answer.bytes <= reply.len());
            }
            [2, ..] => net.client_restarted(),
            [3, up, ..] => _ = net.turn(i as u64 * 500_000, up % 4 != 0, &mut out),
            rest => {
                // What decodes is a record of some connection that there may be.
                if let Ok(Record::Taken { .. }) = ipc::decode(rest) {
                    net.record(rest)
                }
            }
        }
    }
    let status = net.status(0);
    assert!(usize::from(status.sockets) <= ipc::net::SOCKETS && usize::from(status.pings) <= ipc::net::PINGS);
}

fn dns_message(bytes: &[u8]) {
    let host = dns::name("host.example").unwrap();
    for kind in [dns::Kind::A, dns::Kind::Aaaa] {
        if let Some(dns::Answer::Addresses(addresses)) = dns::answer(bytes, 7, &host, kind) {
            assert!(addresses.len() <= dns::ADDRESSES);
        }
    }
    if let Ok(text) = core::str::from_utf8(bytes) {
        if let Some(name) = dns::name(text) {
            assert_eq!(dns::name(&text.to_ascii_uppercase()), Some(name));
        }
    }
}

/// Runs the target of this name.
#[allow(dead_code)]
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(of, _)| *of == name).expect("a target of this name");
    target(bytes);
}
