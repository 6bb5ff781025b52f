//! The network: a device on one side, the client's rings and calls on the other (`ipc::net`). No system call, no clock
//! and no randomness of its own: all three are given.
//!
//! Nobody is trusted. What comes from the wire smoltcp parses, after [`wire`] has looked at it; what comes from the
//! client is decoded with limits, and whoever sends more than its window loses its connection. Memory is bounded: so
//! many connections and pings, each with buffers of a fixed size; and all that is to be told is a state of these, not a
//! queue.
//!
//! * [`Net::turn`] does a bounded piece of work: takes frames, goes on with what is under way, tells the client what
//!   there is to tell, sends frames.
//! * [`Net::record`] takes a record of the client; `ipc::net::Server` its calls.
#![cfg_attr(not(test), no_std)]

extern crate alloc;

mod checksum;
mod connections;
#[doc(hidden)]
pub mod dns;
mod network;
mod out;
mod pings;
mod random;
mod resolver;
#[doc(hidden)]
pub mod wire;

pub use out::Out;
pub use smoltcp;

use alloc::vec::Vec;
use connections::Connection;
use core::net::IpAddr;
use ipc::net::{Error, Event, Host, Id, Reach, Record, Status, SOCKETS, TIMEOUT_MS};
use network::Network;
use pings::Pings;
use random::Random;
use smoltcp::{
    iface::{Config, Interface, PollIngressSingleResult, PollResult, SocketSet},
    phy::Device,
    time::Instant,
    wire::EthernetAddress,
};
use wire::Wire;

/// Frames that a turn takes, and sends, at most.
const FRAMES: usize = 256;

/// What a start needs.
pub struct Start {
    /// Which start of the server this is; ids carry it.
    pub life: u32,
    pub mac: [u8; 6],
    /// Must not be known to the network.
    pub seed: [u8; 32],
    pub now_us: u64,
}

/// What everything stands on.
pub(crate) struct Stack {
    iface: Interface,
    sockets: SocketSet<'static>,
    random: Random,
    now: Instant,
    /// Local ports of connections, chosen before there is one.
    next_port: u16,
}

impl Stack {
    /// A port for a new connection. [`Net::turn`] sees to it that it is nobody's.
    fn free_port(&mut self) -> u16 {
        let after = self.random.port();
        core::mem::replace(&mut self.next_port, after)
    }
}

pub struct Net<D: Device> {
    wire: Wire<D>,
    stack: Stack,
    network: Network,
    connections: Vec<Connection>,
    pings: Pings,
    life: u32,
    numbers: u32,
    /// The connection that is told of first in this turn, so that none starves.
    first: usize,
    tell_started: bool,
    told_reach: Option<Reach>,
    broken: bool,
    malformed: u64,
}

impl<D: Device> Net<D> {
    pub fn new(device: D, start: Start) -> Net<D> {
        let mut wire = Wire::new(device);
        let mut random = Random::new(&start.seed);
        let mac = EthernetAddress(start.mac);
        let now = time(start.now_us);
        let iface = interface(mac, &mut random, &mut wire, now);
        let next_port = random.port();
        let mut stack = Stack { iface, sockets: SocketSet::new(Vec::new()), random, now, next_port };
        Net {
            network: Network::new(&mut stack, mac),
            pings: Pings::new(&mut stack),
            wire,
            stack,
            connections: Vec::new(),
            life: start.life,
            numbers: 0,
            first: 0,
            tell_started: true,
            told_reach: None,
            broken: false,
            malformed: 0,
        }
    }

    pub fn device(&mut self) -> &mut D {
        &mut self.wire.device
    }

    /// Does a bounded piece of work. Says whether there is more to do now; else nothing happens before a frame, a
    /// record, a call, room in the ring, or time.
    pub fn turn(&mut self, now_us: u64, link_up: bool, out: &mut impl Out) -> bool {
        // Time that went back would be a fault of the caller; it stands still then.
        self.stack.now = self.stack.now.max(time(now_us));
        if self.network.link(link_up, &mut self.stack) {
            let Stack { iface, random, now, .. } = &mut self.stack;
            *iface = interface(self.network.mac(), random, &mut self.wire, *now);
            self.network.begin_anew(&mut self.stack);
        }
        let mut more = self.take_frames();
        let notes = self.wire.seen.take_notes();
        self.network.step(&mut self.stack);
        for i in 0..self.connections.len() {
            self.choose_port();
            self.connections[i].step(&mut self.stack, &self.network, &notes);
        }
        self.pings.step(&mut self.stack, &self.network, &notes);
        more |= self.give(out);
        more |= self.send_frames();
        self.connections.retain_mut(|connection| !connection.is_gone(&mut self.stack));
        more
    }

    fn take_frames(&mut self) -> bool {
        if self.broken {
            return false;
        }
        let Stack { iface, sockets, now, .. } = &mut self.stack;
        // smoltcp 0.14 takes a router's IPv6 route only while there is no IPv4 route (`sync_slaac_state`).
        let ipv4 = iface.routes_mut().remove_default_ipv4_route();
        iface.poll_maintenance(*now);
        if let Some(route) = ipv4 {
            iface.routes_mut().update(|routes| {
                // IPv6 routes may have taken its place; then it is theirs that is left out.
                let pushed = routes.push(route);
                if pushed.is_err() {
                    routes.pop();
                    let _ = routes.push(route);
                }
            });
        }
        (0..FRAMES).all(|_| iface.poll_ingress_single(*now, &mut self.wire, sockets) != PollIngressSingleResult::None)
    }

    fn send_frames(&mut self) -> bool {
        if self.broken || !self.network.link_up() {
            return false;
        }
        let Stack { iface, sockets, now, .. } = &mut self.stack;
        (0..FRAMES).all(|_| iface.poll_egress(*now, &mut self.wire, sockets) != PollResult::None)
    }

