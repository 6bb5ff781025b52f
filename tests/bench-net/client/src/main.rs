//! Stands in cloud's place where the network is measured (`./alpha bench network`): as soon as there is a network it
//! downloads from a server on the host, and sends as much back. It asks nobody, so it is in no image but that
//! measurement's: the product's layout does not name it, which tests/bench-pds/driver checks.
//!
//! It trusts everybody, and panics where something is not as it should be.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{format, string::String, vec, vec::Vec};
use core::net::Ipv4Addr;
use ipc::display::{Item, Style};
use ipc::net::{data_head, Client, Event, Host, Id, Reach, Record, DATA_BYTES, HEAD_BYTES, RECORD_BYTES, SEND_WINDOW};
use pd::{Notification, PopError, PushError, RingIn, RingOut};

pd::layout!("cloud");
pd::main!(run);

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 2, 2);
const CONNECT_MS: u32 = 30_000;
/// What was taken is given back in pieces of this size.
const GIVE_BACK: u32 = 64 * 1024;
/// Bytes in a record that is sent.
const PIECE: usize = DATA_BYTES / 2;

struct Network {
    calls: Client<pd::rpc::Client>,
    send: RingOut,
    received: RingIn,
    notification: Notification,
    record: Vec<u8>,
}

/// A connection to the server.
struct Connection {
    id: Id,
    /// Bytes that were sent and that net has not given back.
    outstanding: u32,
    /// Bytes that were taken and that net does not know of.
    taken: u32,
}

fn run(_start: &'static pd::Start) -> ! {
    let mut display = RingOut::open(layout::RING_OUT_DISPLAY);
    let mut say = |text: String| {
        let mut record = [0; 512];
        display.offer(ipc::encode(&Item::Lines { style: Style::Plain, text }, &mut record));
    };
    let mut network = Network {
        calls: Client(pd::rpc::Client::new(layout::CLIENT_NET)),
        send: RingOut::open(layout::RING_OUT_SEND),
        received: RingIn::open(layout::RING_IN_RECEIVED),
        notification: Notification::new(layout::NOTIFICATION),
        record: vec![0; RECORD_BYTES],
    };
    network.wait(|event| matches!(event, Event::Network(Reach::Ready)).then_some(()));
    let bytes = network.download();
    say(format!("downloaded {bytes} bytes"));
    network.upload(bytes);
    say(format!("uploaded {bytes} bytes"));
    loop {
        network.notification.wait();
    }
}

impl Network {
    /// Until an event of which `see` makes something.
    fn wait<T>(&mut self, mut see: impl FnMut(&Event) -> Option<T>) -> T {
        loop {
            match self.received.pop(&mut self.record) {
                Ok(None) => {
                    self.notification.wait();
                }
                Ok(Some(length)) => {
                    let event = ipc::decode(&self.record[..length]).expect("an event");
                    if let Event::Failed { error, .. } = event {
                        panic!("{error}");
                    }
                    if let Some(seen) = see(&event) {
                        return seen;
                    }
                }
                Err(PopError::Restarted { .. }) => {}
                Err(error) => panic!("{error:?} in the ring from net"),
            }
        }
    }

    fn connect(&mut self) -> Connection {
        let host = Host::Address(SERVER.into());
        let id = self.calls.connect(host, transfer::PORT, CONNECT_MS).expect("net lives").expect("a connection");
        self.wait(|event| matches!(event, Event::Connected { .. }).then_some(()));
        Connection { id, outstanding: 0, taken: 0 }
    }

    /// Puts a record into the ring, which has room for a window and for some records more.
    fn push(&mut self, parts: &[&[u8]]) {
        match self.send.push(parts) {
            Ok(()) => {}
            Err(error @ (PushError::Full | PushError::BadTail | PushError::TooLong)) => panic!("{error:?}"),
        }
    }

    fn record(&mut self, record: &Record) {
        let mut buffer = [0; HEAD_BYTES];
        let bytes = ipc::encode(record, &mut buffer).expect("a short record");
        self.push(&[bytes]);
    }

    /// Sends bytes, as soon as the window lets it.
    fn send(&mut self, to: &mut Connection, bytes: &[u8]) {
        while SEND_WINDOW - to.outstanding < bytes.len() as u32 {
            to.outstanding -= self.wait(|event| match event {
                Event::Sent { bytes, .. } => Some(*bytes),
                _ => None,
            });
        }
        to.outstanding += bytes.len() as u32;
        self.push(&[data_head(to.id, bytes.len(), &mut [0; HEAD_BYTES]), bytes]);
    }

    /// Takes what comes until the other end has said all. Gives the bytes after the head.
    fn receive(&mut self, from: &mut Connection) -> u64 {
        let (mut head, mut body): (Vec<u8>, Option<u64>) = (Vec::new(), None);
        loop {
            let taken = self.wait(|event| match event {
                Event::Data { bytes, .. } => {
                    match &mut body {
                        Some(body) => *body += bytes.len() as u64,
                        None => {
                            head.extend_from_slice(bytes);
                            body = transfer::head_length(&head).map(|length| (head.len() - length) as u64);
                        }
                    }
                    Some(bytes.len() as u32)
                }
                Event::End { .. } => Some(0),
                _ => None,
            });
            if taken == 0 {
                break;
            }
            from.taken += taken;
            if from.taken >= GIVE_BACK {
                self.record(&Record::Taken { id: from.id, bytes: core::mem::take(&mut from.taken) });
            }
        }
        let body = body.expect("a head before the end");
        assert_eq!(transfer::body_length(&head), Some(body), "not as long as it was said to be");
        body
    }

    fn close(&mut self, connection: &Connection) {
        self.record(&Record::Shutdown { id: connection.id });
        self.wait(|event| matches!(event, Event::Closed { .. }).then_some(()));
    }

    fn download(&mut self) -> u64 {
        let mut connection = self.connect();
        self.send(&mut connection, transfer::GET);
        let bytes = self.receive(&mut connection);
        self.close(&connection);
        bytes
    }

    fn upload(&mut self, bytes: u64) {
        let mut connection = self.connect();
        self.send(&mut connection, format!("PUT / HTTP/1.0\r\nContent-Length: {bytes}\r\n\r\n").as_bytes());
        let piece = vec![0; PIECE];
        let mut left = bytes;
        while left > 0 {
            let now = left.min(PIECE as u64);
            self.send(&mut connection, &piece[..now as usize]);
            left -= now;
        }
        self.receive(&mut connection);
        self.close(&connection);
    }
}
