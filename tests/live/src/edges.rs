//! Who can pass data to whom, derived a second time: from capabilities and page tables alone, with nothing of what the
//! layout's resolver knows.
//!
//! A node is a PD, `root`, or a device (`irq 20`, `ports 0x3f8-0x3ff`, `memory at 0xfee00000`). An edge means that one
//! can make something happen that the other notices: by a byte in shared memory, a message, an answer, a signal, or
//! power over the other's objects. Time and caches are not in here.

use crate::{
    compare::Names,
    model::{Cap, Model, Place, CALLER, CSPACE},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// One writes a frame that the other has mapped.
    Memory,
    /// A message to an endpoint that the other receives on.
    Message,
    /// The answer to a call.
    Reply,
    /// A sender without an answer still learns when it is heard.
    Taken,
    Signal,
    /// Two wait at the same object: what one takes, the other misses.
    Rival,
    /// Faults of a thread, which go to an endpoint in its own CSpace.
    Fault,
    Interrupt,
    Ports,
    Device,
    /// A capability to another's objects, or to the memory that they are in.
    Power,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    pub from: String,
    pub to: String,
    pub why: Why,
    /// The object.
    pub what: String,
}

impl fmt::Display for Edge {
    /// One line: from, to, why, object, between tabs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\t{}\t{:?}\t{}", self.from, self.to, self.why, self.what)
    }
}

/// All edges, each once, in order.
pub fn edges(model: &Model, names: &Names) -> Vec<Edge> {
    let mut graph = Graph { model, names, edges: BTreeSet::new() };
    graph.endpoints();
    graph.notifications();
    graph.memory();
    graph.threads();
    graph.held();
    graph.edges.into_iter().collect()
}

struct Graph<'a> {
    model: &'a Model,
    names: &'a Names,
    edges: BTreeSet<Edge>,
}

/// What somebody may do at an endpoint or notification.
#[derive(Clone, Copy, Default)]
struct May {
    send: bool,
    receive: bool,
    /// Gets answers.
    call: bool,
}

