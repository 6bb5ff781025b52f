//! From the kernel's own variables to every object and capability.
//!
//! The seeds are what the kernel itself starts from: the current, idle and next thread of each core, the ready queues,
//! the slots of interrupts, the table of address spaces, the IOMMU's root table. From there everything is closed over:
//! slots of CNodes, a thread's own slots, those who wait at endpoints and notifications, threads bound to them. Last,
//! the lists of derivations are followed from every capability: a neighbour that lies in no CNode or thread found so
//! far is a capability that was hidden.

mod caps;
mod devices;
mod pages;

use crate::{
    difference::{Difference, Kind},
    formats::{Formats, SLOT, TCB_OFFSET},
    memory::{physical, Memory},
    model::{Cap, Model, Place, Queue, Slot, State, Thread, THREAD_SLOTS},
    Result,
};
use std::collections::BTreeSet;

/// More threads than any queue has: a longer one runs in a circle.
const LONGEST_QUEUE: usize = 4096;
/// A CNode with more slots than this is nonsense.
const LARGEST_RADIX: u64 = 22;

/// Something whose inside is still to be looked at.
#[derive(Clone, Copy, Debug)]
enum Open {
    CNode { at: u64, radix: u64 },
    Thread { at: u64 },
    Endpoint { at: u64 },
    Notification { at: u64 },
    Space { at: u64, asid: Option<u64> },
    Pool { at: u64, base: u64 },
}

struct Walk<'m, 's> {
    memory: &'m Memory<'s>,
    formats: &'m Formats,
    model: Model,
    open: Vec<Open>,
    idle: BTreeSet<u64>,
    /// Cores that run.
    started: u64,
}

/// Makes the model of what is in memory.
pub fn walk(memory: &Memory, formats: &Formats) -> Result<Model> {
    let started = memory.word(physical(formats.symbol("ksNumCPUs")?)?)?;
    let mut walk = Walk { memory, formats, model: Model::default(), open: Vec::new(), idle: BTreeSet::new(), started };
    walk.model.kernel_memory.push(formats.image);
    // Slots and structure together are one object, a power of two.
    walk.model.thread_bytes = (TCB_OFFSET + formats.tcb.bytes).next_power_of_two();
    walk.model.kernel_space = physical(formats.symbol("x64KSGlobalPML4")?)?;
    walk.kernel_code()?;
    walk.kernel_tables()?;
    walk.port_maps()?;
    walk.cores()?;
    walk.irqs()?;
    walk.address_spaces()?;
    walk.iommu()?;
    walk.close();
    walk.chains();
    Ok(walk.model)
}

impl Walk<'_, '_> {
    fn odd(&mut self, kind: Kind, sentence: impl Into<String>) {
        self.model.oddities.push(Difference::new(kind, sentence));
    }

    /// What cannot be read is noted, and the walk goes on elsewhere.
    fn sound<T>(&mut self, result: Result<T>) -> Option<T> {
        result.map_err(|error| self.odd(Kind::Broken, error.to_string())).ok()
    }

    /// The kernel that runs is the one whose formats are used here.
    fn kernel_code(&mut self) -> Result<()> {
        for constant in &self.formats.constants {
            let there = self.memory.bytes(physical(constant.vaddr)?, constant.bytes.len() as u64)?;
            if let Some(at) = (0..there.len()).find(|i| there[*i] != constant.bytes[*i]) {
                let at = constant.vaddr + at as u64;
                self.odd(Kind::KernelCode, format!("the kernel's code or constants at {at:#x} are not its file's"));
            }
        }
        Ok(())
    }

    fn pointer(&self, at: u64) -> Result<Option<u64>> {
        match self.memory.word(physical(at)?)? {
            0 => Ok(None),
            address => physical(address).map(Some),
        }
    }

