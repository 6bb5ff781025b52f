//! How fast bytes go through the core: from a smoltcp that has nothing else to do, over memory, through [`Net::turn`]
//! and a real ring to a client that only takes them.
//!
//!     cargo run --release -p net-core --example throughput -- MEGABYTES
//!
//! Instructions: `valgrind --tool=callgrind --collect-atstart=no --toggle-collect='*core_turn*'` on the program.

#[allow(dead_code)]
#[path = "../tests/common/cable.rs"]
mod cable;

use cable::{Cable, Port};
use ipc::net::{Event, Host, Reach, Record, Server, RECORD_BYTES};
use net_core::{
    smoltcp::{
        iface::{Config, Interface, SocketSet},
        socket::tcp,
        time::Instant as Time,
        wire::{EthernetAddress, IpCidr, Ipv6Address},
    },
    Net, Out, Start,
};
use ring::{Consumer, Producer};
use std::time::Instant;

const CAPACITY: usize = ipc::net::RECEIVED_RING_KIB * 1024;
const PORT: u16 = 80;

struct Ring(Producer);

impl Out for Ring {
    fn room(&self) -> usize {
        self.0.free().map_or(0, |free| (free as usize).saturating_sub(16))
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        self.0.push(parts).is_ok()
    }
}

/// By a name of its own, so that callgrind can be told to count here.
#[inline(never)]
fn core_turn(net: &mut Net<Port>, now_us: u64, ring: &mut Ring) -> bool {
    net.turn(now_us, true, ring)
}

fn main() {
    let megabytes: u64 = std::env::args().nth(1).map_or(256, |text| text.parse().expect("a number of megabytes"));
    let goal = megabytes << 20;
    // Words, so that the memory is aligned.
    let memory = vec![0u64; (ring::DATA + CAPACITY) / 8].leak().as_mut_ptr().cast::<u8>();
    let page = vec![0u64; 512].leak().as_mut_ptr().cast::<u8>();
    // SAFETY: both pieces of memory stay, and each end is made once.
    let (mut ring, mut taken) = unsafe {
        let producer = Producer::credit(memory, CAPACITY, page).unwrap();
        (Ring(producer), Consumer::credit(memory, CAPACITY, page).unwrap())
    };

    let (ours, mut theirs) = Cable::new(cable::Faults::default(), 1).ends();
    let mut net = Net::new(ours, Start { life: 1, mac: [2, 0, 0, 0, 0, 2], seed: [1; 32], now_us: 0 });
    let mut iface = Interface::new(Config::new(EthernetAddress([2, 0, 0, 0, 0, 1]).into()), &mut theirs, Time::ZERO);
    let address: Ipv6Address = "fe80::1".parse().unwrap();
    iface.update_ip_addrs(|addresses| addresses.push(IpCidr::new(address.into(), 64)).unwrap());
    let buffer = |bytes| tcp::SocketBuffer::new(vec![0; bytes]);
    let mut socket = tcp::Socket::new(buffer(4096), buffer(1 << 20));
    socket.listen(PORT).unwrap();
    let mut sockets = SocketSet::new(vec![]);
    let server = sockets.add(socket);

    let id = net.connect(0, Host::Address(address.into()), PORT, 100_000).unwrap();
    let (mut record, mut bytes, mut now_us) = (vec![0; RECORD_BYTES], 0, 0);
    let (start, mut inside) = (Instant::now(), std::time::Duration::ZERO);
    while bytes < goal {
        now_us += 100;
        let begin = Instant::now();
        core_turn(&mut net, now_us, &mut ring);
        inside += begin.elapsed();
        while let Ok(Some(length)) = taken.pop(&mut record) {
            match ipc::decode(&record[..length]).expect("an event") {
                Event::Data { bytes: came, .. } => {
                    bytes += came.len() as u64;
                    let (mut back, came) = ([0; 64], came.len() as u32);
                    net.record(ipc::encode(&Record::Taken { id, bytes: came }, &mut back).unwrap());
                }
                Event::Failed { error, .. } => panic!("{error}"),
                Event::Network(Reach::LinkDown) => panic!("the link is up"),
                _ => {}
            }
        }
        let socket = sockets.get_mut::<tcp::Socket>(server);
        while socket.can_send() {
            socket.send(|room| (room.len(), ())).unwrap();
        }
        iface.poll(Time::from_micros(now_us as i64), &mut theirs, &mut sockets);
    }
    let mb = bytes as f64 / 1e6;
    println!("{mb:.0} MB in {:.2} s: {:.0} MB/s", start.elapsed().as_secs_f64(), mb / start.elapsed().as_secs_f64());
    println!("in the core: {:.2} s, {:.0} MB/s", inside.as_secs_f64(), mb / inside.as_secs_f64());
}
