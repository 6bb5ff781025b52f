//! Who is who: the specification's names for the addresses that were found.

use crate::{
    expected::{Cap as WantedCap, Expected, Frame, Named, Object, Pd},
    model::{Cap, Model, Place, Space, Thread, BUFFER, CSPACE, VSPACE},
    Error, Result,
};
use std::collections::{BTreeMap, HashMap};

/// Root's first slots, as the kernel fills them at boot (`seL4_Cap...`).
pub const ROOT_THREAD: u64 = 1;
pub const ROOT_CNODE: u64 = 2;
pub const ROOT_SPACE: u64 = 3;

/// Less alike than this is not taken for the same.
const ALIKE: f64 = 0.4;

/// A PD as it was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    pub cnode: Option<u64>,
    pub space: Option<u64>,
    pub threads: Vec<u64>,
}

#[derive(Clone, Debug, Default)]
pub struct Names {
    pub root: Found,
    /// In the specification's order.
    pub pds: Vec<Found>,
    pub endpoints: Vec<Option<u64>>,
    pub notifications: Vec<Option<u64>>,
    /// Address of each page of each memory.
    pub frames: Vec<Vec<Option<u64>>>,
    /// Threads beside root's own in root's address space.
    pub helpers: Vec<u64>,
    parties: BTreeMap<u64, String>,
    objects: BTreeMap<u64, String>,
}

impl Names {
    pub fn recognise(model: &Model, expected: &Expected) -> Result<Names> {
        let mut names = Names { root: root(model)?, ..Names::default() };
        let (root_cnode, root_space) = (names.root.cnode, names.root.space);
        let cnodes: Vec<u64> = model.cnodes.keys().copied().filter(|at| Some(*at) != root_cnode).collect();
        let spaces: Vec<u64> = model.spaces.keys().copied().filter(|at| Some(*at) != root_space).collect();
        let cnodes = best(&cnodes, &expected.pds, |at, pd| alike_caps(model, at, pd));
        let spaces = best(&spaces, &expected.pds, |at, pd| alike_pages(&model.spaces[&at], pd));
        names.pds =
            cnodes.into_iter().zip(spaces).map(|(cnode, space)| Found { cnode, space, threads: Vec::new() }).collect();
        names.threads(model);
        names.vote_objects(model, expected);
        names.vote_frames(model, expected);
        names.label(expected);
        Ok(names)
    }

    /// A thread belongs to whom most of its address space, CNode and IPC buffer say.
    fn threads(&mut self, model: &Model) {
        let parties: Vec<(Option<u64>, Option<u64>)> =
            self.pds.iter().chain([&self.root]).map(|found| (found.cnode, found.space)).collect();
        let root = parties.len() - 1;
        for thread in model.threads.values().filter(|thread| !thread.idle) {
            let mut votes = vec![0; parties.len()];
            let marks = marks(model, thread);
            for (party, (cnode, space)) in parties.iter().enumerate() {
                votes[party] +=
                    marks.iter().filter(|mark| mark.is_some() && (**mark == *cnode || **mark == *space)).count();
            }
            let most = votes.iter().copied().max().unwrap_or(0);
            match votes.iter().position(|count| *count == most) {
                Some(party) if most > 0 && party == root => self.root.threads.push(thread.at),
                Some(party) if most > 0 => self.pds[party].threads.push(thread.at),
                _ => {}
            }
        }
        let own = self.root.threads.first().copied();
        let main = self.root.cnode.and_then(|at| root_thread(model, at)).or(own);
        self.helpers = self.root.threads.iter().copied().filter(|at| Some(*at) != main).collect();
        self.root.threads = main.into_iter().collect();
    }

