//! What a flow that begins somewhere can reach: untrusted places pass anything on, trusted ones what their crossings
//! say.
//!
//! All untrusted places count as taken over. That covers every other set of them: a PD that keeps to its program passes
//! no more than one that passes everything, and the search only ever adds edges, so more passing never reaches less.

use crate::graph::{matches, role, Edge, Role};
use spec::{Crossing, System};
use std::collections::{BTreeMap, VecDeque};

pub struct Flow<'a> {
    edges: &'a [Edge],
    /// For each edge that carries: the one before it, itself if it begins there.
    before: Vec<Option<usize>>,
}

impl<'a> Flow<'a> {
    /// `closed`: crossings that a statement leaves out, by the place that has them.
    pub fn new(
        system: &System,
        edges: &'a [Edge],
        begins: impl Fn(&str) -> bool,
        closed: impl Fn(&str, &Crossing) -> bool,
    ) -> Flow<'a> {
        let mut leaving: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (i, edge) in edges.iter().enumerate() {
            leaving.entry(&edge.from).or_default().push(i);
        }
        let mut before = vec![None; edges.len()];
        let mut queue = VecDeque::new();
        for (i, _) in edges.iter().enumerate().filter(|(_, edge)| begins(&edge.from)) {
            before[i] = Some(i);
            queue.push_back(i);
        }
        while let Some(at) = queue.pop_front() {
            let (edge, place) = (&edges[at], edges[at].to.as_str());
            let out = leaving.get(place).map_or(&[][..], Vec::as_slice);
            let passes = |next: &Edge| match role(system, place) {
                Role::Private | Role::Public | Role::Device => true,
                Role::Trusted(crossings) => crossings
                    .iter()
                    .any(|c| !closed(place, c) && matches(&c.from, edge, place) && matches(&c.to, next, place)),
                Role::Wire | Role::Person => false,
            };
            for &next in out {
                if before[next].is_none() && passes(&edges[next]) {
                    before[next] = Some(at);
                    queue.push_back(next);
                }
            }
        }
        Flow { edges, before }
    }

    pub fn carries(&self, edge: usize) -> bool {
        self.before[edge].is_some()
    }

    pub fn carrying(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.edges.len()).filter(|i| self.carries(*i))
    }

    /// A shortest way from where it begins over this edge.
    pub fn path(&self, edge: usize) -> Vec<Edge> {
        let mut path = Vec::new();
        let mut at = edge;
        while let Some(before) = self.before[at] {
            path.push(self.edges[at].clone());
            if before == at {
                break;
            }
            at = before;
        }
        path.reverse();
        path
    }
}