    fn cores(&mut self) -> Result<()> {
        for core in &self.formats.cores {
            if let Some(idle) = self.pointer(core.idle)? {
                self.idle.insert(idle);
                self.open.push(Open::Thread { at: idle });
            }
            let current = self.pointer(core.current)?;
            // 0 and all ones say what to do, anything else is a thread.
            let action = match self.memory.word(physical(core.action)?)? {
                0 | u64::MAX => None,
                thread => Some(physical(thread)?),
            };
            let mut threads: Vec<u64> = current.into_iter().chain(action).collect();
            let heads = self.memory.words(physical(core.queues)?, core.queue_count * 2)?;
            for head in heads.iter().step_by(2).filter(|head| **head != 0) {
                let queue = self.queue(*head, self.formats.tcb.scheduler_next);
                threads.extend(self.sound(queue).unwrap_or_default());
            }
            self.open.extend(threads.into_iter().map(|at| Open::Thread { at }));
        }
        Ok(())
    }

    /// Threads from the one at `head` on; `next` is the offset of the pointer to the one after.
    fn queue(&self, head: u64, next: u64) -> Result<Vec<u64>> {
        let mut threads = Vec::new();
        let mut at = head;
        while at != 0 {
            let thread = physical(at)?;
            threads.push(thread);
            if threads.len() > LONGEST_QUEUE {
                return Err(crate::Error::new(format!("the queue from {head:#x} on has no end")));
            }
            at = self.memory.word(thread + next)?;
        }
        Ok(threads)
    }

    fn address_spaces(&mut self) -> Result<()> {
        let table = self.formats.symbol("x86KSASIDTable")?;
        let pools = self.formats.elements("x86KSASIDTable", 8)?;
        let size = self.formats.size("asid_pool")?;
        for index in 0..pools {
            if let Some(at) = self.pointer(table + index * 8)? {
                self.open.push(Open::Pool { at, base: index * size / 8 });
            }
        }
        Ok(())
    }

    /// Looks into everything that is open until nothing is.
    fn close(&mut self) {
        while let Some(open) = self.open.pop() {
            let looked = match open {
                Open::CNode { at, radix } => self.cnode(at, radix),
                Open::Thread { at } => self.thread(at),
                Open::Endpoint { at } => self.endpoint(at),
                Open::Notification { at } => self.notification(at),
                Open::Pool { at, base } => self.pool(at, base),
                Open::Space { at, asid } => {
                    self.space(at, asid);
                    Ok(())
                }
            };
            self.sound(looked);
        }
    }

    fn pool(&mut self, at: u64, base: u64) -> Result<()> {
        if self.model.asid_pools.insert(at, base).is_some() {
            return Ok(());
        }
        let words = self.memory.words(at, self.formats.size("asid_pool")? / 8)?;
        for (index, word) in words.into_iter().enumerate().filter(|(_, word)| *word != 0) {
            if self.formats.get("asid_map_none", "type", &[word])? == self.tag("asid_map", "asid_map_vspace")? {
                let root = physical(self.formats.get("asid_map_vspace", "vspace_root", &[word])?)?;
                self.open.push(Open::Space { at: root, asid: Some(base + index as u64) });
            }
        }
        Ok(())
    }

    fn tag(&self, union: &str, block: &str) -> Result<u64> {
        let tags = &self.formats.bits.union(union)?.tags;
        let tag = tags.iter().find(|(name, _)| name == block).map(|(_, tag)| *tag);
        tag.ok_or_else(|| crate::Error::new(format!("the kernel's {union} has no {block}")))
    }

    fn cnode(&mut self, at: u64, radix: u64) -> Result<()> {
        if radix > LARGEST_RADIX {
            return Err(crate::Error::new(format!("a CNode of 2^{radix} slots at {at:#x}")));
        }
        if let Some(known) = self.model.cnodes.insert(at, radix) {
            if known != radix {
                self.odd(Kind::Broken, format!("the CNode at {at:#x} has 2^{known} slots and 2^{radix}"));
            }
            return Ok(());
        }
        let words = self.memory.words(at, (SLOT / 8) << radix)?;
        for (index, slot) in words.chunks_exact((SLOT / 8) as usize).enumerate() {
            let index = index as u64;
            self.found(at + index * SLOT, Place::CNode { at, index }, slot);
        }
        Ok(())
    }

