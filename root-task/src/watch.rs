//! Notices a PD that keeps core 0 to itself, and puts it below its neighbours. Also root's alarm while the clock is dead.
//!
//! This kernel has no CPU budgets. A sentinel thread of root's runs below the servers and above llama: when it gets no
//! time for as many ticks in a row as make up the layout's limit, some server spins. (Ticks that root saw, not time: a
//! machine under a busy hypervisor loses time without anyone spinning.) Root then lowers one server after the other, a tick
//! each, until the sentinel runs again; the one that did it stays lowered until it is started anew. Trusted ones come
//! last, and who sends the ticks is never lowered: below a spinner it would send none, and nobody would be found.

use core::sync::atomic::{AtomicU64, Ordering};

use alloc::vec::Vec;

use sel4::{arch::VSpace, CNode, CPtr, CapData, CapRights, Notification, PrioProps, Tcb};
use spec::{Object, Pd, System, Trust};

use crate::{
    arch,
    shared::Shared,
    domain::Domain,
    kernel::{self, Kind},
    memory::Memory,
    root_space,
    slots::Slot,
    Failure,
};

const STACK: usize = 4096;
/// Slots of the sentinel's own CSpace, which holds nothing else: what it waits on, and root's notification.
const SENTINEL_SLOT: u64 = 1;
const ROOT_SLOT: u64 = 2;
const SENTINEL_CNODE_BITS: u8 = 2;

#[repr(align(16))]
struct Stack(#[allow(dead_code)] [u8; STACK]);
static mut SENTINEL_STACK: Stack = Stack([0; STACK]);
/// Counts the sentinel's turns.
static TURNS: AtomicU64 = AtomicU64::new(0);
/// The counter's value at which the sentinel wakes root; 0 if it need not.
static ALARM: AtomicU64 = AtomicU64::new(0);

pub struct Watch {
    tcb: Tcb,
    /// Wakes the sentinel.
    bell: Slot,
    /// Ticks without a turn of the sentinel that are one too many.
    limit: u64,
    turns: u64,
    missed: u64,
    low: u8,
    /// Who may be the one, the likeliest first.
    candidates: Vec<usize>,
    /// Index into `candidates`.
    suspect: Option<usize>,
}

/// What a look at the sentinel found.
pub enum Verdict {
    Quiet,
    /// This PD is the one that spins; it has been put below the others.
    Lowered(usize),
}

extern "C" fn sentinel() -> ! {
    loop {
        Notification(SENTINEL_SLOT).wait();
        TURNS.fetch_add(1, Ordering::Relaxed);
        let alarm = ALARM.load(Ordering::Relaxed);
        if alarm != 0 {
            // Root has lowered this thread to llama's priority meanwhile, so that the two take turns.
            while arch::counter() < alarm {
                sel4::yield_now();
            }
            ALARM.store(0, Ordering::Relaxed);
            Notification(ROOT_SLOT).signal();
        }
    }
}

impl Watch {
    pub fn start(system: &System, shared: &Shared, memory: &mut Memory) -> Result<Watch, Failure> {
        let priorities = || system.pds.iter().flat_map(|pd| &pd.threads).map(|thread| thread.priority);
        let low = priorities().min().unwrap_or(1);
        let objects = memory.objects(&[Kind::Tcb, Kind::CNode(SENTINEL_CNODE_BITS), Kind::Notification])?;
        let [tcb, cnode, bell] = objects.slots[..] else { return Err(Failure::Specification("three objects")) };
        kernel::mint_into(bell, cnode, SENTINEL_CNODE_BITS, SENTINEL_SLOT, CapRights::READ, CapData::NONE)?;
        let own = shared.object(Object::Notification(system.root.notification))?;
        let tick = kernel::badge(system.root.tick_bit);
        kernel::mint_into(own, cnode, SENTINEL_CNODE_BITS, ROOT_SLOT, CapRights::WRITE, tick)?;
        let tcb = Tcb(tcb);
        tcb.configure(
            0,
            PrioProps::fixed(low + 1),
            CNode(cnode),
            CapData::skip_guard(SENTINEL_CNODE_BITS),
            VSpace(root_space::VSPACE),
            CapData::NONE,
            0,
            CPtr::NULL,
        )
        .map_err(kernel::refused("configure the sentinel"))?;
        let top = &raw const SENTINEL_STACK as u64 + STACK as u64;
        arch::start_at(tcb, sentinel as *const () as u64, top).map_err(kernel::refused("start the sentinel"))?;
        let limit = (system.root.spin_limit_us / system.root.tick_us.max(1)).max(2);
        let candidates = candidates(system, low);
        Ok(Watch { tcb, bell, limit, turns: 0, missed: 0, low, candidates, suspect: None })
    }

    /// Sends root a tick at this value of the counter, for when the clock cannot.
    pub fn alarm(&self, counter: u64) {
        ALARM.store(counter.max(1), Ordering::Relaxed);
        let _ = self.tcb.set_priority(self.low);
        Notification(self.bell).signal();
    }

    /// Called with every tick.
    pub fn look<'a>(&mut self, system: &System, domain: impl Fn(usize) -> Option<&'a Domain>) -> Verdict {
        let _ = self.tcb.set_priority(self.low + 1);
        let turns = TURNS.load(Ordering::Relaxed);
        let ran = turns != self.turns;
        self.turns = turns;
        Notification(self.bell).signal();
        if ran {
            self.missed = 0;
            return match self.suspect.take() {
                Some(at) => Verdict::Lowered(self.candidates[at]),
                None => Verdict::Quiet,
            };
        }
        self.missed += 1;
        if self.missed < self.limit {
            return Verdict::Quiet;
        }
        // The suspect before was not it: it gets its place back, the next one is lowered.
        let next = match self.suspect {
            Some(at) => {
                let pd = self.candidates[at];
                self.give_back(pd, system, domain(pd));
                at + 1
            }
            None => 0,
        };
        self.suspect = (next..self.candidates.len()).find(|&at| {
            domain(self.candidates[at]).is_some_and(|domain| domain.tcb(0).set_priority(self.low).is_ok())
        });
        Verdict::Quiet
    }

    fn give_back(&self, pd: usize, system: &System, domain: Option<&Domain>) {
        if let Some(domain) = domain {
            let _ = domain.tcb(0).set_priority(system.pds[pd].threads[0].priority);
        }
    }
}

fn candidates(system: &System, low: u8) -> Vec<usize> {
    let root = Object::Notification(system.root.notification);
    let sends_ticks = |pd: &Pd| pd.caps.iter().any(|cap| cap.object == root && cap.badge & system.root.tick_bit != 0);
    let lowers = |pd: &Pd| pd.threads.iter().any(|thread| thread.priority > low && thread.core == 0);
    let of = |trusted: bool| {
        let kind = move |pd: &Pd| (pd.trust == Trust::Trusted) == trusted;
        system.pds.iter().enumerate().filter(move |(_, pd)| kind(pd) && lowers(pd) && !sends_ticks(pd)).map(|(i, _)| i)
    };
    of(false).chain(of(true)).collect()
}
