//! TCP connections, from the wish to the last byte.

use crate::{
    network::Network,
    out::Out,
    resolver::{in_order, Query, Target},
    wire::{Ends, Note},
    Stack,
};
use alloc::{collections::VecDeque, vec::Vec};
use core::net::IpAddr;
use ipc::net::{Error, Event, Host, Id, DATA_BYTES, RECEIVE_WINDOW, SEND_WINDOW};
use smoltcp::{
    iface::SocketHandle,
    socket::tcp::{self, State},
    time::{Duration, Instant},
};

/// What the other end may send before we have handed it on.
const RECEIVE_BYTES: usize = 256 * 1024;
/// An attempt ends after this, if there are other addresses to try.
const ATTEMPT: Duration = Duration::from_secs(5);
/// A silent end is asked whether it is still there, and is given up.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const SILENCE: Duration = Duration::from_secs(90);
/// Windows are given back in pieces that are worth a record.
const GIVE_BACK: u32 = SEND_WINDOW / 8;
/// Shorter records than this are for the end of a stream, not for the end of a ring.
const WORTHWHILE: usize = 4096;

pub struct Connection {
    pub id: Id,
    host: Host,
    port: u16,
    timeout_ms: u32,
    begun: Instant,
    phase: Phase,
    /// Event::Connected is still to be told.
    tell_connected: Option<IpAddr>,
    /// Bytes that the client sent and that were not given back.
    outstanding: u32,
    /// Bytes that may still be handed to the client.
    window: u32,
    shut_down: bool,
    /// The other end has said all; and the client knows it.
    fin: bool,
    end_told: bool,
}

enum Phase {
    /// For a link or an address.
    Waiting,
    Asking(Query),
    Trying { socket: Attempt, rest: VecDeque<IpAddr>, until: Instant },
    Open(Attempt),
    /// To be told, after what was received is handed on.
    Over { socket: Option<Attempt>, how: Result<(), Error> },
    /// Told. The socket says its last word.
    Gone(Option<Attempt>),
}

#[derive(Clone, Copy)]
struct Attempt {
    socket: SocketHandle,
    remote: IpAddr,
    local_port: u16,
}

impl Connection {
    pub fn new(id: Id, host: Host, port: u16, timeout_ms: u32, now: Instant) -> Connection {
        Connection {
            id,
            host,
            port,
            timeout_ms,
            begun: now,
            phase: Phase::Waiting,
            tell_connected: None,
            outstanding: 0,
            window: RECEIVE_WINDOW,
            shut_down: false,
            fin: false,
            end_told: false,
        }
    }

    fn deadline(&self) -> Instant {
        self.begun + Duration::from_millis(self.timeout_ms.into())
    }

    /// Looks at what has happened, and goes on.
    pub fn step(&mut self, stack: &mut Stack, network: &Network, notes: &[Note]) {
        // A phase that has nothing to wait for is followed by the next one at once.
        while let Some(next) = self.next(stack, network, notes) {
            match core::mem::replace(&mut self.phase, next) {
                Phase::Asking(query) => query.end(stack),
                // Its socket is still there to say that it is over, or goes on to be the next one.
                _ => {}
            }
        }
    }

    fn next(&mut self, stack: &mut Stack, network: &Network, notes: &[Note]) -> Option<Phase> {
        let early = matches!(self.phase, Phase::Waiting | Phase::Asking(_) | Phase::Trying { .. });
        if early && !network.link_up() {
            return Some(self.over(stack, Err(Error::LinkDown)));
        }
        let deadline = self.deadline();
        let late = stack.now >= deadline;
        match &mut self.phase {
            Phase::Waiting => match network.ready(stack, &self.host) {
                None if late => Some(self.over(stack, Err(Error::NoAddress))),
                None => None,
                Some(Err(error)) => Some(self.over(stack, Err(error))),
                Some(Ok(())) => match Target::new(stack, &self.host, network.speaks_ipv6(stack)) {
                    Err(error) => Some(self.over(stack, Err(Error::Name(error)))),
                    Ok(Target::Query(query)) => Some(Phase::Asking(query)),
                    Ok(Target::Known(addresses)) => {
                        Some(self.attempt(stack, network, addresses.into_iter().collect(), Error::Unreachable))
                    }
                },
            },
            Phase::Asking(query) => match query.step(stack, network.dns()) {
                None if late => Some(self.over(stack, Err(Error::TimedOut { after_ms: self.timeout_ms }))),
                None => None,
                Some(Err(error)) => Some(self.over(stack, Err(Error::Name(error)))),
                Some(Ok(addresses)) => {
                    let rest = in_order(&addresses, network.prefers_ipv6(stack)).into();
                    Some(self.attempt(stack, network, rest, Error::Unreachable))
                }
            },
            Phase::Trying { socket, rest, until } => {
                let ends = socket.ends(self.port);
                let state = stack.sockets.get::<tcp::Socket>(socket.socket).state();
                let error = match state {
                    State::SynSent | State::SynReceived if notes.contains(&Note::Unreachable(ends)) => {
                        Error::Unreachable
                    }
                    State::SynSent | State::SynReceived if stack.now >= *until => {
                        Error::TimedOut { after_ms: (stack.now - self.begun).total_millis() as u32 }
                    }
                    State::SynSent | State::SynReceived => return None,
                    State::Closed if notes.contains(&Note::Reset(ends)) => Error::Refused,
                    State::Closed => Error::AddressLost,
                    _ => {
                        self.tell_connected = Some(socket.remote);
                        return Some(Phase::Open(*socket));
                    }
                };
                let rest = core::mem::take(rest);
                // The segment that takes a SYN back is not worth its own wait.
                stack.sockets.remove(socket.socket);
                Some(self.attempt(stack, network, rest, error))
            }
            Phase::Open(socket) => {
                let socket = *socket;
                let tcp = stack.sockets.get_mut::<tcp::Socket>(socket.socket);
                self.fin |= matches!(tcp.state(), State::CloseWait | State::LastAck | State::Closing | State::TimeWait);
                let how = match tcp.state() {
                    State::TimeWait => Ok(()),
                    State::Closed if notes.contains(&Note::Reset(socket.ends(self.port))) => Err(Error::Reset),
                    State::Closed if self.fin && self.shut_down => Ok(()),
                    State::Closed if network.way(stack, socket.remote).is_err() => Err(Error::AddressLost),
                    State::Closed => Err(Error::TimedOut { after_ms: SILENCE.total_millis() as u32 }),
                    _ if network.lost() => Err(Error::LinkDown),
                    _ => return None,
                };
                Some(self.over(stack, how))
            }
            Phase::Over { .. } | Phase::Gone(_) => None,
        }
    }

