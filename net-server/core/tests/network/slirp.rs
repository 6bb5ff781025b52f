//! QEMU's user network, as the machine meets it, and the host's own TCP behind it: real DHCP, DNS, TCP and ICMP.
//!
//! QEMU runs without a machine: its user network is one port of a hub, and a pair of datagram sockets, which end here,
//! is the other.

use crate::common::{Known, MAC};
use ipc::net::{Error, Event, Host, Id, Reach, Record, Server, SEND_WINDOW};
use net_core::{
    smoltcp::{
        phy::{self, Device, DeviceCapabilities, Medium},
        time::Instant as Time,
    },
    Net, Out, Start,
};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{Shutdown, TcpListener},
    os::unix::net::UnixDatagram,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

/// Frames go through a socket, one in each datagram.
struct Socket {
    socket: UnixDatagram,
    buffer: Vec<u8>,
}

impl Device for Socket {
    type RxToken<'a> = Frame<'a>;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Time) -> Option<(Frame<'_>, Sender<'_>)> {
        let length = self.socket.recv(&mut self.buffer).ok()?;
        Some((Frame(&self.buffer[..length]), Sender(&self.socket)))
    }

    fn transmit(&mut self, _: Time) -> Option<Sender<'_>> {
        Some(Sender(&self.socket))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

struct Frame<'a>(&'a [u8]);

impl phy::RxToken for Frame<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

struct Sender<'a>(&'a UnixDatagram);

impl phy::TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        // What does not fit is lost, as on a wire.
        let _ = self.0.send(&frame);
        result
    }
}

struct Records(Vec<Vec<u8>>);

impl Out for Records {
    fn room(&self) -> usize {
        1 << 20
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        self.0.push(parts.concat());
        true
    }
}

struct Slirp {
    qemu: Child,
    folder: PathBuf,
    net: Net<Socket>,
    start: Instant,
    out: Records,
    known: BTreeMap<Id, Known>,
    reach: Option<Reach>,
    keeps: bool,
}

