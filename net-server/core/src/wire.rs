//! Between the device and smoltcp: looks at every frame that comes in before smoltcp does, and finishes what goes out.
//!
//! * It counts.
//! * It checks and makes TCP's checksums, in fewer steps than smoltcp ([`crate::checksum`]).
//! * It drops what nothing here takes, and router advertisements whose prefixes are no networks: smoltcp would make
//!   addresses of them that it then refuses with a panic.
//! * It writes down what smoltcp does not tell: that a connection was reset, and that a router says there is no way.

use crate::checksum::Sum;
use core::{
    cell::{Cell, RefCell},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};
use ipc::net::Count;
use smoltcp::{
    phy::{Checksum, Device, DeviceCapabilities, PacketMeta, RxToken, TxToken},
    time::Instant,
    wire::{EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet},
};

/// A device, watched.
pub struct Wire<D> {
    pub device: D,
    pub seen: Seen,
}

/// What passed.
#[derive(Default)]
pub struct Seen {
    received: Cell<Count>,
    sent: Cell<Count>,
    bad: Cell<u64>,
    full: Cell<u64>,
    notes: RefCell<heapless::Vec<Note, 16>>,
}

/// What a frame said of a connection or a ping of ours, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    Reset(Ends),
    /// No way for a segment between these ends.
    Unreachable(Ends),
    /// No way for a ping with this sequence number.
    NoEcho { address: IpAddr, ident: u16, sequence: u16 },
}

/// Who and who, as far as a frame tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    pub remote: IpAddr,
    pub remote_port: u16,
    pub local_port: u16,
}

impl Seen {
    pub fn received(&self) -> Count {
        self.received.get()
    }

    pub fn sent(&self) -> Count {
        self.sent.get()
    }

    pub fn bad(&self) -> u64 {
        self.bad.get()
    }

    /// How often the device had no room.
    pub fn full(&self) -> u64 {
        self.full.get()
    }

    /// What came since the last time.
    pub fn take_notes(&self) -> heapless::Vec<Note, 16> {
        self.notes.take()
    }

    /// Whether smoltcp may have the frame.
    fn admit(&self, frame: &[u8]) -> bool {
        add(&self.received, frame.len());
        match look(frame) {
            Look::Take => true,
            Look::Note(note) => {
                // When too many come at once, some connection learns by its time-out.
                let _ = self.notes.borrow_mut().push(note);
                true
            }
            Look::Drop => {
                self.bad.set(self.bad.get() + 1);
                false
            }
        }
    }
}

fn add(count: &Cell<Count>, bytes: usize) {
    let Count { frames, bytes: before } = count.get();
    count.set(Count { frames: frames + 1, bytes: before + bytes as u64 });
}

impl<D> Wire<D> {
    pub fn new(device: D) -> Self {
        Wire { device, seen: Seen::default() }
    }
}

impl<D: Device> Device for Wire<D> {
    type RxToken<'a>
        = Rx<'a, D::RxToken<'a>>
    where
        D: 'a;
    type TxToken<'a>
        = Tx<'a, D::TxToken<'a>>
    where
        D: 'a;

    fn receive(&mut self, now: Instant) -> Option<(Self::RxToken<'_>, Self::TxToken<'_>)> {
        let (rx, tx) = self.device.receive(now)?;
        Some((Rx { token: rx, seen: &self.seen }, Tx { token: tx, seen: &self.seen }))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        let seen = &self.seen;
        match self.device.transmit(now) {
            Some(token) => Some(Tx { token, seen }),
            None => {
                seen.full.set(seen.full.get() + 1);
                None
            }
        }
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = self.device.capabilities();
        capabilities.checksum.tcp = Checksum::None;
        capabilities
    }
}

pub struct Rx<'a, T> {
    token: T,
    seen: &'a Seen,
}

impl<T: RxToken> RxToken for Rx<'_, T> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        // smoltcp passes over an empty frame.
        self.token.consume(|frame| if self.seen.admit(frame) { f(frame) } else { f(&[]) })
    }

    fn meta(&self) -> PacketMeta {
        self.token.meta()
    }
}

pub struct Tx<'a, T> {
    token: T,
    seen: &'a Seen,
}

impl<T: TxToken> TxToken for Tx<'_, T> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        add(&self.seen.sent, length);
        self.token.consume(length, |frame| {
            let result = f(frame);
            finish(frame);
            result
        })
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.token.set_meta(meta)
    }
}

/// What to do with a frame that came in.
#[derive(Debug, PartialEq, Eq)]
enum Look {
    Take,
    Note(Note),
    Drop,
}

fn look(frame: &[u8]) -> Look {
    let Ok(frame) = EthernetFrame::new_checked(frame) else { return Look::Drop };
    match frame.ethertype() {
        EthernetProtocol::Arp => Look::Take,
        EthernetProtocol::Ipv4 => Ipv4Packet::new_checked(frame.payload()).map_or(Look::Drop, look_ipv4),
        EthernetProtocol::Ipv6 => Ipv6Packet::new_checked(frame.payload()).map_or(Look::Drop, look_ipv6),
        _ => Look::Drop,
    }
}

fn look_ipv4(packet: Ipv4Packet<&[u8]>) -> Look {
    // Pieces of packets are for nobody: TCP is told a size that needs none, and DNS and DHCP stay below it.
    if packet.more_frags() || packet.frag_offset() != 0 {
        return Look::Drop;
    }
    match packet.next_header() {
        IpProtocol::Tcp => look_tcp(packet.src_addr().into(), packet.dst_addr().into(), packet.payload()),
        IpProtocol::Udp => Look::Take,
        IpProtocol::Icmp => {
            let message = packet.payload();
            match message {
                // Destination unreachable, with the head of what did not reach it.
                [3, _, _, _, _, _, _, _, inner @ ..] if Sum::default().bytes(message).is_whole() => {
                    unreachable_ipv4(inner).map_or(Look::Take, Look::Note)
                }
                _ => Look::Take,
            }
        }
        _ => Look::Drop,
    }
}

