use crate::common::{cable::Faults, peer::*, World};
use ipc::net::{Error, Reach, PINGS};

#[test]
fn both_families_are_answered_with_a_time() {
    let mut world = World::up();
    world.peer.advertise(1800);
    world.peer.names.push(("host.example", vec![Says::A(ADDRESS)]));
    world.pass_ms(100);
    let same = ["10.0.0.1", ADDRESS6, "fe80::1"].map(|host| (host, host));
    for (host, address) in same.into_iter().chain([("host.example", "10.0.0.1")]) {
        let id = world.ping(host, 3000).unwrap();
        assert_eq!(world.outcome(id, 2500), None, "{host}");
        let (from, time_us) = world.of(id).pong.unwrap();
        assert_eq!(from.to_string(), address);
        assert!(time_us <= 1_100_000, "{host}: {time_us}");
    }
    // The neighbour is known now.
    let id = world.ping("10.0.0.1", 3000).unwrap();
    assert_eq!(world.outcome(id, 100), None);
    assert!(world.of(id).pong.unwrap().1 <= 2000);
}

#[test]
fn one_that_is_not_answered_is_made_again_and_then_given_up() {
    let mut world = World::up();
    world.peer.manners.echo = false;
    let id = world.ping("10.0.0.1", 4500).unwrap();
    assert_eq!(world.outcome(id, 4600), Some(Error::TimedOut { after_ms: 4500 }));
    let id = world.ping("10.0.0.1", 4500).unwrap();
    world.pass_ms(1500);
    world.peer.manners.echo = true;
    assert_eq!(world.outcome(id, 1000), None);
}

#[test]
fn a_network_that_the_router_does_not_know_is_unreachable() {
    let mut world = World::up();
    let id = world.ping("192.0.2.1", 4500).unwrap();
    assert_eq!(world.outcome(id, 1000), Some(Error::Unreachable));
    for host in ["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "::1", "ff02::1", "2001:db8::9"] {
        let id = world.ping(host, 4500).unwrap();
        assert_eq!(world.outcome(id, 10), Some(Error::Unreachable), "{host}");
    }
}

#[test]
fn there_are_so_many_at_a_time_and_one_can_be_taken_back() {
    let mut world = World::up();
    world.peer.manners.echo = false;
    let ids: Vec<_> = (0..PINGS).map(|_| world.ping("10.0.0.1", 60_000).unwrap()).collect();
    assert_eq!(world.ping("10.0.0.1", 60_000), Err(Error::TooMany { limit: PINGS as u16 }));
    ipc::net::Server::close(&mut world.net, 0, ids[1]);
    world.ping("10.0.0.1", 60_000).unwrap();
    world.pass_ms(100);
    assert!(!world.of(ids[1]).over());
}

#[test]
fn on_a_bad_cable_most_are_answered() {
    let mut world = World::new(Faults { lost: 200, damaged: 100, ..Faults::default() }, 3);
    world.until(60_000, |world| world.reach == Some(Reach::Ready));
    let mut answered = 0;
    for _ in 0..20 {
        let id = world.ping("10.0.0.1", 5000).unwrap();
        answered += u32::from(world.outcome(id, 5100).is_none());
    }
    assert!(answered >= 15, "{answered} of 20");
}
