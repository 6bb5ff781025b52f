//! Changing the mode: what the new one lacks is destroyed down to untyped memory, what it adds is made.
//!
//! Private PDs run on and notice nothing. Public ones are made anew, and what leads from and to them is cleared: what
//! was typed in one mode is not there in the next. Trusted ones run on, and lose or get capabilities. All servers run on
//! core 0, where root is above them: none of them runs while root is at work here.

use alloc::vec::Vec;
use root_core::restart::{Life, State};
use spec::{MemoryKind, System, Trust};

use crate::{memory::Memory, shared::Shared, supervisor::Supervisor, Failure};

/// Makes what PDs of a mode receive on, and the memories of that mode.
pub fn make_objects(system: &System, shared: &mut Shared, memory: &mut Memory, mode: usize) -> Result<(), Failure> {
    for (pd, _) in system.pds.iter().enumerate().filter(|(_, pd)| pd.modes.has(mode)) {
        shared.make_owned(system, pd, memory)?;
    }
    for index in 0..system.memories.len() {
        if system.memories[index].modes.has(mode) && !shared.memory_exists(index) {
            shared.make_memory(system, index, memory)?;
        }
    }
    Ok(())
}

/// Who maps a memory, and how.
fn uses(system: &System, memory: usize) -> impl Iterator<Item = (usize, &spec::Map)> {
    let maps = system.pds.iter().enumerate().flat_map(|(index, pd)| pd.maps.iter().map(move |map| (index, map)));
    maps.filter(move |(_, map)| usize::from(map.memory) == memory)
}

impl Supervisor {
    /// Leaves the mode for another one. Gives the microseconds that it took. If the new mode cannot be made, the first
    /// one is, which needs nothing that was not there at boot.
    pub fn change_mode(&mut self, to: usize) -> Result<u64, Failure> {
        let begun = self.clock.now_us();
        let changed = self.enter(to);
        if changed.is_err() {
            // What is half there goes away like everything else of that mode.
            self.enter(crate::START_MODE)?;
        }
        changed.map(|()| self.clock.now_us().saturating_sub(begun))
    }

    fn enter(&mut self, to: usize) -> Result<(), Failure> {
        self.switches += 1;
        let from = self.mode;
        // Log lines of those that go, before their rings are cleared.
        self.voice.tick();
        // Public ones, and those that only one of the two modes has.
        let changes = |pd: &spec::Pd| pd.trust == Trust::Public || !pd.modes.has(to) || !pd.modes.has(from);
        let anew: Vec<usize> = (0..self.system.pds.len()).filter(|&pd| changes(&self.system.pds[pd])).collect();
        for &pd in &anew {
            self.remove(pd)?;
        }
        self.mode = to;
        for index in 0..self.system.memories.len() {
            let (stays, exists) = (self.system.memories[index].modes.has(to), self.shared.memory_exists(index));
            match (exists, stays) {
                (true, false) => self.shared.unmake_memory(index)?,
                (false, true) => self.shared.make_memory(&self.system, index, &mut self.memory)?,
                (true, true) => self.clear(index, &anew)?,
                (false, false) => {}
            }
        }
        let made: Vec<usize> = anew.iter().copied().filter(|&pd| self.system.pds[pd].modes.has(to)).collect();
        for &pd in &made {
            self.shared.make_owned(&self.system, pd, &mut self.memory)?;
        }
        self.change_survivors(from, to, &anew)?;
        self.start_all(&made)
    }

    /// Starts the PDs of the first mode.
    pub fn start_mode(&mut self) -> Result<(), Failure> {
        let pds: Vec<usize> = (0..self.system.pds.len()).filter(|&pd| self.system.pds[pd].modes.has(self.mode)).collect();
        self.start_all(&pds)
    }

    fn start_all(&mut self, pds: &[usize]) -> Result<(), Failure> {
        for &pd in pds {
            self.start(pd, 1)?;
            self.children[pd].life = Life::begun(self.clock.now_us());
        }
        Ok(())
    }

    /// Destroys a PD and what it received on.
    fn remove(&mut self, pd: usize) -> Result<(), Failure> {
        self.stop(pd)?;
        let child = &mut self.children[pd];
        child.life = Life::absent();
        child.last_failure = None;
        child.lowered = false;
        self.shared.unmake_owned(pd)
    }

    /// Capabilities of trusted PDs that run on.
    fn change_survivors(&mut self, from: usize, to: usize, anew: &[usize]) -> Result<(), Failure> {
        for (pd, child) in self.children.iter().enumerate() {
            let table = &self.system.pds[pd];
            let Some(domain) = child.domain.as_ref().filter(|_| child.life.state == State::Running) else { continue };
            if anew.contains(&pd) {
                continue;
            }
            for cap in &table.caps {
                let remade = self.owner(cap.object).is_some_and(|owner| anew.contains(&owner));
                match (cap.modes.has(from) && !remade, cap.modes.has(to)) {
                    (true, false) => domain.take(table, cap)?,
                    // Of what was destroyed, the capability is gone already.
                    (false, true) => domain.give(table, cap, &self.system, &self.shared)?,
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// Who receives on an object.
    fn owner(&self, object: spec::Object) -> Option<usize> {
        let owned = match object {
            spec::Object::Endpoint(i) => self.system.endpoints.get(usize::from(i)),
            spec::Object::Notification(i) => self.system.notifications.get(usize::from(i)),
            _ => None,
        };
        owned?.owner.map(usize::from)
    }

    /// Takes everything out of a memory that a PD which is made anew has seen, or would see.
    fn clear(&mut self, index: usize, anew: &[usize]) -> Result<(), Failure> {
        let system = &self.system;
        let touched = uses(system, index).any(|(pd, _)| anew.contains(&pd));
        let writer_goes = |memory| uses(system, memory).any(|(pd, map)| map.write && anew.contains(&pd));
        let epoch = self.switches << 32;
        let frames: Vec<_> = self.shared.frames(index as u16)?.to_vec();
        match system.memories[index].kind {
            _ if !touched => Ok(()),
            MemoryKind::Device { .. } | MemoryKind::Loaded { .. } => Ok(()),
            MemoryKind::Ring => {
                let renewed = writer_goes(index);
                for (i, &frame) in frames.iter().enumerate() {
                    match (i, renewed) {
                        (0, true) => self.window.fill(frame, |page| ring::renew(page, epoch))?,
                        // The numbers of a producer that goes on.
                        (0, false) => {}
                        _ => self.window.fill(frame, |page| page.fill(0))?,
                    }
                }
                Ok(())
            }
            MemoryKind::RingPage { ring } => {
                // A consumer that stays finds out by the epoch. A new one has taken everything that was there.
                let Some(&page) = frames.first().filter(|_| writer_goes(index)) else { return Ok(()) };
                let mut producer = [0; ring::DATA];
                if let Some(&first) = self.shared.frames(ring)?.first() {
                    self.window.fill(first, |page| producer.copy_from_slice(page))?;
                }
                if writer_goes(ring.into()) {
                    ring::renew(&mut producer, epoch);
                }
                self.window.fill(page, |page| ring::catch_up(page, &producer))
            }
            MemoryKind::Ram => {
                // A page that somebody who stays writes for many: what it says now is for the new ones too.
                if writer_goes(index) {
                    for frame in frames {
                        self.window.fill(frame, |page| page.fill(0))?;
                    }
                }
                Ok(())
            }
        }
    }
}

