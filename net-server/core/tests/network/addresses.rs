use crate::common::{cable::Faults, peer::*, World};
use ipc::net::{Error, Reach, Server};
use std::net::{IpAddr, Ipv4Addr};

#[test]
fn dhcp_gives_an_address_a_gateway_and_dns() {
    let mut world = World::up();
    let status = world.net.status(0);
    assert_eq!(status.ipv4, Some((GIVEN, 24)));
    assert_eq!(status.gateway, Some(ADDRESS));
    assert_eq!(&status.dns[..], [IpAddr::V4(ADDRESS)]);
    assert_eq!(status.mac, crate::common::MAC);
    assert_eq!(status.ipv6[0].0.to_string(), "fe80::ff:fe00:42");
    assert_eq!((world.life, world.peer.leases), (Some(5), 1));
    assert!(status.received.frames >= 2 && status.sent.bytes > 600);
}

#[test]
fn a_lease_is_renewed_and_when_nobody_renews_it_the_address_is_lost() {
    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.lease_s = 20;
    world.until(5000, |world| world.reach == Some(Reach::Ready));
    let echo = world.connected("10.0.0.1", ECHO);
    world.pass_ms(60_000);
    assert!(world.peer.renewals >= 4, "{} renewals", world.peer.renewals);
    assert_eq!((world.reach, world.peer.leases), (Some(Reach::Ready), 1));
    assert_eq!(world.of(echo).failed, None);

    world.peer.manners.dhcp = false;
    world.until(25_000, |world| world.reach == Some(Reach::NoAddress));
    assert_eq!(world.outcome(echo, 2000), Some(Error::AddressLost));
    assert_eq!(world.net.status(0).ipv4, None);
    // Who asks now waits a while, and is told.
    let id = world.connect("10.0.0.1", ECHO, 60_000).unwrap();
    assert_eq!(world.outcome(id, 12_000), Some(Error::NoAddress));

    world.peer.manners.dhcp = true;
    world.until(10_000, |world| world.reach == Some(Reach::Ready));
    world.connected("10.0.0.1", ECHO);
}

#[test]
fn without_dhcp_a_connection_waits_for_an_address_and_gets_it_when_dhcp_comes_in_time() {
    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.dhcp = false;
    let early = world.connect("10.0.0.1", ECHO, 30_000).unwrap();
    world.pass_ms(5000);
    assert!(!world.of(early).over());
    world.peer.manners.dhcp = true;
    world.until(5000, |world| world.of(early).connected.is_some());

    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.dhcp = false;
    let connection = world.connect("10.0.0.1", ECHO, 30_000).unwrap();
    let ping = world.ping("10.0.0.1", 30_000).unwrap();
    assert_eq!(world.outcome(connection, 11_000), Some(Error::NoAddress));
    assert_eq!(world.outcome(ping, 100), Some(Error::NoAddress));
    assert_eq!(world.reach, Some(Reach::NoAddress));
}

#[test]
fn a_link_that_is_down_is_said_at_once() {
    let mut world = World::new(Faults::default(), 1);
    world.link = false;
    world.pass();
    assert_eq!(world.reach, Some(Reach::LinkDown));
    let connection = world.connect("10.0.0.1", ECHO, 30_000).unwrap();
    let ping = world.ping("10.0.0.1", 30_000).unwrap();
    assert_eq!(world.outcome(connection, 10), Some(Error::LinkDown));
    assert_eq!(world.outcome(ping, 10), Some(Error::LinkDown));
}

#[test]
fn a_link_that_is_back_soon_harms_no_connection() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", ECHO);
    (world.link, world.reach) = (false, None);
    world.cable.cut(true);
    world.pass_ms(2000);
    assert_eq!(world.reach, Some(Reach::LinkDown));
    world.link = true;
    world.cable.cut(false);
    world.pass_ms(3000);
    world.send(id, b"still there");
    world.until(5000, |world| world.of(id).got == b"still there");
    assert_eq!((world.reach, world.peer.leases), (Some(Reach::Ready), 2));
}

