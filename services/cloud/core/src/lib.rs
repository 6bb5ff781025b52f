//! Cloud without its protection domain, as it is for now: one request of gate at a time goes over plain TCP, and what
//! comes back is shown. Nothing here decides what may leave; gate did.
//!
//! The network server is not trusted to be right: whatever it says, each request ends with one sentence, after a
//! bounded time in which nothing happens, and what is shown is bounded.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

pub mod text;
pub mod words;

use alloc::{collections::VecDeque, string::String};
use ipc::display::{Item, Style};
use ipc::net::{Error, Event, Host, Id, Name, Record, Status};
use ipc::outbound::{self, Payload, Request};
use ipc::{next_chunk, CallError};
use text::Text;

/// How long a connection or a ping is tried.
pub const CONNECT_MS: u32 = 15_000;
pub const PING_MS: u32 = 5_000;
/// How much longer the network server may take to say what became of it.
const GRACE_US: u64 = 5_000_000;
/// With nothing new for this long, a connection is given up.
pub const SILENCE_US: u64 = 30_000_000;
/// A line that has not ended is shown when nothing came for this long.
const PATIENCE_US: u64 = 1_000_000;
/// How long the other end may take to say goodbye.
const GOODBYE_US: u64 = 3_000_000;

/// The network server.
pub trait Net {
    fn connect(&mut self, host: Host, port: u16, timeout_ms: u32) -> Result<Result<Id, Error>, CallError>;
    fn ping(&mut self, host: Host, timeout_ms: u32) -> Result<Result<Id, Error>, CallError>;
    fn status(&mut self) -> Result<Status, CallError>;
    fn close(&mut self, id: Id);
    /// False if the ring has no room now.
    fn send(&mut self, record: &Record) -> bool;
}

pub struct Cloud {
    work: Work,
    screen: VecDeque<Item>,
    progress_shown: bool,
}

enum Work {
    Idle,
    Fetch(Fetch),
    Ping {
        id: Id,
        host: outbound::Host,
        until_us: u64,
    },
    /// All was said; the connection says goodbye.
    Goodbye {
        id: Id,
        shutdown: bool,
        until_us: u64,
    },
}

struct Fetch {
    id: Id,
    connected: bool,
    payload: Payload,
    /// The payload is to be sent; then the other end is to be told that it was all.
    to_send: bool,
    to_shut_down: bool,
    shut_down: bool,
    /// Bytes that were taken and not given back.
    owed: u32,
    received: u64,
    text: Text,
    told_full: bool,
    begun_us: u64,
    /// When something happened last.
    heard_us: u64,
}

impl Cloud {
    /// `start` counts the starts of this protection domain, from 1.
    pub fn new(start: u64) -> Cloud {
        let mut cloud = Cloud { work: Work::Idle, screen: VecDeque::new(), progress_shown: false };
        if start > 1 {
            cloud.say(Style::Error, words::STARTED_ANEW);
        }
        cloud
    }

    /// Whether the next request may come.
    pub fn idle(&self) -> bool {
        matches!(self.work, Work::Idle)
    }

    /// The next record for the display.
    pub fn next_shown(&mut self) -> Option<Item> {
        self.screen.pop_front()
    }

    // --- what comes in ------------------------------------------------------------------------------------------

    /// From gate, when idle.
    pub fn request(&mut self, request: Request, net: &mut impl Net, now_us: u64) {
        match request {
            Request::Fetch { host, port, payload, .. } => match net.connect(named(&host), port.get(), CONNECT_MS) {
                Ok(Ok(id)) => self.work = Work::Fetch(Fetch::new(id, payload, now_us)),
                failed => self.not_begun(failed),
            },
            Request::Ping { host, .. } => match net.ping(named(&host), PING_MS) {
                Ok(Ok(id)) => {
                    let until_us = now_us + u64::from(PING_MS) * 1000 + GRACE_US;
                    self.work = Work::Ping { id, host, until_us };
                }
                failed => self.not_begun(failed),
            },
            Request::NetStatus { .. } => match net.status() {
                Ok(status) => self.say(Style::Plain, &words::status(&status)),
                Err(error) => self.say(Style::Error, &words::call_failed(error)),
            },
        }
    }

    /// A record from gate was lost or made no sense.
    pub fn request_lost(&mut self) {
        self.say(Style::Error, words::LOST);
    }

