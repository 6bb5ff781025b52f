//! The certificate: all edges of a mode, and which of them private data can travel. A text with a line for each
//! edge, its fields parted by tabs, for a checker that shares nothing with the search (`checker`) and for people.

use crate::edges::Platform;
use crate::flow::Flow;
use crate::graph::Edge;
use spec::System;
use std::fmt::Write;

pub const FIRST_LINE: &str = "certificate of the wall 1";

pub fn text(system: &System, mode: usize, platform: &Platform, edges: &[Edge], flow: &Flow) -> String {
    let hash: String = system.hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text = format!("{FIRST_LINE}\nspecification\t{hash}\nmode\t{}\n", system.modes[mode].name);
    if platform.iommu {
        text.push_str("iommu\tconfines every device\n");
    }
    for driver in &platform.trusted_for_memory {
        let _ = writeln!(text, "trusted for memory\t{driver}");
    }
    for (i, edge) in edges.iter().enumerate() {
        let mark = if flow.carries(i) { "private" } else { "-" };
        let Edge { from, to, kind, name, reason } = edge;
        let _ = writeln!(text, "edge\t{mark}\t{from}\t{to}\t{name}\t{}\t{reason}", kind.word());
    }
    text
}