#[test]
fn a_link_that_is_lost_ends_connections_and_a_new_one_begins_anew() {
    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.advertises = true;
    world.until(5000, |world| world.net.status(0).ipv6.len() == 2);
    let id = world.connected("10.0.0.1", ECHO);
    world.link = false;
    world.cable.cut(true);
    assert_eq!(world.outcome(id, 3500), Some(Error::LinkDown));
    // Another network.
    (world.peer.manners.gives, world.peer.manners.advertises) = (Ipv4Addr::new(10, 0, 0, 77), false);
    world.link = true;
    world.cable.cut(false);
    world.until(5000, |world| world.reach == Some(Reach::Ready));
    let status = world.net.status(0);
    assert_eq!(status.ipv4, Some((Ipv4Addr::new(10, 0, 0, 77), 24)));
    assert_eq!((status.ipv6.len(), status.gateway6), (1, None));
    world.connected("10.0.0.1", ECHO);
}

#[test]
fn an_address_that_changes_ends_the_connections_from_the_old_one() {
    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.lease_s = 20;
    world.until(5000, |world| world.reach == Some(Reach::Ready));
    let id = world.connected("10.0.0.1", SILENT);
    world.peer.manners.gives = Ipv4Addr::new(10, 0, 0, 60);
    world.until(15_000, |world| world.net.status(0).ipv4 == Some((Ipv4Addr::new(10, 0, 0, 60), 24)));
    assert!(world.outcome(id, 2000).is_some());
    world.connected("10.0.0.1", ECHO);
}

#[test]
fn a_router_announces_ipv6_and_takes_it_back() {
    let mut world = World::new(Faults::default(), 1);
    world.peer.manners.advertises = true;
    world.peer.manners.dhcp = false;
    world.until(5000, |world| world.reach == Some(Reach::Ready));
    let status = world.net.status(0);
    assert_eq!(status.ipv6[1].0.to_string(), "2001:db8::ff:fe00:42");
    assert_eq!(status.gateway6.map(|router| router.to_string()).as_deref(), Some("fe80::1"));
    let id = world.connected(ADDRESS6, ECHO);
    world.send(id, b"six");
    world.until(3000, |world| world.of(id).got == b"six");
    world.peer.advertise(0);
    world.until(3000, |world| world.reach == Some(Reach::NoAddress));
}

#[test]
fn a_router_that_is_sooner_than_dhcp_does_not_make_ipv4_unreachable() {
    let mut world = World::new(Faults::default(), 1);
    (world.peer.manners.advertises, world.peer.manners.dhcp) = (true, false);
    world.until(1000, |world| world.reach == Some(Reach::Ready));
    let four = world.connect("10.0.0.1", ECHO, 30_000).unwrap();
    let six = world.connect(ADDRESS6, ECHO, 30_000).unwrap();
    world.until(1500, |world| world.of(six).connected.is_some());
    world.peer.manners.dhcp = true;
    world.until(5000, |world| world.of(four).connected.is_some());
}

#[test]
fn where_there_is_no_ipv4_its_addresses_are_unreachable() {
    let mut world = World::new(Faults::default(), 1);
    (world.peer.manners.advertises, world.peer.manners.dhcp) = (true, false);
    let id = world.connect("10.0.0.1", ECHO, 30_000).unwrap();
    assert_eq!(world.outcome(id, 5000), Some(Error::Unreachable));
}

#[test]
fn an_address_that_no_host_can_have_is_not_taken() {
    for gives in [Ipv4Addr::LOCALHOST, Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1), Ipv4Addr::new(0, 0, 0, 9)] {
        let mut world = World::new(Faults::default(), 1);
        world.peer.manners.gives = gives;
        world.pass_ms(11_000);
        assert_eq!((world.net.status(0).ipv4, world.reach), (None, Some(Reach::NoAddress)), "{gives}");
    }
}

#[test]
fn on_a_bad_cable_it_takes_longer() {
    for seed in 0..10 {
        let mut world = World::new(Faults { lost: 300, damaged: 100, swapped: 100, doubled: 100 }, seed);
        world.until(60_000, |world| world.reach == Some(Reach::Ready));
    }
}
