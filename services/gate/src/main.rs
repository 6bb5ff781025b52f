//! Gate: the only way out of this machine. It shows the person what would leave, byte for byte, and hands it to cloud
//! when they have said yes on the trusted path.
//!
//! It trusts serial, which shows its records and brings what the person types to gate and to nobody else. It trusts
//! neither router nor cloud: what comes from the one is shown before anything else is done with it, and from the other
//! nothing comes back. It must never let anything go that was not on the screen in full, or without its record, and
//! never wait for anybody.
//!
//! When it dies, what waited for an answer is not sent, and its next life says so.
#![no_std]
#![no_main]

extern crate alloc;

use alloc::{vec, vec::Vec};
use gate_core::{Came, Decision, Ends, Gate};
use ipc::display::{self, Item};
use ipc::focus::Typed;
use ipc::outbound::{Request, RECORD_BYTES};
use pd::{time::now_us, Notification, PopError, RingIn, RingOut};

pd::layout!("gate");
pd::main!(run);

struct Rings {
    requests: RingIn,
    focus: RingIn,
    display: RingOut,
    cloud: RingOut,
    record: Vec<u8>,
}

fn run(start: &'static pd::Start) -> ! {
    let mut gate = Gate::new(start.epoch);
    let mut rings = Rings {
        requests: RingIn::open(layout::RING_IN_OUTBOUND),
        focus: RingIn::open(layout::RING_IN_FOCUS),
        display: RingOut::open(layout::RING_OUT_DISPLAY),
        cloud: RingOut::open(layout::RING_OUT_OUTBOUND),
        record: vec![0; RECORD_BYTES.max(display::TEXT_BYTES + 16)],
    };
    let notification = Notification::new(layout::NOTIFICATION);
    loop {
        while gate.turn(&mut rings, now_us()) {}
        // A record, room on the way to the screen, or a tick: a turn looks at everything.
        notification.wait();
    }
}

impl Ends for Rings {
    fn request(&mut self) -> Came<Request> {
        loop {
            return match self.requests.pop(&mut self.record) {
                Ok(None) => Came::Nothing,
                Ok(Some(length)) => ipc::decode(&self.record[..length]).map_or(Came::Broken, Came::One),
                // Router began anew and nothing of its former life was lost.
                Err(PopError::Restarted { bytes: 0 }) => continue,
                Err(_) => Came::Broken,
            };
        }
    }

    fn typed(&mut self) -> Came<Typed> {
        match self.focus.pop(&mut self.record) {
            Ok(None) => Came::Nothing,
            Ok(Some(length)) => ipc::decode(&self.record[..length]).map_or(Came::Broken, Came::One),
            Err(_) => Came::Broken,
        }
    }

    fn show(&mut self, item: &Item) -> bool {
        self.display.offer(ipc::encode(item, &mut self.record))
    }

    fn all_taken(&mut self) -> bool {
        self.display.free() == Ok(layout::RING_OUT_DISPLAY.capacity)
    }

    fn record(&mut self, decision: &Decision) {
        // There is no store for it yet.
        log::info!("{decision}");
    }

    fn send(&mut self, request: &Request) {
        // Cloud is not waited for: what it does not take in time it loses, and says so.
        self.cloud.offer(ipc::encode(request, &mut self.record));
    }
}
