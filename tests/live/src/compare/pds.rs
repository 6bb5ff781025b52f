//! A PD's capabilities and threads.

use super::{recognise::thread_with, Compare};
use crate::{
    difference::Kind,
    expected::{Cap as Wanted, Object, Pd},
    model::{Cap, State, Thread, BUFFER, CALLER, CSPACE, REPLY, VSPACE},
};

/// Bits of an address in a CSpace.
const WORD_BITS: u64 = 64;

impl Compare<'_, '_> {
    pub(super) fn pd(&mut self, index: usize) {
        let expected = self.expected;
        let pd = &expected.pds[index];
        let found = self.names.pds[index].clone();
        match found.cnode {
            Some(cnode) => self.caps(pd, cnode),
            None => self.differ(Kind::CapMissing, format!("no CNode is like that of {}", pd.name)),
        }
        for wanted in &pd.threads {
            let thread = thread_with(self.model, &found, wanted.ipc_buffer).cloned();
            let Some(thread) = thread else {
                let sentence = format!("{} has no thread with an IPC buffer at {:#x}", pd.name, wanted.ipc_buffer);
                self.differ(Kind::Threads, sentence);
                continue;
            };
            self.thread(pd, index, wanted, &thread);
        }
        if found.threads.len() > pd.threads.len() {
            let (has, should) = (found.threads.len(), pd.threads.len());
            self.differ(Kind::Threads, format!("{} has {has} threads, and should have {should}", pd.name));
        }
    }

    fn caps(&mut self, pd: &Pd, cnode: u64) {
        let model = self.model;
        let radix = model.cnodes[&cnode];
        if radix != pd.cnode_bits {
            let (name, bits) = (&pd.name, pd.cnode_bits);
            self.differ(Kind::CNodeShape, format!("the CNode of {name} has 2^{radix} slots, and should have 2^{bits}"));
        }
        let mut seen = Vec::new();
        for (slot, cap) in model.cnode(cnode) {
            let who = format!("{}, slot {slot}", pd.name);
            seen.push(slot);
            match pd.caps.get(&slot) {
                Some(wanted) => self.cap(&who, wanted, cap),
                None => {
                    let held = self.held(cap);
                    self.differ(Kind::CapExtra, format!("{who}: holds {held}, and should be empty"));
                }
            }
        }
        for (slot, wanted) in pd.caps.iter().filter(|(slot, _)| !seen.contains(slot)) {
            let wanted = self.wanted(wanted.object);
            self.differ(Kind::CapMissing, format!("{}, slot {slot}: is empty, and should hold {wanted}", pd.name));
        }
    }