    fn choose_port(&mut self) {
        while self.connections.iter().any(|connection| connection.holds_port(self.stack.next_port)) {
            self.stack.next_port = self.stack.random.port();
        }
    }

    fn give(&mut self, out: &mut impl Out) -> bool {
        let mut any = false;
        if self.tell_started {
            if !out.event(&Event::Started { life: self.life }) {
                return false;
            }
            (self.tell_started, any) = (false, true);
        }
        let reach = self.network.reach(&self.stack);
        if self.told_reach != Some(reach) {
            if !out.event(&Event::Network(reach)) {
                return any;
            }
            (self.told_reach, any) = (Some(reach), true);
        }
        any |= self.pings.give(out);
        let count = self.connections.len();
        for i in 0..count {
            any |= self.connections[(self.first + i) % count].give(&mut self.stack, out);
        }
        self.first = self.first.wrapping_add(1);
        any
    }

    /// A record of the client.
    pub fn record(&mut self, bytes: &[u8]) {
        let Ok(record) = ipc::decode::<Record>(bytes) else { return self.malformed() };
        let (Record::Data { id, .. } | Record::Shutdown { id } | Record::Taken { id, .. }) = record;
        // One that has just ended, most likely.
        let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) else { return };
        match record {
            Record::Data { bytes, .. } => connection.send(&mut self.stack, bytes),
            Record::Shutdown { .. } => connection.shut_down(&mut self.stack),
            Record::Taken { bytes, .. } => connection.taken(bytes),
        }
    }

    /// A record of the client that was none, or was lost.
    pub fn malformed(&mut self) {
        self.malformed += 1;
    }

    /// The client has died: what it had is nobody's.
    pub fn client_restarted(&mut self) {
        for connection in &mut self.connections {
            connection.forget(&mut self.stack);
        }
        self.pings.forget_all(&mut self.stack);
        // Its next life wants to know what there is.
        (self.tell_started, self.told_reach) = (true, None);
    }

    /// The device does not work any more.
    pub fn device_broken(&mut self) {
        self.broken = true;
        for connection in &mut self.connections {
            connection.give_up(&mut self.stack, Error::Device);
        }
        self.pings.give_up(&mut self.stack, Error::Device);
    }

    fn next_id(&mut self) -> Id {
        self.numbers = self.numbers.wrapping_add(1);
        Id { life: self.life, number: self.numbers }
    }
}

fn time(us: u64) -> Instant {
    Instant::from_micros(i64::try_from(us).unwrap_or(i64::MAX))
}

fn interface<D: Device>(mac: EthernetAddress, random: &mut Random, wire: &mut Wire<D>, now: Instant) -> Interface {
    let mut config = Config::new(mac.into());
    config.random_seed = random.next();
    config.slaac = true;
    Interface::new(config, wire, now)
}

impl<D: Device> ipc::net::Server for Net<D> {
    fn connect(&mut self, _caller: u64, host: Host, port: u16, timeout_ms: u32) -> Result<Id, Error> {
        if self.broken {
            return Err(Error::Device);
        }
        if port == 0 {
            return Err(Error::BadPort);
        }
        if self.connections.len() >= SOCKETS {
            return Err(Error::TooMany { limit: SOCKETS as u16 });
        }
        let id = self.next_id();
        let timeout_ms = timeout_ms.clamp(TIMEOUT_MS.0, TIMEOUT_MS.1);
        self.connections.push(Connection::new(id, host, port, timeout_ms, self.stack.now));
        Ok(id)
    }

    fn close(&mut self, _caller: u64, id: Id) {
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.id == id) {
            connection.forget(&mut self.stack);
        } else {
            self.pings.forget(&mut self.stack, id);
        }
    }

    fn ping(&mut self, _caller: u64, host: Host, timeout_ms: u32) -> Result<Id, Error> {
        if self.broken {
            return Err(Error::Device);
        }
        let id = self.next_id();
        self.pings.begin(id, host, timeout_ms.clamp(TIMEOUT_MS.0, TIMEOUT_MS.1), self.stack.now)?;
        Ok(id)
    }

    fn status(&mut self, _caller: u64) -> Status {
        let routes = self.stack.iface.routes();
        let gateway = routes.get_default_ipv4_route().and_then(|route| match IpAddr::from(route.via_router) {
            IpAddr::V4(router) => Some(router),
            IpAddr::V6(_) => None,
        });
        let gateway6 = routes.get_default_ipv6_route().and_then(|route| match IpAddr::from(route.via_router) {
            IpAddr::V6(router) => Some(router),
            IpAddr::V4(_) => None,
        });
        let addresses = self.stack.iface.ip_addrs().iter();
        let ipv6 = addresses.filter_map(|address| match address {
            smoltcp::wire::IpCidr::Ipv6(address) => Some((address.address(), address.prefix_len())),
            smoltcp::wire::IpCidr::Ipv4(_) => None,
        });
        Status {
            mac: self.network.mac().0,
            reach: self.network.reach(&self.stack),
            ipv4: self.network.ipv4().map(|address| (address.address(), address.prefix_len())),
            ipv6: ipv6.take(ipc::net::ADDRESSES).collect(),
            gateway,
            gateway6,
            dns: self.network.dns().iter().map(|server| IpAddr::V4(*server)).collect(),
            sockets: self.connections.len() as u16,
            pings: self.pings.count() as u16,
            received: self.wire.seen.received(),
            sent: self.wire.seen.sent(),
            bad_frames: self.wire.seen.bad(),
            full: self.wire.seen.full(),
            malformed: self.malformed,
        }
    }
}
