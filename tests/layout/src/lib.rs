//! The wall: private data never reaches the network, shown on the specification alone. What is shown, and on which
//! assumptions, stands in docs/wall.md.
//!
//! [`prove`] derives every edge of every mode (`edges`), holds the statement (`statement`) and the rules beside it
//! (`rules`, `told`) against them, and has its result checked by code that shares nothing with it (`checker`).

pub mod certificate;
pub mod checker;
pub mod edges;
pub mod flow;
pub mod graph;
pub mod picture;
pub mod rules;
pub mod skeleton;
pub mod statement;
pub mod tests_exist;
pub mod told;
pub mod violation;

pub use edges::Platform;
use graph::Edge;
use spec::{System, Trust};
pub use tests_exist::tests_exist;
pub use violation::{Rule, Violation};

/// What was shown.
#[derive(Clone, Debug)]
pub struct Proof {
    /// The specification's hash.
    pub specification: [u8; 32],
    pub modes: Vec<ModeProof>,
    /// Drivers whose device could reach all memory if no IOMMU confined it: where there is none, these count as trusted
    /// for memory.
    pub masters: Vec<String>,
}

#[derive(Clone, Debug)]
pub struct ModeProof {
    pub mode: String,
    pub edges: usize,
    /// Edges on which private data can travel.
    pub private: usize,
    pub certificate: String,
}

/// The statement and the rules, with an IOMMU.
pub fn prove(system: &System) -> Result<Proof, Violation> {
    prove_on(system, &Platform::WITH_IOMMU)
}

pub fn prove_on(system: &System, platform: &Platform) -> Result<Proof, Violation> {
    let all: Vec<Vec<Edge>> = (0..system.modes.len()).map(|mode| edges::edges(system, mode, platform)).collect();
    // What shows a whole path comes first, what shows none last.
    for (mode, edges) in all.iter().enumerate() {
        statement::holds_in(system, mode, edges)?;
        rules::hold_in(system, mode, edges)?;
    }
    statement::holds_across(system, platform)?;
    rules::hold(system)?;
    let mut modes = Vec::new();
    for (mode, (edges, entry)) in all.iter().zip(&system.modes).enumerate() {
        told::all(system, mode, edges)?;
        let flow = statement::private_flow(system, mode, edges);
        let certificate = certificate::text(system, mode, platform, edges, &flow);
        let unsound = |why| {
            let what = format!("the checker refuses the certificate: {why}");
            Violation { rule: Rule::CertificateHolds, mode: Some(entry.name.clone()), what, path: Vec::new() }
        };
        let (edges, private) = checker::check(system, &certificate).map_err(unsound)?;
        modes.push(ModeProof { mode: entry.name.clone(), edges, private, certificate });
    }
    let masters = system.pci.iter().filter(|function| function.can_dma);
    let masters = masters.filter_map(|function| system.pds.get(usize::from(function.driver)));
    let untrusted = masters.filter(|pd| pd.trust != Trust::Trusted);
    let masters = untrusted.map(|pd| pd.name.clone()).collect();
    Ok(Proof { specification: system.hash, modes, masters })
}
