//! The running system against the specification: every capability, every mapping, every thread; nothing more, nothing
//! less.
//!
//! First it is found out who is who ([`recognise`]): the specification's PDs are matched with CNodes and address spaces
//! by what lies in them, its objects with addresses by what most of their holders have. A match is no proof of
//! anything: what is not exactly as it should be in a matched pair is a difference, and so is what matches nobody.

mod pages;
mod pds;
mod recognise;
mod root;
mod whole;

pub use recognise::{Found, Names};

use crate::{
    difference::{Difference, Kind},
    expected::{Expected, Named, Object},
    memory::Memory,
    model::{Cap, Model},
    Result,
};

/// What is asked of a system beside its specification.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Data must not be executable: on where the kernel sets the never-execute bit.
    pub never_execute: bool,
    /// The kernel must not execute or touch user memory by accident: SMEP and SMAP are on.
    pub closed_kernel: bool,
    /// Devices that may write to memory must be behind an IOMMU. Without one their drivers are trusted for memory.
    pub iommu: bool,
    /// PDs that root has put below their neighbours may have the lowest priority.
    pub lowered: bool,
}

pub(crate) struct Compare<'a, 's> {
    model: &'a Model,
    expected: &'a Expected,
    rules: &'a Rules,
    memory: &'a Memory<'s>,
    names: Names,
    out: Vec<Difference>,
}

/// Who is who, and everything that is not as it should be.
pub fn compare(model: &Model, expected: &Expected, rules: &Rules, memory: &Memory) -> Result<(Names, Vec<Difference>)> {
    let names = Names::recognise(model, expected)?;
    let mut compare = Compare { model, expected, rules, memory, names, out: model.oddities.clone() };
    compare.objects();
    for index in 0..expected.pds.len() {
        compare.pd(index);
        compare.pages(index)?;
    }
    compare.root()?;
    compare.irqs();
    compare.spaces();
    compare.sharing();
    compare.mappings();
    compare.queues();
    compare.accounts();
    compare.devices();
    compare.processors();
    let Compare { names, mut out, .. } = compare;
    out.sort();
    out.dedup();
    Ok((names, out))
}

impl Compare<'_, '_> {
    pub(crate) fn differ(&mut self, kind: Kind, sentence: impl Into<String>) {
        self.out.push(Difference::new(kind, sentence));
    }

    /// No two of the specification's objects are one, and each is there.
    fn objects(&mut self) {
        let named = |list: &[Named], what: &str| -> Vec<(String, bool)> {
            list.iter().map(|named| (format!("the {what} of {}", named.name), named.exists)).collect()
        };
        let wanted = named(&self.expected.endpoints, "endpoint").into_iter();
        let wanted = wanted.chain(named(&self.expected.notifications, "notification"));
        let found = self.names.endpoints.iter().chain(&self.names.notifications).copied();
        let mut seen: Vec<(u64, String)> = Vec::new();
        for ((name, exists), at) in wanted.zip(found).collect::<Vec<_>>() {
            let Some(at) = at else {
                if exists {
                    self.differ(Kind::CapMissing, format!("nobody holds {name}"));
                }
                continue;
            };
            if let Some((_, other)) = seen.iter().find(|(known, _)| *known == at) {
                let sentence = format!("{other} and {name} are one and the same object at {at:#x}");
                self.differ(Kind::CapObject, sentence);
            }
            seen.push((at, name));
        }
    }

    /// What the specification calls an object.
    fn wanted(&self, object: Object) -> String {
        let expected = self.expected;
        match object {
            Object::Endpoint(i) => format!("a capability to the endpoint of {}", expected.endpoints[i].name),
            Object::Notification(i) => {
                format!("a capability to the notification of {}", expected.notifications[i].name)
            }
            Object::Irq(i) => format!("the interrupt of {}", expected.irqs[i].name),
            Object::Ports(i) => format!("the I/O ports of {}", expected.ports[i].name),
        }
    }

    /// A capability that was found, in words.
    fn held(&self, cap: &Cap) -> String {
        match (cap, cap.object().and_then(|at| self.names.name(at))) {
            (Cap::Frame { at, .. }, _) => match self.frame_name(*at) {
                Some(name) => format!("{cap} ({name})"),
                None => cap.to_string(),
            },
            (_, Some(name)) => format!("{} to {name}", cap.kind()),
            _ => cap.to_string(),
        }
    }

    /// Who has the memory at a physical address mapped.
    fn frame_name(&self, paddr: u64) -> Option<String> {
        let mut users = Vec::new();
        for (at, space) in &self.model.spaces {
            if space.pages.iter().any(|page| page.paddr <= paddr && paddr < page.paddr + page.bytes) {
                users.push(self.names.space(*at));
            }
        }
        (!users.is_empty()).then(|| format!("memory of {}", users.join(" and ")))
    }
}
