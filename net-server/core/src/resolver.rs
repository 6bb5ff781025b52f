//! Names to addresses: asks the network's DNS servers, over UDP, each question from a port of its own.

use crate::{dns, network::address, Stack};
use alloc::{vec, vec::Vec};
use core::net::{IpAddr, Ipv4Addr};
use ipc::net::{Host, NameError};
use smoltcp::{
    iface::SocketHandle,
    socket::udp,
    time::{Duration, Instant},
};

/// When a question is asked again, the next server first; after the last pause nobody will answer.
const PAUSES_MS: [u64; 4] = [1000, 1500, 2000, 3000];
/// How long addresses of the one kind wait for those of the other.
const OTHER_KIND: Duration = Duration::from_millis(300);
const PORT: u16 = 53;

pub type Addresses = heapless::Vec<IpAddr, { 2 * dns::ADDRESSES }>;

/// A name that is being looked up.
pub struct Query {
    socket: SocketHandle,
    name: dns::Name,
    questions: heapless::Vec<Question, 2>,
    tries: usize,
    ask_at: Instant,
    /// Set by the first addresses.
    done_at: Option<Instant>,
    failure: Option<NameError>,
}

struct Question {
    kind: dns::Kind,
    id: u16,
    answer: Option<dns::Answer>,
}

impl Query {
    pub fn new(stack: &mut Stack, name: &str, ipv6: bool) -> Result<Query, NameError> {
        let name = dns::name(name).ok_or(NameError::Malformed)?;
        let buffer = |packets, bytes| udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; packets], vec![0; bytes]);
        let mut socket = udp::Socket::new(buffer(4, 4 * dns::MESSAGE_BYTES), buffer(2, 2 * dns::MESSAGE_BYTES));
        // Only port 0 and an open socket are refused.
        let _ = socket.bind(stack.random.port());
        let kinds: &[_] = if ipv6 { &[dns::Kind::A, dns::Kind::Aaaa] } else { &[dns::Kind::A] };
        let questions =
            kinds.iter().map(|kind| Question { kind: *kind, id: stack.random.next() as u16, answer: None }).collect();
        let socket = stack.sockets.add(socket);
        Ok(Query { socket, name, questions, tries: 0, ask_at: stack.now, done_at: None, failure: None })
    }

    /// `None` while it is under way.
    pub fn step(&mut self, stack: &mut Stack, servers: &[Ipv4Addr]) -> Option<Result<Addresses, NameError>> {
        if servers.is_empty() {
            return Some(Err(NameError::NoServer));
        }
        if let Some(result) = self.read(stack, servers) {
            return Some(result);
        }
        if stack.now >= self.ask_at {
            let Some(pause) = PAUSES_MS.get(self.tries) else {
                return Some(Err(self.failure.unwrap_or(NameError::NoAnswer)));
            };
            self.ask(stack, servers[self.tries % servers.len()]);
            self.tries += 1;
            self.ask_at = stack.now + Duration::from_millis(*pause);
        }
        None
    }

    fn ask(&self, stack: &mut Stack, server: Ipv4Addr) {
        let socket = stack.sockets.get_mut::<udp::Socket>(self.socket);
        for question in self.questions.iter().filter(|question| question.answer.is_none()) {
            let message = dns::question(question.id, &self.name, question.kind);
            // No room: the ones before are still there, and will be asked.
            let _ = socket.send_slice(&message, (server, PORT));
        }
    }

    fn read(&mut self, stack: &mut Stack, servers: &[Ipv4Addr]) -> Option<Result<Addresses, NameError>> {
        let now = stack.now;
        let socket = stack.sockets.get_mut::<udp::Socket>(self.socket);
        while let Ok((message, from)) = socket.recv() {
            let asked = servers.iter().any(|server| from.endpoint.addr == (*server).into());
            if !asked || from.endpoint.port != PORT {
                continue;
            }
            for question in &mut self.questions {
                match dns::answer(message, question.id, &self.name, question.kind) {
                    Some(dns::Answer::Unknown) => return Some(Err(NameError::Unknown)),
                    // Another server may know.
                    Some(dns::Answer::Failed { code }) => {
                        self.failure = Some(NameError::Server { code });
                        self.ask_at = self.ask_at.min(now);
                    }
                    Some(answer) => {
                        question.answer.get_or_insert(answer);
                    }
                    None => {}
                }
            }
        }
        let mut addresses = Addresses::new();
        for question in &self.questions {
            if let Some(dns::Answer::Addresses(found)) = &question.answer {
                let _ = addresses.extend_from_slice(found);
            }
        }
        if self.questions.iter().all(|question| question.answer.is_some()) {
            return Some(if addresses.is_empty() { Err(NameError::NoAddress) } else { Ok(addresses) });
        }
        if !addresses.is_empty() && now >= *self.done_at.get_or_insert(now + OTHER_KIND) {
            return Some(Ok(addresses));
        }
        None
    }

    /// Its socket goes with it.
    pub fn end(self, stack: &mut Stack) {
        stack.sockets.remove(self.socket);
    }
}

/// What a name or an address stands for: the one at once, the other after a [`Query`].
pub enum Target {
    Query(Query),
    Known(Addresses),
}

impl Target {
    pub fn new(stack: &mut Stack, host: &Host, ipv6: bool) -> Result<Target, NameError> {
        match host {
            Host::Name(name) if address(host).is_none() => Query::new(stack, name, ipv6).map(Target::Query),
            _ => Ok(Target::Known(address(host).into_iter().collect())),
        }
    }
}

/// In the order in which they are tried.
pub fn in_order(addresses: &Addresses, ipv6_first: bool) -> Vec<IpAddr> {
    let (mut first, mut second): (Vec<_>, Vec<_>) =
        addresses.iter().partition(|address| address.is_ipv6() == ipv6_first);
    first.append(&mut second);
    first
}