impl Graph<'_> {
    fn add(&mut self, from: &str, to: &str, why: Why, what: &str) {
        if from != to {
            self.edges.insert(Edge { from: from.into(), to: to.into(), why, what: what.into() });
        }
    }

    fn both(&mut self, a: &str, b: &str, why: Why, what: &str) {
        self.add(a, b, why, what);
        self.add(b, a, why, what);
    }

    fn party(&self, object: u64) -> String {
        self.names.party(object).map_or_else(|| format!("unknown at {object:#x}"), str::to_owned)
    }

    /// Whose slot it is. A helper's CNode is root's, since root's thread made it and runs there.
    fn holder(&self, place: Place) -> String {
        match place {
            Place::CNode { at, .. } => {
                let helper = self.names.helpers.iter().find(|helper| {
                    self.model.threads[*helper].slots[CSPACE].as_ref().and_then(Cap::object) == Some(at)
                });
                self.party(helper.copied().unwrap_or(at))
            }
            Place::Thread { at, .. } => self.party(at),
            Place::Irq { irq } => format!("irq {irq}"),
            Place::Hidden => "hidden".into(),
        }
    }

    fn object(&self, at: u64, what: &str) -> String {
        self.names.name(at).map_or_else(|| format!("{what} at {at:#x}"), str::to_owned)
    }

    fn endpoints(&mut self) {
        let mut users: BTreeMap<u64, BTreeMap<String, May>> = BTreeMap::new();
        for slot in self.model.slots.values() {
            if let Cap::Endpoint { at, send, receive, grant, grant_reply, .. } = slot.cap {
                let may = users.entry(at).or_default().entry(self.holder(slot.place)).or_default();
                may.send |= send;
                may.receive |= receive;
                may.call |= send && (grant || grant_reply);
            }
        }
        for (at, mut users) in users {
            let what = self.object(at, "endpoint");
            self.originals(at, &mut users, &what);
            for (from, may) in users.iter().filter(|(_, may)| may.send) {
                for (to, _) in users.iter().filter(|(_, may)| may.receive) {
                    self.add(from, to, Why::Message, &what);
                    self.add(to, from, if may.call { Why::Reply } else { Why::Taken }, &what);
                }
            }
            self.rivals(&users, &what);
        }
    }

    /// Root keeps the original of what it hands out. It waits at its own objects alone; over others' it has power.
    fn originals(&mut self, at: u64, users: &mut BTreeMap<String, May>, what: &str) {
        let names = self.names;
        let bound = names.root.threads.iter().filter_map(|at| self.model.threads[at].bound);
        let own = names.endpoints.first().copied().flatten().into_iter().chain(bound);
        if !own.into_iter().any(|own| own == at) && users.remove("root").is_some() {
            for other in users.keys() {
                self.both("root", other, Why::Power, what);
            }
        }
    }

    fn rivals(&mut self, users: &BTreeMap<String, May>, what: &str) {
        let receivers: Vec<&String> = users.iter().filter(|(_, may)| may.receive).map(|(name, _)| name).collect();
        for (i, a) in receivers.iter().enumerate() {
            for b in &receivers[i + 1..] {
                self.both(a, b, Why::Rival, what);
            }
        }
    }

    fn notifications(&mut self) {
        let mut users: BTreeMap<u64, BTreeMap<String, May>> = BTreeMap::new();
        for slot in self.model.slots.values() {
            if let Cap::Notification { at, send, receive, .. } = slot.cap {
                let may = users.entry(at).or_default().entry(self.holder(slot.place)).or_default();
                may.send |= send;
                may.receive |= receive;
            }
        }
        for (at, queue) in &self.model.notifications {
            if let Some(bound) = queue.bound {
                users.entry(*at).or_default().entry(self.party(bound)).or_default().receive = true;
            }
        }
        for (at, mut users) in users {
            let what = self.object(at, "notification");
            self.originals(at, &mut users, &what);
            for (from, _) in users.iter().filter(|(_, may)| may.send) {
                for (to, _) in users.iter().filter(|(_, may)| may.receive) {
                    let why = if from.starts_with("irq ") { Why::Interrupt } else { Why::Signal };
                    self.add(from, to, why, &what);
                }
            }
            self.rivals(&users, &what);
        }
    }

    /// Physical ranges that parties can write or read: what is mapped, and what a frame capability lets a PD map.
    fn memory(&mut self) {
        let mut views: Vec<(u64, u64, String, bool)> = Vec::new();
        for (at, space) in &self.model.spaces {
            let party = self.party(*at);
            let pages = space.pages.iter().map(|page| (page.paddr, page.paddr + page.bytes, party.clone(), page.write));
            views.extend(pages);
        }
        let mut devices: BTreeSet<(u64, u64)> = BTreeSet::new();
        for slot in self.model.slots.values() {
            let Cap::Frame { at, bytes, write, device, .. } = slot.cap else { continue };
            let holder = self.holder(slot.place);
            // Root maps nothing of others', but it could: that is in its power over their objects.
            if holder != "root" && matches!(slot.place, Place::CNode { .. }) {
                views.push((at, at + bytes, holder, write));
            }
            if device {
                devices.insert((at, at + bytes));
            }
        }
        for page in &self.model.device_pages {
            let device = format!("device {:#x}", page.device);
            views.push((page.paddr, page.paddr + 4096, device, page.write));
        }
        views.sort();
        for (i, (start, end, a, writes)) in views.iter().enumerate() {
            for (_, _, b, b_writes) in views[i + 1..].iter().take_while(|(from, ..)| from < end) {
                let what = "shared memory";
                if *writes {
                    self.add(a, b, Why::Memory, what);
                }
                if *b_writes {
                    self.add(b, a, Why::Memory, what);
                }
            }
            if devices.contains(&(*start, *end)) {
                let device = format!("memory at {:#x}", start & !0x1f_ffff);
                self.add(&device, a, Why::Device, "device or loaded memory");
                if *writes {
                    self.add(a, &device, Why::Device, "device or loaded memory");
                }
            }
        }
    }

    fn threads(&mut self) {
        for thread in self.model.threads.values().filter(|thread| !thread.idle) {
            let party = self.party(thread.at);
            if let Some(Cap::Reply { thread: caller, .. }) = thread.slots[CALLER] {
                let caller = self.party(caller);
                self.add(&party, &caller, Why::Reply, "a call that is being answered");
            }
            let cnode = thread.slots[CSPACE].as_ref().and_then(Cap::object);
            let handler =
                cnode.into_iter().flat_map(|at| self.model.cnode(at)).find(|(slot, _)| *slot == thread.fault_handler);
            if let Some((_, Cap::Endpoint { at, send: true, .. })) = handler {
                let (what, at) = (self.object(*at, "endpoint"), *at);
                let receivers: Vec<String> = self
                    .model
                    .slots
                    .values()
                    .filter(|slot| matches!(slot.cap, Cap::Endpoint { at: to, receive: true, .. } if to == at))
                    .map(|slot| self.holder(slot.place))
                    .collect();
                for receiver in receivers {
                    self.add(&party, &receiver, Why::Fault, &what);
                }
            }
        }
    }

    /// Devices, and power over others.
    fn held(&mut self) {
        let objects = self.owned(false);
        for (at, space) in &self.model.spaces {
            let party = self.party(*at);
            for page in &space.pages {
                let others = objects.range(page.paddr..page.paddr + page.bytes).flat_map(|(_, owners)| owners);
                for other in others.collect::<BTreeSet<_>>() {
                    self.both(&party, other, Why::Power, "a page over kernel objects");
                }
            }
        }
        let owned = self.owned(true);
        for slot in self.model.slots.values() {
            let holder = self.holder(slot.place);
            if let Place::Thread { .. } = slot.place {
                // A thread's own slots: its CSpace, address space and buffer are itself, answers are told above.
                continue;
            }
            let range = match slot.cap {
                Cap::Ports { first, last } => {
                    self.both(&holder, &format!("ports {first:#x}-{last:#x}"), Why::Ports, "I/O ports");
                    continue;
                }
                Cap::IrqHandler { irq } => {
                    self.both(&holder, &format!("irq {irq}"), Why::Interrupt, "interrupt");
                    continue;
                }
                Cap::Reply { thread, .. } => {
                    let caller = self.party(thread);
                    self.add(&holder, &caller, Why::Reply, "a kept reply");
                    continue;
                }
                Cap::IoSpace { device, .. } | Cap::IoTable { device, .. } => {
                    self.both(&holder, &format!("device {device:#x}"), Why::Power, "IO page tables");
                    continue;
                }
                Cap::IrqControl | Cap::AsidControl | Cap::Zombie { .. } | Cap::Other(_) => {
                    self.both(&holder, "everything", Why::Power, slot.cap.kind());
                    continue;
                }
                Cap::Untyped { at, bits, .. } => (at, at + (1 << bits)),
                Cap::CNode { at, .. } | Cap::Thread { at } | Cap::Table { at, .. } => (at, at + 1),
                // A root's original of a frame, for what it can map.
                Cap::Frame { at, bytes, .. } if holder == "root" => (at, at + bytes),
                _ => continue,
            };
            let others: BTreeSet<&String> = owned.range(range.0..range.1).flat_map(|(_, owners)| owners).collect();
            for other in others {
                self.both(&holder, other, Why::Power, slot.cap.kind());
            }
        }
    }

    /// Whose the kernel objects at each address are, and the mapped memory, if asked for.
    fn owned(&self, memory: bool) -> BTreeMap<u64, BTreeSet<String>> {
        let mut owned: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
        let mut add = |at: u64, party: &str| {
            owned.entry(at).or_default().insert(party.to_owned());
        };
        for (at, space) in &self.model.spaces {
            let party = self.party(*at);
            add(*at, &party);
            space.tables.iter().for_each(|(_, table)| add(*table, &party));
            space.pages.iter().filter(|_| memory).for_each(|page| add(page.paddr, &party));
        }
        for thread in self.model.threads.values().filter(|thread| !thread.idle) {
            add(thread.at, &self.party(thread.at));
        }
        for at in self.model.cnodes.keys() {
            add(*at, &self.holder(Place::CNode { at: *at, index: 0 }));
        }
        owned
    }
}

#[cfg(test)]
mod tests;
