//! Link and addresses: DHCP for IPv4, router advertisements (SLAAC, done by smoltcp) for IPv6.

use crate::Stack;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use heapless::Vec;
use ipc::net::{Error, Host, Reach, ADDRESSES};
use smoltcp::{
    iface::SocketHandle,
    socket::dhcpv4,
    time::{Duration, Instant},
    wire::{EthernetAddress, IpCidr, Ipv4Cidr, Ipv6Cidr},
};

/// A link that is back sooner has not harmed anybody: connections live on.
pub const LINK_GRACE: Duration = Duration::from_secs(3);
/// Who has no address after this long is told that there is none, and not to wait.
pub const ADDRESS_PATIENCE: Duration = Duration::from_secs(10);
/// The same where there is an IPv6 address.
const IPV4_PATIENCE: Duration = Duration::from_secs(4);

pub struct Network {
    dhcp: SocketHandle,
    mac: EthernetAddress,
    link_up: bool,
    /// When the link went down, or when it came up if it is.
    since: Instant,
    /// The link has been down for longer than [`LINK_GRACE`].
    lost: bool,
    /// The link was down for a moment: until then its address is kept, while DHCP asks for it again.
    keep_until: Option<Instant>,
    ipv4: Option<Ipv4Cidr>,
    dns: Vec<Ipv4Addr, ADDRESSES>,
    /// When the address was lost, or the search for the first one began.
    searching: Instant,
}

impl Network {
    pub fn new(stack: &mut Stack, mac: EthernetAddress) -> Network {
        let mut dhcp = dhcpv4::Socket::new();
        let mut retry = dhcp.get_retry_config();
        retry.discover_timeout = Duration::from_secs(2);
        retry.initial_request_timeout = Duration::from_secs(2);
        retry.max_renew_timeout = Duration::from_secs(300);
        dhcp.set_retry_config(retry);
        let now = stack.now;
        let network = Network {
            dhcp: stack.sockets.add(dhcp),
            mac,
            link_up: false,
            since: now,
            lost: true,
            keep_until: None,
            ipv4: None,
            dns: Vec::new(),
            searching: now,
        };
        network.begin(stack);
        network
    }

    /// For a fresh interface: the address that every IPv6 host has.
    fn begin(&self, stack: &mut Stack) {
        let link_local = Ipv6Cidr::new(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 64);
        let own = Ipv6Cidr::from_link_prefix(&link_local, self.mac.into());
        stack.iface.update_ip_addrs(|addresses| {
            let _ = own.map(|own| addresses.push(IpCidr::Ipv6(own)));
        });
    }