    pub fn event(&mut self, event: Event, net: &mut impl Net, now_us: u64) {
        let Some(current) = self.current() else { return };
        match event {
            Event::Started { life } if life != current.life => self.net_died(),
            Event::Started { .. } | Event::Network(_) => {}
            event if id_of(&event) == Some(current) => match &mut self.work {
                Work::Fetch(_) => self.fetch_event(event, net, now_us),
                Work::Ping { .. } => self.ping_event(event, net),
                Work::Goodbye { .. } if matches!(event, Event::Closed { .. } | Event::Failed { .. }) => {
                    self.work = Work::Idle;
                }
                Work::Goodbye { .. } | Work::Idle => {}
            },
            // Of something that is over.
            _ => {}
        }
    }

    /// A record from the network server made no sense, or some were lost.
    pub fn event_malformed(&mut self, net: &mut impl Net) {
        if let Some(id) = self.current() {
            self.give_up(id, words::NO_SENSE, net);
        }
    }

    /// Ctrl-C.
    pub fn interrupt(&mut self, net: &mut impl Net, now_us: u64) {
        match &mut self.work {
            Work::Fetch(fetch) => {
                let (id, sentence) = (fetch.id, words::stopped(fetch.received, now_us.saturating_sub(fetch.begun_us)));
                self.show_rest();
                self.give_up(id, &sentence, net);
            }
            Work::Ping { id, .. } => {
                let id = *id;
                self.give_up(id, words::PING_STOPPED, net);
            }
            Work::Goodbye { .. } | Work::Idle => {}
        }
    }

    /// Time passes.
    pub fn tick(&mut self, net: &mut impl Net, now_us: u64) {
        match &mut self.work {
            Work::Fetch(fetch) => {
                let (id, silence) = (fetch.id, now_us.saturating_sub(fetch.heard_us));
                if !fetch.connected && silence >= u64::from(CONNECT_MS) * 1000 + GRACE_US {
                    self.give_up(id, words::NO_WORD, net);
                } else if fetch.connected && silence >= SILENCE_US {
                    let sentence = words::silent(fetch.received, silence);
                    self.show_rest();
                    self.give_up(id, &sentence, net);
                } else {
                    let progress = fetch.told_full.then(|| words::progress(fetch.received));
                    if silence >= PATIENCE_US {
                        self.show_rest();
                    }
                    if let Some(progress) = progress {
                        self.progress(progress);
                    }
                }
            }
            Work::Ping { id, until_us, .. } if now_us >= *until_us => {
                let id = *id;
                self.give_up(id, words::NO_WORD, net);
            }
            Work::Goodbye { id, until_us, .. } if now_us >= *until_us => {
                net.close(*id);
                self.work = Work::Idle;
            }
            Work::Ping { .. } | Work::Goodbye { .. } | Work::Idle => {}
        }
    }

    /// Sends what is to be sent, as far as there is room: after anything has come in.
    pub fn send(&mut self, net: &mut impl Net) {
        match &mut self.work {
            Work::Fetch(fetch) if fetch.connected => fetch.send(net),
            Work::Goodbye { id, shutdown, .. } if !*shutdown => *shutdown = net.send(&Record::Shutdown { id: *id }),
            _ => {}
        }
    }

    // --- what comes of it ---------------------------------------------------------------------------------------

    fn current(&self) -> Option<Id> {
        match &self.work {
            Work::Idle => None,
            Work::Fetch(fetch) => Some(fetch.id),
            Work::Ping { id, .. } | Work::Goodbye { id, .. } => Some(*id),
        }
    }

    fn not_begun(&mut self, failed: Result<Result<Id, Error>, CallError>) {
        match failed {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => self.say(Style::Error, &words::failed(error, 0)),
            Err(error) => self.say(Style::Error, &words::call_failed(error)),
        }
    }

    fn fetch_event(&mut self, event: Event, net: &mut impl Net, now_us: u64) {
        let Work::Fetch(fetch) = &mut self.work else { return };
        fetch.heard_us = now_us;
        let took_us = now_us.saturating_sub(fetch.begun_us);
        match event {
            Event::Connected { address, port, .. } if !fetch.connected => {
                fetch.connected = true;
                self.say(Style::Dim, &words::connected(address, port));
            }
            Event::Data { bytes, .. } if fetch.connected => {
                fetch.received += bytes.len() as u64;
                fetch.owed = fetch.owed.saturating_add(bytes.len() as u32);
                let texts = fetch.text.push(bytes);
                let full = fetch.text.full() && !core::mem::replace(&mut fetch.told_full, fetch.text.full());
                for text in texts {
                    self.screen.push_back(Item::Lines { style: Style::Plain, text });
                }
                if full {
                    self.show_rest();
                    self.say(Style::Dim, &words::shown_in_part());
                }
            }
            Event::Sent { .. } => {}
            Event::End { .. } | Event::Closed { .. } => {
                let closed = matches!(event, Event::Closed { .. });
                let (id, shutdown, received) = (fetch.id, fetch.shut_down, fetch.received);
                self.show_rest();
                self.end(Style::Dim, &words::done(received, took_us));
                if !closed {
                    self.work = Work::Goodbye { id, shutdown, until_us: now_us + GOODBYE_US };
                    self.send(net);
                }
            }
            Event::Failed { error, .. } => {
                let sentence = words::failed(error, fetch.received);
                self.show_rest();
                self.end(Style::Error, &sentence);
            }
            // Bytes before a connection, a second connection, an answer to a ping.
            _ => {
                let id = fetch.id;
                self.give_up(id, words::NO_SENSE, net);
            }
        }
    }

