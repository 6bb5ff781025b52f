//! What people are told by `/caps` ([`System::channels`]) against the edges that there are: nothing untold, and nothing
//! told that is not so.

use crate::graph::{Edge, Kind, ROOT};
use crate::violation::{Rule, Violation};
use spec::System;

pub fn all(system: &System, mode: usize, edges: &[Edge]) -> Result<(), Violation> {
    let told = || system.channels.iter().filter(|channel| channel.modes.has(mode));
    let wrong = |what: String, path| {
        let mode = Some(system.modes[mode].name.clone());
        Err(Violation { rule: Rule::AllEdgesAreTold, mode, what, path })
    };
    for edge in edges {
        // `/caps` shows devices beside channels, and says of root in one sentence that it can do everything.
        let between_pds = !edge.from.contains(':') && !edge.to.contains(':') && edge.kind != Kind::Power;
        let same = |channel: &spec::Channel| {
            let named = edge.name.is_empty() || edge.name == channel.name;
            named && channel.edges().any(|(from, to)| from == edge.from && to == edge.to)
        };
        if between_pds && !told().any(same) {
            return wrong(format!("nobody is told that {} can reach {}", edge.from, edge.to), vec![edge.clone()]);
        }
    }
    for channel in told() {
        for (from, to) in channel.edges() {
            let same =
                |edge: &Edge| edge.from == from && edge.to == to && (edge.name.is_empty() || edge.name == channel.name);
            let known = |name: &str| name == ROOT || system.pds.iter().any(|pd| pd.name == name);
            if !known(from) || !known(to) || !edges.iter().any(same) {
                return wrong(
                    format!("people are told of `{}` from {from} to {to}, which does not exist", channel.name),
                    vec![],
                );
            }
        }
    }
    Ok(())
}
