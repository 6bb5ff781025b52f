//! The rest of the world at the other end of a cable: a router with DHCP, DNS and echo, and a host with TCP services,
//! on a smoltcp of its own that checks every checksum.

use super::cable::Port;
use net_core::smoltcp::{
    iface::{Config, Interface, SocketHandle, SocketSet},
    phy::{self, Device, DeviceCapabilities},
    socket::{tcp, udp},
    time::Instant,
    wire::*,
};
use std::{collections::VecDeque, net::Ipv4Addr};

pub const MAC: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
pub const ADDRESS6: &str = "2001:db8::1";
pub const GIVEN: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 50);

/// Ports of the services, as Internet services have them.
pub const ECHO: u16 = 7;
pub const DISCARD: u16 = 9;
/// Sends numbers without end.
pub const SOURCE: u16 = 19;
/// Takes connections, and says and hears nothing.
pub const SILENT: u16 = 1;
/// Closes as soon as it has got a byte; aborts as soon as it has.
pub const CLOSES: u16 = 2;
pub const ABORTS: u16 = 3;

/// What the router does.
#[derive(Clone, Copy, Debug)]
pub struct Manners {
    pub dhcp: bool,
    pub lease_s: u32,
    /// The address that it gives.
    pub gives: Ipv4Addr,
    pub advertises: bool,
    pub echo: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Manners { dhcp: true, lease_s: 3600, gives: GIVEN, advertises: false, echo: true }
    }
}

/// What a DNS server says.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    A(Ipv4Addr),
    Aaaa(Ipv6Address),
    Code(u8),
    Nothing,
}

pub struct Peer {
    device: Inbox,
    iface: Interface,
    sockets: SocketSet<'static>,
    services: Vec<(u16, SocketHandle)>,
    dns: SocketHandle,
    pub manners: Manners,
    pub names: Vec<(&'static str, Vec<Says>)>,
    pub asked: Vec<String>,
    pub leases: u32,
    pub renewals: u32,
    /// Bytes that DISCARD has got, all of them right.
    pub discarded: u64,
    sourced: Vec<(SocketHandle, u64)>,
    received: Vec<(SocketHandle, u64)>,
}

/// What is not the router's goes on to smoltcp.
struct Inbox {
    port: Port,
    frames: VecDeque<Vec<u8>>,
}

impl Device for Inbox {
    type RxToken<'a> = Frame;
    type TxToken<'a> = super::cable::Sender<'a>;

    fn receive(&mut self, now: Instant) -> Option<(Frame, Self::TxToken<'_>)> {
        let sender = self.port.transmit(now)?;
        Some((Frame(self.frames.pop_front()?), sender))
    }

    fn transmit(&mut self, now: Instant) -> Option<Self::TxToken<'_>> {
        self.port.transmit(now)
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.port.capabilities()
    }
}

pub struct Frame(Vec<u8>);

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

