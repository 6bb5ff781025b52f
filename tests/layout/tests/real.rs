//! The layout of this repository, and the small one that the fixtures spoil.

mod common;

use common::{base, real, tree};
use layout::Layout;
use std::time::{Duration, Instant};
use wall::{prove, prove_on, tests_exist, Platform};

#[test]
fn the_wall_of_this_layout_holds() {
    prove(&real()).unwrap_or_else(|hole| panic!("{hole}"));
}

#[test]
fn the_wall_of_the_small_layout_holds() {
    let proof = prove(&base()).unwrap_or_else(|hole| panic!("{hole}"));
    assert_eq!(
        proof.modes.iter().map(|mode| mode.mode.as_str()).collect::<Vec<_>>(),
        ["local-only", "network", "network-sharing"]
    );
    // Private data moves in every mode, and on fewer edges than there are.
    assert!(proof.modes.iter().all(|mode| 0 < mode.private && mode.private < mode.edges));
    assert_eq!(proof.masters, ["net", "disk"].map(String::from).into_iter().rev().collect::<Vec<_>>());
}

#[test]
fn every_crossing_names_tests_that_exist() {
    tests_exist(&real(), &tree()).unwrap_or_else(|hole| panic!("{hole}"));
}

/// Without an IOMMU the statement rests on the drivers, by name.
#[test]
fn without_an_iommu_drivers_count_as_trusted_for_memory() {
    let system = base();
    let bare = |trusted: &[&str]| {
        let trusted_for_memory = trusted.iter().map(|name| (*name).to_owned()).collect();
        prove_on(&system, &Platform { iommu: false, trusted_for_memory })
    };
    assert!(bare(&[]).is_err() && bare(&["disk"]).is_err());
    let proof = bare(&["net", "disk"]).unwrap_or_else(|hole| panic!("{hole}"));
    assert!(proof.modes[1].certificate.contains("trusted for memory\tnet\n"));
    // The disk's driver is private: what its device can do goes no further than it may itself.
    let hole = bare(&["net"]).unwrap_err().to_string();
    assert!(hole.contains("any-memory"), "{hole}");
}

#[test]
fn the_proof_takes_less_than_two_seconds() {
    let system = real();
    let begun = Instant::now();
    prove(&system).unwrap();
    let took = begun.elapsed();
    println!("proven in {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[test]
fn the_picture_in_docs_is_the_one_of_this_layout() {
    let drawn = std::fs::read_to_string(tree().join("docs/wall-picture.md")).unwrap_or_default();
    let now = wall::picture::page(&real());
    assert!(drawn == now, "docs/wall-picture.md is stale: `cargo run -p wall --bin wall-picture` draws it anew");
}

/// Examples and measurements boot too, so the same is asked of them.
#[test]
fn the_wall_of_every_layout_in_the_tree_holds() {
    for folder in ["services/echo/layout", "tests/bench-pds/layout"] {
        let layout = Layout::load(&tree().join(folder), "x86_64").unwrap();
        let system = wall::skeleton::system(&layout).unwrap();
        prove(&system).and_then(|_| tests_exist(&system, &tree())).unwrap_or_else(|hole| panic!("{folder}: {hole}"));
    }
}

/// The rule `root-says-constants` leaves root its replies. What they can say is a matter of their type.
#[test]
fn every_reply_of_root_is_empty() {
    let protocol = std::fs::read_to_string(tree().join("ipc/src/supervisor.rs")).unwrap();
    let methods: Vec<&str> = protocol.lines().filter(|line| line.contains("->")).map(str::trim).collect();
    assert!(methods.len() >= 4 && methods.iter().all(|method| method.ends_with("-> ();")), "{methods:?}");
}
