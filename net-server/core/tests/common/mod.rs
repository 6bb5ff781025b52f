//! A computer with the network core on it, its client, and a world at the other end of a cable. Time is a number.
#![allow(dead_code)]

pub mod cable;
pub mod peer;

use cable::{Cable, Faults, Port};
use ipc::net::{Error, Event, Host, Id, Record, Server, HEAD_BYTES, RECEIVE_WINDOW, SEND_WINDOW};
use net_core::{Net, Out, Start};
use peer::Peer;
use std::{collections::BTreeMap, net::IpAddr};

pub const MAC: [u8; 6] = [2, 0, 0, 0, 0, 0x42];

/// The ring to the client, with a limit.
pub struct Ring {
    pub records: Vec<Vec<u8>>,
    pub room: usize,
}

impl Out for Ring {
    fn room(&self) -> usize {
        self.room
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        let record = parts.concat();
        let fits = record.len() <= self.room;
        if fits {
            self.room -= record.len();
            self.records.push(record);
        }
        fits
    }
}

/// What the client knows of a connection or ping.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    pub connected: Option<IpAddr>,
    pub got: Vec<u8>,
    /// Bytes in all, when they are not kept.
    pub count: u64,
    pub on_the_way: u32,
    pub ended: bool,
    pub closed: bool,
    pub failed: Option<Error>,
    pub pong: Option<(IpAddr, u32)>,
    pub untaken: u32,
}

impl Known {
    pub fn over(&self) -> bool {
        self.closed || self.failed.is_some() || self.pong.is_some()
    }
}

pub struct World {
    pub now_us: u64,
    pub net: Net<Port>,
    pub ring: Ring,
    pub peer: Peer,
    pub cable: Cable,
    pub link: bool,
    pub known: BTreeMap<Id, Known>,
    pub life: Option<u32>,
    pub reach: Option<ipc::net::Reach>,
    /// Whether the client gives windows back, and whether it keeps what it gets.
    pub takes: bool,
    pub keeps: bool,
}

impl World {
    pub fn new(faults: Faults, seed: u64) -> World {
        let cable = Cable::new(faults, seed);
        let (ours, theirs) = cable.ends();
        let start = Start { life: 5, mac: MAC, seed: [seed as u8; 32], now_us: 0 };
        World {
            now_us: 0,
            net: Net::new(ours, start),
            ring: Ring { records: Vec::new(), room: 1 << 20 },
            peer: Peer::new(theirs),
            cable,
            link: true,
            known: BTreeMap::new(),
            life: None,
            reach: None,
            takes: true,
            keeps: true,
        }
    }

    /// One with an address.
    pub fn up() -> World {
        let mut world = World::new(Faults::default(), 1);
        world.until(5000, |world| world.reach == Some(ipc::net::Reach::Ready));
        world
    }

    /// A millisecond passes.
    pub fn pass(&mut self) {
        self.now_us += 1000;
        for _ in 0..100 {
            let more = self.net.turn(self.now_us, self.link, &mut self.ring);
            self.read();
            self.peer.turn(self.now_us);
            if !more {
                break;
            }
        }
    }

    pub fn pass_ms(&mut self, ms: u64) {
        for _ in 0..ms {
            self.pass();
        }
    }

    /// Waits for something, which must come within so many milliseconds. Says how many it took.
    #[track_caller]
    pub fn until(&mut self, ms: u64, mut come: impl FnMut(&mut World) -> bool) -> u64 {
        for passed in 0..=ms {
            if come(self) {
                return passed;
            }
            self.pass();
        }
        panic!("it did not come within {ms} ms: {:?}, {:?}", self.net.status(0), self.summary());
    }

    fn summary(&self) -> Vec<String> {
        let line = |(id, known): (&Id, &Known)| {
            let got = known.got.len() as u64 + known.count;
            format!("{id:?}: {got} bytes, {:?}", Known { got: Vec::new(), ..known.clone() })
        };
        self.known.iter().map(line).collect()
    }