    /// Notes a slot that holds something, and opens what its capability leads to.
    fn found(&mut self, address: u64, place: Place, words: &[u64]) {
        if words.iter().all(|word| *word == 0) {
            return;
        }
        let cap = caps::decode(self.formats, &words[..2]);
        let Some(Some(cap)) = self.sound(cap) else { return };
        let neighbour = |field: &str| match self.formats.get("mdb_node", field, &words[2..])? {
            0 => Ok(None),
            address => physical(address).map(Some),
        };
        let (previous, next) = (neighbour("mdbPrev"), neighbour("mdbNext"));
        let (previous, next) = (self.sound(previous).flatten(), self.sound(next).flatten());
        self.open.extend(match cap {
            Cap::CNode { at, radix, .. } => Some(Open::CNode { at, radix }),
            Cap::Thread { at } | Cap::Reply { thread: at, .. } => Some(Open::Thread { at }),
            Cap::Endpoint { at, .. } => Some(Open::Endpoint { at }),
            Cap::Notification { at, .. } => Some(Open::Notification { at }),
            Cap::AsidPool { at, base } => Some(Open::Pool { at, base }),
            Cap::Table { level: 3, at, .. } => Some(Open::Space { at, asid: None }),
            _ => None,
        });
        self.model.slots.insert(address, Slot { place, cap, previous, next });
    }

    fn thread(&mut self, at: u64) -> Result<()> {
        if self.model.threads.contains_key(&at) {
            return Ok(());
        }
        let fields = self.formats.tcb;
        let base = at - TCB_OFFSET.min(at);
        let words = self.memory.words(base, (TCB_OFFSET + fields.bytes.next_multiple_of(8)) / 8)?;
        let slots = std::array::from_fn(|slot| {
            let from = slot * (SLOT / 8) as usize;
            let words = &words[from..from + (SLOT / 8) as usize];
            self.found(base + slot as u64 * SLOT, Place::Thread { at, slot }, words);
            let cap = caps::decode(self.formats, &words[..2]);
            cap.ok().flatten()
        });
        let word = |offset: u64| words[((TCB_OFFSET + offset) / 8) as usize];
        let small = |(offset, bytes): (u64, u64)| {
            let word = word(offset / 8 * 8) >> (offset % 8 * 8);
            if bytes < 8 {
                word & ((1 << (bytes * 8)) - 1)
            } else {
                word
            }
        };
        let bound = match word(fields.bound) {
            0 => None,
            address => Some(physical(address)?),
        };
        let state = [word(fields.state), word(fields.state + 8), word(fields.state + 16)];
        let state = self.state(&state)?;
        self.open.extend(match state {
            State::Receives { endpoint: at } | State::Sends { endpoint: at } => Some(Open::Endpoint { at }),
            State::Waits { notification: at } => Some(Open::Notification { at }),
            _ => None,
        });
        self.open.extend(bound.map(|at| Open::Notification { at }));
        let thread = Thread {
            at,
            slots,
            bound,
            state,
            fault_handler: word(fields.fault_handler),
            ipc_buffer: word(fields.ipc_buffer),
            priority: small(fields.priority),
            controlled: small(fields.controlled),
            domain: small(fields.domain),
            core: fields.affinity.map_or(0, word),
            flags: word(fields.flags),
            idle: self.idle.contains(&at),
        };
        if thread.idle {
            self.model.kernel_memory.push((base, base + self.model.thread_bytes));
        }
        self.model.threads.insert(at, thread);
        Ok(())
    }

