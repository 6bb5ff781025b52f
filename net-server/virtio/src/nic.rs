//! The network card.

use crate::{
    dma::{Dma, Pool},
    transport::{Pci, Places, Registers},
};
use core::{
    ptr::NonNull,
    slice,
    sync::atomic::{fence, Ordering::SeqCst},
};
use smoltcp::{
    phy::{Device, DeviceCapabilities, Medium, RxToken, TxToken},
    time::Instant,
};
use virtio_drivers::{
    queue::VirtQueue,
    transport::{DeviceStatus, InterruptStatus, Transport},
    PAGE_SIZE,
};

/// Buffers in each direction, one a descriptor.
const BUFFERS: usize = 256;
/// A frame with its header; two of them share a page.
const BUFFER_BYTES: usize = 2048;
/// What stands before a frame (virtio 1.1, 5.1.6): all zero, for nothing is left to the card.
const HEADER_BYTES: usize = 12;
/// Ethernet without its checksum.
const FRAME_BYTES: usize = 1514;
/// Buffers are given back in so many at once.
const GIVE_BACK: usize = 32;

/// Memory that a card takes: buffers, and for each queue its three parts.
pub const DMA_BYTES: usize = 2 * BUFFERS * BUFFER_BYTES + 2 * 3 * PAGE_SIZE;

const RECEIVE: u16 = 0;
const TRANSMIT: u16 = 1;

// Features, as bits.
const MAC: u64 = 1 << 5;
const STATUS: u64 = 1 << 16;
const VERSION_1: u64 = 1 << 32;
/// The card's addresses go through an IOMMU.
const ACCESS_PLATFORM: u64 = 1 << 33;
const WANTED: u64 = MAC | STATUS | VERSION_1 | ACCESS_PLATFORM;

// The card's configuration.
const CONFIG_MAC: usize = 0;
const CONFIG_STATUS: usize = 6;
const LINK_UP: u16 = 1;

/// How often a card is asked whether its reset is done.
const RESET_TRIES: usize = 100_000;

/// Why a card is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// It does not come out of its reset.
    Reset,
    /// It does not know virtio 1, or has no address of its own.
    TooOld { features: u64 },
    /// It does not take the features that it offered.
    Features,
    /// Its queues are too short, or there is not enough memory for them.
    Queues,
    /// It gave back what it had not got, or more than fits.
    Nonsense,
    /// It says itself that it needs a reset.
    Failed,
}

type Queue = VirtQueue<Pool, BUFFERS>;

/// Buffers, and which descriptor has which.
struct Buffers {
    base: NonNull<u8>,
    /// By descriptor.
    given: [Option<u8>; BUFFERS],
    /// Those that the card has not got.
    spare: [u8; BUFFERS],
    spares: usize,
}

impl Buffers {
    fn new() -> Option<Buffers> {
        let (_, base) = Pool::pages(BUFFERS * BUFFER_BYTES / PAGE_SIZE)?;
        let mut spare = [0; BUFFERS];
        spare.iter_mut().enumerate().for_each(|(i, spare)| *spare = i as u8);
        Some(Buffers { base, given: [None; BUFFERS], spare, spares: BUFFERS })
    }

    fn memory(&self, buffer: u8) -> NonNull<u8> {
        // SAFETY: there are as many buffers as a u8 has values.
        unsafe { self.base.add(usize::from(buffer) * BUFFER_BYTES) }
    }

    fn take_spare(&mut self) -> Option<u8> {
        self.spares = self.spares.checked_sub(1)?;
        Some(self.spare[self.spares])
    }

    fn put_spare(&mut self, buffer: u8) {
        self.spare[self.spares] = buffer;
        self.spares += 1;
    }
}

/// A started card.
pub struct Nic<R: Registers> {
    pci: Pci<R>,
    receive: Queue,
    transmit: Queue,
    received: Buffers,
    sent: Buffers,
    mac: [u8; 6],
    has_status: bool,
    link_up: bool,
    /// Frames were put into the queue, and the card does not know.
    unknown: bool,
    /// There was no room for the last frame.
    starved: bool,
    broken: Option<Broken>,
}

// SAFETY: the memory that it points to is its own.
unsafe impl<R: Registers + Send> Send for Nic<R> {}

