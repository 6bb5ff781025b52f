//! The card's registers (virtio 1.1, 4.1.4), at places that the layout knows.

use virtio_drivers::{
    transport::{DeviceStatus, DeviceType, InterruptStatus, Transport},
    Error, PhysAddr, Result,
};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Where the parts lie in the card's memory region. In PCI configuration space each is a capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    pub common: usize,
    pub isr: usize,
    pub device: usize,
    pub notify: usize,
    /// Bytes between the doorbells of two queues.
    pub notify_multiplier: usize,
    pub bytes: usize,
}

/// QEMU's modern `virtio-net-pci`, in its BAR 4. A test reads them from QEMU itself.
pub const QEMU: Places =
    Places { common: 0, isr: 0x1000, device: 0x2000, notify: 0x3000, notify_multiplier: 4, bytes: 0x4000 };

/// Reads and writes of a memory region. Offsets are aligned and within it.
pub trait Registers {
    fn read8(&self, offset: usize) -> u8;
    fn read16(&self, offset: usize) -> u16;
    fn read32(&self, offset: usize) -> u32;
    fn write8(&mut self, offset: usize, value: u8);
    fn write16(&mut self, offset: usize, value: u16);
    fn write32(&mut self, offset: usize, value: u32);
}

/// Registers that are mapped.
pub struct Mmio {
    base: *mut u8,
    bytes: usize,
}

// SAFETY: the registers are mapped for every thread of the program.
unsafe impl Send for Mmio {}

macro_rules! access {
    ($read:ident, $write:ident, $ty:ty) => {
        fn $read(&self, offset: usize) -> $ty {
            assert!(offset + size_of::<$ty>() <= self.bytes && offset.is_multiple_of(size_of::<$ty>()));
            // SAFETY: within what `new` was promised, and aligned.
            unsafe { self.base.add(offset).cast::<$ty>().read_volatile() }
        }

        fn $write(&mut self, offset: usize, value: $ty) {
            assert!(offset + size_of::<$ty>() <= self.bytes && offset.is_multiple_of(size_of::<$ty>()));
            // SAFETY: within what `new` was promised, and aligned.
            unsafe { self.base.add(offset).cast::<$ty>().write_volatile(value) }
        }
    };
}

impl Mmio {
    /// # Safety
    /// The bytes at `base`, which is aligned to a page, must be the card's registers, mapped uncached for ever, and
    /// nobody else's.
    pub unsafe fn new(base: *mut u8, bytes: usize) -> Mmio {
        Mmio { base, bytes }
    }
}

impl Registers for Mmio {
    access!(read8, write8, u8);
    access!(read16, write16, u16);
    access!(read32, write32, u32);
}

// Offsets in the common part.
const DEVICE_FEATURE_SELECT: usize = 0;
const DEVICE_FEATURE: usize = 4;
const DRIVER_FEATURE_SELECT: usize = 8;
const DRIVER_FEATURE: usize = 12;
const MSIX_CONFIG: usize = 16;
const STATUS: usize = 20;
const GENERATION: usize = 21;
const QUEUE_SELECT: usize = 22;
const QUEUE_SIZE: usize = 24;
const QUEUE_MSIX_VECTOR: usize = 26;
const QUEUE_ENABLE: usize = 28;
const QUEUE_NOTIFY_OFF: usize = 30;
const QUEUE_DESC: usize = 32;
const QUEUE_DRIVER: usize = 40;
const QUEUE_DEVICE: usize = 48;
/// Interrupts come by the card's pin.
const NO_VECTOR: u16 = 0xffff;

const QUEUES: usize = 2;

pub struct Pci<R> {
    registers: R,
    places: Places,
    /// Where each queue's doorbell is.
    doorbells: [usize; QUEUES],
}

impl<R: Registers> Pci<R> {
    pub fn new(registers: R, places: Places) -> Self {
        Pci { registers, places, doorbells: [places.notify; QUEUES] }
    }

    pub fn read_config8(&self, offset: usize) -> u8 {
        self.registers.read8(self.places.device + offset)
    }

    pub fn read_config16(&self, offset: usize) -> u16 {
        self.registers.read16(self.places.device + offset)
    }

    fn select(&mut self, queue: u16) {
        self.registers.write16(self.places.common + QUEUE_SELECT, queue);
    }

    fn write64(&mut self, offset: usize, value: u64) {
        self.registers.write32(self.places.common + offset, value as u32);
        self.registers.write32(self.places.common + offset + 4, (value >> 32) as u32);
    }
}

impl<R: Registers> Transport for Pci<R> {
    fn device_type(&self) -> DeviceType {
        DeviceType::Network
    }

    fn read_device_features(&mut self) -> u64 {
        let mut half = |half| {
            self.registers.write32(self.places.common + DEVICE_FEATURE_SELECT, half);
            u64::from(self.registers.read32(self.places.common + DEVICE_FEATURE))
        };
        half(0) | half(1) << 32
    }

    fn write_driver_features(&mut self, features: u64) {
        for half in [0, 1] {
            self.registers.write32(self.places.common + DRIVER_FEATURE_SELECT, half);
            self.registers.write32(self.places.common + DRIVER_FEATURE, (features >> (32 * half)) as u32);
        }
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        self.select(queue);
        self.registers.read16(self.places.common + QUEUE_SIZE).into()
    }

    fn notify(&mut self, queue: u16) {
        if let Some(doorbell) = self.doorbells.get(usize::from(queue)) {
            self.registers.write16(*doorbell, queue);
        }
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_retain(self.registers.read8(self.places.common + STATUS).into())
    }

    fn set_status(&mut self, status: DeviceStatus) {
        self.registers.write8(self.places.common + STATUS, status.bits() as u8);
    }

    fn set_guest_page_size(&mut self, _guest_page_size: u32) {}

    fn requires_legacy_layout(&self) -> bool {
        false
    }

    fn queue_set(&mut self, queue: u16, size: u32, descriptors: PhysAddr, driver: PhysAddr, device: PhysAddr) {
        self.registers.write16(self.places.common + MSIX_CONFIG, NO_VECTOR);
        self.select(queue);
        self.registers.write16(self.places.common + QUEUE_SIZE, size as u16);
        self.registers.write16(self.places.common + QUEUE_MSIX_VECTOR, NO_VECTOR);
        self.write64(QUEUE_DESC, descriptors);
        self.write64(QUEUE_DRIVER, driver);
        self.write64(QUEUE_DEVICE, device);
        let number = usize::from(self.registers.read16(self.places.common + QUEUE_NOTIFY_OFF));
        let doorbell = self.places.notify + number * self.places.notify_multiplier;
        if doorbell + 2 <= self.places.bytes {
            self.doorbells[usize::from(queue) % QUEUES] = doorbell;
        }
        self.registers.write16(self.places.common + QUEUE_ENABLE, 1);
    }

    fn queue_unset(&mut self, _queue: u16) {
        // A queue goes with a reset, and only so.
    }

    fn queue_used(&mut self, queue: u16) -> bool {
        self.select(queue);
        self.registers.read16(self.places.common + QUEUE_ENABLE) != 0
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        InterruptStatus::from_bits_retain(self.registers.read8(self.places.isr).into())
    }

    fn read_config_generation(&self) -> u32 {
        self.registers.read8(self.places.common + GENERATION).into()
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let mut value = T::new_zeroed();
        for (i, byte) in value.as_mut_bytes().iter_mut().enumerate() {
            *byte = self.read_config8(offset + i);
        }
        Ok(value)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _offset: usize, _value: T) -> Result<()> {
        Err(Error::Unsupported)
    }
}
