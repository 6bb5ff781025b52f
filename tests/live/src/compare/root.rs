//! What root may hold once the system stands: its own CNode, thread and address space, spare memory, the objects that
//! it made for the specification, and nothing that makes new authority over interrupts, ports or address space numbers.

use super::{pages::page_words, Compare};
use crate::{
    difference::Kind,
    model::{Cap, Irq, BUFFER, CSPACE, VSPACE},
    Result,
};
use std::collections::BTreeSet;

impl Compare<'_, '_> {
    pub(super) fn root(&mut self) -> Result<()> {
        let model = self.model;
        let root = self.names.root.clone();
        let Some(cnode) = root.cnode else { return Ok(()) };
        let known = self.known();
        for (slot, cap) in model.cnode(cnode) {
            if !self.may_hold(&known, cnode, slot, cap) {
                let held = self.held(cap);
                self.differ(Kind::RootHolds, format!("root, slot {slot}: holds {held}, which is not on root's list"));
            }
        }
        match root.threads.first() {
            Some(at) => self.root_thread(*at),
            None => self.differ(Kind::Threads, "root has no thread"),
        }
        for helper in self.names.helpers.clone() {
            self.helper(helper);
        }
        self.strangers();
        self.root_pages()
    }

    /// Objects that are root's, a PD's or a helper's.
    fn known(&self) -> BTreeSet<u64> {
        let parties = self.names.pds.iter().chain([&self.names.root]);
        let mut known: BTreeSet<u64> = parties
            .flat_map(|found| found.cnode.into_iter().chain(found.space).chain(found.threads.iter().copied()))
            .collect();
        let spaces: Vec<u64> = known.iter().copied().filter(|at| self.model.spaces.contains_key(at)).collect();
        for at in spaces {
            let space = &self.model.spaces[&at];
            known.extend(space.tables.iter().map(|(_, table)| *table));
            known.extend(space.pages.iter().map(|page| page.paddr));
        }
        for helper in &self.names.helpers {
            let cnode = self.model.threads[helper].slots[CSPACE].as_ref().and_then(Cap::object);
            known.insert(*helper);
            known.extend(cnode);
            // What it waits on, which is nobody else's.
            let slots = cnode.into_iter().flat_map(|at| self.model.cnode(at));
            known.extend(slots.filter_map(|(_, cap)| match cap {
                Cap::Notification { at, .. } => Some(*at),
                _ => None,
            }));
        }
        known.extend(self.names.endpoints.iter().chain(&self.names.notifications).copied().flatten());
        known.extend(self.names.frames.iter().flatten().copied().flatten());
        known
    }

    fn may_hold(&self, known: &BTreeSet<u64>, cnode: u64, slot: u64, cap: &Cap) -> bool {
        let model = self.model;
        match cap {
            Cap::CNode { at, .. } => known.contains(at),
            Cap::Thread { at } | Cap::Table { at, .. } => known.contains(at),
            Cap::Endpoint { at, .. } | Cap::Notification { at, .. } => known.contains(at),
            // The page below root's stack was unmapped: it lies among the others of the image, in slots as in memory.
            Cap::Frame { at, .. } => {
                let beside = |slot: u64, paddr: u64| {
                    let mut there = model.cnode(cnode).filter(|(index, _)| *index == slot);
                    there.any(|(_, cap)| matches!(cap, Cap::Frame { at, .. } if *at == paddr && known.contains(at)))
                };
                known.contains(at) || beside(slot - 1, at.wrapping_sub(4096)) && beside(slot + 1, at + 4096)
            }
            Cap::Untyped { .. } | Cap::AsidPool { .. } => true,
            // There is one domain, so it can do nothing.
            Cap::Domain => true,
            Cap::IrqHandler { irq } => self.expected.irqs.iter().any(|wanted| wanted.number == *irq),
            Cap::IoSpace { device, .. } | Cap::IoTable { device, .. } => {
                self.expected.devices.iter().any(|wanted| wanted.id == *device)
            }
            Cap::Ports { first, last } => {
                let ports = self.expected.ports.iter().map(|range| (range.first, range.last));
                ports.chain(self.expected.root.ports.iter().copied()).any(|range| range == (*first, *last))
            }
            _ => false,
        }
    }

    fn root_thread(&mut self, at: u64) {
        let root = self.names.root.clone();
        let thread = self.model.threads[&at].clone();
        for (slot, should, kind, what) in
            [(CSPACE, root.cnode, Kind::CSpace, "CNode"), (VSPACE, root.space, Kind::VSpace, "address space")]
        {
            if thread.slots[slot].as_ref().and_then(Cap::object) != should {
                self.differ(kind, format!("root's thread has another {what} than root's"));
            }
        }
        if thread.bound != self.names.notifications[self.expected.root.notification] {
            self.differ(Kind::BoundNotification, "root's thread does not hear root's notification");
        }
        if thread.priority != self.expected.root.priority {
            let (has, should) = (thread.priority, self.expected.root.priority);
            self.differ(Kind::Priority, format!("root has priority {has}, and should have {should}"));
        }
        self.replies("root", &thread);
    }