    /// Tries the next address to which there is a way; `error` if there is none left.
    fn attempt(&mut self, stack: &mut Stack, network: &Network, mut rest: VecDeque<IpAddr>, mut error: Error) -> Phase {
        let deadline = self.deadline();
        while let Some(remote) = rest.pop_front() {
            if stack.now >= deadline {
                error = Error::TimedOut { after_ms: self.timeout_ms };
                break;
            }
            match network.way(stack, remote).and_then(|()| self.open(stack, remote)) {
                Ok(socket) => {
                    let until = if rest.is_empty() { deadline } else { deadline.min(stack.now + ATTEMPT) };
                    return Phase::Trying { socket, rest, until };
                }
                Err(why) => error = why,
            }
        }
        Phase::Over { socket: None, how: Err(error) }
    }

    fn open(&self, stack: &mut Stack, remote: IpAddr) -> Result<Attempt, Error> {
        let mut socket = tcp::Socket::new(buffer(RECEIVE_BYTES)?, buffer(SEND_WINDOW as usize)?);
        socket.set_congestion_control(tcp::CongestionControl::Reno);
        // One acknowledgement for each turn is few enough, and needs no timer.
        socket.set_ack_delay(None);
        socket.set_nagle_enabled(false);
        socket.set_keep_alive(Some(KEEP_ALIVE));
        socket.set_timeout(Some(SILENCE));
        let local_port = stack.free_port();
        socket.connect(stack.iface.context(), (remote, self.port), local_port).map_err(|_| Error::Unreachable)?;
        Ok(Attempt { socket: stack.sockets.add(socket), remote, local_port })
    }

    /// The end, with the socket that there is.
    fn over(&mut self, stack: &mut Stack, how: Result<(), Error>) -> Phase {
        let socket = match &self.phase {
            Phase::Trying { socket, .. } | Phase::Open(socket) => Some(*socket),
            _ => None,
        };
        if let (Some(socket), Err(_)) = (socket, how) {
            stack.sockets.get_mut::<tcp::Socket>(socket.socket).abort();
        }
        Phase::Over { socket, how }
    }

    /// Bytes of the client.
    pub fn send(&mut self, stack: &mut Stack, bytes: &[u8]) {
        match self.phase {
            Phase::Open(socket) => {
                let room = (SEND_WINDOW - self.outstanding) as usize;
                let tcp = stack.sockets.get_mut::<tcp::Socket>(socket.socket);
                if self.tell_connected.is_some() || self.shut_down || bytes.len() > room.min(DATA_BYTES) {
                    self.phase = self.over(stack, Err(Error::Overrun));
                } else if let Ok(taken) = tcp.send_slice(bytes) {
                    // The socket's buffer has the window's size, so it takes all.
                    debug_assert_eq!(taken, bytes.len());
                    self.outstanding += bytes.len() as u32;
                }
                // Else the connection has just ended, and the next step says how.
            }
            // It may have ended while these bytes were under way.
            Phase::Over { .. } | Phase::Gone(_) => {}
            Phase::Waiting | Phase::Asking(_) | Phase::Trying { .. } => self.give_up(stack, Error::Overrun),
        }
    }

