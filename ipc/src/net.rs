//! Net and its one client, `cloud`: TCP connections and pings.
//!
//! * **Calls** ([`Client`]) only submit and tell: `connect` and `ping` give an [`Id`] at once, and what came of it is
//!   an [`Event`]. No call waits for the network.
//! * **Bytes** move on two rings with credit: [`Record`] from the client, [`Event`] to it. A record names its
//!   connection. [`Record::Shutdown`] travels there too, because it must not overtake the bytes before it.
//! * **Windows** keep one connection from blocking the others. A client may have [`SEND_WINDOW`] bytes of a connection
//!   on their way: what it sent less what [`Event::Sent`] gave back. Net has at most [`RECEIVE_WINDOW`] bytes of a
//!   connection before the client: what [`Event::Data`] brought less what [`Record::Taken`] gave back. So whoever
//!   empties its ring at once, and keeps a window for each connection, never makes the other wait.
//! * A connection ends in exactly one [`Event::Closed`] or [`Event::Failed`], or with `close`, after which nothing is
//!   said of it. Ids are never used again, over all starts of net: an id carries the start that made it, and what came
//!   of the connections of an earlier one is that net died ([`Event::Started`]).

use core::{fmt, net::IpAddr, net::Ipv4Addr, net::Ipv6Addr};
use serde::{Deserialize, Serialize};

/// Connections and pings at a time.
pub const SOCKETS: usize = 8;
pub const PINGS: usize = 4;
/// Bytes of one connection that the client has sent and net has not given back yet.
pub const SEND_WINDOW: u32 = 256 * 1024;
/// Bytes of one connection that net has handed over and the client has not given back yet.
pub const RECEIVE_WINDOW: u32 = 512 * 1024;
/// Bytes in one [`Record::Data`] or [`Event::Data`] at most.
pub const DATA_BYTES: usize = 64 * 1024;
/// Bytes of an encoded record at most, both ways.
pub const RECORD_BYTES: usize = DATA_BYTES + 64;
/// What the rings should hold: a window, and what other connections do meanwhile.
pub const SEND_RING_KIB: usize = 512;
pub const RECEIVED_RING_KIB: usize = 1024;
/// How long a connection or a ping may be tried; what is asked for is brought into these limits.
pub const TIMEOUT_MS: (u32, u32) = (100, 120_000);

/// The longest host name that DNS knows, as text.
pub type Name = heapless::String<253>;

/// Who is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Host {
    /// A name for DNS, or an address in the usual notation.
    Name(Name),
    Address(IpAddr),
}

/// A connection or a ping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Id {
    /// Which start of net made it.
    pub life: u32,
    pub number: u32,
}

/// From the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record<'a> {
    /// To be sent, [`DATA_BYTES`] at most, after [`Event::Connected`]. [`data_head`] spares a copy.
    Data { id: Id, bytes: &'a [u8] },
    /// Nothing more comes from here.
    Shutdown { id: Id },
    /// So many more bytes that came were taken.
    Taken { id: Id, bytes: u32 },
}

/// To the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event<'a> {
    /// Net has started; connections and pings of an earlier life are gone.
    Started { life: u32 },
    /// What can be reached has changed.
    Network(Reach),
    Connected { id: Id, address: IpAddr, port: u16 },
    /// The next bytes, [`DATA_BYTES`] at most.
    Data { id: Id, bytes: &'a [u8] },
    /// So many more bytes were sent, and their receipt was acknowledged by the other end.
    Sent { id: Id, bytes: u32 },
    /// The other end sends nothing more; all that it sent is before this.
    End { id: Id },
    /// Both ends have said all, and know it.
    Closed { id: Id },
    Failed { id: Id, error: Error },
    /// A ping was answered.
    Pong { id: Id, address: IpAddr, time_us: u32 },
    /// Or not.
    NoPong { id: Id, error: Error },
}

/// The head of a [`Record::Data`], to be followed by `length` bytes in the same ring record.
pub fn data_head(id: Id, length: usize, buffer: &mut [u8; HEAD_BYTES]) -> &[u8] {
    head(0, id, length, buffer)
}

/// The head of an [`Event::Data`], to be followed by `length` bytes in the same ring record.
pub fn event_data_head(id: Id, length: usize, buffer: &mut [u8; HEAD_BYTES]) -> &[u8] {
    head(3, id, length, buffer)
}

/// Bytes of a head at most: the variant's number, an id, a length.
pub const HEAD_BYTES: usize = 32;

/// A variant is encoded as its number and its fields, bytes as their count and themselves.
fn head(variant: u32, id: Id, length: usize, buffer: &mut [u8; HEAD_BYTES]) -> &[u8] {
    // Four numbers of ten bytes at most in all cases that occur: variant 1, id 5 and 5, length 10.
    crate::encode(&(variant, id, length as u64), buffer).unwrap_or_default()
}