    fn vote_objects(&mut self, model: &Model, expected: &Expected) {
        let mut votes: HashMap<Object, HashMap<u64, u32>> = HashMap::new();
        let mut vote = |object: Object, at: u64| *votes.entry(object).or_default().entry(at).or_default() += 1;
        for (pd, found) in expected.pds.iter().zip(&self.pds) {
            for (slot, cap) in found.cnode.iter().flat_map(|at| model.cnode(*at)) {
                let Some(wanted) = pd.caps.get(&slot) else { continue };
                match (wanted.object, cap) {
                    (Object::Endpoint(_), Cap::Endpoint { at, .. }) => vote(wanted.object, *at),
                    (Object::Notification(_), Cap::Notification { at, .. }) => vote(wanted.object, *at),
                    _ => {}
                }
            }
            let first = pd.threads.first().and_then(|first| thread_with(model, found, first.ipc_buffer));
            if let (Some(index), Some(bound)) = (pd.notification, first.and_then(|thread| thread.bound)) {
                vote(Object::Notification(index), bound);
            }
        }
        for at in &self.root.threads {
            if let Some(bound) = model.threads[at].bound {
                vote(Object::Notification(expected.root.notification), bound);
            }
        }
        let mut winner = |object: Object| {
            let counts = votes.remove(&object)?;
            // The lower address of two with as many votes, so that a run is like the next.
            counts.into_iter().max_by_key(|(at, count)| (*count, std::cmp::Reverse(*at))).map(|(at, _)| at)
        };
        self.endpoints = (0..expected.endpoints.len()).map(|i| winner(Object::Endpoint(i))).collect();
        self.notifications = (0..expected.notifications.len()).map(|i| winner(Object::Notification(i))).collect();
    }

    fn vote_frames(&mut self, model: &Model, expected: &Expected) {
        let mut votes: HashMap<(usize, u64), HashMap<u64, u32>> = HashMap::new();
        let pds = expected.pds.iter().zip(&self.pds).map(|(pd, found)| (&pd.pages, found));
        for (pages, found) in pds.chain([(&expected.root.pages, &self.root)]) {
            let Some(space) = found.space.and_then(|at| model.spaces.get(&at)) else { continue };
            for page in &space.pages {
                if let Some(Frame::Shared { memory, page: number }) = pages.get(&page.vaddr).map(|page| page.frame) {
                    *votes.entry((memory, number)).or_default().entry(page.paddr).or_default() += 1;
                }
            }
        }
        let page = |memory: usize, number: u64| {
            let wanted = &expected.memories[memory];
            if let Some(paddr) = wanted.paddr {
                return Some(paddr + number * wanted.page_bytes);
            }
            let counts = votes.get(&(memory, number))?;
            counts.iter().max_by_key(|(at, count)| (**count, std::cmp::Reverse(**at))).map(|(at, _)| *at)
        };
        self.frames = expected
            .memories
            .iter()
            .enumerate()
            .map(|(memory, wanted)| (0..wanted.pages).map(|number| page(memory, number)).collect())
            .collect();
    }

    fn label(&mut self, expected: &Expected) {
        let parties = expected.pds.iter().map(|pd| pd.name.as_str()).zip(&self.pds);
        for (name, found) in parties.chain([("root", &self.root)]) {
            let objects = found.cnode.iter().chain(&found.space).chain(&found.threads);
            for at in objects {
                self.parties.insert(*at, name.to_owned());
            }
            for (at, what) in [(found.cnode, "CNode"), (found.space, "address space")] {
                self.objects.extend(at.map(|at| (at, format!("the {what} of {name}"))));
            }
            for thread in &found.threads {
                self.objects.insert(*thread, format!("a thread of {name}"));
            }
        }
        for helper in &self.helpers {
            self.parties.insert(*helper, "root".into());
            self.objects.insert(*helper, "a helper thread of root".into());
        }
        let named = |list: &[Option<u64>], names: &[Named], what: &str| -> Vec<(u64, String)> {
            let pairs = list.iter().zip(names);
            pairs.filter_map(|(at, named)| Some(((*at)?, format!("the {what} of {}", named.name)))).collect()
        };
        self.objects.extend(named(&self.endpoints, &expected.endpoints, "endpoint"));
        self.objects.extend(named(&self.notifications, &expected.notifications, "notification"));
    }

    /// Of known parties, for tests of what builds on this.
    #[cfg(test)]
    pub fn of(parties: &[(u64, &str)]) -> Names {
        Names { parties: parties.iter().map(|(at, name)| (*at, (*name).to_owned())).collect(), ..Names::default() }
    }

    /// What an object is called.
    pub fn name(&self, object: u64) -> Option<&str> {
        self.objects.get(&object).map(String::as_str)
    }

    /// Whose a CNode, an address space or a thread is.
    pub fn party(&self, object: u64) -> Option<&str> {
        self.parties.get(&object).map(String::as_str)
    }

    pub fn space(&self, at: u64) -> String {
        self.party(at).map_or_else(|| format!("the address space at {at:#x}"), str::to_owned)
    }

    pub fn thread(&self, at: u64) -> String {
        self.name(at).map_or_else(|| format!("the thread at {at:#x}"), str::to_owned)
    }

