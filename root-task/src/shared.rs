//! Objects that outlive protection domains: endpoints, notifications, rings and shared pages, devices.

use alloc::vec::Vec;
use sel4::{arch::init, CapData, CapRights, IrqHandler};
use spec::{IrqSource, Map, MemoryKind, Object, System};

use crate::{
    kernel::{self, Access, Kind},
    memory::Memory,
    root_space::{self, RootSpace},
    slots::Slot,
    Failure,
};

pub struct Shared {
    /// Where PDs' faults, panics and requests arrive.
    pub root_endpoint: Slot,
    endpoints: Vec<Slot>,
    pub notifications: Vec<Slot>,
    irqs: Vec<Slot>,
    ports: Vec<Slot>,
    /// Frames of each [`spec::Memory`].
    memories: Vec<Vec<Slot>>,
    pub bytes: u64,
}

impl Shared {
    pub fn create(system: &System, memory: &mut Memory) -> Result<Shared, Failure> {
        let mut kinds = alloc::vec![Kind::Endpoint];
        kinds.extend(system.endpoints.iter().map(|_| Kind::Endpoint));
        kinds.extend(system.notifications.iter().map(|_| Kind::Notification));
        let objects = memory.objects(&kinds)?;
        let (endpoints, notifications) = objects.slots[1..].split_at(system.endpoints.len());
        let mut bytes = objects.bytes;

        let mut memories = Vec::with_capacity(system.memories.len());
        for area in &system.memories {
            let pages = area.bytes.div_ceil(area.page.bytes());
            memories.push(match area.kind {
                MemoryKind::Ram => {
                    let made = memory.objects(&alloc::vec![Kind::Frame(area.page); pages as usize])?;
                    bytes += made.bytes;
                    made.slots
                }
                MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } => {
                    memory.device_frames(paddr, pages * area.page.bytes(), area.page)?
                }
            });
        }

        let mut ports = Vec::with_capacity(system.ports.len());
        for range in &system.ports {
            let slot = memory.slots.take(1)?;
            kernel::mint(init::IO_PORTS.0, slot, CapRights::ALL, CapData::ports(range.first, range.last))?;
            ports.push(slot);
        }
        let mut irqs = Vec::with_capacity(system.irqs.len());
        for irq in &system.irqs {
            let slot = memory.slots.take(1)?;
            match irq.source {
                IrqSource::IoApic { ioapic, pin, level, active_low, vector } => init::IRQ_CONTROL
                    .get_ioapic(
                        init::CNODE,
                        slot,
                        64,
                        ioapic.into(),
                        pin.into(),
                        level.into(),
                        active_low.into(),
                        vector.into(),
                    )
                    .map_err(kernel::refused("hand out an interrupt"))?,
                IrqSource::Gic { .. } => return Err(Failure::Specification("an interrupt of another platform")),
            }
            irqs.push(slot);
        }

        let mut shared = Shared {
            root_endpoint: objects.slots[0],
            endpoints: endpoints.to_vec(),
            notifications: notifications.to_vec(),
            irqs,
            ports,
            memories,
            bytes,
        };
        shared.bind_irqs(system, memory)?;
        Ok(shared)
    }

    /// Points each interrupt at the notification of the PD that holds it; the badge of the PD's capability says which
    /// bit it sets.
    fn bind_irqs(&mut self, system: &System, memory: &mut Memory) -> Result<(), Failure> {
        for pd in &system.pds {
            for cap in &pd.caps {
                let Object::Irq(irq) = cap.object else { continue };
                let notification =
                    pd.notification.ok_or(Failure::Specification("an interrupt without a notification"))?;
                let source = *get(&self.notifications, notification)?;
                let badged = memory.slots.take(1)?;
                kernel::mint(source, badged, CapRights::WRITE, kernel::badge(cap.badge))?;
                IrqHandler(*get(&self.irqs, irq)?)
                    .set_notification(sel4::CPtr(badged))
                    .map_err(kernel::refused("point an interrupt at its notification"))?;
            }
        }
        Ok(())
    }

    /// Slot of the object itself, from which a PD's capability is minted.
    pub fn object(&self, object: Object) -> Result<Slot, Failure> {
        Ok(match object {
            Object::Endpoint(i) => *get(&self.endpoints, i)?,
            Object::Notification(i) => *get(&self.notifications, i)?,
            Object::Irq(i) => *get(&self.irqs, i)?,
            Object::Ports(i) => *get(&self.ports, i)?,
            Object::RootEndpoint => self.root_endpoint,
        })
    }

    pub fn frames(&self, memory: u16) -> Result<&[Slot], Failure> {
        Ok(get(&self.memories, memory)?)
    }

    /// Unmasks a PD's interrupts, which its predecessor may have left unacknowledged.
    pub fn acknowledge_irqs(&self, pd: &spec::Pd) -> Result<(), Failure> {
        for cap in &pd.caps {
            if let Object::Irq(i) = cap.object {
                IrqHandler(*get(&self.irqs, i)?).ack().map_err(kernel::refused("acknowledge an interrupt"))?;
            }
        }
        Ok(())
    }

    /// Maps what root itself shares: its display ring, the log rings.
    pub fn map_root(&self, system: &System, memory: &mut Memory, space: &mut RootSpace) -> Result<(), Failure> {
        for map in &system.root.maps {
            let area = get(&system.memories, map.memory)?;
            space.cover(memory, map.vaddr, area.bytes, area.page)?;
            for (frame, vaddr, access) in self.mapping(system, map)? {
                let slot = memory.slots.take(1)?;
                kernel::copy(frame, slot, CapRights::READ_WRITE)?;
                kernel::map(slot, root_space::VSPACE, vaddr, access)?;
            }
        }
        Ok(())
    }

    /// Frame, address and access of each page of a mapping.
    pub fn mapping<'a>(
        &'a self,
        system: &System,
        map: &'a Map,
    ) -> Result<impl Iterator<Item = (Slot, u64, Access)> + 'a, Failure> {
        let area = get(&system.memories, map.memory)?;
        let access = match (area.kind, map.write) {
            (MemoryKind::Device { .. }, true) => Access::Device,
            (_, true) => Access::Write,
            (_, false) => Access::Read,
        };
        let step = area.page.bytes();
        Ok(self
            .frames(map.memory)?
            .iter()
            .enumerate()
            .map(move |(i, &frame)| (frame, map.vaddr + i as u64 * step, access)))
    }
}

pub fn get<T>(list: &[T], index: u16) -> Result<&T, Failure> {
    list.get(index as usize).ok_or(Failure::Specification("an index that leads nowhere"))
}
