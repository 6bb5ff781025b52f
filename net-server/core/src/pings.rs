//! Echo requests, and what came of them.

use crate::{
    network::Network,
    out::Out,
    resolver::{in_order, Query, Target},
    wire::Note,
    Stack,
};
use alloc::{vec, vec::Vec};
use core::net::IpAddr;
use ipc::net::{Error, Event, Host, Id, PINGS};
use smoltcp::{
    iface::SocketHandle,
    phy::ChecksumCapabilities,
    socket::icmp,
    time::{Duration, Instant},
    wire::{Icmpv4Packet, Icmpv4Repr, Icmpv6Packet, Icmpv6Repr, IpAddress, Ipv6Address},
};

/// A request that was not answered is made again after this.
const AGAIN: Duration = Duration::from_secs(1);
/// What a request carries: a number that nobody else knows, so that nobody else can answer it.
type Token = [u8; 8];

pub struct Pings {
    socket: SocketHandle,
    ident: u16,
    sequence: u16,
    all: Vec<Ping>,
}

struct Ping {
    id: Id,
    host: Host,
    timeout_ms: u32,
    begun: Instant,
    phase: Phase,
}

enum Phase {
    Waiting,
    Asking(Query),
    Sent { address: IpAddr, sequence: u16, token: Token, at: Instant },
    Over(Result<(IpAddr, u32), Error>),
}

impl Pings {
    pub fn new(stack: &mut Stack) -> Pings {
        let buffer = || icmp::PacketBuffer::new(vec![icmp::PacketMetadata::EMPTY; 2 * PINGS], vec![0; 1024]);
        let mut socket = icmp::Socket::new(buffer(), buffer());
        let ident = stack.random.next() as u16;
        // Only an unspecified end and an open socket are refused.
        let _ = socket.bind(icmp::Endpoint::Ident(ident));
        Pings { socket: stack.sockets.add(socket), ident, sequence: 0, all: Vec::new() }
    }

    pub fn count(&self) -> usize {
        self.all.len()
    }

    pub fn begin(&mut self, id: Id, host: Host, timeout_ms: u32, now: Instant) -> Result<(), Error> {
        if self.all.len() >= PINGS {
            return Err(Error::TooMany { limit: PINGS as u16 });
        }
        self.all.push(Ping { id, host, timeout_ms, begun: now, phase: Phase::Waiting });
        Ok(())
    }

    /// Says whether there was such a ping.
    pub fn forget(&mut self, stack: &mut Stack, id: Id) -> bool {
        let Some(at) = self.all.iter().position(|ping| ping.id == id) else { return false };
        if let Phase::Asking(query) = self.all.swap_remove(at).phase {
            query.end(stack)
        }
        true
    }

    pub fn forget_all(&mut self, stack: &mut Stack) {
        while let Some(ping) = self.all.first() {
            self.forget(stack, ping.id);
        }
    }

    /// Ends all; the client is told.
    pub fn give_up(&mut self, stack: &mut Stack, error: Error) {
        for ping in &mut self.all {
            if let Phase::Asking(query) = core::mem::replace(&mut ping.phase, Phase::Over(Err(error))) {
                query.end(stack)
            }
        }
    }

    pub fn step(&mut self, stack: &mut Stack, network: &Network, notes: &[Note]) {
        self.answers(stack);
        for note in notes {
            if let Note::NoEcho { address, ident, sequence } = *note {
                for ping in self.all.iter_mut().filter(|_| ident == self.ident) {
                    match ping.phase {
                        Phase::Sent { address: to, sequence: sent, .. } if (to, sent) == (address, sequence) => {
                            ping.phase = Phase::Over(Err(Error::Unreachable));
                        }
                        _ => {}
                    }
                }
            }
        }
        for ping in &mut self.all {
            let mut echo = Echo { socket: self.socket, ident: self.ident, sequence: &mut self.sequence };
            while let Some(next) = ping.next(stack, network, &mut echo) {
                if let Phase::Asking(query) = core::mem::replace(&mut ping.phase, next) {
                    query.end(stack)
                }
            }
        }
    }

