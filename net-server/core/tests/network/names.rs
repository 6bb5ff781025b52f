use crate::common::{peer::*, World};
use ipc::net::{Error, NameError};
use std::net::Ipv4Addr;

fn fails_with(says: &'static [Says], error: NameError, ms: u64) {
    let mut world = World::up();
    world.peer.names.push(("host.example", says.to_vec()));
    let connection = world.connect("host.example", ECHO, 30_000).unwrap();
    let ping = world.ping("host.example", 30_000).unwrap();
    assert_eq!(world.outcome(connection, ms), Some(Error::Name(error)), "{says:?}");
    assert_eq!(world.outcome(ping, 100), Some(Error::Name(error)), "{says:?}");
}

#[test]
fn a_name_is_looked_up_and_connected_to() {
    let mut world = World::up();
    world.peer.names.push(("host.example", vec![Says::A(ADDRESS)]));
    let id = world.connected("Host.Example.", ECHO);
    assert_eq!(world.of(id).connected, Some(ADDRESS.into()));
    assert_eq!(world.peer.asked, ["host.example"]);
}

#[test]
fn a_name_that_is_not_there_is_told_from_one_without_an_address() {
    fails_with(&[Says::Code(3)], NameError::Unknown, 100);
    fails_with(&[], NameError::NoAddress, 100);
}

#[test]
fn a_server_that_fails_is_asked_again_and_then_believed() {
    fails_with(&[Says::Code(2)], NameError::Server { code: 2 }, 10_000);
    fails_with(&[Says::Code(5)], NameError::Server { code: 5 }, 10_000);
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    fails_with(&[Says::Nothing], NameError::NoAnswer, 10_000);
    let mut world = World::up();
    world.peer.names.push(("host.example", vec![Says::Nothing]));
    let short = world.connect("host.example", ECHO, 800).unwrap();
    assert_eq!(world.outcome(short, 900), Some(Error::TimedOut { after_ms: 800 }));
}

#[test]
fn a_lost_question_is_asked_again() {
    let mut world = World::up();
    world.peer.names.push(("host.example", vec![Says::Nothing]));
    let id = world.connect("host.example", ECHO, 20_000).unwrap();
    world.pass_ms(500);
    world.peer.names = vec![("host.example", vec![Says::A(ADDRESS)])];
    world.until(3000, |world| world.of(id).connected.is_some());
    assert_eq!(world.peer.asked.len(), 2);
}

#[test]
fn what_is_no_host_name_is_not_asked_for() {
    let mut world = World::up();
    for name in ["", "a b", "ö.de", "-x", "http://a/"] {
        let id = world.connect(name, ECHO, 1000).unwrap();
        assert_eq!(world.outcome(id, 10), Some(Error::Name(NameError::Malformed)), "{name}");
    }
    assert!(world.peer.asked.is_empty());
}

#[test]
fn the_second_address_is_tried_when_the_first_is_nobody() {
    let mut world = World::up();
    let nobody = Ipv4Addr::new(10, 0, 0, 200);
    world.peer.names.push(("host.example", vec![Says::A(nobody), Says::A(ADDRESS)]));
    let id = world.connect("host.example", ECHO, 20_000).unwrap();
    let ms = world.until(7000, |world| world.of(id).connected.is_some());
    assert!(ms >= 4900, "{ms} ms");
    assert_eq!(world.of(id).connected, Some(ADDRESS.into()));
}

#[test]
fn ipv6_is_asked_for_where_there_is_some_and_tried_first() {
    let mut world = World::up();
    world.peer.names.push(("host.example", vec![Says::A(ADDRESS), Says::Aaaa(ADDRESS6.parse().unwrap())]));
    let id = world.connected("host.example", ECHO);
    assert_eq!(world.of(id).connected, Some(ADDRESS.into()));
    assert_eq!(world.peer.asked.len(), 1);
    world.peer.advertise(1800);
    world.pass_ms(100);
    let id = world.connected("host.example", ECHO);
    assert_eq!(world.of(id).connected, Some(ADDRESS6.parse().unwrap()));
    assert_eq!(world.peer.asked.len(), 3);
    // An address of the other family does not wait for one that never comes.
    world.peer.names.push(("four.example", vec![Says::A(ADDRESS)]));
    let id = world.connected("four.example", DISCARD);
    assert_eq!(world.of(id).connected, Some(ADDRESS.into()));
}
