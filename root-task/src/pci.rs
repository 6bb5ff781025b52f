//! PCI configuration space, which nobody but root touches: devices are given their addresses, switched on for their
//! driver, and silenced before they are taken away.
//!
//! Registers: PCI Local Bus Specification 3.0, chapter 6; access through ports: section 3.2.2.3.2.

use sel4::{arch::init, arch::IoPort, CapData, CapRights};
use spec::{MemoryKind, PciFunction, System, PAGE};

use crate::{kernel, memory::Memory, shared::Shared, slots::Slot, window::Window, Failure};

/// Offsets in a function's configuration space.
const ID: u8 = 0x00;
const COMMAND: u8 = 0x04;
const HEADER: u8 = 0x0c;
const BARS: u8 = 0x10;

/// Bits of the command register.
const MEMORY_SPACE: u32 = 1 << 1;
const BUS_MASTER: u32 = 1 << 2;
const NO_INTERRUPT: u32 = 1 << 10;

const NOBODY: u32 = 0xffff_ffff;
const MULTIFUNCTION: u32 = 1 << 23;
/// A BAR of 64 bits takes two registers.
const BAR_TYPE: u32 = 0b111;
const BAR_64: u32 = 0b100;
/// Looks at a register that should become zero, before root goes on without it.
const PATIENCE: u32 = 10_000;

pub struct Pci {
    /// I/O port capability for address and data register, and the first of these ports.
    ports: Option<(Slot, u16)>,
}

impl Pci {
    pub fn open(system: &System, memory: &mut Memory) -> Result<Pci, Failure> {
        let Some((first, last)) = system.root.pci_config else { return Ok(Pci { ports: None }) };
        let slot = memory.slots.take(1)?;
        kernel::mint(init::IO_PORTS.0, slot, CapRights::ALL, CapData::ports(first, last))?;
        Ok(Pci { ports: Some((slot, first)) })
    }

    /// Gives the data port, which then stands for this register.
    fn select(&self, place: (u8, u8, u8), register: u8) -> Result<(IoPort, u16), Failure> {
        let (slot, first) = self.ports.ok_or(Failure::Specification("a PCI device without configuration ports"))?;
        let (bus, device, function) = place;
        let address = 1 << 31
            | u64::from(bus) << 16
            | u64::from(device & 31) << 11
            | u64::from(function & 7) << 8
            | u64::from(register & 0xfc);
        IoPort(slot).out32(first.into(), address).map_err(kernel::refused("reach PCI configuration space"))?;
        Ok((IoPort(slot), first + 4))
    }

    fn read(&self, place: (u8, u8, u8), register: u8) -> Result<u32, Failure> {
        let (port, data) = self.select(place, register)?;
        Ok(port.in32(data).map_err(kernel::refused("read PCI configuration space"))? as u32)
    }

    fn write(&self, place: (u8, u8, u8), register: u8, value: u32) -> Result<(), Failure> {
        let (port, data) = self.select(place, register)?;
        port.out32(data.into(), value.into()).map_err(kernel::refused("write PCI configuration space"))
    }

    /// At boot no device on the first bus may write to memory, whatever the firmware left: not the layout's, and none
    /// that the layout does not know.
    pub fn silence_all(&self, system: &System) -> Result<(), Failure> {
        if self.ports.is_none() {
            return Ok(());
        }
        for device in 0..32 {
            for function in 0..8 {
                let place = (0, device, function);
                if self.read(place, ID)? != NOBODY {
                    let command = self.read(place, COMMAND)? & 0xffff;
                    self.write(place, COMMAND, command & !BUS_MASTER)?;
                }
                if function == 0 && self.read(place, HEADER)? & MULTIFUNCTION == 0 {
                    break;
                }
            }
        }
        for function in system.pci.iter().filter(|function| self.is_there(function).unwrap_or(false)) {
            self.write(place(function), COMMAND, NO_INTERRUPT)?;
        }
        Ok(())
    }

    /// Whether the device that the layout names is in its place.
    pub fn is_there(&self, function: &PciFunction) -> Result<bool, Failure> {
        Ok(self.read(place(function), ID)? == function.id)
    }

    /// Gives the device its addresses, forgets what it did before, and lets it work.
    pub fn enable(
        &self,
        function: &PciFunction,
        system: &System,
        shared: &Shared,
        window: &mut Window,
    ) -> Result<(), Failure> {
        if !self.is_there(function)? {
            return Err(Failure::NoPciDevice { name: function.name.clone() });
        }
        let place = place(function);
        self.write(place, COMMAND, NO_INTERRUPT)?;
        for &(index, paddr, _) in &function.bars {
            let register = BARS + 4 * index;
            let wide = self.read(place, register)? & BAR_TYPE == BAR_64;
            self.write(place, register, paddr as u32)?;
            if wide {
                self.write(place, register + 4, (paddr >> 32) as u32)?;
            }
        }
        self.reset(function, system, shared, window)?;
        let master = if function.can_dma { BUS_MASTER } else { 0 };
        self.write(place, COMMAND, MEMORY_SPACE | master)
    }

    /// From here on the device neither writes to memory nor answers nor raises its interrupt line.
    pub fn silence(
        &self,
        function: &PciFunction,
        system: &System,
        shared: &Shared,
        window: &mut Window,
    ) -> Result<(), Failure> {
        if !self.is_there(function)? {
            return Ok(());
        }
        // Off the bus first: whatever the reset does or does not do, nothing reaches memory any more.
        self.write(place(function), COMMAND, NO_INTERRUPT)?;
        self.reset(function, system, shared, window)
    }

    /// Leaves the device without any of its spaces.
    fn reset(
        &self,
        function: &PciFunction,
        system: &System,
        shared: &Shared,
        window: &mut Window,
    ) -> Result<(), Failure> {
        let Some(reset) = function.reset else { return Ok(()) };
        let lies_in = |memory: &&spec::Memory| {
            matches!(memory.kind, MemoryKind::Device { paddr } if (paddr..paddr + memory.bytes).contains(&reset.paddr))
        };
        let index = system.memories.iter().position(|memory| lies_in(&memory));
        let index = index.ok_or(Failure::Specification("a reset register outside of the device"))?;
        let MemoryKind::Device { paddr } = system.memories[index].kind else { return Ok(()) };
        let offset = reset.paddr - paddr;
        let frame = *shared
            .frames(index as u16)?
            .get((offset / PAGE) as usize)
            .ok_or(Failure::Specification("a reset register outside of its memory"))?;
        let place = place(function);
        self.write(place, COMMAND, MEMORY_SPACE | NO_INTERRUPT)?;
        let done = window.registers(frame, |page| {
            let register = page.wrapping_add((offset % PAGE) as usize);
            // SAFETY: `page` is the device's page, mapped read-write for as long as this closure runs, and the offset
            // lies within it.
            unsafe { register.write_volatile(reset.value) };
            // SAFETY: as above.
            (0..PATIENCE).any(|_| unsafe { register.read_volatile() } == 0)
        })?;
        self.write(place, COMMAND, NO_INTERRUPT)?;
        if done { Ok(()) } else { Err(Failure::Deaf { name: function.name.clone() }) }
    }
}

fn place(function: &PciFunction) -> (u8, u8, u8) {
    (function.bus, function.device, function.function)
}

