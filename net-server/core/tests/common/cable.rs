//! A cable between two devices, with what real ones do to frames.

use net_core::smoltcp::{
    phy::{self, Device, DeviceCapabilities, Medium},
    time::Instant,
};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// How many of a thousand frames suffer what.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    pub lost: u32,
    pub damaged: u32,
    pub swapped: u32,
    pub doubled: u32,
}

#[derive(Default)]
struct Ends {
    /// Frames on their way to each end.
    queues: [VecDeque<Vec<u8>>; 2],
    faults: Faults,
    random: u64,
    cut: bool,
    /// Frames that a queue has room for.
    limit: usize,
    passed: [u64; 2],
}

#[derive(Clone)]
pub struct Cable(Rc<RefCell<Ends>>);

impl Cable {
    pub fn new(faults: Faults, seed: u64) -> Cable {
        let random = seed.wrapping_mul(2).wrapping_add(1);
        Cable(Rc::new(RefCell::new(Ends { faults, random, limit: 512, ..Ends::default() })))
    }

    pub fn ends(&self) -> (Port, Port) {
        (Port { cable: self.clone(), end: 0 }, Port { cable: self.clone(), end: 1 })
    }

    /// Frames go nowhere.
    pub fn cut(&self, cut: bool) {
        let mut ends = self.0.borrow_mut();
        ends.cut = cut;
        ends.queues.iter_mut().for_each(VecDeque::clear);
    }

    pub fn set_faults(&self, faults: Faults) {
        self.0.borrow_mut().faults = faults;
    }

    pub fn set_limit(&self, frames: usize) {
        self.0.borrow_mut().limit = frames;
    }

    /// Frames that were sent to this end, those that did not get there included.
    pub fn passed(&self, end: usize) -> u64 {
        self.0.borrow().passed[end]
    }
}

impl Ends {
    fn chance(&mut self, of_1000: u32) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 1000 < of_1000.into()
    }

    fn send(&mut self, to: usize, mut frame: Vec<u8>) {
        self.passed[to] += 1;
        let faults = self.faults;
        if self.cut || self.chance(faults.lost) {
            return;
        }
        if self.chance(faults.damaged) {
            let at = self.random as usize / 1000 % frame.len();
            frame[at] ^= 1 << (self.random % 8);
        }
        if self.chance(faults.doubled) {
            self.queues[to].push_back(frame.clone());
        }
        let at = self.queues[to].len();
        let at = if self.chance(faults.swapped) { at.saturating_sub(3) } else { at };
        self.queues[to].insert(at, frame);
    }
}

/// One end of it, as a device.
pub struct Port {
    pub cable: Cable,
    end: usize,
}

impl Port {
    pub fn take(&self) -> Option<Vec<u8>> {
        self.cable.0.borrow_mut().queues[self.end].pop_front()
    }

    pub fn send(&self, frame: Vec<u8>) {
        self.cable.0.borrow_mut().send(1 - self.end, frame)
    }

    fn has_room(&self) -> bool {
        let ends = self.cable.0.borrow();
        ends.queues[1 - self.end].len() < ends.limit
    }
}

impl Device for Port {
    type RxToken<'a> = Frame;
    type TxToken<'a> = Sender<'a>;

    fn receive(&mut self, _: Instant) -> Option<(Frame, Sender<'_>)> {
        if !self.has_room() {
            return None;
        }
        let frame = self.take()?;
        Some((Frame(frame), Sender(self)))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        self.has_room().then_some(Sender(self))
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = 1514;
        capabilities
    }
}

pub struct Frame(Vec<u8>);

impl phy::RxToken for Frame {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(&self.0)
    }
}

pub struct Sender<'a>(&'a Port);

impl phy::TxToken for Sender<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        let mut frame = vec![0; length];
        let result = f(&mut frame);
        self.0.send(frame);
        result
    }
}