    /// Tells the state of the link. True if it is up again after it was lost: then the interface must be made anew, and
    /// [`Network::begin_anew`] called.
    #[must_use]
    pub fn link(&mut self, up: bool, stack: &mut Stack) -> bool {
        if up == self.link_up {
            return false;
        }
        (self.link_up, self.since) = (up, stack.now);
        if !up {
            return false;
        }
        if self.ipv4.is_some() && !self.lost {
            self.keep_until = Some(stack.now + ADDRESS_PATIENCE);
        }
        stack.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).reset();
        core::mem::take(&mut self.lost)
    }

    pub fn begin_anew(&mut self, stack: &mut Stack) {
        (self.ipv4, self.keep_until, self.searching) = (None, None, stack.now);
        self.dns.clear();
        self.begin(stack);
    }

    pub fn step(&mut self, stack: &mut Stack) {
        if !self.link_up {
            self.lost |= stack.now >= self.since + LINK_GRACE;
            return;
        }
        match stack.sockets.get_mut::<dhcpv4::Socket>(self.dhcp).poll() {
            Some(dhcpv4::Event::Configured(given)) => {
                let (address, router) = (given.address, given.router);
                let servers = given.dns_servers.iter().copied();
                self.dns = servers.filter(|server| usable(*server)).take(ADDRESSES).collect();
                self.keep_until = None;
                if usable(address.address()) {
                    self.set_ipv4(stack, Some(address), router.filter(|router| usable(*router)));
                }
            }
            Some(dhcpv4::Event::Deconfigured) if self.keep_until.is_none() => self.set_ipv4(stack, None, None),
            _ => {}
        }
        if self.keep_until.is_some_and(|until| stack.now >= until) {
            self.keep_until = None;
            self.set_ipv4(stack, None, None);
        }
    }

    fn set_ipv4(&mut self, stack: &mut Stack, address: Option<Ipv4Cidr>, router: Option<Ipv4Addr>) {
        if self.ipv4.is_some() && address.is_none() {
            self.searching = stack.now;
            self.dns.clear();
        }
        if self.ipv4 != address {
            self.ipv4 = address;
            stack.iface.update_ip_addrs(|addresses| {
                addresses.retain(|address| matches!(address, IpCidr::Ipv6(_)));
                // There is room: router advertisements make half as many as fit.
                let _ = address.map(|address| addresses.push(IpCidr::Ipv4(address)));
            });
        }
        stack.iface.routes_mut().remove_default_ipv4_route();
        if let Some(router) = router {
            let _ = stack.iface.routes_mut().add_default_ipv4_route(router);
        }
    }

    pub fn link_up(&self) -> bool {
        self.link_up
    }

    /// The link has been down for so long that connections are over.
    pub fn lost(&self) -> bool {
        self.lost
    }

    pub fn reach(&self, stack: &Stack) -> Reach {
        match (self.link_up, self.ipv4.is_some() || self.global_ipv6(stack).next().is_some()) {
            (false, _) => Reach::LinkDown,
            (true, false) => Reach::NoAddress,
            (true, true) => Reach::Ready,
        }
    }

    /// Whether something new can begin: not yet (`None`), or why it cannot.
    pub fn ready(&self, stack: &Stack, host: &Host) -> Option<Result<(), Error>> {
        let reach = self.reach(stack);
        if reach == Reach::LinkDown {
            return Some(Err(Error::LinkDown));
        }
        if self.ipv4.is_some() || address(host).is_some_and(|address| self.way(stack, address).is_ok()) {
            return Some(Ok(()));
        }
        // Routers announce themselves sooner than DHCP servers answer, but most names and name servers are IPv4's.
        let (patience, then) = match reach {
            Reach::Ready => (IPV4_PATIENCE, Ok(())),
            _ => (ADDRESS_PATIENCE, Err(Error::NoAddress)),
        };
        (stack.now >= self.searching + patience).then_some(then)
    }

    /// Whether there is a way to an address.
    pub fn way(&self, stack: &Stack, to: IpAddr) -> Result<(), Error> {
        let (ours, on_link, router) = match to {
            IpAddr::V4(to) if usable(to) => {
                let router = stack.iface.routes().get_default_ipv4_route().is_some();
                (self.ipv4.is_some(), self.ipv4.is_some_and(|ours| ours.contains_addr(&to)), router)
            }
            IpAddr::V6(to) if !(to.is_unspecified() || to.is_multicast() || to.is_loopback()) => {
                let link_local = to.is_unicast_link_local();
                let on_link = link_local || self.global_ipv6(stack).any(|ours| ours.contains_addr(&to));
                let router = stack.iface.routes().get_default_ipv6_route().is_some();
                (link_local || self.global_ipv6(stack).next().is_some(), on_link, router)
            }
            _ => return Err(Error::Unreachable),
        };
        if ours && (on_link || router) {
            Ok(())
        } else {
            Err(Error::Unreachable)
        }
    }

    /// Whether names should be asked for IPv6 addresses.
    pub fn speaks_ipv6(&self, stack: &Stack) -> bool {
        self.global_ipv6(stack).next().is_some() && stack.iface.routes().get_default_ipv6_route().is_some()
    }

    /// Whether IPv6 leads into the Internet, and not only about the house: then it is tried first (RFC 6724).
    pub fn prefers_ipv6(&self, stack: &Stack) -> bool {
        self.speaks_ipv6(stack) && self.global_ipv6(stack).any(|ours| ours.address().octets()[0] & 0xe0 == 0x20)
    }

    /// Addresses that reach further than the link.
    pub fn global_ipv6<'a>(&self, stack: &'a Stack) -> impl Iterator<Item = Ipv6Cidr> + 'a {
        stack.iface.ip_addrs().iter().filter_map(|address| match address {
            IpCidr::Ipv6(address) if !address.address().is_unicast_link_local() => Some(*address),
            _ => None,
        })
    }

    pub fn ipv4(&self) -> Option<Ipv4Cidr> {
        self.ipv4
    }

    pub fn dns(&self) -> &[Ipv4Addr] {
        &self.dns
    }

    pub fn mac(&self) -> EthernetAddress {
        self.mac
    }
}

/// The address that somebody gave instead of a name.
pub fn address(host: &Host) -> Option<IpAddr> {
    let address = match host {
        Host::Address(address) => *address,
        Host::Name(name) => name.parse().ok()?,
    };
    Some(address.to_canonical())
}

/// Whether it can be the address of one host on a network.
fn usable(address: Ipv4Addr) -> bool {
    !(address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || address.is_loopback()
        || address.octets()[0] == 0
        || address.octets()[0] >= 240)
}
