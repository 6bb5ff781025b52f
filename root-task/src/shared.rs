//! Objects that outlive protection domains: endpoints, notifications, rings and shared pages, devices.

use alloc::vec::Vec;
use sel4::{arch::init, CapData, CapRights, IrqHandler};
use spec::{IrqSource, Map, MemoryKind, Object, System};

use crate::{
    kernel::{self, Access, Kind},
    memory::{Memory, Objects},
    root_space::{self, RootSpace},
    slots::Slot,
    Failure,
};

pub struct Shared {
    /// Where PDs' faults, panics and requests arrive.
    pub root_endpoint: Slot,
    endpoints: Vec<Slot>,
    pub notifications: Vec<Slot>,
    /// What each PD receives on, in memory of its own.
    owned: Vec<Owned>,
    irqs: Vec<IrqLine>,
    ports: Vec<Slot>,
    /// One for each [`spec::Memory`].
    memories: Vec<Area>,
    pub bytes: u64,
}

/// A PD's endpoint and notifications.
#[derive(Default)]
struct Owned {
    kinds: Vec<Kind>,
    /// Reserved at the first use, and kept: a revoked one is filled again.
    objects: Option<Objects>,
}

struct IrqLine {
    handler: Slot,
    /// For the badged capability to the driver's notification.
    badged: Slot,
}

#[derive(Default)]
struct Area {
    frames: Vec<Slot>,
    /// `None` for device memory and before the first use.
    objects: Option<Objects>,
    exists: bool,
}

