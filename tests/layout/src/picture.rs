//! The flow graph of each mode as a picture (Mermaid), coloured by who reaches the wire and how; docs/wall-picture.md.

use crate::edges::{edges, Platform};
use crate::flow::Flow;
use crate::graph::{role, Edge, Kind, Role};
use crate::statement::is_wire;
use spec::System;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const HEAD: &str = "\
# Who reaches the network

Made from the layout by `cargo run -p wall --bin wall-picture`; a test fails when it is stale. An arrow is drawn in each
direction in which data or signals can move, with the channel's name or, for edges that have none, their kind. Left out,
as every part has them: faults and log lines to root, and root's power over everything. [wall.md](wall.md) says what is
proven.

* blue: private
* red: public, reaches the network with nobody trusted between
* orange: public, reaches it over crossings of trusted parts alone
* green: public, does not reach it
* grey: trusted, passes on what its crossings say
* black: the network
";

const CLASSES: &str = "    \
    classDef private fill:#cfe2ff,stroke:#084298,color:#000
    classDef free fill:#f8d7da,stroke:#842029,color:#000
    classDef guarded fill:#ffe5d0,stroke:#984c0c,color:#000
    classDef none fill:#d1e7dd,stroke:#0f5132,color:#000
    classDef trusted fill:#e2e3e5,stroke:#41464b,color:#000
    classDef device fill:#fff,stroke:#666,color:#000
    classDef wire fill:#000,stroke:#000,color:#fff
";

/// The whole page.
pub fn page(system: &System) -> String {
    let mut page = HEAD.to_owned();
    for (mode, entry) in system.modes.iter().enumerate() {
        let edges = edges(system, mode, &Platform::WITH_IOMMU);
        let graph = graph(system, &edges);
        let _ = write!(page, "\n## {}\n\n```mermaid\nflowchart LR\n{graph}{CLASSES}```\n", entry.title);
    }
    page
}

fn graph(system: &System, edges: &[Edge]) -> String {
    let drawn = || edges.iter().filter(|edge| is_drawn(edge));
    let places: BTreeSet<&str> = drawn().flat_map(|edge| [edge.from.as_str(), edge.to.as_str()]).collect();
    let mut text = String::new();
    for place in &places {
        let _ = writeln!(text, "    {}[\"{place}\"]:::{}", id(place), class(system, edges, place));
    }
    let mut labels: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    for edge in drawn() {
        let label = if edge.name.is_empty() { edge.kind.word() } else { &edge.name };
        labels.entry((&edge.from, &edge.to)).or_default().insert(label);
    }
    for ((from, to), mut names) in labels {
        // A doorbell says nothing beside the channel that it belongs to.
        if names.len() > 1 {
            names.remove(Kind::Signal.word());
        }
        let label = names.into_iter().collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "    {} -->|{label}| {}", id(from), id(to));
    }
    text
}

fn is_drawn(edge: &Edge) -> bool {
    !matches!(edge.kind, Kind::Power | Kind::Fault) && edge.name != "fault" && edge.name != "log"
}

/// Mermaid's names of nodes are letters and digits.
fn id(place: &str) -> String {
    format!("n_{}", place.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

fn class(system: &System, edges: &[Edge], place: &str) -> &'static str {
    let reaches = |over_crossings: bool| {
        let flow = Flow::new(system, edges, |from| from == place, |_, _| !over_crossings);
        let found = flow.carrying().any(|edge| is_wire(&edges[edge].to));
        found
    };
    match role(system, place) {
        Role::Private => "private",
        Role::Trusted(_) => "trusted",
        Role::Device | Role::Person => "device",
        Role::Wire => "wire",
        Role::Public if reaches(false) => "free",
        Role::Public if reaches(true) => "guarded",
        Role::Public => "none",
    }
}
