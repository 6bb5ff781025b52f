//! Who can send to the wire: from the specification's edges, with untrusted PDs passing on anything and trusted ones
//! what their crossings say. For people; the proof (docs/wall.md) does not rest on it.

use alloc::{string::String, vec::Vec};

use spec::{Crossing, End, System, Trust};

/// Names of PDs, in the order of the specification.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// Nobody trusted stands between them and a network device.
    pub freely: Vec<String>,
    /// Only through a crossing of a trusted PD.
    pub guarded: Vec<String>,
}

/// An edge on which data can get to the wire.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Edge<'a> {
    name: &'a str,
    from: &'a str,
    to: &'a str,
    /// A trusted PD stands between it and the wire.
    guarded: bool,
}

/// Who reaches a PCI device in this mode.
pub fn to_devices(system: &System, mode: usize) -> Reach {
    let pd = |name: &str| system.pds.iter().find(|pd| pd.name == name);
    // Root has crossings too, and is trusted.
    let crossings = |name: &str| -> Option<&[Crossing]> {
        match pd(name) {
            Some(pd) if pd.trust == Trust::Trusted => Some(&pd.crossings),
            Some(_) => None,
            None => Some(&system.root.crossings),
        }
    };
    let into = |name: &str| {
        let channels = system.channels.iter().filter(|channel| channel.modes.has(mode));
        let edges = channels.flat_map(|channel| channel.edges().map(|edge| (channel.name.as_str(), edge)));
        let name = String::from(name);
        edges.filter(move |(_, (_, to))| *to == name)
    };
    let mut reach: Vec<Edge<'_>> = Vec::new();
    let mut freely: Vec<&str> = Vec::new();
    for function in &system.pci {
        let Some(driver) = system.pds.get(usize::from(function.driver)).filter(|pd| pd.modes.has(mode)) else { continue };
        let allowed = crossings(&driver.name);
        if allowed.is_none() {
            freely.push(&driver.name);
        }
        for (name, (from, to)) in into(&driver.name) {
            let passes = allowed.is_none_or(|list| {
                list.iter().any(|c| matches(&c.from, name, from) && matches!(&c.to, End::Device { name } if *name == function.name))
            });
            if passes {
                add(&mut reach, Edge { name, from, to, guarded: allowed.is_some() });
            }
        }
    }
    let mut at = 0;
    while let Some(&edge) = reach.get(at) {
        at += 1;
        let allowed = crossings(edge.from);
        for (name, (from, to)) in into(edge.from) {
            let passes =
                allowed.is_none_or(|list| list.iter().any(|c| matches(&c.from, name, from) && matches(&c.to, edge.name, edge.to)));
            if passes {
                add(&mut reach, Edge { name, from, to, guarded: edge.guarded || allowed.is_some() });
            }
        }
    }
    let untrusted = |name: &str| crossings(name).is_none();
    freely.extend(reach.iter().filter(|edge| !edge.guarded && untrusted(edge.from)).map(|edge| edge.from));
    let guarded: Vec<&str> = reach.iter().filter(|edge| untrusted(edge.from)).map(|edge| edge.from).collect();
    let names = |keep: &dyn Fn(&str) -> bool| {
        system.pds.iter().map(|pd| pd.name.as_str()).filter(|name| keep(name)).map(String::from).collect()
    };
    Reach {
        freely: names(&|name| freely.contains(&name)),
        guarded: names(&|name| guarded.contains(&name) && !freely.contains(&name)),
    }
}

fn add<'a>(reach: &mut Vec<Edge<'a>>, edge: Edge<'a>) {
    if !reach.contains(&edge) {
        reach.push(edge);
    }
}

fn matches(end: &End, name: &str, other: &str) -> bool {
    match end {
        End::Channel { name: wanted, other: who } => wanted == name && who.as_deref().is_none_or(|who| who == other),
        End::Device { .. } => false,
    }
}
