//! One fault a file, named for what it breaks, and the sentence with the path that it opens.

mod common;

use common::fixture::{fixtures, Fixture};
use common::{base, tree};
use spec::Rights;
use std::collections::BTreeSet;
use wall::graph::Kind;
use wall::{prove_on, tests_exist, Rule, Violation};

fn hole(fixture: &Fixture) -> Violation {
    let system = fixture.system();
    let proven = prove_on(&system, &fixture.platform()).and_then(|_| tests_exist(&system, &tree()));
    proven.err().unwrap_or_else(|| panic!("{}: the fault was not found", fixture.name))
}

#[test]
fn every_fixture_is_refused_with_its_sentence() {
    let wrong: Vec<String> = fixtures()
        .iter()
        .map(|fixture| (fixture, format!("# {}", hole(fixture))))
        .filter(|(fixture, sentence)| fixture.sentence != *sentence)
        .map(|(fixture, sentence)| format!("{}.toml\n{sentence}", fixture.name))
        .collect();
    assert!(wrong.is_empty(), "these say something else than their first line:\n{}", wrong.join("\n"));
}

/// Rules that no fixture can break, and the test that breaks them instead.
const ELSEWHERE: [Rule; 2] = [
    Rule::NoGrant,          // grant_on_public_endpoint
    Rule::CertificateHolds, // certificate.rs
];

#[test]
fn every_rule_has_a_fixture() {
    let broken: BTreeSet<Rule> = fixtures().iter().map(|fixture| hole(fixture).rule).chain(ELSEWHERE).collect();
    let missing: Vec<&str> = Rule::ALL.iter().filter(|rule| !broken.contains(rule)).map(|rule| rule.name()).collect();
    assert!(missing.is_empty(), "no fixture breaks {missing:?}");
}

#[test]
fn every_kind_of_edge_has_a_fixture_that_opens_it() {
    let paths = fixtures().iter().flat_map(|fixture| hole(fixture).path).collect::<Vec<_>>();
    let opened: BTreeSet<Kind> = paths.iter().map(|edge| edge.kind).collect();
    let missing: Vec<&str> = Kind::ALL.iter().filter(|kind| !opened.contains(kind)).map(|kind| kind.word()).collect();
    assert!(missing.is_empty(), "no fixture opens {missing:?}");
}

/// What a path shows is a path: each edge begins where the one before it ended.
#[test]
fn the_path_of_a_fixture_has_no_gap() {
    for fixture in fixtures() {
        for pair in hole(&fixture).path.windows(2) {
            assert_eq!(pair[0].to, pair[1].from, "{}", fixture.name);
        }
    }
}

/// A specification has no word for Grant, so no layout can give it: rights are three bits, and a byte that says more is
/// no specification. Untyped memory, CNodes and TCBs have no word either: [`spec::Object`] lists all that a PD can
/// hold, and `rules.rs` would not compile with one more.
#[test]
fn grant_on_public_endpoint() {
    let Rights { read: _, write: _, grant_reply: _ } = Rights::default();
    let mut system = base();
    let marked = Rights { read: true, write: true, grant_reply: true };
    let shell = system.pds.iter_mut().find(|pd| pd.name == "shell").unwrap();
    shell.caps[0].rights = marked;
    shell.caps[0].slot = 0x7a7a;
    let bytes = postcard::to_allocvec(&system).unwrap();
    // Slot, object, rights: the slot is a varint, the endpoint of root has no index.
    let slot = postcard::to_allocvec(&0x7a7au64).unwrap();
    let at = bytes.windows(slot.len()).position(|window| window == slot).unwrap() + slot.len() + 1;
    assert_eq!(bytes[at..at + 3], [1, 1, 1]);
    assert!(postcard::from_bytes::<spec::System>(&bytes).is_ok());
    for right in 0..3 {
        let mut more = bytes.clone();
        more[at + right] = 3;
        assert!(postcard::from_bytes::<spec::System>(&more).is_err(), "a right that does not exist was read");
    }
}

/// What gate gets while the person shares is the one way out, and it opens for nothing else.
#[test]
fn sharing_is_no_hole_while_the_person_shares() {
    let text = "\n# then: only; network-sharing; share\n";
    let fixture = fixtures().into_iter().find(|fixture| fixture.name == "share-without-the-person").unwrap();
    let shared = fixture.and(text).system();
    let system = shared.modes.iter().position(|mode| mode.name == "network-sharing").unwrap();
    let edges = wall::edges::edges(&shared, system, &wall::Platform::WITH_IOMMU);
    assert!(edges.iter().any(|edge| edge.name == "share"));
    wall::statement::holds_in(&shared, system, &edges).unwrap_or_else(|hole| panic!("{hole}"));
    let network = wall::edges::edges(&shared, 1, &wall::Platform::WITH_IOMMU);
    assert!(!network.iter().any(|edge| edge.name == "share"));
}