    /// A thread of root's own that waits on a notification nobody else has, and may tick root.
    fn helper(&mut self, at: u64) {
        let thread = self.model.threads[&at].clone();
        let who = format!("root's helper thread at {at:#x}");
        if thread.slots[VSPACE].as_ref().and_then(Cap::object) != self.names.root.space {
            self.differ(Kind::VSpace, format!("{who} runs in another address space than root's"));
        }
        if thread.slots[BUFFER].is_some() || thread.bound.is_some() {
            self.differ(Kind::Helper, format!("{who} has an IPC buffer or a bound notification, and needs none"));
        }
        let cnode = thread.slots[CSPACE].as_ref().and_then(Cap::object);
        let own = self.names.notifications.get(self.expected.root.notification).copied().flatten();
        let shared: BTreeSet<u64> =
            self.names.endpoints.iter().chain(&self.names.notifications).copied().flatten().collect();
        for (slot, cap) in cnode.into_iter().flat_map(|at| self.model.cnode(at)) {
            let fine = match cap {
                Cap::Notification { at, badge, send: true, receive: false } => {
                    Some(*at) == own && *badge == self.expected.root.tick_bit
                }
                Cap::Notification { at, send: false, receive: true, .. } => !shared.contains(at),
                _ => false,
            };
            if !fine {
                let held = self.held(cap);
                self.differ(Kind::Helper, format!("{who}, slot {slot}: holds {held}, which it does not need"));
            }
        }
        self.replies(&who, &thread);
    }

    /// Threads and CNodes of nobody's.
    fn strangers(&mut self) {
        let known = self.known();
        for thread in self.model.threads.values() {
            if thread.idle {
                if thread.slots.iter().any(Option::is_some) {
                    self.differ(Kind::Threads, format!("the kernel's idle thread at {:#x} holds something", thread.at));
                }
            } else if !known.contains(&thread.at) {
                self.differ(Kind::Threads, format!("the thread at {:#x} belongs to nobody", thread.at));
            }
        }
        for at in self.model.cnodes.keys().filter(|at| !known.contains(at)) {
            let count = self.model.cnode(*at).count();
            self.out.push(crate::difference::Difference::new(
                Kind::CapExtra,
                format!("the CNode at {at:#x}, which holds {count} capabilities, belongs to nobody"),
            ));
        }
    }

    fn root_pages(&mut self) -> Result<()> {
        let Some(at) = self.names.root.space else { return Ok(()) };
        let expected = &self.expected.root;
        let space = &self.model.spaces[&at];
        let (start, end) = expected.image;
        for page in &space.pages {
            match expected.pages.get(&page.vaddr) {
                Some(wanted) => {
                    // Root's own pages are all executable: the kernel made its address space.
                    let wanted = crate::expected::Page { execute: page.execute, ..*wanted };
                    let data = crate::model::Page { execute: false, ..*page };
                    self.page("root", &crate::expected::Page { execute: false, ..wanted }, &data);
                }
                None if start <= page.vaddr && page.vaddr + page.bytes <= end && page.bytes == 4096 => {}
                None => {
                    let what = page_words(page);
                    let sentence = format!("root: {what} at {:#x}, where nothing should be", page.vaddr);
                    self.differ(Kind::PageExtra, sentence);
                }
            }
        }
        self.missing("root", &expected.pages, space);
        if space.page_at(0).is_some() {
            self.differ(Kind::PageZero, "root: page zero is mapped");
        }
        self.content("root", space, &expected.constants)
    }

    pub(super) fn irqs(&mut self) {
        let found: Vec<Irq> = self.model.irqs.clone();
        for wanted in &self.expected.irqs {
            let (name, number) = (&wanted.name, wanted.number);
            let Some(irq) = found.iter().find(|irq| irq.number == number) else {
                self.differ(Kind::IrqRoute, format!("interrupt {number} of {name} is not set up"));
                continue;
            };
            if irq.pin != Some(wanted.pin) || !irq.signals {
                let sentence =
                    format!("interrupt {number} of {name} comes from {:?}, and should from {:?}", irq.pin, wanted.pin);
                self.differ(Kind::IrqRoute, sentence);
            }
            let to = wanted.route.and_then(|(i, badge)| Some((self.names.notifications[i]?, badge)));
            let right = match (&irq.cap, to) {
                (Some(Cap::Notification { at, badge, send: true, receive: false }), Some(to)) => (*at, *badge) == to,
                (None, None) => true,
                _ => false,
            };
            if !right {
                let held = irq.cap.as_ref().map_or("nothing".into(), |cap| self.held(cap));
                self.differ(
                    Kind::IrqRoute,
                    format!("interrupt {number} of {name} leads to {held}, or with another badge"),
                );
            }
        }
        for irq in found {
            let wanted = self.expected.irqs.iter().any(|wanted| wanted.number == irq.number);
            if !wanted && (irq.signals || irq.cap.is_some()) {
                let sentence = format!("interrupt {} is handed out, and nobody should have it", irq.number);
                self.differ(Kind::IrqRoute, sentence);
            }
        }
    }
}
