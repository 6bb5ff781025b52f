//! Net: the network card and TCP/IP, for one client, `cloud`. What comes through here is meant for the wire:
//! ciphertext, and who speaks to whom.
//!
//! It trusts nobody. The network and the client are hostile until `net-core` has looked at what they send; the card may
//! lie, and reaches no memory but the one that is given for it (where an IOMMU stands before it; else the layout says
//! that this PD is trusted for memory). It must never wait for its client: calls are answered at once, and what comes
//! of them goes out on a ring, as far as there is room.
//!
//! When it dies, connections are lost and the client is told: by an error of a call that runs, and by the next life,
//! which says that it has started. A card that does not start ends this life too, and root says so.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use net_core::{Net, Out, Start};
use net_virtio::{Dma, Mmio, Nic, QEMU};
use pd::rpc::{Event, Server};
use pd::{time::now_us, Irq, PopError, RingIn, RingOut};

pd::layout!("net");
pd::main!(run);

/// Records of the client that are taken before frames have their turn.
const RECORDS: usize = 64;

struct Events {
    ring: RingOut,
    /// Something was put into the ring, and the client does not know.
    untold: bool,
}

impl Out for Events {
    fn room(&self) -> usize {
        // A record takes a little more than what is in it.
        self.ring.free().map_or(0, |free| (free as usize).saturating_sub(16))
    }

    fn push(&mut self, parts: &[&[u8]]) -> bool {
        let pushed = self.ring.push_silently(parts).is_ok();
        self.untold |= pushed;
        pushed
    }
}

struct Network {
    net: Net<Nic<Mmio>>,
    records: RingIn,
    events: Events,
    record: Vec<u8>,
    broken: bool,
}

fn run(start: &'static pd::Start) -> ! {
    let irq = Irq::new(layout::IRQ_NETWORK);
    let mut network = Network::open(start);
    let mut server = Server::new(layout::SERVER);
    // A former life may have left an interrupt unacknowledged.
    irq.ack();
    loop {
        let more = network.turn();
        // While there is more to do callers are not kept waiting, and nobody waits for them.
        let event = if more || network.net.device().sleep() { server.poll() } else { Some(server.next()) };
        network.net.device().wake();
        match event {
            Some(Event::Signal { bits }) if irq.is_in(bits) => {
                network.net.device().interrupt();
                irq.ack();
            }
            Some(Event::Call { caller }) => {
                // First what the caller put into its ring before it called, or that it is another life.
                network.take_records();
                server.answer(|version, request, reply| {
                    ipc::net::dispatch(&mut network.net, caller, version, request, reply)
                });
                server.flush();
            }
            // Time, records, or room in the ring: the next turn looks at them all.
            Some(Event::Signal { .. }) | None => {}
        }
    }
}

impl Network {
    fn open(start: &pd::Start) -> Network {
        let dma = Dma {
            vaddr: layout::DMA.vaddr as *mut u8,
            bytes: layout::DMA.bytes as usize,
            device_base: start.dma_base,
        };
        let (registers, bytes) = (layout::MEMORY_NETWORK.vaddr as *mut u8, layout::MEMORY_NETWORK.bytes as usize);
        // SAFETY: the layout maps the card's registers and its memory for as long as the PD lives, to nobody else.
        let nic = unsafe { Nic::new(Mmio::new(registers, bytes), QEMU, dma) };
        let nic = nic.unwrap_or_else(|broken| panic!("the network card does not start: {broken:?}"));
        let Some(seed) = start.seed else { panic!("without a random seed anybody could guess our ports") };
        let start = Start { life: start.epoch as u32, mac: nic.mac(), seed, now_us: now_us() };
        log::info!("{:02x?}, link {}", start.mac, if nic.link_up() { "up" } else { "down" });
        Network {
            net: Net::new(nic, start),
            records: RingIn::open(layout::RING_IN_SEND),
            events: Events { ring: RingOut::open(layout::RING_OUT_RECEIVED), untold: false },
            record: vec![0; ipc::net::RECORD_BYTES],
            broken: false,
        }
    }

    /// Says whether there is more to do now.
    fn turn(&mut self) -> bool {
        let mut more = self.take_records();
        let link = self.net.device().link_up();
        more |= self.net.turn(now_us(), link, &mut self.events);
        self.net.device().flush();
        if let (Some(why), false) = (self.net.device().broken(), self.broken) {
            log::error!("the network card is broken: {why:?}");
            self.broken = true;
            self.net.device_broken();
            more = true;
        }
        if core::mem::take(&mut self.events.untold) {
            self.events.ring.ring();
        }
        more
    }

    /// Takes some of what lies in the client's ring; says whether there may be more.
    fn take_records(&mut self) -> bool {
        for _ in 0..RECORDS {
            match self.records.pop(&mut self.record) {
                Ok(None) => return false,
                Ok(Some(length)) => self.net.record(&self.record[..length]),
                Err(PopError::Restarted { .. }) => self.net.client_restarted(),
                Err(_) => self.net.malformed(),
            }
        }
        true
    }
}