    fn state(&self, words: &[u64]) -> Result<State> {
        let get = |field: &str| self.formats.get("thread_state", field, words);
        let kind = get("tsType")?;
        let is = |name: &str| self.formats.enumerator(name).is_ok_and(|value| value == kind);
        let object = || physical(get("blockingObject")?);
        Ok(if is("ThreadState_BlockedOnReceive") {
            State::Receives { endpoint: object()? }
        } else if is("ThreadState_BlockedOnSend") {
            State::Sends { endpoint: object()? }
        } else if is("ThreadState_BlockedOnNotification") {
            State::Waits { notification: object()? }
        } else if is("ThreadState_BlockedOnReply") {
            State::AwaitsReply
        } else if is("ThreadState_Inactive") {
            State::Inactive
        } else if ["ThreadState_Running", "ThreadState_Restart", "ThreadState_IdleThreadState"].into_iter().any(is) {
            State::Runs
        } else {
            State::Unknown(kind)
        })
    }

    fn endpoint(&mut self, at: u64) -> Result<()> {
        if self.model.endpoints.contains_key(&at) {
            return Ok(());
        }
        let words = self.memory.words(at, self.formats.bits.block("endpoint")?.words as u64)?;
        let head = self.formats.get("endpoint", "epQueue_head", &words)?;
        let threads = self.queue(head, self.formats.tcb.queue_next)?;
        self.open.extend(threads.iter().map(|at| Open::Thread { at: *at }));
        self.model.endpoints.insert(at, Queue { threads, bound: None });
        Ok(())
    }

    fn notification(&mut self, at: u64) -> Result<()> {
        if self.model.notifications.contains_key(&at) {
            return Ok(());
        }
        let words = self.memory.words(at, self.formats.bits.block("notification")?.words as u64)?;
        let get = |field: &str| self.formats.get("notification", field, &words);
        let threads = self.queue(get("ntfnQueue_head")?, self.formats.tcb.queue_next)?;
        let bound = match get("ntfnBoundTCB")? {
            0 => None,
            address => Some(physical(address)?),
        };
        self.open.extend(threads.iter().copied().chain(bound).map(|at| Open::Thread { at }));
        self.model.notifications.insert(at, Queue { threads, bound });
        Ok(())
    }

    /// Follows the lists of derivations. They are whole, and lead nowhere but to slots that are known.
    fn chains(&mut self) {
        let mut looked: BTreeSet<u64> = BTreeSet::new();
        loop {
            let addresses: Vec<u64> = self.model.slots.keys().copied().filter(|at| looked.insert(*at)).collect();
            if addresses.is_empty() {
                return;
            }
            for address in addresses {
                let slot = self.model.slots[&address].clone();
                for (neighbour, forward) in [(slot.next, true), (slot.previous, false)] {
                    let Some(neighbour) = neighbour else { continue };
                    if !self.model.slots.contains_key(&neighbour) {
                        self.hidden(address, neighbour);
                    }
                    let Some(other) = self.model.slots.get(&neighbour) else { continue };
                    let back = if forward { other.previous } else { other.next };
                    if back != Some(address) {
                        let sentence =
                            format!("the slots at {address:#x} and {neighbour:#x} are neighbours for one of them only");
                        self.odd(Kind::Broken, sentence);
                    }
                }
            }
            // What was hidden may lead to more.
            self.close();
        }
    }

    fn hidden(&mut self, from: u64, address: u64) {
        let words = self.memory.words(address, SLOT / 8);
        let Some(words) = self.sound(words) else { return };
        self.found(address, Place::Hidden, &words);
        match self.model.slots.get(&address) {
            Some(slot) => {
                let sentence = format!("{} lies at {address:#x}, in a place that no capability leads to", slot.cap);
                self.odd(Kind::Hidden, sentence);
            }
            None => self.odd(Kind::Broken, format!("the slot at {from:#x} has an empty neighbour at {address:#x}")),
        }
    }
}

const _: () = assert!(THREAD_SLOTS as u64 * SLOT <= TCB_OFFSET);