    /// The client reads its ring.
    pub fn read(&mut self) {
        for record in std::mem::take(&mut self.ring.records) {
            self.ring.room += record.len();
            let event: Event = ipc::decode(&record).expect("an event");
            match event {
                Event::Started { life } => self.life = Some(life),
                Event::Network(reach) => self.reach = Some(reach),
                Event::Connected { id, address, .. } => {
                    assert_eq!(self.of(id).connected.replace(address), None, "connected twice")
                }
                Event::Data { id, bytes } => {
                    assert!(!bytes.is_empty() && bytes.len() <= ipc::net::DATA_BYTES);
                    let keeps = self.keeps;
                    let known = self.of(id);
                    assert!(known.connected.is_some() && !known.ended && !known.over(), "bytes out of turn");
                    if keeps {
                        known.got.extend_from_slice(bytes);
                    } else {
                        known.count += bytes.len() as u64;
                    }
                    known.untaken += bytes.len() as u32;
                    assert!(known.untaken <= RECEIVE_WINDOW, "more than the window");
                    if self.takes {
                        self.take(id);
                    }
                }
                Event::Sent { id, bytes } => {
                    let known = self.of(id);
                    assert!(bytes > 0 && bytes <= known.on_the_way, "given back what was not there");
                    known.on_the_way -= bytes;
                }
                Event::End { id } => assert!(!std::mem::replace(&mut self.of(id).ended, true), "ended twice"),
                Event::Closed { id } => {
                    assert!(!self.of(id).over(), "over twice");
                    self.of(id).closed = true;
                }
                Event::Failed { id, error } | Event::NoPong { id, error } => {
                    assert!(!self.of(id).over(), "over twice");
                    self.of(id).failed = Some(error);
                }
                Event::Pong { id, address, time_us } => self.of(id).pong = Some((address, time_us)),
            }
        }
    }

    /// Gives the window of a connection back.
    pub fn take(&mut self, id: Id) {
        let bytes = std::mem::take(&mut self.of(id).untaken);
        self.record(&Record::Taken { id, bytes });
    }

    pub fn of(&mut self, id: Id) -> &mut Known {
        self.known.entry(id).or_default()
    }

    pub fn record(&mut self, record: &Record) {
        let mut buffer = vec![0; ipc::net::RECORD_BYTES];
        let bytes = ipc::encode(record, &mut buffer).unwrap();
        self.net.record(bytes);
    }

    pub fn connect(&mut self, host: &str, port: u16, timeout_ms: u32) -> Result<Id, Error> {
        self.net.connect(0, Host::Name(host.try_into().unwrap()), port, timeout_ms)
    }

    pub fn ping(&mut self, host: &str, timeout_ms: u32) -> Result<Id, Error> {
        self.net.ping(0, Host::Name(host.try_into().unwrap()), timeout_ms)
    }

    /// Connects, which must succeed.
    #[track_caller]
    pub fn connected(&mut self, host: &str, port: u16) -> Id {
        let id = self.connect(host, port, 10_000).expect("a connection is begun");
        self.until(15_000, |world| world.of(id).connected.is_some());
        id
    }

    /// Waits for the end.
    #[track_caller]
    pub fn outcome(&mut self, id: Id, ms: u64) -> Option<Error> {
        self.until(ms, |world| world.of(id).over());
        self.of(id).failed
    }

    /// Sends as much as the window lets, and says how much that was.
    pub fn send(&mut self, id: Id, bytes: &[u8]) -> usize {
        let length = bytes.len().min((SEND_WINDOW - self.of(id).on_the_way) as usize);
        for piece in bytes[..length].chunks(ipc::net::DATA_BYTES) {
            let mut head = [0; HEAD_BYTES];
            let record = [ipc::net::data_head(id, piece.len(), &mut head), piece].concat();
            self.net.record(&record);
        }
        self.of(id).on_the_way += length as u32;
        length
    }
}
