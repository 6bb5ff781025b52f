//! The checker against certificates that somebody spoiled, each way in which one can be wrong.

mod common;

use common::base;
use wall::checker::check;
use wall::prove;

/// The certificate of the mode `network`, with `spoil` done to its lines.
fn refused(spoil: impl Fn(&str) -> Option<String>) -> String {
    let system = base();
    let whole = &prove(&system).unwrap().modes[1].certificate;
    let lines: Vec<String> = whole.lines().filter_map(&spoil).collect();
    assert_ne!(lines, whole.lines().collect::<Vec<_>>(), "nothing was spoiled");
    check(&system, &(lines.join("\n") + "\n")).expect_err("a spoiled certificate was taken for a good one")
}

fn replace(from: &str, to: &str) -> String {
    refused(|line| Some(line.replace(from, to)))
}

#[test]
fn an_edge_left_out() {
    let why = refused(|line| (!line.contains("\tassistant\tstore\t")).then(|| line.to_owned()));
    assert!(why.contains("assistant to store"), "{why}");
}

#[test]
fn an_edge_that_is_not_there() {
    let why = replace("\trouter\tassistant\tprompts\t", "\trouter\tstore\tprompts\t");
    assert!(why.contains("router to "), "{why}");
}

#[test]
fn an_edge_by_another_name() {
    let why = replace("edge\t-\trouter\tgate\ttyped\t", "edge\t-\trouter\tgate\tother\t");
    assert!(why.contains("router to gate"), "{why}");
}

#[test]
fn a_private_source_without_a_mark() {
    let why = replace("edge\tprivate\tassistant\tserial\t", "edge\t-\tassistant\tserial\t");
    assert!(why.contains("what assistant says to serial"), "{why}");
}

#[test]
fn a_crossing_without_a_mark() {
    let why = replace("edge\tprivate\tserial\tdevice:console\t", "edge\t-\tserial\tdevice:console\t");
    assert!(why.contains("serial can pass on from assistant to device:console"), "{why}");
}

#[test]
fn a_device_that_forgets() {
    let why = replace("edge\tprivate\tdevice:disk\tdisk\t", "edge\t-\tdevice:disk\tdisk\t");
    assert!(why.contains("device:disk can pass on"), "{why}");
}

#[test]
fn a_mark_on_the_wire() {
    let why = replace("edge\t-\tnet\twire:nic\t", "edge\tprivate\tnet\twire:nic\t");
    assert!(why.contains("private data can travel from net to wire:nic"), "{why}");
}

#[test]
fn a_mark_on_what_passes_for_typed() {
    let why = replace("edge\t-\trouter\tgate\ttyped\t", "edge\tprivate\trouter\tgate\ttyped\t");
    assert!(why.contains("pass for what the person typed"), "{why}");
}

#[test]
fn the_certificate_of_another_specification() {
    let why = refused(|line| {
        Some(line.strip_prefix("specification\t").map_or(line.to_owned(), |_| "specification\t00".into()))
    });
    assert!(why.contains("not for this specification"), "{why}");
}

#[test]
fn a_mode_that_does_not_exist() {
    let why = replace("mode\tnetwork", "mode\tholiday");
    assert!(why.contains("no mode of the specification"), "{why}");
}

#[test]
fn an_iommu_that_is_not_there() {
    // Without the assumption the drivers' devices reach all memory, and the certificate does not say so.
    let why = refused(|line| (!line.starts_with("iommu")).then(|| line.to_owned()));
    assert!(why.contains("only one of certificate and specification knows"), "{why}");
}

#[test]
fn a_line_that_says_nothing() {
    let why = replace("edge\tprivate\tassistant\tserial\t", "edge private assistant serial ");
    assert!(why.contains("a line says nothing"), "{why}");
}

/// Who checks the checker by eye can read all of it.
#[test]
fn the_checker_is_short_and_shares_nothing() {
    let source = include_str!("../src/checker.rs");
    assert!(source.lines().count() <= 200, "{} lines", source.lines().count());
    assert!(!source.contains("crate::") && !source.contains("super::"));
}