    pub fn shut_down(&mut self, stack: &mut Stack) {
        match self.phase {
            Phase::Open(socket) => {
                self.shut_down = true;
                stack.sockets.get_mut::<tcp::Socket>(socket.socket).close();
            }
            Phase::Over { .. } | Phase::Gone(_) => {}
            Phase::Waiting | Phase::Asking(_) | Phase::Trying { .. } => self.give_up(stack, Error::Overrun),
        }
    }

    /// The client has taken so many bytes. One that says more than it got is believed no further than the window.
    pub fn taken(&mut self, bytes: u32) {
        self.window = self.window.saturating_add(bytes).min(RECEIVE_WINDOW);
    }

    /// Ends it; the client is told.
    pub fn give_up(&mut self, stack: &mut Stack, error: Error) {
        if !matches!(self.phase, Phase::Over { .. } | Phase::Gone(_)) {
            let over = self.over(stack, Err(error));
            self.end_phase(stack, over);
        }
    }

    /// Ends it; the client does not want to hear of it.
    pub fn forget(&mut self, stack: &mut Stack) {
        self.give_up(stack, Error::Reset);
        if let Phase::Over { socket, .. } = self.phase {
            if let Some(socket) = socket {
                stack.sockets.get_mut::<tcp::Socket>(socket.socket).abort();
            }
            self.phase = Phase::Gone(socket);
        }
    }

    fn end_phase(&mut self, stack: &mut Stack, next: Phase) {
        if let Phase::Asking(query) = core::mem::replace(&mut self.phase, next) {
            query.end(stack)
        }
    }

    /// Tells what there is to tell, as far as there is room. Says whether anything was told.
    pub fn give(&mut self, stack: &mut Stack, out: &mut impl Out) -> bool {
        let (socket, how) = match &self.phase {
            Phase::Open(socket) => (Some(*socket), None),
            Phase::Over { socket, how } => (*socket, Some(*how)),
            _ => return false,
        };
        let mut any = false;
        if let Some(address) = self.tell_connected {
            if !out.event(&Event::Connected { id: self.id, address, port: self.port }) {
                return any;
            }
            (self.tell_connected, any) = (None, true);
        }
        if let Some(socket) = socket {
            let tcp = stack.sockets.get_mut::<tcp::Socket>(socket.socket);
            // What is not in the socket's buffer any more was acknowledged.
            let queued = tcp.send_queue() as u32;
            let free = self.outstanding.saturating_sub(queued);
            if free >= GIVE_BACK || (free > 0 && queued == 0) {
                if !out.event(&Event::Sent { id: self.id, bytes: free }) {
                    return any;
                }
                (self.outstanding, any) = (queued, true);
            }
            while self.window > 0 && tcp.recv_queue() > 0 {
                let most = DATA_BYTES.min(self.window as usize).min(out.data_room());
                if most < WORTHWHILE.min(tcp.recv_queue()).min(self.window as usize) {
                    return any;
                }
                let id = self.id;
                let pushed = tcp.recv(|bytes| {
                    let length = bytes.len().min(most);
                    let pushed = out.data(id, &bytes[..length]);
                    (if pushed { length } else { 0 }, pushed.then_some(length))
                });
                let Ok(Some(length)) = pushed else { return any };
                self.window -= length as u32;
                any = true;
            }
            if tcp.recv_queue() > 0 {
                // Nothing overtakes the bytes.
                return any;
            }
            if self.fin && !self.end_told {
                if !out.event(&Event::End { id: self.id }) {
                    return any;
                }
                (self.end_told, any) = (true, true);
            }
        }
        if let Some(how) = how {
            let event = match how {
                Ok(()) => Event::Closed { id: self.id },
                Err(error) => Event::Failed { id: self.id, error },
            };
            if out.event(&event) {
                (self.phase, any) = (Phase::Gone(socket), true);
            }
        }
        any
    }

    /// Whether nothing is left of it. After what the sockets had to say was sent.
    pub fn is_gone(&mut self, stack: &mut Stack) -> bool {
        let Phase::Gone(socket) = &mut self.phase else { return false };
        if let Some(socket) = socket.take() {
            stack.sockets.remove(socket.socket);
        }
        true
    }

    pub fn holds_port(&self, port: u16) -> bool {
        match &self.phase {
            Phase::Trying { socket, .. } | Phase::Open(socket) => socket.local_port == port,
            Phase::Over { socket, .. } | Phase::Gone(socket) => socket.is_some_and(|socket| socket.local_port == port),
            _ => false,
        }
    }
}

impl Attempt {
    fn ends(&self, remote_port: u16) -> Ends {
        Ends { remote: self.remote, remote_port, local_port: self.local_port }
    }
}

/// Memory for a socket, if there is some.
fn buffer(bytes: usize) -> Result<tcp::SocketBuffer<'static>, Error> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(bytes).map_err(|_| Error::NoMemory)?;
    memory.resize(bytes, 0);
    Ok(tcp::SocketBuffer::new(memory))
}