    fn ping_event(&mut self, event: Event, net: &mut impl Net) {
        let Work::Ping { id, host, .. } = &self.work else { return };
        match event {
            Event::Pong { address, time_us, .. } => self.end(Style::Plain, &words::pong(address, time_us)),
            Event::NoPong { error, .. } => {
                let sentence = words::no_pong(host, error);
                self.end(Style::Error, &sentence);
            }
            _ => {
                let id = *id;
                self.give_up(id, words::NO_SENSE, net);
            }
        }
    }

    fn net_died(&mut self) {
        match self.work {
            Work::Fetch(_) | Work::Ping { .. } => {
                self.show_rest();
                self.end(Style::Error, words::NET_DIED);
            }
            // All was said.
            Work::Goodbye { .. } | Work::Idle => self.work = Work::Idle,
        }
    }

    /// Ends what is under way without waiting for anybody.
    fn give_up(&mut self, id: Id, sentence: &str, net: &mut impl Net) {
        net.close(id);
        match self.work {
            Work::Fetch(_) | Work::Ping { .. } => self.end(Style::Error, sentence),
            Work::Goodbye { .. } | Work::Idle => self.work = Work::Idle,
        }
    }

    /// The one sentence at the end of a request.
    fn end(&mut self, style: Style, sentence: &str) {
        if core::mem::take(&mut self.progress_shown) {
            self.screen.push_back(Item::Progress { text: String::new() });
        }
        self.say(style, sentence);
        self.work = Work::Idle;
    }

    fn show_rest(&mut self) {
        let Work::Fetch(fetch) = &mut self.work else { return };
        if let Some(text) = fetch.text.rest() {
            self.screen.push_back(Item::Lines { style: Style::Plain, text });
        }
    }

    fn progress(&mut self, text: String) {
        self.progress_shown = true;
        self.screen.push_back(Item::Progress { text });
    }

    fn say(&mut self, style: Style, text: &str) {
        let mut at = 0;
        while let Some(piece) = next_chunk::<{ ipc::display::TEXT_BYTES }>(text, &mut at) {
            self.screen.push_back(Item::Lines { style, text: piece.into() });
        }
    }
}

impl Fetch {
    fn new(id: Id, payload: Payload, now_us: u64) -> Fetch {
        Fetch {
            id,
            connected: false,
            to_send: !payload.is_empty(),
            to_shut_down: ends_with_its_bytes(&payload),
            payload,
            shut_down: false,
            owed: 0,
            received: 0,
            text: Text::default(),
            told_full: false,
            begun_us: now_us,
            heard_us: now_us,
        }
    }

    fn send(&mut self, net: &mut impl Net) {
        let id = self.id;
        if self.to_send && net.send(&Record::Data { id, bytes: &self.payload }) {
            self.to_send = false;
        }
        if !self.to_send && self.to_shut_down && net.send(&Record::Shutdown { id }) {
            (self.to_shut_down, self.shut_down) = (false, true);
        }
        if self.owed > 0 && net.send(&Record::Taken { id, bytes: self.owed }) {
            self.owed = 0;
        }
    }
}

/// Whether the other end can only know from the end of the stream that it has all. A request of HTTP says itself where
/// it ends, and servers take a half that is closed for a person who has gone away.
fn ends_with_its_bytes(payload: &[u8]) -> bool {
    let line = payload.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let http = [&b" HTTP/1.0"[..], b" HTTP/1.1"].iter().any(|version| line.ends_with(version));
    !payload.is_empty() && !http
}

fn named(host: &outbound::Host) -> Host {
    // As long as the longest name is.
    Host::Name(Name::try_from(&**host).unwrap_or_default())
}

fn id_of(event: &Event) -> Option<Id> {
    match event {
        Event::Started { .. } | Event::Network(_) => None,
        Event::Connected { id, .. }
        | Event::Data { id, .. }
        | Event::Sent { id, .. }
        | Event::End { id }
        | Event::Closed { id }
        | Event::Failed { id, .. }
        | Event::Pong { id, .. }
        | Event::NoPong { id, .. } => Some(*id),
    }
}

#[cfg(test)]
mod tests;