impl Drop for Slirp {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Slirp {
    fn new() -> Slirp {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("net-core-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (ours, theirs) = (folder.join("ours"), folder.join("qemu"));
        let socket = UnixDatagram::bind(&ours).unwrap();
        let datagrams = format!(
            "dgram,id=d,local.type=unix,local.path={},remote.type=unix,remote.path={}",
            theirs.display(),
            ours.display()
        );
        let qemu = Command::new("qemu-system-x86_64")
            .args(["-M", "none", "-nodefaults", "-display", "none", "-monitor", "none", "-serial", "none"])
            .args(["-netdev", "user,id=u", "-netdev", &datagrams])
            .args(["-netdev", "hubport,id=hu,hubid=0,netdev=u", "-netdev", "hubport,id=hd,hubid=0,netdev=d"])
            .stdin(Stdio::null())
            .spawn()
            .expect("qemu-system-x86_64 starts (./alpha doctor says what is missing)");
        let limit = Instant::now() + Duration::from_secs(20);
        while socket.connect(&theirs).is_err() {
            assert!(Instant::now() < limit, "QEMU makes its socket");
            thread::sleep(Duration::from_millis(10));
        }
        socket.set_nonblocking(true).unwrap();
        let start = Start { life: 1, mac: MAC, seed: [7; 32], now_us: 0 };
        let mut slirp = Slirp {
            qemu,
            folder,
            net: Net::new(Socket { socket, buffer: vec![0; 65536] }, start),
            start: Instant::now(),
            out: Records(Vec::new()),
            known: BTreeMap::new(),
            reach: None,
            keeps: true,
        };
        slirp.until("an address", |slirp| slirp.reach == Some(Reach::Ready));
        slirp
    }

    fn turn(&mut self) {
        let now_us = self.start.elapsed().as_micros() as u64;
        let more = self.net.turn(now_us, true, &mut self.out);
        let any = !self.out.0.is_empty();
        for record in std::mem::take(&mut self.out.0) {
            self.event(&record);
        }
        if !more && !any {
            thread::sleep(Duration::from_micros(200));
        }
    }

    fn event(&mut self, record: &[u8]) {
        match ipc::decode(record).unwrap() {
            Event::Started { .. } => {}
            Event::Network(reach) => self.reach = Some(reach),
            Event::Connected { id, address, .. } => self.of(id).connected = Some(address),
            Event::Data { id, bytes } => {
                self.of(id).count += bytes.len() as u64;
                if self.keeps {
                    self.of(id).got.extend_from_slice(bytes);
                }
                let bytes = bytes.len() as u32;
                self.record(&Record::Taken { id, bytes });
            }
            Event::Sent { id, bytes } => self.of(id).on_the_way -= bytes,
            Event::End { id } => self.of(id).ended = true,
            Event::Closed { id } => self.of(id).closed = true,
            Event::Failed { id, error } | Event::NoPong { id, error } => self.of(id).failed = Some(error),
            Event::Pong { id, address, time_us } => self.of(id).pong = Some((address, time_us)),
        }
    }

    fn record(&mut self, record: &Record) {
        let mut buffer = vec![0; ipc::net::RECORD_BYTES];
        self.net.record(ipc::encode(record, &mut buffer).unwrap());
    }

    #[track_caller]
    fn until(&mut self, what: &str, mut come: impl FnMut(&mut Slirp) -> bool) {
        let limit = Instant::now() + Duration::from_secs(60);
        while !come(self) {
            assert!(Instant::now() < limit, "{what} does not come: {:?}", self.net.status(0));
            self.turn();
        }
    }

    fn of(&mut self, id: Id) -> &mut Known {
        self.known.entry(id).or_default()
    }

    #[track_caller]
    fn outcome(&mut self, id: Id) -> Option<Error> {
        self.until("an end", |slirp| slirp.of(id).over());
        self.of(id).failed
    }

    #[track_caller]
    fn connected(&mut self, host: &str, port: u16) -> Id {
        let id = self.connect(host, port);
        self.until("a connection", |slirp| slirp.of(id).connected.is_some());
        id
    }

    fn connect(&mut self, host: &str, port: u16) -> Id {
        self.net.connect(0, Host::Name(host.try_into().unwrap()), port, 30_000).unwrap()
    }

    fn send(&mut self, id: Id, bytes: &[u8]) -> usize {
        let room = (SEND_WINDOW - self.of(id).on_the_way) as usize;
        let length = bytes.len().min(room).min(ipc::net::DATA_BYTES);
        if length > 0 {
            self.record(&Record::Data { id, bytes: &bytes[..length] });
            self.of(id).on_the_way += length as u32;
        }
        length
    }
}

/// A service on the host's loopback, for one connection, and its port.
fn service<R: Send + 'static>(
    address: &str,
    serve: impl FnOnce(std::net::TcpStream) -> R + Send + 'static,
) -> (u16, thread::JoinHandle<R>) {
    let listener = TcpListener::bind((address, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || serve(listener.accept().unwrap().0)))
}

/// The host as QEMU's user network shows it.
const HOST: &str = "10.0.2.2";

#[test]
fn its_dhcp_router_and_name_server_are_found() {
    let mut slirp = Slirp::new();
    slirp.until("a router's advertisement", |slirp| slirp.net.status(0).gateway6.is_some());
    let status = slirp.net.status(0);
    assert_eq!(status.ipv4.map(|(address, bits)| format!("{address}/{bits}")).as_deref(), Some("10.0.2.15/24"));
    assert_eq!(status.gateway.map(|router| router.to_string()).as_deref(), Some(HOST));
    assert_eq!(status.dns[0].to_string(), "10.0.2.3");
    assert_eq!(status.ipv6[1].0.to_string(), "fec0::ff:fe00:42");
}

#[test]
fn it_answers_pings_of_both_families() {
    let mut slirp = Slirp::new();
    slirp.until("a router's advertisement", |slirp| slirp.net.status(0).gateway6.is_some());
    for host in [HOST, "fec0::2"] {
        let id = slirp.net.ping(0, Host::Name(host.try_into().unwrap()), 10_000).unwrap();
        assert_eq!(slirp.outcome(id), None, "{host}");
        assert!(slirp.of(id).pong.unwrap().1 < 5_000_000);
    }
}

#[test]
fn a_name_that_cannot_be_is_a_failure_of_the_name() {
    let mut slirp = Slirp::new();
    let id = slirp.connect("no-such-host.invalid", 80);
    // Which one depends on what name server the host has, if any.
    assert!(matches!(slirp.outcome(id), Some(Error::Name(_))), "{:?}", slirp.of(id));
}

#[test]
fn linux_gets_what_we_send_and_we_get_what_linux_sends() {
    let mut slirp = Slirp::new();
    slirp.until("a router's advertisement", |slirp| slirp.net.status(0).gateway6.is_some());
    for (address, host) in [("127.0.0.1", HOST), ("::1", "fec0::2")] {
        let (port, echo) = service(address, |mut stream| {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes.reverse();
            stream.write_all(&bytes).unwrap();
        });
        let id = slirp.connected(host, port);
        let mut bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let mut sent = 0;
        slirp.until("room", |slirp| {
            sent += slirp.send(id, &bytes[sent..]);
            sent == bytes.len()
        });
        slirp.record(&Record::Shutdown { id });
        assert_eq!(slirp.outcome(id), None);
        bytes.reverse();
        assert!(slirp.of(id).got == bytes, "{} bytes came back", slirp.of(id).got.len());
        assert!(slirp.of(id).ended);
        echo.join().unwrap();
    }
}

#[test]
fn a_closed_port_refuses_and_a_server_that_dies_resets() {
    let mut slirp = Slirp::new();
    let closed = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
    let id = slirp.connect(HOST, closed);
    assert_eq!(slirp.outcome(id), Some(Error::Refused));

    // A socket that is closed with unread bytes in it sends a reset.
    let (port, server) = service("127.0.0.1", |mut stream| {
        stream.read_exact(&mut [0]).unwrap();
    });
    let id = slirp.connected(HOST, port);
    assert_eq!(slirp.send(id, &[1; 5000]), 5000);
    slirp.until("the server's end", |_| server.is_finished());
    slirp.until("a reset", |slirp| {
        slirp.send(id, &[1; 100]);
        slirp.of(id).over()
    });
    assert_eq!(slirp.of(id).failed, Some(Error::Reset));
}

#[test]
fn a_large_download_is_whole() {
    const BYTES: u64 = 32 << 20;
    let mut slirp = Slirp::new();
    slirp.keeps = false;
    let (port, server) = service("127.0.0.1", |mut stream| {
        let piece = vec![0x5a; 1 << 20];
        for _ in 0..BYTES >> 20 {
            stream.write_all(&piece).unwrap();
        }
        stream.shutdown(Shutdown::Write).unwrap();
        stream.read_to_end(&mut Vec::new()).unwrap();
    });
    let begin = Instant::now();
    let id = slirp.connected(HOST, port);
    slirp.until("the end", |slirp| slirp.of(id).ended);
    let seconds = begin.elapsed().as_secs_f64();
    slirp.record(&Record::Shutdown { id });
    assert_eq!(slirp.outcome(id), None);
    assert_eq!(slirp.of(id).count, BYTES);
    println!("{:.0} MB/s from the host through QEMU's user network", BYTES as f64 / 1e6 / seconds);
    server.join().unwrap();
}