/// What can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    LinkDown,
    /// The link is up, and nobody has given an address.
    NoAddress,
    Ready,
}

/// Why there is no connection (any more), or no pong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Error {
    /// The link is down.
    LinkDown,
    /// No DHCP server has answered, and no router announced itself.
    NoAddress,
    /// The address that the connection was made from was withdrawn.
    AddressLost,
    Name(NameError),
    /// There is no way to the address, says a router or the routing table.
    Unreachable,
    /// The other end does not take connections on this port.
    Refused,
    /// The other end has thrown the connection away.
    Reset,
    TimedOut { after_ms: u32 },
    /// So many connections, or pings, are there already.
    TooMany { limit: u16 },
    NoMemory,
    /// Port 0.
    BadPort,
    /// The client has sent more than its window, or before it was connected.
    Overrun,
    /// The network device does not work.
    Device,
}

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NameError {
    /// It is no host name.
    Malformed,
    /// The network named no DNS server.
    NoServer,
    /// There is no such name.
    Unknown,
    /// The name is there, and has no address.
    NoAddress,
    /// The server failed: DNS response code.
    Server { code: u8 },
    /// No server has answered.
    NoAnswer,
}

/// One sentence for people.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::LinkDown => f.write_str("The network link is down."),
            Error::NoAddress => f.write_str("This computer has no network address: no DHCP server has answered."),
            Error::AddressLost => f.write_str("The network has taken this computer's address back."),
            Error::Name(error) => error.fmt(f),
            Error::Unreachable => f.write_str("There is no route to that address."),
            Error::Refused => f.write_str("The connection was refused: nothing listens on that port."),
            Error::Reset => f.write_str("The other end has broken off the connection."),
            Error::TimedOut { after_ms } => {
                write!(f, "No answer within {}.{} s.", after_ms / 1000, after_ms % 1000 / 100)
            }
            Error::TooMany { limit } => write!(f, "Too many at a time: {limit} at most."),
            Error::NoMemory => f.write_str("The network server has no memory for another connection."),
            Error::BadPort => f.write_str("A port is a number from 1 to 65535."),
            Error::Overrun => f.write_str("More was sent than the connection had room for."),
            Error::Device => f.write_str("The network device does not work."),
        }
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameError::Malformed => f.write_str("That is no host name."),
            NameError::NoServer => f.write_str("The network has named no DNS server."),
            NameError::Unknown => f.write_str("There is no host of that name."),
            NameError::NoAddress => f.write_str("The host of that name has no address."),
            NameError::Server { code: 2 } => f.write_str("The DNS server could not find out."),
            NameError::Server { code: 5 } => f.write_str("The DNS server refuses to answer."),
            NameError::Server { code } => write!(f, "The DNS server has failed (code {code})."),
            NameError::NoAnswer => f.write_str("No DNS server has answered."),
        }
    }
}

/// IPv6 addresses and DNS servers in a [`Status`] at most.
pub const ADDRESSES: usize = 4;

/// `/net`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    pub mac: [u8; 6],
    pub reach: Reach,
    /// With the bits of its prefix.
    pub ipv4: Option<(Ipv4Addr, u8)>,
    pub ipv6: heapless::Vec<(Ipv6Addr, u8), ADDRESSES>,
    pub gateway: Option<Ipv4Addr>,
    pub gateway6: Option<Ipv6Addr>,
    pub dns: heapless::Vec<IpAddr, ADDRESSES>,
    /// Connections and pings that are there now.
    pub sockets: u16,
    pub pings: u16,
    pub received: Count,
    pub sent: Count,
    /// Frames that were thrown away: damaged, or of a kind that nothing here takes.
    pub bad_frames: u64,
    /// Frames that found no room in the device's queue. TCP sends them again.
    pub full: u64,
    /// Records of the client that were none.
    pub malformed: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub frames: u64,
    pub bytes: u64,
}

crate::protocol! {
    version 1;
    /// Begins a connection: [`Event::Connected`] or [`Event::Failed`] follows within `timeout_ms`.
    Connect connect(host: Host, port: u16, timeout_ms: u32) -> Result<Id, Error>;
    /// Throws a connection away, or a ping. What was not sent yet is not sent. Nothing is said of it any more, but for
    /// what lies in the ring already.
    Close close(id: Id) -> ();
    /// Begins a ping: [`Event::Pong`] or [`Event::NoPong`] follows within `timeout_ms`.
    Ping ping(host: Host, timeout_ms: u32) -> Result<Id, Error>;
    Status status() -> Status;
}

#[cfg(test)]
mod tests;