fn look_ipv6(packet: Ipv6Packet<&[u8]>) -> Look {
    match packet.next_header() {
        IpProtocol::Tcp => look_tcp(packet.src_addr().into(), packet.dst_addr().into(), packet.payload()),
        IpProtocol::Udp => Look::Take,
        IpProtocol::Icmpv6 => {
            let message = packet.payload();
            let sum = pseudo_header(packet.src_addr().into(), packet.dst_addr().into(), 58, message.len());
            if !sum.bytes(message).is_whole() {
                return Look::Drop;
            }
            match message {
                [1, _, _, _, _, _, _, _, inner @ ..] => unreachable_ipv6(inner).map_or(Look::Take, Look::Note),
                // Router advertisement.
                [134, ..] => match message.get(16..) {
                    Some(options) if prefixes_are_networks(options) => Look::Take,
                    _ => Look::Drop,
                },
                _ => Look::Take,
            }
        }
        // Extension headers: nothing that we use needs them, and a TCP behind them would not be looked at above.
        _ => Look::Drop,
    }
}

const TCP: u8 = 6;
const RST: u8 = 0x04;

fn look_tcp(source: IpAddr, destination: IpAddr, segment: &[u8]) -> Look {
    if segment.len() < 20 || !pseudo_header(source, destination, TCP, segment.len()).bytes(segment).is_whole() {
        return Look::Drop;
    }
    if segment[13] & RST == 0 {
        return Look::Take;
    }
    Look::Note(Note::Reset(Ends { remote: source, remote_port: number(segment, 0), local_port: number(segment, 2) }))
}

/// The head of an IPv4 packet of ours that came back in a complaint.
fn unreachable_ipv4(packet: &[u8]) -> Option<Note> {
    let head = usize::from(packet.first()? & 0xf) * 4;
    let address: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    let inner = packet.get(head.max(20)..)?;
    complaint(*packet.get(9)?, 1, 8, Ipv4Addr::from(address).into(), inner)
}

fn unreachable_ipv6(packet: &[u8]) -> Option<Note> {
    let address: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
    complaint(*packet.get(6)?, 58, 128, Ipv6Addr::from(address).into(), packet.get(40..)?)
}

/// `echo` is the family's number of an echo request in its protocol `icmp`.
fn complaint(protocol: u8, icmp: u8, echo: u8, remote: IpAddr, inner: &[u8]) -> Option<Note> {
    let inner = inner.get(..8)?;
    if protocol == TCP {
        let ends = Ends { remote, remote_port: number(inner, 2), local_port: number(inner, 0) };
        return Some(Note::Unreachable(ends));
    }
    (protocol == icmp && inner[0] == echo)
        .then(|| Note::NoEcho { address: remote, ident: number(inner, 4), sequence: number(inner, 6) })
}

/// Whether every prefix among these options of a router advertisement can be one of addresses.
fn prefixes_are_networks(mut options: &[u8]) -> bool {
    while let [kind, length, ..] = *options {
        let length = usize::from(length) * 8;
        let Some(option) = options.get(..length).filter(|option| !option.is_empty()) else { return false };
        if kind == 3 {
            let prefix = option.get(16..32).and_then(|prefix| <[u8; 16]>::try_from(prefix).ok());
            let Some(prefix) = prefix.map(Ipv6Addr::from) else { return false };
            if prefix.is_multicast() || prefix.is_unspecified() || prefix.is_loopback() || option[2] > 128 {
                return false;
            }
        }
        options = &options[length..];
    }
    options.is_empty()
}

fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Sum {
    let sum = match (source, destination) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Sum::default().bytes(&from.octets()).bytes(&to.octets()),
        (IpAddr::V6(from), IpAddr::V6(to)) => Sum::default().bytes(&from.octets()).bytes(&to.octets()),
        _ => Sum::default(),
    };
    // A frame is shorter than 64 KiB, and so is what is in it.
    sum.number(protocol.into()).number(length as u16)
}

/// Puts TCP's checksum into a frame of ours.
fn finish(frame: &mut [u8]) {
    let mut frame = EthernetFrame::new_unchecked(frame);
    let (source, destination, protocol, head): (IpAddr, IpAddr, _, _) = match frame.ethertype() {
        EthernetProtocol::Ipv4 => {
            let packet = Ipv4Packet::new_unchecked(&*frame.payload_mut());
            (packet.src_addr().into(), packet.dst_addr().into(), packet.next_header(), usize::from(packet.header_len()))
        }
        EthernetProtocol::Ipv6 => {
            let packet = Ipv6Packet::new_unchecked(&*frame.payload_mut());
            (packet.src_addr().into(), packet.dst_addr().into(), packet.next_header(), 40)
        }
        _ => return,
    };
    if protocol != IpProtocol::Tcp {
        return;
    }
    let segment = &mut frame.payload_mut()[head..];
    segment[16..18].fill(0);
    let checksum = pseudo_header(source, destination, TCP, segment.len()).bytes(segment).checksum();
    segment[16..18].copy_from_slice(&checksum);
}

#[inline]
fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// For the fuzzer: whatever comes in, a verdict.
#[doc(hidden)]
pub fn look_at(frame: &[u8]) {
    let _ = look(frame);
}

#[cfg(test)]
mod tests;