    /// Where a slot lies, in words.
    pub fn place(&self, place: Place) -> String {
        match place {
            Place::CNode { at, index } => match self.party(at) {
                Some(name) => format!("{name}, slot {index}"),
                None => format!("slot {index} of the CNode at {at:#x}"),
            },
            Place::Thread { at, slot } => format!("slot {slot} of {}", self.thread(at)),
            Place::Irq { irq } => format!("the slot of interrupt {irq}"),
            Place::Hidden => "a hidden slot".into(),
        }
    }
}

/// Root is whose CNode holds, where the kernel put them at boot, the capabilities to itself.
fn root(model: &Model) -> Result<Found> {
    let holds_itself = |at: &u64| {
        model.cnode(*at).any(|(slot, cap)| slot == ROOT_CNODE && matches!(cap, Cap::CNode { at: to, .. } if to == at))
    };
    let cnode = model.cnodes.iter().filter(|(at, _)| holds_itself(at)).max_by_key(|(_, radix)| **radix);
    let cnode = *cnode.ok_or_else(|| Error::new("no CNode looks like root's"))?.0;
    let space = model.cnode(cnode).find_map(|(slot, cap)| match cap {
        Cap::Table { level: 3, at, .. } if slot == ROOT_SPACE => Some(*at),
        _ => None,
    });
    Ok(Found { cnode: Some(cnode), space, threads: Vec::new() })
}

fn root_thread(model: &Model, cnode: u64) -> Option<u64> {
    model.cnode(cnode).find_map(|(slot, cap)| match cap {
        Cap::Thread { at } if slot == ROOT_THREAD => Some(*at),
        _ => None,
    })
}

/// The CNode, address space, and address space of the IPC buffer, of a thread.
fn marks(model: &Model, thread: &Thread) -> [Option<u64>; 3] {
    let at = |slot: usize| thread.slots[slot].as_ref().and_then(Cap::object);
    let buffer = match thread.slots[BUFFER] {
        Some(Cap::Frame { asid, .. }) => model.space_of(asid).map(|(at, _)| at),
        _ => None,
    };
    [at(CSPACE), at(VSPACE), buffer]
}

/// The PD's thread with this IPC buffer.
pub fn thread_with<'m>(model: &'m Model, found: &Found, ipc_buffer: u64) -> Option<&'m Thread> {
    found.threads.iter().map(|at| &model.threads[at]).find(|thread| thread.ipc_buffer == ipc_buffer)
}

/// For each PD the candidate that is most like it; no candidate is taken twice.
fn best(candidates: &[u64], pds: &[Pd], alike: impl Fn(u64, &Pd) -> f64) -> Vec<Option<u64>> {
    let mut scores: Vec<(f64, usize, u64)> = Vec::new();
    for (index, pd) in pds.iter().enumerate() {
        scores.extend(candidates.iter().map(|at| (alike(*at, pd), index, *at)).filter(|(score, ..)| *score > ALIKE));
    }
    scores.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut found = vec![None; pds.len()];
    for (_, index, at) in scores {
        if found[index].is_none() && !found.contains(&Some(at)) {
            found[index] = Some(at);
        }
    }
    found
}

/// The share of capabilities that are alike but for the object.
fn alike_caps(model: &Model, cnode: u64, pd: &Pd) -> f64 {
    let (mut equal, mut found) = (0, 0);
    for (slot, cap) in model.cnode(cnode) {
        found += 1;
        equal += usize::from(pd.caps.get(&slot).is_some_and(|wanted| alike_cap(wanted, cap)));
    }
    equal as f64 / (found + pd.caps.len() - equal).max(1) as f64
}

fn alike_cap(wanted: &WantedCap, cap: &Cap) -> bool {
    match (wanted.object, cap) {
        (Object::Endpoint(_), Cap::Endpoint { badge, send, receive, .. })
        | (Object::Notification(_), Cap::Notification { badge, send, receive, .. }) => {
            (*badge, *send, *receive) == (wanted.badge, wanted.send, wanted.receive)
        }
        (Object::Irq(_), Cap::IrqHandler { .. }) | (Object::Ports(_), Cap::Ports { .. }) => true,
        _ => false,
    }
}

/// The share of pages that are where they should be.
fn alike_pages(space: &Space, pd: &Pd) -> f64 {
    let same = |page: &&crate::model::Page| {
        pd.pages.get(&page.vaddr).is_some_and(|wanted| (wanted.bytes, wanted.write) == (page.bytes, page.write))
    };
    let equal = space.pages.iter().filter(same).count();
    equal as f64 / (space.pages.len() + pd.pages.len() - equal).max(1) as f64
}
