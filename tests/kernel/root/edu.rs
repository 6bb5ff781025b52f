//! QEMU's `edu` device: a DMA engine that writes and reads memory where it is told to. Its registers are in BAR 0, its
//! own buffer is at 0x40000 of its own addresses.

use crate::machine::{rights::*, *};
use crate::sys::Cap;
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

const VENDOR_AND_DEVICE: u64 = 0x11e8_1234;
const CONFIG_ADDRESS: u64 = 0xcf8;
const CONFIG_DATA: u64 = 0xcfc;
const COMMAND: u64 = 0x04;
const MEMORY_AND_BUS_MASTER: u64 = 6;
const BAR_0: u64 = 0x10;

const DMA_SOURCE: u64 = 0x80;
const DMA_DESTINATION: u64 = 0x88;
const DMA_COUNT: u64 = 0x90;
const DMA_COMMAND: u64 = 0x98;
const RUN: u64 = 1;
const TO_MEMORY: u64 = 2;
const BUFFER: u64 = 0x40000;

/// Where its registers are mapped; 0 before the first use.
static REGISTERS: AtomicU64 = AtomicU64::new(0);

#[derive(Clone, Copy)]
pub struct Edu {
    /// Bus, device and function, as an IO space names them.
    pub id: u64,
    registers: u64,
}

fn config_address(id: u64, register: u64) -> u64 {
    1 << 31 | id << 8 | register
}

fn config_read(id: u64, register: u64) -> u64 {
    must(IO_PORT, label::X86IOPortOut32, &[], &[CONFIG_ADDRESS, config_address(id, register)]);
    must(IO_PORT, label::X86IOPortIn32, &[], &[CONFIG_DATA])[0]
}

fn config_write(id: u64, register: u64, value: u64) {
    must(IO_PORT, label::X86IOPortOut32, &[], &[CONFIG_ADDRESS, config_address(id, register)]);
    must(IO_PORT, label::X86IOPortOut32, &[], &[CONFIG_DATA, value]);
}

impl Edu {
    /// The device with bus mastering on; `None` on a machine without one.
    pub fn find() -> Option<Edu> {
        let id = (1..32).map(|device| device << 3).find(|&id| config_read(id, 0) == VENDOR_AND_DEVICE)?;
        if REGISTERS.load(SeqCst) == 0 {
            config_write(id, COMMAND, config_read(id, COMMAND) & 0xffff | MEMORY_AND_BUS_MASTER);
            let at = new_page_address();
            let frame = device_frame(config_read(id, BAR_0) & !0xfff);
            must(frame, label::X86PageMap, &[ROOT_VSPACE], &[at, READ | WRITE, CACHE_DISABLED]);
            REGISTERS.store(at, SeqCst);
        }
        Some(Edu { id, registers: REGISTERS.load(SeqCst) })
    }

    /// Moves a word; QEMU takes a tenth of a second for it.
    fn transfer(self, source: u64, destination: u64, command: u64) {
        write(self.registers + DMA_SOURCE, source);
        write(self.registers + DMA_DESTINATION, destination);
        write(self.registers + DMA_COUNT, 8);
        write(self.registers + DMA_COMMAND, command | RUN);
        expect("the device's transfer does not end", || read(self.registers + DMA_COMMAND) & RUN == 0);
    }

    /// Takes the word at an IO address into its own buffer.
    pub fn load(self, io_address: u64) {
        self.transfer(io_address, BUFFER, 0);
    }

    /// Writes the word of its own buffer to an IO address.
    pub fn store(self, io_address: u64) {
        self.transfer(BUFFER, io_address, TO_MEMORY);
    }
}

const CACHE_DISABLED: u64 = 2;

/// The frame at a physical address that is no RAM.
fn device_frame(paddr: u64) -> Cap {
    let (mut untyped, d) = untypeds()
        .find(|(_, d)| d.is_device == 1 && d.paddr <= paddr && paddr - d.paddr < 1 << d.size_bits)
        .expect("an untyped for the device's registers");
    let (mut start, mut bits) = (d.paddr, d.size_bits);
    while bits > 12 {
        bits -= 1;
        let slots = new_slot();
        new_slot();
        assert!(try_retype(untyped, object::UNTYPED, bits as u64, slots, 2) == 0, "the device's untyped is in use");
        let upper = (paddr - start) >> bits & 1;
        untyped = slots + upper;
        start += upper << bits;
    }
    make_from(untyped, object::FRAME_4K, 0)
}
