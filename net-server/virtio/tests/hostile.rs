//! A card that lies.

use net_virtio::{Broken, Dma, Nic, Registers, DMA_BYTES, QEMU};
use smoltcp::{
    phy::{Device, RxToken, TxToken},
    time::Instant,
};
use std::{cell::RefCell, rc::Rc};

/// What the driver has told the card, and what the card answers.
struct Card {
    features: u64,
    takes_features: bool,
    resets: bool,
    queue_size: u16,
    half: u32,
    status: u8,
    queue: usize,
    used: [u64; 2],
    enabled: [bool; 2],
    isr: u8,
    link: u8,
    doorbells: [u32; 2],
}

#[derive(Clone)]
struct Handle(Rc<RefCell<Card>>);

const COMMON: usize = QEMU.common;
const DEVICE: usize = QEMU.device;

impl Registers for Handle {
    fn read8(&self, offset: usize) -> u8 {
        let card = &mut *self.0.borrow_mut();
        match offset - COMMON {
            20 if !card.resets => 1,
            20 if !card.takes_features => card.status & !8,
            20 => card.status,
            _ if offset == QEMU.isr => std::mem::take(&mut card.isr),
            _ => [2, 0, 0, 0, 0, 9][(offset - DEVICE).min(5)],
        }
    }
    fn read16(&self, offset: usize) -> u16 {
        let card = self.0.borrow();
        match offset {
            24 => card.queue_size,
            28 => card.enabled[card.queue].into(),
            30 => card.queue as u16,
            _ => card.link.into(),
        }
    }
    fn read32(&self, _: usize) -> u32 {
        let card = self.0.borrow();
        (card.features >> (32 * card.half)) as u32
    }
    fn write8(&mut self, _: usize, value: u8) {
        self.0.borrow_mut().status = value;
    }
    fn write16(&mut self, offset: usize, value: u16) {
        let card = &mut *self.0.borrow_mut();
        match offset {
            22 => card.queue = usize::from(value),
            28 => card.enabled[card.queue] = value == 1,
            _ if offset >= QEMU.notify => card.doorbells[(offset - QEMU.notify) / 4] += 1,
            _ => {}
        }
    }
    fn write32(&mut self, offset: usize, value: u32) {
        let card = &mut *self.0.borrow_mut();
        let queue = card.queue;
        match offset {
            0 => card.half = value,
            48 => card.used[queue] = card.used[queue] & !0xffff_ffff | u64::from(value),
            52 => card.used[queue] = card.used[queue] & 0xffff_ffff | u64::from(value) << 32,
            _ => {}
        }
    }
}

impl Handle {
    fn new() -> Handle {
        Handle(Rc::new(RefCell::new(Card {
            features: u64::MAX,
            takes_features: true,
            resets: true,
            queue_size: 256,
            half: 0,
            status: 0,
            queue: 0,
            used: [0; 2],
            enabled: [false; 2],
            isr: 0,
            link: 1,
            doorbells: [0; 2],
        })))
    }

    fn start(&self) -> Result<Nic<Handle>, Broken> {
        let bytes = DMA_BYTES;
        let layout = std::alloc::Layout::from_size_align(32 * bytes, 4096).unwrap();
        static MEMORY: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
        // SAFETY: the size is not zero; never given back.
        let vaddr = *MEMORY.get_or_init(|| unsafe { std::alloc::alloc_zeroed(layout) } as usize) as *mut u8;
        // SAFETY: the memory stays, and only the one card that is alive has its part of it.
        unsafe { Nic::new(self.clone(), QEMU, Dma { vaddr, bytes: 32 * bytes, device_base: vaddr as u64 }) }
    }

    /// Gives a buffer back: writes an entry of the used ring, and its index.
    fn give(&self, queue: usize, count: u16, id: u32, length: u32) {
        let used = self.0.borrow().used[queue] as *mut u8;
        // SAFETY: the ring that the driver has made for this card.
        unsafe {
            let entry = used.add(4 + 8 * usize::from((count - 1) % 256)).cast::<u32>();
            entry.write_volatile(id);
            entry.add(1).write_volatile(length);
            used.add(2).cast::<u16>().write_volatile(count);
        }
    }
}

fn take(nic: &mut Nic<Handle>) -> Option<usize> {
    let (frame, _) = nic.receive(Instant::ZERO)?;
    Some(frame.consume(<[u8]>::len))
}

#[test]
fn a_card_that_lies_is_broken_and_harms_nothing() {
    // While it is started.
    type Change = fn(&mut Card);
    let starts: [(Change, Broken); 5] = [
        (|card| card.resets = false, Broken::Reset),
        (|card| card.features = 0xffff_ffff, Broken::TooOld { features: 0xffff_ffff }),
        (|card| card.takes_features = false, Broken::Features),
        (|card| card.queue_size = 128, Broken::Queues),
        (|card| card.enabled = [true; 2], Broken::Queues),
    ];
    for (change, broken) in starts {
        let card = Handle::new();
        change(&mut card.0.borrow_mut());
        assert_eq!(card.start().err(), Some(broken));
    }
    // When it runs: what it gives back was never given, or is longer than it can be, or was given back already.
    for (id, length) in [(256, 100), (65_535, 100), (0, 11), (0, 2049), (0, u32::MAX)] {
        let card = Handle::new();
        let mut nic = card.start().unwrap();
        card.give(0, 1, id, length);
        assert_eq!(take(&mut nic), None);
        assert_eq!(nic.broken(), Some(Broken::Nonsense), "{id} {length}");
        assert!(!nic.link_up() && nic.transmit(Instant::ZERO).is_none());
    }
    let card = Handle::new();
    let mut nic = card.start().unwrap();
    card.give(0, 1, 7, 112);
    assert_eq!(take(&mut nic), Some(100));
    card.give(0, 2, 7, 112);
    assert_eq!((take(&mut nic), nic.broken()), (None, Some(Broken::Nonsense)));
    // What was sent.
    let card = Handle::new();
    let mut nic = card.start().unwrap();
    for _ in 0..256 {
        nic.transmit(Instant::ZERO).unwrap().consume(60, |frame| frame.fill(1));
    }
    assert_eq!(card.0.borrow().doorbells[1], 0);
    nic.flush();
    nic.flush();
    assert_eq!(card.0.borrow().doorbells[1], 1, "the card is told once");
    assert!(nic.transmit(Instant::ZERO).is_none(), "there is no room");
    assert!(!nic.sleep());
    card.give(1, 1, 3, 0);
    assert!(nic.sleep(), "there is room again");
    assert!(nic.transmit(Instant::ZERO).is_some());
    card.give(1, 2, 3, 0);
    assert!(!nic.sleep());
    assert_eq!(nic.broken(), Some(Broken::Nonsense));
}

#[test]
fn the_link_and_a_cry_for_help_come_with_an_interrupt() {
    let card = Handle::new();
    let mut nic = card.start().unwrap();
    assert!(nic.link_up());
    card.0.borrow_mut().link = 0;
    nic.interrupt();
    assert!(nic.link_up(), "an interrupt for frames says nothing of the link");
    card.0.borrow_mut().isr = 2;
    nic.interrupt();
    assert!(!nic.link_up());
    card.0.borrow_mut().link = 1;
    card.0.borrow_mut().isr = 3;
    nic.interrupt();
    assert!(nic.link_up());
    card.0.borrow_mut().status |= 64;
    card.0.borrow_mut().isr = 2;
    nic.interrupt();
    assert_eq!(nic.broken(), Some(Broken::Failed));
}
