//! The IOMMU: each device that may write to memory has an IO space of its own, which holds its driver's DMA memory and
//! nothing else. Without one the kernel confines no device, and its driver is trusted for memory.
//!
//! Order: the capability for the space, tables from the root downwards, then frames (docs/kernel.md).

use alloc::vec::Vec;
use sel4::{
    arch::{init, io_span_bits, IoPageTable, IoSpace, PciId},
    BootInfo, CapData, CapRights,
};
use spec::System;

use crate::{kernel, memory::Memory, slots::Slot, Failure};

/// docs/kernel.md, IO spaces.
const FIRST_DOMAIN: u16 = 64;

pub struct Iommu {
    levels: u8,
    /// One capability for each of [`System::pci`].
    spaces: Vec<Slot>,
}

impl Iommu {
    /// `None` where there is none, or the kernel has left it off.
    pub fn open(boot: &BootInfo, system: &System, memory: &mut Memory) -> Result<Option<Iommu>, Failure> {
        let levels = boot.iommu_levels() as u8;
        if levels == 0 {
            return Ok(None);
        }
        let mut spaces = Vec::with_capacity(system.pci.len());
        for (index, function) in system.pci.iter().enumerate() {
            let slot = memory.slots.take(1)?;
            // No two devices may share a domain, and the first ones belong to devices that the firmware reserves memory for.
            let place = PciId::new(function.bus, function.device, function.function);
            kernel::mint(init::IO_SPACE.0, slot, CapRights::ALL, CapData::io_space(FIRST_DOMAIN + index as u16, place))?;
            spaces.push(slot);
        }
        Ok(Some(Iommu { levels, spaces }))
    }

    /// IO addresses at which a table is needed for `[address, address + bytes)`, the root of the space first.
    pub fn tables(&self, address: u64, bytes: u64) -> impl Iterator<Item = u64> {
        let levels = self.levels;
        (0..levels).flat_map(move |level| {
            let span = io_span_bits(levels, level);
            (address >> span..=(address + bytes - 1) >> span).map(move |index| index << span)
        })
    }

    pub fn map_table(&self, device: u16, table: Slot, address: u64) -> Result<(), Failure> {
        IoPageTable(table).map(self.space(device)?, address).map_err(kernel::refused("map a table of the IOMMU"))
    }

    /// `frame` is a capability of its own: one that is mapped for a program cannot be mapped for a device.
    pub fn map(&self, device: u16, frame: Slot, address: u64) -> Result<(), Failure> {
        sel4::arch::Frame(frame)
            .map_io(self.space(device)?, CapRights::READ_WRITE, address)
            .map_err(kernel::refused("map memory for a device"))
    }

    fn space(&self, device: u16) -> Result<IoSpace, Failure> {
        Ok(IoSpace(*crate::shared::get(&self.spaces, device)?))
    }
}

