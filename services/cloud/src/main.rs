//! Cloud: sends what gate has let through, and shows what comes back. For now over plain TCP, to the host and port that
//! the person named.
//!
//! It trusts nobody: gate's records are checked by the protocol, what net says is taken for possible and no more, what
//! comes from the network is shown as text, within bounds. It must never hold up net's ring. It decides nothing about
//! what may leave.
//!
//! When it dies, what was being fetched is lost, and its next life says so. When net dies, a sentence says so.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use cloud_core::{Cloud, Net};
use ipc::net::{data_head, Client, Error, Host, Id, Record, Status, HEAD_BYTES, RECORD_BYTES};
use ipc::{outbound, CallError};
use pd::{time::now_us, Notification, PopError, PushError, RingIn, RingOut};

pd::layout!("cloud");
pd::main!(run);

/// Events taken before the display and Ctrl-C get their turn.
const BATCH: usize = 32;

/// The way to net.
struct Server {
    calls: Client<pd::rpc::Client>,
    send: RingOut,
}

/// What comes in, and the display.
struct Rings {
    requests: RingIn,
    received: RingIn,
    display: RingOut,
    record: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let mut cloud = Cloud::new(start.epoch);
    let mut net =
        Server { calls: Client(pd::rpc::Client::new(layout::CLIENT_NET)), send: RingOut::open(layout::RING_OUT_SEND) };
    let mut rings = Rings {
        requests: RingIn::open(layout::RING_IN_OUTBOUND),
        received: RingIn::open(layout::RING_IN_RECEIVED),
        display: RingOut::open(layout::RING_OUT_DISPLAY),
        record: vec![0; RECORD_BYTES.max(outbound::RECORD_BYTES)],
    };
    let notification = Notification::new(layout::NOTIFICATION);
    loop {
        let any = rings.turn(&mut cloud, &mut net);
        // Who sends without end must not keep the person's key from being seen.
        let bits = if any { notification.poll() } else { notification.wait() };
        if bits & layout::SIGNAL_IN_INTERRUPT != 0 {
            cloud.interrupt(&mut net, now_us());
        }
        if bits & layout::TICK != 0 {
            cloud.tick(&mut net, now_us());
        }
    }
}

impl Rings {
    /// Takes some of what has come, and sends what there is to send; says whether there was anything.
    fn turn(&mut self, cloud: &mut Cloud, net: &mut Server) -> bool {
        let mut any = false;
        for _ in 0..BATCH {
            match self.received.pop(&mut self.record) {
                Ok(None) => break,
                Ok(Some(length)) => match ipc::decode(&self.record[..length]) {
                    Ok(event) => cloud.event(event, net, now_us()),
                    Err(_) => cloud.event_malformed(net),
                },
                // Net's first word in its next life says which one it is.
                Err(PopError::Restarted { .. }) => {}
                Err(_) => cloud.event_malformed(net),
            }
            any = true;
        }
        if cloud.idle() {
            match self.requests.pop(&mut self.record) {
                Ok(None) => {}
                Ok(Some(length)) => {
                    any = true;
                    match ipc::decode(&self.record[..length]) {
                        Ok(request) => cloud.request(request, net, now_us()),
                        Err(_) => cloud.request_lost(),
                    }
                }
                Err(error) => {
                    any = true;
                    if !matches!(error, PopError::Restarted { bytes: 0 }) {
                        cloud.request_lost();
                    }
                }
            }
        }
        cloud.send(net);
        // The ring loses the oldest rather than make cloud wait.
        while let Some(item) = cloud.next_shown() {
            self.display.offer(ipc::encode(&item, &mut self.record));
        }
        any
    }
}

impl Net for Server {
    fn connect(&mut self, host: Host, port: u16, timeout_ms: u32) -> Result<Result<Id, Error>, CallError> {
        self.calls.connect(host, port, timeout_ms)
    }

    fn ping(&mut self, host: Host, timeout_ms: u32) -> Result<Result<Id, Error>, CallError> {
        self.calls.ping(host, timeout_ms)
    }

    fn status(&mut self) -> Result<Status, CallError> {
        self.calls.status()
    }

    fn close(&mut self, id: Id) {
        if let Err(error) = self.calls.close(id) {
            log::info!("close: {error:?}");
        }
    }

    fn send(&mut self, record: &Record) -> bool {
        let mut buffer = [0; HEAD_BYTES];
        let pushed = match record {
            Record::Data { id, bytes } => self.send.push(&[data_head(*id, bytes.len(), &mut buffer), bytes]),
            record => match ipc::encode(record, &mut buffer) {
                Some(bytes) => self.send.push(&[bytes]),
                None => Err(PushError::TooLong),
            },
        };
        match pushed {
            Ok(()) => true,
            Err(PushError::Full | PushError::BadTail) => false,
            Err(PushError::TooLong) => {
                log::error!("a record did not fit");
                true
            }
        }
    }
}