/// The byte at a place of the endless stream that everybody here sends.
pub fn byte(at: u64) -> u8 {
    (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

impl Peer {
    pub fn new(port: Port) -> Peer {
        let mut device = Inbox { port, frames: VecDeque::new() };
        let mut iface = Interface::new(Config::new(MAC.into()), &mut device, Instant::ZERO);
        iface.update_ip_addrs(|addresses| {
            addresses.push(IpCidr::new(ADDRESS.into(), 24)).unwrap();
            addresses.push(IpCidr::new(ADDRESS6.parse::<Ipv6Address>().unwrap().into(), 64)).unwrap();
            addresses.push(IpCidr::new("fe80::1".parse::<Ipv6Address>().unwrap().into(), 64)).unwrap();
        });
        let mut sockets = SocketSet::new(vec![]);
        let buffer = || udp::PacketBuffer::new(vec![udp::PacketMetadata::EMPTY; 16], vec![0; 8192]);
        let mut dns = udp::Socket::new(buffer(), buffer());
        dns.bind(53).unwrap();
        let dns = sockets.add(dns);
        let mut peer = Peer {
            device,
            iface,
            sockets,
            services: Vec::new(),
            dns,
            manners: Manners::default(),
            names: Vec::new(),
            asked: Vec::new(),
            leases: 0,
            renewals: 0,
            discarded: 0,
            sourced: Vec::new(),
            received: Vec::new(),
        };
        for port in [ECHO, DISCARD, SOURCE, SILENT, CLOSES, ABORTS] {
            peer.listen(port);
            peer.listen(port);
        }
        peer
    }

    fn listen(&mut self, port: u16) {
        let buffer = || tcp::SocketBuffer::new(vec![0; 256 * 1024]);
        let mut socket = tcp::Socket::new(buffer(), buffer());
        socket.set_ack_delay(None);
        socket.listen(port).unwrap();
        self.services.push((port, self.sockets.add(socket)));
    }

    pub fn turn(&mut self, now_us: u64) {
        let now = Instant::from_micros(now_us as i64);
        while let Some(frame) = self.device.port.take() {
            if !self.router(&frame) {
                self.device.frames.push_back(frame);
            }
        }
        self.iface.poll(now, &mut self.device, &mut self.sockets);
        self.serve_dns();
        self.serve_tcp();
        self.iface.poll(now, &mut self.device, &mut self.sockets);
    }

    /// Frames that are not for smoltcp; true if this was one.
    fn router(&mut self, frame: &[u8]) -> bool {
        let Ok(ethernet) = EthernetFrame::new_checked(frame) else { return true };
        match ethernet.ethertype() {
            EthernetProtocol::Ipv4 => {
                let Ok(packet) = Ipv4Packet::new_checked(ethernet.payload()) else { return true };
                if !packet.verify_checksum() {
                    return true;
                }
                match packet.next_header() {
                    IpProtocol::Udp => self.dhcp(packet.payload()),
                    IpProtocol::Icmp => self.echo4(frame, &packet),
                    _ => self.elsewhere(frame, &packet),
                }
            }
            EthernetProtocol::Ipv6 => {
                let Ok(packet) = Ipv6Packet::new_checked(ethernet.payload()) else { return true };
                packet.next_header() == IpProtocol::Icmpv6 && self.icmp6(frame, &packet)
            }
            _ => false,
        }
    }

    /// What is for another network: the router says that there is none.
    fn elsewhere(&mut self, frame: &[u8], packet: &Ipv4Packet<&[u8]>) -> bool {
        if packet.dst_addr().octets()[0] == 10 {
            return false;
        }
        let inner = &frame[14..14 + 28];
        let reason = Icmpv4DstUnreachable::NetUnreachable;
        let header = Ipv4Repr::parse(packet, &Default::default()).unwrap();
        let reply = Icmpv4Repr::DstUnreachable { reason, header, data: &inner[20..] };
        self.send_icmp4(packet.src_addr(), &reply);
        true
    }

    fn send_icmp4(&mut self, to: Ipv4Addr, icmp: &Icmpv4Repr) {
        let next_header = IpProtocol::Icmp;
        let payload_len = icmp.buffer_len();
        let ip = Ipv4Repr { src_addr: ADDRESS, dst_addr: to, next_header, payload_len, hop_limit: 64 };
        let mut frame = vec![0; 14 + 20 + icmp.buffer_len()];
        self.head(&mut frame, EthernetProtocol::Ipv4);
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &Default::default());
        icmp.emit(&mut Icmpv4Packet::new_unchecked(&mut frame[34..]), &Default::default());
        self.device.port.send(frame);
    }

    fn head(&self, frame: &mut [u8], ethertype: EthernetProtocol) {
        let mut ethernet = EthernetFrame::new_unchecked(frame);
        ethernet.set_src_addr(MAC);
        ethernet.set_dst_addr(EthernetAddress(super::MAC));
        ethernet.set_ethertype(ethertype);
    }

    fn echo4(&mut self, _frame: &[u8], packet: &Ipv4Packet<&[u8]>) -> bool {
        let Ok(icmp) = Icmpv4Packet::new_checked(packet.payload()) else { return true };
        let Ok(Icmpv4Repr::EchoRequest { ident, seq_no, data }) = Icmpv4Repr::parse(&icmp, &Default::default()) else {
            return true;
        };
        if packet.dst_addr().octets()[0] != 10 {
            return self.elsewhere(_frame, packet);
        }
        if self.manners.echo {
            self.send_icmp4(packet.src_addr(), &Icmpv4Repr::EchoReply { ident, seq_no, data });
        }
        true
    }

    /// Echo, and router solicitations; neighbours are smoltcp's.
    fn icmp6(&mut self, _frame: &[u8], packet: &Ipv6Packet<&[u8]>) -> bool {
        let Ok(icmp) = Icmpv6Packet::new_checked(packet.payload()) else { return true };
        let (source, own) = (packet.src_addr(), packet.dst_addr());
        match Icmpv6Repr::parse(&source, &own, &icmp, &Default::default()) {
            Ok(Icmpv6Repr::EchoRequest { ident, seq_no, data }) => {
                if self.manners.echo {
                    self.send_icmp6(own, source, &Icmpv6Repr::EchoReply { ident, seq_no, data });
                }
                true
            }
            Ok(Icmpv6Repr::Ndisc(NdiscRepr::RouterSolicit { .. })) => {
                if self.manners.advertises {
                    self.advertise(1800);
                }
                true
            }
            _ => false,
        }
    }

    pub fn advertise(&mut self, lifetime_s: u64) {
        let lifetime = net_core::smoltcp::time::Duration::from_secs(lifetime_s);
        let prefix_info = NdiscPrefixInformation {
            prefix_len: 64,
            flags: NdiscPrefixInfoFlags::ON_LINK | NdiscPrefixInfoFlags::ADDRCONF,
            valid_lifetime: lifetime,
            preferred_lifetime: lifetime,
            prefix: "2001:db8::".parse().unwrap(),
        };
        let advertisement = Icmpv6Repr::Ndisc(NdiscRepr::RouterAdvert {
            hop_limit: 64,
            flags: NdiscRouterFlags::empty(),
            router_lifetime: lifetime,
            reachable_time: Default::default(),
            retrans_time: Default::default(),
            lladdr: Some(MAC.into()),
            mtu: None,
            prefix_info: Some(prefix_info),
        });
        self.send_icmp6("fe80::1".parse().unwrap(), "ff02::1".parse().unwrap(), &advertisement);
    }

    fn send_icmp6(&mut self, from: Ipv6Address, to: Ipv6Address, icmp: &Icmpv6Repr) {
        let payload_len = icmp.buffer_len();
        let next_header = IpProtocol::Icmpv6;
        let ip = Ipv6Repr { src_addr: from, dst_addr: to, next_header, payload_len, hop_limit: 255 };
        let mut frame = vec![0; 14 + 40 + payload_len];
        self.head(&mut frame, EthernetProtocol::Ipv6);
        ip.emit(&mut Ipv6Packet::new_unchecked(&mut frame[14..]));
        icmp.emit(&from, &to, &mut Icmpv6Packet::new_unchecked(&mut frame[54..]), &Default::default());
        self.device.port.send(frame);
    }

    fn dhcp(&mut self, payload: &[u8]) -> bool {
        let Ok(udp) = UdpPacket::new_checked(payload) else { return true };
        if udp.dst_port() != 67 {
            return false;
        }
        let Ok(packet) = DhcpPacket::new_checked(udp.payload()) else { return true };
        let Ok(request) = DhcpRepr::parse(&packet) else { return true };
        if !self.manners.dhcp {
            return true;
        }
        let message_type = match request.message_type {
            DhcpMessageType::Discover => DhcpMessageType::Offer,
            DhcpMessageType::Request if request.client_ip.is_unspecified() => {
                self.leases += 1;
                DhcpMessageType::Ack
            }
            DhcpMessageType::Request => {
                self.renewals += 1;
                DhcpMessageType::Ack
            }
            _ => return true,
        };
        let reply = DhcpRepr {
            message_type,
            your_ip: self.manners.gives,
            server_ip: ADDRESS,
            router: Some(ADDRESS),
            subnet_mask: Some(Ipv4Addr::new(255, 255, 255, 0)),
            server_identifier: Some(ADDRESS),
            lease_duration: Some(self.manners.lease_s),
            dns_servers: Some([ADDRESS].into_iter().collect()),
            client_identifier: None,
            requested_ip: None,
            max_size: None,
            parameter_request_list: None,
            client_ip: Ipv4Addr::UNSPECIFIED,
            relay_agent_ip: Ipv4Addr::UNSPECIFIED,
            broadcast: false,
            secs: 0,
            renew_duration: None,
            rebind_duration: None,
            additional_options: &[],
            ..request
        };
        let ports = UdpRepr { src_port: 67, dst_port: 68 };
        let dst_addr = Ipv4Addr::BROADCAST;
        let payload_len = 8 + reply.buffer_len();
        let ip = Ipv4Repr { src_addr: ADDRESS, dst_addr, next_header: IpProtocol::Udp, payload_len, hop_limit: 64 };
        let mut frame = vec![0; 14 + 20 + payload_len];
        self.head(&mut frame, EthernetProtocol::Ipv4);
        ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &Default::default());
        let (mut packet, length) = (UdpPacket::new_unchecked(&mut frame[34..]), reply.buffer_len());
        let fill = |room: &mut [u8]| reply.emit(&mut DhcpPacket::new_unchecked(room)).unwrap();
        ports.emit(&mut packet, &ADDRESS.into(), &dst_addr.into(), length, fill, &Default::default());
        self.device.port.send(frame);
        true
    }

    fn serve_dns(&mut self) {
        let socket = self.sockets.get_mut::<udp::Socket>(self.dns);
        while let Ok((message, from)) = socket.recv() {
            let packet = DnsPacket::new_checked(message).unwrap();
            let (_, question) = DnsQuestion::parse(packet.payload()).unwrap();
            let text = |label: Result<&[u8]>| String::from_utf8(label.unwrap().to_vec()).unwrap();
            let labels: Vec<_> = packet.parse_name(question.name).map(text).collect();
            let name = labels.join(".");
            let says = self.names.iter().find(|(of, _)| *of == name).map_or(&[Says::Code(3)][..], |(_, says)| says);
            self.asked.push(name);
            if says.iter().any(|says| matches!(says, Says::Nothing)) {
                continue;
            }
            let code = says.iter().find_map(|says| if let Says::Code(code) = says { Some(*code) } else { None });
            let records: Vec<(u16, Vec<u8>)> = says
                .iter()
                .filter_map(|says| match (says, question.type_) {
                    (Says::A(address), DnsQueryType::A) => Some((1, address.octets().to_vec())),
                    (Says::Aaaa(address), DnsQueryType::Aaaa) => Some((28, address.octets().to_vec())),
                    _ => None,
                })
                .collect();
            let mut reply = message.to_vec();
            reply[2..4].copy_from_slice(&(0x8180 | u16::from(code.unwrap_or(0))).to_be_bytes());
            reply[6..8].copy_from_slice(&(records.len() as u16).to_be_bytes());
            for (kind, data) in records {
                reply.extend_from_slice(&[0xc0, 12]);
                reply.extend_from_slice(&kind.to_be_bytes());
                reply.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
                reply.extend_from_slice(&(data.len() as u16).to_be_bytes());
                reply.extend_from_slice(&data);
            }
            socket.send_slice(&reply, from.endpoint).unwrap();
        }
    }

    fn serve_tcp(&mut self) {
        for i in 0..self.services.len() {
            let (port, handle) = self.services[i];
            let socket = self.sockets.get_mut::<tcp::Socket>(handle);
            match port {
                ECHO => {
                    while socket.can_recv() && socket.can_send() {
                        let room = socket.send_capacity() - socket.send_queue();
                        let mut bytes = vec![0; room];
                        let length = socket.recv_slice(&mut bytes).unwrap();
                        socket.send_slice(&bytes[..length]).unwrap();
                    }
                }
                DISCARD => {
                    let at = position(&mut self.received, handle);
                    while socket.can_recv() {
                        socket
                            .recv(|bytes| {
                                for (i, got) in bytes.iter().enumerate() {
                                    assert_eq!(*got, byte(*at + i as u64), "byte {}", *at + i as u64);
                                }
                                *at += bytes.len() as u64;
                                self.discarded += bytes.len() as u64;
                                (bytes.len(), ())
                            })
                            .unwrap();
                    }
                }
                SOURCE => {
                    let at = position(&mut self.sourced, handle);
                    while socket.can_send() {
                        socket
                            .send(|room| {
                                for (i, place) in room.iter_mut().enumerate() {
                                    *place = byte(*at + i as u64);
                                }
                                *at += room.len() as u64;
                                (room.len(), ())
                            })
                            .unwrap();
                    }
                }
                CLOSES if socket.can_recv() && socket.may_send() => {
                    socket.send_slice(b"bye").unwrap();
                    socket.close();
                }
                ABORTS if socket.can_recv() => {
                    socket.abort();
                    continue;
                }
                _ => {}
            }
            if socket.state() == tcp::State::CloseWait && socket.recv_queue() == 0 && port != SILENT {
                socket.close();
            }
            // A service that is not listening any more listens again.
            if !socket.is_open() && socket.remote_endpoint().is_none() {
                socket.listen(port).unwrap();
                *position(&mut self.sourced, handle) = 0;
                *position(&mut self.received, handle) = 0;
            }
        }
    }
}

fn position(positions: &mut Vec<(SocketHandle, u64)>, of: SocketHandle) -> &mut u64 {
    let at = positions.iter().position(|(handle, _)| *handle == of).unwrap_or_else(|| {
        positions.push((of, 0));
        positions.len() - 1
    });
    &mut positions[at].1
}