    fn cap(&mut self, who: &str, wanted: &Wanted, cap: &Cap) {
        let (held, should) = (self.held(cap), self.wanted(wanted.object));
        let place = |list: &[Option<u64>], i: usize| list.get(i).copied().flatten();
        let rights = |send: bool, receive: bool, grant: bool, grant_reply: bool| {
            let all = [(receive, "Read"), (send, "Write"), (grant, "Grant"), (grant_reply, "GrantReply")];
            let named: Vec<&str> = all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name).collect();
            if named.is_empty() {
                "none".to_owned()
            } else {
                named.join(", ")
            }
        };
        // Object, badge and rights of what is there.
        let (object, badge, has) = match (wanted.object, cap) {
            (Object::Endpoint(i), Cap::Endpoint { at, badge, send, receive, grant, grant_reply }) => {
                (Some(*at) == place(&self.names.endpoints, i), *badge, (*send, *receive, *grant, *grant_reply))
            }
            (Object::Notification(i), Cap::Notification { at, badge, send, receive }) => {
                (Some(*at) == place(&self.names.notifications, i), *badge, (*send, *receive, false, false))
            }
            (Object::Irq(i), Cap::IrqHandler { irq }) => {
                let number = self.expected.irqs[i].number;
                if *irq != number {
                    let sentence = format!("{who}: holds interrupt {irq}, and should hold {should}, {number}");
                    self.differ(Kind::CapObject, sentence);
                }
                return;
            }
            (Object::Ports(i), Cap::Ports { first, last }) => {
                let range = &self.expected.ports[i];
                if (*first, *last) != (range.first, range.last) {
                    let sentence = format!(
                        "{who}: holds {held}, and should hold {should}, {:#x} to {:#x}",
                        range.first, range.last
                    );
                    self.differ(Kind::CapObject, sentence);
                }
                return;
            }
            _ => return self.differ(Kind::CapKind, format!("{who}: holds {held}, and should hold {should}")),
        };
        if !object {
            self.differ(Kind::CapObject, format!("{who}: holds {held}, and should hold {should}"));
        }
        if badge != wanted.badge {
            let sentence = format!("{who}: {should} has the badge {badge:#x}, and should have {:#x}", wanted.badge);
            self.differ(Kind::Badge, sentence);
        }
        // A notification knows no reply.
        let reply = wanted.grant_reply && matches!(wanted.object, Object::Endpoint(_));
        let may = (wanted.send, wanted.receive, false, reply);
        if has != may {
            let (has, may) = (rights(has.0, has.1, has.2, has.3), rights(may.0, may.1, may.2, may.3));
            self.differ(Kind::Rights, format!("{who}: {should} has the rights {has}, and should have {may}"));
        }
    }

    fn thread(&mut self, pd: &Pd, index: usize, wanted: &crate::expected::Thread, thread: &Thread) {
        let found = self.names.pds[index].clone();
        let who = format!("the thread of {} with the IPC buffer at {:#x}", pd.name, wanted.ipc_buffer);
        let first = pd.threads.first().is_some_and(|first| first.ipc_buffer == wanted.ipc_buffer);
        match &thread.slots[CSPACE] {
            Some(Cap::CNode { at, radix, guard, guard_bits }) if Some(*at) == found.cnode => {
                if (*radix + *guard_bits, *guard) != (WORD_BITS, 0) {
                    let sentence = format!("{who}: its slots have other addresses than their numbers");
                    self.differ(Kind::CNodeShape, sentence);
                }
            }
            other => {
                let held = other.as_ref().map_or("nothing".into(), |cap| self.held(cap));
                self.differ(Kind::CSpace, format!("{who}: its CSpace is {held}, and should be its PD's CNode"));
            }
        }
        if thread.slots[VSPACE].as_ref().and_then(Cap::object) != found.space || found.space.is_none() {
            let held = thread.slots[VSPACE].as_ref().map_or("nothing".into(), |cap| self.held(cap));
            self.differ(Kind::VSpace, format!("{who}: it runs in {held}, and should run in its PD's address space"));
        }
        let page = found.space.and_then(|at| self.model.spaces[&at].page_at(wanted.ipc_buffer));
        if thread.slots[BUFFER].as_ref().and_then(Cap::object) != page.map(|page| page.paddr) {
            let held = thread.slots[BUFFER].as_ref().map_or("nothing".into(), |cap| self.held(cap));
            self.differ(
                Kind::IpcBuffer,
                format!("{who}: the kernel has {held} for it, and should have the page there"),
            );
        }
        let lowest = self.expected.pds.iter().flat_map(|pd| &pd.threads).map(|thread| thread.priority).min();
        let lowered = self.rules.lowered && Some(thread.priority) == lowest;
        if thread.priority != wanted.priority && !lowered {
            let (has, should) = (thread.priority, wanted.priority);
            self.differ(Kind::Priority, format!("{who}: has priority {has}, and should have {should}"));
        }
        let checks = [
            (Kind::FaultHandler, "sends its faults to slot", thread.fault_handler, wanted.fault_slot),
            (Kind::ControlledPriority, "may give priorities up to", thread.controlled, 0),
            (Kind::Core, "runs on core", thread.core, wanted.core),
            (Kind::Domain, "is in the kernel's time domain", thread.domain, 0),
        ];
        for (kind, what, has, should) in checks {
            if has != should {
                self.differ(kind, format!("{who}: {what} {has}, and should be {should}"));
            }
        }
        let bound = if first { pd.notification.and_then(|i| self.names.notifications[i]) } else { None };
        if thread.bound != bound {
            let name = |at: Option<u64>| match at {
                Some(at) => self.names.name(at).map_or_else(|| format!("something at {at:#x}"), str::to_owned),
                None => "nothing".into(),
            };
            let (has, should) = (name(thread.bound), name(bound));
            self.differ(Kind::BoundNotification, format!("{who}: hears {has}, and should hear {should}"));
        }
        self.replies(&who, thread);
    }

    /// The slots that the kernel uses for answers hold nothing but answers to those who may call.
    pub(super) fn replies(&mut self, who: &str, thread: &Thread) {
        match &thread.slots[REPLY] {
            None => {}
            Some(Cap::Reply { thread: to, master: true, .. }) if *to == thread.at => {}
            Some(other) => {
                let held = self.held(other);
                self.differ(Kind::Reply, format!("{who}: {held} lies where its own reply capability should lie"));
            }
        }
        match &thread.slots[CALLER] {
            None => {}
            Some(Cap::Reply { thread: caller, master: false, grant: false }) if self.may_call(*caller, thread.at) => {}
            Some(other) => {
                let held = self.held(other);
                self.differ(Kind::Reply, format!("{who}: may answer with {held}, and nobody there can have called it"));
            }
        }
    }

    /// Whether the specification has an endpoint on which one thread's PD calls the other's.
    fn may_call(&self, caller: u64, server: u64) -> bool {
        let holders =
            |thread: u64| self.expected.pds.iter().zip(&self.names.pds).find(|(_, f)| f.threads.contains(&thread));
        let Some((caller, _)) = holders(caller) else { return false };
        let calls = caller.caps.values().filter(|cap| cap.send && cap.grant_reply).map(|cap| cap.object);
        let mut calls = calls.filter(|object| matches!(object, Object::Endpoint(_)));
        match holders(server) {
            Some((server, _)) => calls.any(|o| server.caps.values().any(|cap| cap.object == o && cap.receive)),
            None => self.names.root.threads.contains(&server) && calls.any(|object| object == Object::Endpoint(0)),
        }
    }

    /// Whoever waits at an endpoint or notification holds the right to.
    pub(super) fn queues(&mut self) {
        let model = self.model;
        let endpoints = model.endpoints.iter().map(|(at, queue)| (*at, queue, true));
        let notifications = model.notifications.iter().map(|(at, queue)| (*at, queue, false));
        for (at, queue, is_endpoint) in endpoints.chain(notifications) {
            for waiting in &queue.threads {
                let Some(thread) = model.threads.get(waiting) else { continue };
                let sends = matches!(thread.state, State::Sends { .. });
                let here = [
                    State::Sends { endpoint: at },
                    State::Receives { endpoint: at },
                    State::Waits { notification: at },
                ];
                let cnode = thread.slots[CSPACE].as_ref().and_then(Cap::object);
                let holds = cnode.into_iter().flat_map(|cnode| model.cnode(cnode)).any(|(_, cap)| match cap {
                    Cap::Endpoint { at: to, send, receive, .. } if is_endpoint => {
                        *to == at && if sends { *send } else { *receive }
                    }
                    Cap::Notification { at: to, receive, .. } if !is_endpoint => *to == at && *receive,
                    _ => false,
                });
                if !holds || !here.contains(&thread.state) {
                    let (who, name) =
                        (self.names.thread(*waiting), self.names.name(at).unwrap_or("an object").to_owned());
                    self.differ(Kind::Queue, format!("{who} waits at {name}, and may not"));
                }
            }
            if let Some(bound) = queue.bound {
                if model.threads.get(&bound).is_none_or(|thread| thread.bound != Some(at)) {
                    let (who, name) = (self.names.thread(bound), self.names.name(at).unwrap_or("an object").to_owned());
                    self.differ(Kind::Queue, format!("{name} is bound to {who}, which knows nothing of it"));
                }
            }
        }
    }
}