impl<R: Registers> Nic<R> {
    /// Resets a card and starts it.
    ///
    /// # Safety
    /// The memory must stay, readable and writable, be nobody else's but the card's, and be where `dma` says, for both.
    /// Once in a program, but for cards after a broken one.
    pub unsafe fn new(registers: R, places: Places, dma: Dma) -> Result<Nic<R>, Broken> {
        // SAFETY: as the caller promises.
        unsafe { Pool::give(dma) };
        let mut pci = Pci::new(registers, places);
        pci.set_status(DeviceStatus::empty());
        if !(0..RESET_TRIES).any(|_| pci.get_status().is_empty()) {
            return Err(Broken::Reset);
        }
        let known = DeviceStatus::ACKNOWLEDGE | DeviceStatus::DRIVER;
        pci.set_status(known);
        let features = pci.read_device_features();
        if features & (VERSION_1 | MAC) != VERSION_1 | MAC {
            return Err(Broken::TooOld { features });
        }
        pci.write_driver_features(features & WANTED);
        pci.set_status(known | DeviceStatus::FEATURES_OK);
        if !pci.get_status().contains(DeviceStatus::FEATURES_OK) {
            return Err(Broken::Features);
        }
        let mac = [0, 1, 2, 3, 4, 5].map(|i| pci.read_config8(CONFIG_MAC + i));
        let queues = |_| Broken::Queues;
        let receive = Queue::new(&mut pci, RECEIVE, false, false).map_err(queues)?;
        let mut transmit = Queue::new(&mut pci, TRANSMIT, false, false).map_err(queues)?;
        // That frames are sent is nothing to wake up for, unless there is no room for more.
        transmit.set_dev_notify(false);
        let (received, sent) = (Buffers::new().ok_or(Broken::Queues)?, Buffers::new().ok_or(Broken::Queues)?);
        pci.set_status(known | DeviceStatus::FEATURES_OK | DeviceStatus::DRIVER_OK);
        let mut nic = Nic {
            pci,
            receive,
            transmit,
            received,
            sent,
            mac,
            has_status: features & STATUS != 0,
            link_up: true,
            unknown: false,
            starved: false,
            broken: None,
        };
        nic.look_at_link();
        nic.give_back();
        Ok(nic)
    }

    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    pub fn link_up(&self) -> bool {
        self.link_up && self.broken.is_none()
    }

    /// Set once, and for good.
    pub fn broken(&self) -> Option<Broken> {
        self.broken
    }

    fn breaks(&mut self, why: Broken) {
        self.broken.get_or_insert(why);
    }

    fn look_at_link(&mut self) {
        self.link_up = !self.has_status || self.pci.read_config16(CONFIG_STATUS) & LINK_UP != 0;
    }

    /// No more interrupts for frames, before [`Nic::sleep`] asks for the next one.
    pub fn wake(&mut self) {
        self.receive.set_dev_notify(false);
    }

    /// Takes the card's interrupt back, and looks at what it says of itself.
    pub fn interrupt(&mut self) {
        let why = self.pci.ack_interrupt();
        if why.contains(InterruptStatus::DEVICE_CONFIGURATION_INTERRUPT) {
            if self.pci.get_status().contains(DeviceStatus::DEVICE_NEEDS_RESET) {
                self.breaks(Broken::Failed);
            }
            self.look_at_link();
        }
    }

    /// Tells the card of frames to be sent.
    pub fn flush(&mut self) {
        if core::mem::take(&mut self.unknown) {
            // The card must see the frames before we see whether it wants to be told: else each waits for the other.
            fence(SeqCst);
            if self.transmit.should_notify() {
                self.pci.notify(TRANSMIT);
            }
        }
        self.give_back();
    }

    /// Asks for an interrupt. True if there is none to come because something is there already: then do not wait.
    #[must_use]
    pub fn sleep(&mut self) -> bool {
        self.reclaim();
        if self.starved && self.sent.spares > 0 {
            // Somebody was sent away, and would find room now.
            self.starved = false;
            return true;
        }
        let full = self.sent.spares == 0;
        self.transmit.set_dev_notify(full);
        self.receive.set_dev_notify(true);
        // The card must see that before we look: else each waits for the other.
        fence(SeqCst);
        self.broken.is_none() && (self.receive.can_pop() || full && self.transmit.can_pop())
    }

    /// Gives the card buffers for frames.
    fn give_back(&mut self) {
        let mut any = false;
        while let Some(buffer) = self.received.take_spare() {
            // SAFETY: the buffer lies in memory that is ours, and is nobody's until the card gives it back.
            let given = unsafe {
                let memory = slice::from_raw_parts_mut(self.received.memory(buffer).as_ptr(), BUFFER_BYTES);
                self.receive.add(&[], &mut [memory])
            };
            match given {
                Ok(token) => self.received.given[usize::from(token)] = Some(buffer),
                // There are as many descriptors as buffers.
                Err(_) => return self.breaks(Broken::Nonsense),
            }
            any = true;
        }
        if any {
            // As in `flush`.
            fence(SeqCst);
            if self.receive.should_notify() {
                self.pci.notify(RECEIVE);
            }
        }
    }

