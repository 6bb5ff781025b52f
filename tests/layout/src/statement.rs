//! The statement of docs/wall.md, mode by mode and over changes of the mode.

use crate::edges::{edges, Platform};
use crate::flow::Flow;
use crate::graph::{matches, role, Edge, Role};
use crate::violation::{Rule, Violation};
use spec::{Crossing, End, System};

/// The PD through which whatever leaves goes, the PD that it hands it to, and its edge for what the person shares.
pub const GATE: &str = "gate";
pub const CLOUD: &str = "cloud";
pub const SHARE: &str = "share";
/// A mode in which the person shares is called so, or ends so.
const SHARING: &str = "sharing";
/// A mode without a network; the one in which the system starts is one too.
const LOCAL: &str = "local-only";

pub fn is_local(system: &System, mode: usize) -> bool {
    mode == 0 || system.modes[mode].name == LOCAL
}

pub fn is_sharing(system: &System, mode: usize) -> bool {
    system.modes[mode].name.rsplit('-').next() == Some(SHARING)
}

/// Gate's crossing *share -> cloud*: the one way on which private data may leave.
pub fn is_share(place: &str, crossing: &Crossing) -> bool {
    let ends = (&crossing.from, &crossing.to);
    let named = |end: &End, wanted: &str| matches!(end, End::Channel { name, .. } if name == wanted);
    let to_cloud = matches!(ends.1, End::Channel { other: Some(other), .. } if other == CLOUD);
    place == GATE && named(ends.0, SHARE) && to_cloud
}

pub fn is_private(system: &System, place: &str) -> bool {
    matches!(role(system, place), Role::Private)
}

pub fn is_public(system: &System, place: &str) -> bool {
    matches!(role(system, place), Role::Public)
}

pub fn is_wire(place: &str) -> bool {
    place.starts_with("wire:")
}

/// Private data in one mode. While the person shares, what is shared may leave.
pub fn private_flow<'a>(system: &System, mode: usize, edges: &'a [Edge]) -> Flow<'a> {
    let closed = |place: &str, crossing: &Crossing| is_sharing(system, mode) && is_share(place, crossing);
    Flow::new(system, edges, |place| is_private(system, place), closed)
}

/// What the statement says of one mode.
pub fn holds_in(system: &System, mode: usize, edges: &[Edge]) -> Result<(), Violation> {
    let name = &system.modes[mode].name;
    let wrong = |rule, what: String, path| Err(Violation { rule, mode: Some(name.clone()), what, path });
    let shares = |edge: &&Edge| edge.to == GATE && edge.name == SHARE;
    if let Some(edge) = edges.iter().find(shares).filter(|_| !is_sharing(system, mode)) {
        let what = format!("{} can hand documents to gate although the person does not share", edge.from);
        return wrong(Rule::SharesWhileSharing, what, vec![edge.clone()]);
    }
    let flow = private_flow(system, mode, edges);
    if let Some((edge, crossing)) = flow.carrying().find_map(|i| Some((i, typed(system, edges, &edges[i])?))) {
        let path = flow.path(edge);
        let what =
            format!("data of {} can pass for what the person typed to the cloud ({})", path[0].from, crossing.why);
        return wrong(Rule::TypedIsTyped, what, path);
    }
    reaches_no_wire(edges, &flow).or_else(|path| {
        let what = format!("data of {} (private) can reach the network", path[0].from);
        wrong(Rule::NoWayToTheWire, what, path)
    })
}

/// Gate's crossing from this edge to something public, other than the one for what is shared.
fn typed<'a>(system: &'a System, edges: &[Edge], edge: &Edge) -> Option<&'a Crossing> {
    let Role::Trusted(crossings) = role(system, GATE) else { return None };
    let leads_on = |c: &Crossing| {
        edges.iter().any(|out| out.from == GATE && is_public(system, &out.to) && matches(&c.to, out, GATE))
    };
    let from = |c: &&Crossing| edge.to == GATE && !is_share(GATE, c) && matches(&c.from, edge, GATE) && leads_on(c);
    crossings.iter().find(from)
}

fn reaches_no_wire(edges: &[Edge], flow: &Flow) -> Result<(), Vec<Edge>> {
    match flow.carrying().find(|i| is_wire(&edges[*i].to)) {
        Some(edge) => Err(flow.path(edge)),
        None => Ok(()),
    }
}

/// The edges of all modes: a PD that runs on remembers. Public PDs do not, root makes them anew with all that they
/// share (root-task/src/modes.rs), so each mode's are places of their own.
pub fn edges_across(system: &System, platform: &Platform) -> Vec<Edge> {
    let mut all: Vec<Edge> = Vec::new();
    for mode in 0..system.modes.len() {
        let named = |place: &str| match is_public(system, place) {
            true => format!("{place}@{}", system.modes[mode].name),
            false => place.to_owned(),
        };
        for mut edge in edges(system, mode, platform) {
            (edge.from, edge.to) = (named(&edge.from), named(&edge.to));
            all.push(edge);
        }
    }
    all
}

/// Whether this is a public PD of a mode without a network: it knows what was typed there.
pub fn is_typed_locally(system: &System, place: &str) -> bool {
    let mode = place.split_once('@').and_then(|(_, name)| system.modes.iter().position(|mode| mode.name == name));
    mode.is_some_and(|mode| is_local(system, mode))
}

/// What the statement says of any sequence of modes.
pub fn holds_across(system: &System, platform: &Platform) -> Result<(), Violation> {
    let all = edges_across(system, platform);
    let wrong = |rule, what: String, path| Err(Violation { rule, mode: None, what, path });
    let private = Flow::new(system, &all, |place| is_private(system, place), is_share);
    reaches_no_wire(&all, &private).or_else(|path| {
        let what = format!("over a change of the mode, data of {} (private) can reach the network", path[0].from);
        wrong(Rule::NoWayToTheWire, what, path)
    })?;
    let typed = Flow::new(system, &all, |place| is_typed_locally(system, place), |_, _| false);
    reaches_no_wire(&all, &typed).or_else(|path| {
        let what = format!("what was typed without a network ({}) can reach one later", path[0].from);
        wrong(Rule::TypedLocallyStays, what, path)
    })
}