impl Shared {
    /// Everything that no mode makes or destroys: root's own ends, interrupts, ports, device memory.
    pub fn create(system: &System, memory: &mut Memory) -> Result<Shared, Failure> {
        let own = memory.objects(&[Kind::Endpoint, Kind::Notification])?;
        let mut shared = Shared {
            root_endpoint: own.slots[0],
            endpoints: alloc::vec![0; system.endpoints.len()],
            notifications: alloc::vec![0; system.notifications.len()],
            owned: system.pds.iter().map(|_| Owned::default()).collect(),
            irqs: Vec::with_capacity(system.irqs.len()),
            ports: Vec::with_capacity(system.ports.len()),
            memories: system.memories.iter().map(|_| Area::default()).collect(),
            bytes: own.bytes,
        };
        *get_mut(&mut shared.notifications, system.root.notification)? = own.slots[1];
        for (area, made) in system.memories.iter().zip(&mut shared.memories) {
            if let MemoryKind::Device { paddr } | MemoryKind::Loaded { paddr } = area.kind {
                let bytes = area.bytes.next_multiple_of(area.page.bytes());
                made.frames = memory.device_frames(paddr, bytes, area.page)?;
                made.exists = true;
            }
        }
        for range in &system.ports {
            let slot = memory.slots.take(1)?;
            kernel::mint(init::IO_PORTS.0, slot, CapRights::ALL, CapData::ports(range.first, range.last))?;
            shared.ports.push(slot);
        }
        for irq in &system.irqs {
            let handler = memory.slots.take(2)?;
            match irq.source {
                IrqSource::IoApic { ioapic, pin, level, active_low, vector } => init::IRQ_CONTROL
                    .get_ioapic(
                        init::CNODE,
                        handler,
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
            shared.irqs.push(IrqLine { handler, badged: handler + 1 });
        }
        Ok(shared)
    }

    /// Makes what a PD receives on.
    pub fn make_owned(&mut self, system: &System, pd: usize, memory: &mut Memory) -> Result<(), Failure> {
        let mine = |owned: &spec::Owned| owned.owner == Some(pd as u16);
        let owned = self.owned.get_mut(pd).ok_or(Failure::Specification("a PD that is not there"))?;
        match &mut owned.objects {
            Some(objects) => memory.refill(objects, &owned.kinds)?,
            none => {
                owned.kinds.extend(system.endpoints.iter().filter(|e| mine(e)).map(|_| Kind::Endpoint));
                owned.kinds.extend(system.notifications.iter().filter(|n| mine(n)).map(|_| Kind::Notification));
                let objects = memory.objects(&owned.kinds)?;
                self.bytes += objects.bytes;
                let mut slots = objects.slots.iter().copied();
                let endpoints = system.endpoints.iter().zip(&mut self.endpoints).filter(|(e, _)| mine(e));
                let notifications = system.notifications.iter().zip(&mut self.notifications).filter(|(n, _)| mine(n));
                for (_, slot) in endpoints.chain(notifications) {
                    *slot = slots.next().unwrap_or(0);
                }
                *none = Some(objects);
            }
        }
        Ok(())
    }

    /// Destroys what a PD received on, with all capabilities to it, whoever holds them.
    pub fn unmake_owned(&mut self, pd: usize) -> Result<(), Failure> {
        for &(_, chunk) in self.owned.get(pd).and_then(|owned| owned.objects.as_ref()).map_or(&[][..], |o| &o.chunks) {
            kernel::revoke(chunk)?;
        }
        Ok(())
    }

    pub fn memory_exists(&self, memory: usize) -> bool {
        self.memories.get(memory).is_some_and(|area| area.exists)
    }

    /// Makes the frames of a shared memory, zeroed.
    pub fn make_memory(&mut self, system: &System, index: usize, memory: &mut Memory) -> Result<(), Failure> {
        let (area, made) = (&system.memories[index], &mut self.memories[index]);
        let kinds = alloc::vec![Kind::Frame(area.page); area.bytes.div_ceil(area.page.bytes()) as usize];
        match &mut made.objects {
            Some(objects) => memory.refill(objects, &kinds)?,
            none => {
                let objects = none.insert(memory.objects(&kinds)?);
                self.bytes += objects.bytes;
                made.frames.clone_from(&objects.slots);
            }
        }
        made.exists = true;
        Ok(())
    }

    /// Destroys the frames of a shared memory, and with them every mapping. Device memory stays with root.
    pub fn unmake_memory(&mut self, index: usize) -> Result<(), Failure> {
        let area = &mut self.memories[index];
        if let Some(objects) = &area.objects {
            area.exists = false;
            for &(_, chunk) in &objects.chunks {
                kernel::revoke(chunk)?;
            }
        }
        Ok(())
    }

    /// Points a driver's interrupts at its notification, the badge says at which bit, and unmasks them: its predecessor
    /// may have left them unacknowledged.
    pub fn bind_irqs(&self, pd: &spec::Pd, mode: usize) -> Result<(), Failure> {
        for cap in pd.caps.iter().filter(|cap| cap.modes.has(mode)) {
            let Object::Irq(irq) = cap.object else { continue };
            let line = get(&self.irqs, irq)?;
            let notification = pd.notification.ok_or(Failure::Specification("an interrupt without a notification"))?;
            kernel::delete(line.badged)?;
            let source = *get(&self.notifications, notification)?;
            kernel::mint(source, line.badged, CapRights::WRITE, kernel::badge(cap.badge))?;
            let handler = IrqHandler(line.handler);
            handler
                .set_notification(sel4::CPtr(line.badged))
                .map_err(kernel::refused("point an interrupt at its notification"))?;
            handler.ack().map_err(kernel::refused("acknowledge an interrupt"))?;
        }
        Ok(())
    }

    /// Slot of the object itself, from which a PD's capability is minted.
    pub fn object(&self, object: Object) -> Result<Slot, Failure> {
        Ok(match object {
            Object::Endpoint(i) => *get(&self.endpoints, i)?,
            Object::Notification(i) => *get(&self.notifications, i)?,
            Object::Irq(i) => get(&self.irqs, i)?.handler,
            Object::Ports(i) => *get(&self.ports, i)?,
            Object::RootEndpoint => self.root_endpoint,
        })
    }

    pub fn frames(&self, memory: u16) -> Result<&[Slot], Failure> {
        Ok(&get(&self.memories, memory)?.frames)
    }

    /// Maps what root itself shares: its display ring, the log rings, the trusted path.
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

fn get_mut<T>(list: &mut [T], index: u16) -> Result<&mut T, Failure> {
    list.get_mut(index as usize).ok_or(Failure::Specification("an index that leads nowhere"))
}