    fn answers(&mut self, stack: &mut Stack) {
        let now = stack.now;
        let checks = ChecksumCapabilities::ignored(); // smoltcp has looked at them
        let socket = stack.sockets.get_mut::<icmp::Socket>(self.socket);
        while let Ok((message, from)) = socket.recv() {
            let reply = match from {
                IpAddress::Ipv4(_) => Icmpv4Packet::new_checked(message).ok().and_then(|packet| {
                    match Icmpv4Repr::parse(&packet, &checks).ok()? {
                        Icmpv4Repr::EchoReply { seq_no, data, .. } => Some((seq_no, Token::try_from(data).ok()?)),
                        _ => None,
                    }
                }),
                IpAddress::Ipv6(_) => Icmpv6Packet::new_checked(message).ok().and_then(|packet| {
                    let nobody = Ipv6Address::UNSPECIFIED;
                    match Icmpv6Repr::parse(&nobody, &nobody, &packet, &checks).ok()? {
                        Icmpv6Repr::EchoReply { seq_no, data, .. } => Some((seq_no, Token::try_from(data).ok()?)),
                        _ => None,
                    }
                }),
            };
            let Some((got, token)) = reply else { continue };
            for ping in &mut self.all {
                if let Phase::Sent { address, sequence, token: sent, at } = ping.phase {
                    if (sequence, sent, address) == (got, token, from.into()) {
                        let time_us = (now - at).total_micros().min(u32::MAX.into()) as u32;
                        ping.phase = Phase::Over(Ok((address, time_us)));
                    }
                }
            }
        }
    }

    /// Tells what came of them, as far as there is room. Says whether anything was told.
    pub fn give(&mut self, out: &mut impl Out) -> bool {
        let before = self.all.len();
        self.all.retain(|ping| match ping.phase {
            Phase::Over(Ok((address, time_us))) => !out.event(&Event::Pong { id: ping.id, address, time_us }),
            Phase::Over(Err(error)) => !out.event(&Event::NoPong { id: ping.id, error }),
            _ => true,
        });
        self.all.len() < before
    }
}

impl Ping {
    fn next(&mut self, stack: &mut Stack, network: &Network, echo: &mut Echo) -> Option<Phase> {
        if matches!(self.phase, Phase::Over(_)) {
            return None;
        }
        let fail = |error| Some(Phase::Over(Err(error)));
        if !network.link_up() {
            return fail(Error::LinkDown);
        }
        let late = stack.now >= self.begun + Duration::from_millis(self.timeout_ms.into());
        match &mut self.phase {
            Phase::Waiting => match network.ready(stack, &self.host) {
                None if late => fail(Error::NoAddress),
                None => None,
                Some(Err(error)) => fail(error),
                Some(Ok(())) => match Target::new(stack, &self.host, network.speaks_ipv6(stack)) {
                    Err(error) => fail(Error::Name(error)),
                    Ok(Target::Query(query)) => Some(Phase::Asking(query)),
                    Ok(Target::Known(addresses)) => Some(echo.send_to_first(stack, network, &addresses)),
                },
            },
            Phase::Asking(query) => match query.step(stack, network.dns()) {
                None if late => fail(Error::TimedOut { after_ms: self.timeout_ms }),
                None => None,
                Some(Err(error)) => fail(Error::Name(error)),
                Some(Ok(addresses)) => {
                    Some(echo.send_to_first(stack, network, &in_order(&addresses, network.prefers_ipv6(stack))))
                }
            },
            Phase::Sent { .. } if late => fail(Error::TimedOut { after_ms: self.timeout_ms }),
            Phase::Sent { address, at, .. } if stack.now >= *at + AGAIN => Some(echo.send(stack, *address)),
            Phase::Sent { .. } | Phase::Over(_) => None,
        }
    }
}

/// Makes requests.
struct Echo<'a> {
    socket: SocketHandle,
    ident: u16,
    sequence: &'a mut u16,
}

impl Echo<'_> {
    fn send_to_first(&mut self, stack: &mut Stack, network: &Network, addresses: &[IpAddr]) -> Phase {
        match addresses.iter().find(|address| network.way(stack, **address).is_ok()) {
            Some(address) => self.send(stack, *address),
            None => Phase::Over(Err(Error::Unreachable)),
        }
    }

    fn send(&mut self, stack: &mut Stack, address: IpAddr) -> Phase {
        *self.sequence = self.sequence.wrapping_add(1);
        let (ident, seq_no, token) = (self.ident, *self.sequence, stack.random.next().to_le_bytes());
        let socket = stack.sockets.get_mut::<icmp::Socket>(self.socket);
        let checks = ChecksumCapabilities::ignored(); // smoltcp makes them
        match address {
            IpAddr::V4(_) => {
                let request = Icmpv4Repr::EchoRequest { ident, seq_no, data: &token };
                // No room: it is made again after a while.
                if let Ok(room) = socket.send(request.buffer_len(), address.into()) {
                    request.emit(&mut Icmpv4Packet::new_unchecked(room), &checks);
                }
            }
            IpAddr::V6(_) => {
                let request = Icmpv6Repr::EchoRequest { ident, seq_no, data: &token };
                let nobody = Ipv6Address::UNSPECIFIED;
                if let Ok(room) = socket.send(request.buffer_len(), address.into()) {
                    request.emit(&nobody, &nobody, &mut Icmpv6Packet::new_unchecked(room), &checks);
                }
            }
        }
        Phase::Sent { address, sequence: seq_no, token, at: stack.now }
    }
}