    /// The next frame that came: its buffer, and its length.
    fn next(&mut self) -> Option<(u8, usize)> {
        if self.broken.is_some() {
            return None;
        }
        if self.received.spares >= GIVE_BACK {
            self.give_back();
        }
        let token = self.receive.peek_used()?;
        let Some(buffer) = self.received.given.get_mut(usize::from(token)).and_then(Option::take) else {
            self.breaks(Broken::Nonsense);
            return None;
        };
        // SAFETY: the buffer that was added under this token.
        let popped = unsafe {
            let memory = slice::from_raw_parts_mut(self.received.memory(buffer).as_ptr(), BUFFER_BYTES);
            self.receive.pop_used(token, &[], &mut [memory])
        };
        let length = popped.map_or(usize::MAX, |length| length as usize);
        if !(HEADER_BYTES..=BUFFER_BYTES).contains(&length) {
            self.breaks(Broken::Nonsense);
            return None;
        }
        // It is given back when the next one is asked for: until then its frame is read.
        self.received.put_spare(buffer);
        Some((buffer, length - HEADER_BYTES))
    }

    /// Takes back buffers whose frames were sent.
    fn reclaim(&mut self) {
        while let Some(token) = self.transmit.peek_used() {
            let Some(buffer) = self.sent.given.get_mut(usize::from(token)).and_then(Option::take) else {
                return self.breaks(Broken::Nonsense);
            };
            // SAFETY: the buffer that was added under this token; its length does not matter to the queue.
            let popped = unsafe {
                let memory = slice::from_raw_parts(self.sent.memory(buffer).as_ptr(), BUFFER_BYTES);
                self.transmit.pop_used(token, &[memory], &mut [])
            };
            if popped.is_err() {
                return self.breaks(Broken::Nonsense);
            }
            self.sent.put_spare(buffer);
        }
    }

    fn has_room(&mut self) -> bool {
        if self.sent.spares == 0 {
            self.reclaim();
        }
        self.starved = self.sent.spares == 0;
        self.broken.is_none() && !self.starved
    }
}

impl<R: Registers> Device for Nic<R> {
    type RxToken<'a>
        = Received<'a>
    where
        R: 'a;
    type TxToken<'a>
        = Sender<'a>
    where
        R: 'a;

    fn receive(&mut self, _: Instant) -> Option<(Received<'_>, Sender<'_>)> {
        // A frame may want an answer.
        if !self.has_room() {
            return None;
        }
        let (buffer, length) = self.next()?;
        // SAFETY: the bytes lie in a buffer of ours, which the card gave back and gets again with the next frame at the
        // soonest, when this borrow is over.
        let frame = unsafe { slice::from_raw_parts(self.received.memory(buffer).as_ptr().add(HEADER_BYTES), length) };
        Some((Received(frame), self.sender()))
    }

    fn transmit(&mut self, _: Instant) -> Option<Sender<'_>> {
        self.has_room().then(|| self.sender())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_BYTES;
        capabilities
    }
}

impl<R: Registers> Nic<R> {
    fn sender(&mut self) -> Sender<'_> {
        Sender { queue: &mut self.transmit, buffers: &mut self.sent, unknown: &mut self.unknown }
    }
}

/// A frame that came.
pub struct Received<'a>(&'a [u8]);

impl RxToken for Received<'_> {
    fn consume<T, F: FnOnce(&[u8]) -> T>(self, f: F) -> T {
        f(self.0)
    }
}

/// Room for a frame.
pub struct Sender<'a> {
    queue: &'a mut Queue,
    buffers: &'a mut Buffers,
    unknown: &'a mut bool,
}

impl TxToken for Sender<'_> {
    fn consume<T, F: FnOnce(&mut [u8]) -> T>(self, length: usize, f: F) -> T {
        assert!(length <= FRAME_BYTES, "a frame of {length} bytes");
        let buffer = self.buffers.take_spare().expect("a sender is made when there is room, and lends it");
        // SAFETY: the buffer is ours, and nobody's until it is added.
        let memory = unsafe {
            slice::from_raw_parts_mut(self.buffers.memory(buffer).as_ptr(), HEADER_BYTES + length)
        };
        memory[..HEADER_BYTES].fill(0);
        let result = f(&mut memory[HEADER_BYTES..]);
        // SAFETY: nobody touches the buffer before the card gives it back.
        match unsafe { self.queue.add(&[memory], &mut []) } {
            Ok(token) => {
                self.buffers.given[usize::from(token)] = Some(buffer);
                *self.unknown = true;
            }
            // There are as many descriptors as buffers; a frame may be lost, a buffer may not.
            Err(_) => self.buffers.put_spare(buffer),
        }
        result
    }
}
