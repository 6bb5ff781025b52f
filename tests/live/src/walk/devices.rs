//! What belongs to devices: interrupts, the map of I/O ports, the IOMMU's tables.

use super::{caps, Walk};
use crate::{
    difference::Kind,
    formats::SLOT,
    memory::physical,
    model::{DevicePage, Irq, Place},
    Result,
};

const ENTRIES: u64 = 512;
const PAGE_BITS: u64 = 12;
/// Bytes that the kernel takes for the slots of interrupts (`IRQ_CNODE_BITS` of its platform), as a power of two.
const IRQ_CNODE_BITS: u64 = 13;

impl Walk<'_, '_> {
    pub(super) fn irqs(&mut self) -> Result<()> {
        let formats = self.formats;
        let count = formats.elements("intStateIRQTable", 8)?;
        let states = self.memory.words(physical(formats.symbol("intStateIRQTable")?)?, count)?;
        let pins = self.memory.words(physical(formats.symbol("x86KSIRQState")?)?, count)?;
        let node = physical(self.memory.word(physical(formats.symbol("intStateIRQNode")?)?)?)?;
        let signal = formats.enumerator("IRQSignal")?;
        let by_pin = formats.bits.union("x86_irq_state")?;
        let ioapic = by_pin.tags.iter().find(|(name, _)| name == "irq_ioapic").map(|(_, tag)| *tag);
        self.model.kernel_memory.push((node, node + (1 << IRQ_CNODE_BITS)));
        for number in 0..count {
            let address = node + number * SLOT;
            let words = self.memory.words(address, SLOT / 8)?;
            let cap = caps::decode(formats, &words[..2]);
            let cap = self.sound(cap).flatten();
            self.found(address, Place::Irq { irq: number }, &words);
            // Two words of 32 bits.
            let pin = pins[number as usize];
            let pin = [pin & 0xffff_ffff, pin >> 32];
            let get = |field: &str| formats.get("irq_ioapic", field, &pin);
            let pin = match Some(get("irqType")?) == ioapic {
                true => Some((get("id")?, get("pin")?, get("level")? != 0, get("polarity_low")? != 0)),
                false => None,
            };
            let signals = states[number as usize] == signal;
            if signals || cap.is_some() || pin.is_some() {
                self.model.irqs.push(Irq { number, signals, cap, pin });
            }
        }
        Ok(())
    }

    /// Each core's map of ports is all ones: user code reaches no port but through the kernel.
    pub(super) fn port_maps(&mut self) -> Result<()> {
        for core in 0..self.formats.cores.len() {
            let (at, bytes) = self.formats.cores[core].port_map;
            // The words are not aligned.
            let map = self.memory.bytes(physical(at)?, bytes)?;
            // A core that was never started has none.
            if map.iter().all(|byte| *byte == 0) && core as u64 >= self.started {
                continue;
            }
            if let Some(open) = map.iter().position(|byte| *byte != 0xff) {
                let port = open as u64 * 8;
                self.odd(
                    Kind::PortMap,
                    format!("core {core} lets user code use I/O ports from {port:#x} on by itself"),
                );
            }
        }
        Ok(())
    }

    /// Root table, context tables, page tables; nothing where the kernel has no IOMMU.
    pub(super) fn iommu(&mut self) -> Result<()> {
        let formats = self.formats;
        let Ok(symbol) = formats.symbol("x86KSvtdRootTable") else { return Ok(()) };
        let units = self.small("x86KSnumDrhu")?;
        let root = self.memory.word(physical(symbol)?)?;
        if units == 0 || root == 0 {
            return Ok(());
        }
        self.model.iommu = true;
        let levels = self.small("x86KSnumIOPTLevels")?;
        let root = physical(root)?;
        self.model.kernel_memory.push((root, root + 4096));
        let words = self.memory.words(root, ENTRIES)?;
        for (bus, entry) in words.chunks_exact(2).enumerate() {
            if formats.get("vtd_rte", "present", entry)? == 0 {
                continue;
            }
            let contexts = formats.get("vtd_rte", "ctp", entry)?;
            self.model.kernel_memory.push((contexts, contexts + 4096));
            let words = self.memory.words(contexts, ENTRIES)?;
            for (function, context) in words.chunks_exact(2).enumerate() {
                if formats.get("vtd_cte", "present", context)? != 0 {
                    let device = (bus as u64) << 8 | function as u64;
                    let table = formats.get("vtd_cte", "asr", context)?;
                    self.device_table(device, table, u64::from(levels).saturating_sub(1), 0)?;
                }
            }
        }
        Ok(())
    }

    /// A variable of 32 bits.
    fn small(&self, name: &str) -> Result<u32> {
        let bytes = self.memory.bytes(physical(self.formats.symbol(name)?)?, 4)?;
        Ok(u32::from_le_bytes(bytes.try_into().expect("four bytes")))
    }

    fn device_table(&mut self, device: u64, table: u64, level: u64, address: u64) -> Result<()> {
        let formats = self.formats;
        for (index, entry) in self.memory.words(table, ENTRIES)?.into_iter().enumerate() {
            let (read, write) =
                (formats.get("vtd_pte", "read", &[entry])? != 0, formats.get("vtd_pte", "write", &[entry])? != 0);
            if !read && !write {
                continue;
            }
            let address = address | (index as u64) << (PAGE_BITS + 9 * level);
            let paddr = formats.get("vtd_pte", "addr", &[entry])?;
            match level {
                0 => self.model.device_pages.push(DevicePage { device, address, paddr, read, write }),
                _ => self.device_table(device, paddr, level - 1, address)?,
            }
        }
        Ok(())
    }
}
