use crate::common::{
    cable::Faults,
    peer::{byte, *},
    World,
};
use ipc::net::{Error, Record, Server, RECEIVE_WINDOW, SEND_WINDOW, SOCKETS};

fn stream(from: u64, length: usize) -> Vec<u8> {
    (from..from + length as u64).map(byte).collect()
}

/// Sends so much to a service, and keeps going.
fn upload(world: &mut World, id: ipc::net::Id, bytes: u64, ms: u64) {
    let (mut sent, before) = (0, world.peer.discarded);
    world.until(ms, |world| {
        let piece = stream(sent, (bytes - sent).min(100_000) as usize);
        sent += world.send(id, &piece) as u64;
        world.peer.discarded - before == bytes
    });
}

#[test]
fn what_is_sent_comes_back_and_the_end_is_orderly() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", ECHO);
    let bytes = stream(0, 200_000);
    assert_eq!(world.send(id, &bytes), bytes.len());
    world.record(&Record::Shutdown { id });
    assert_eq!(world.outcome(id, 10_000), None);
    let known = world.of(id).clone();
    assert!(known.got == bytes && known.ended && known.closed);
    assert_eq!(known.on_the_way, 0);
    assert_eq!(world.net.status(0).sockets, 0);
}

#[test]
fn a_megabyte_goes_each_way_over_a_cable_that_loses_damages_swaps_and_doubles() {
    for (seed, lost) in [(1, 5), (2, 20), (3, 50)] {
        let mut world = World::up();
        world.cable.set_faults(Faults { lost, damaged: 10, swapped: 50, doubled: 10 });
        let down = world.connected("10.0.0.1", SOURCE);
        let up = world.connected("10.0.0.1", DISCARD);
        upload(&mut world, up, 1 << 20, 400_000);
        world.until(400_000, |world| world.of(down).got.len() >= 1 << 20);
        let got = std::mem::take(&mut world.of(down).got);
        assert!(got == stream(0, got.len()), "seed {seed}: what came is not what was sent");
        assert!(world.net.status(0).bad_frames > 0);
    }
}

#[test]
fn nobody_listens_is_told_from_nobody_is_there() {
    let mut world = World::up();
    let id = world.connect("10.0.0.1", 4444, 10_000).unwrap();
    assert_eq!(world.outcome(id, 2500), Some(Error::Refused));
    let id = world.connect("10.0.0.200", ECHO, 3000).unwrap();
    let ms = world.until(3100, |world| world.of(id).over());
    assert!(ms >= 2990);
    assert!(matches!(world.of(id).failed, Some(Error::TimedOut { after_ms: 2990..=3010 })));
    let id = world.connect("192.0.2.1", ECHO, 10_000).unwrap();
    assert_eq!(world.outcome(id, 100), Some(Error::Unreachable));
    assert_eq!(world.connect("10.0.0.1", 0, 1000), Err(Error::BadPort));
}

#[test]
fn a_reset_is_told_after_what_came_before_it() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", ABORTS);
    world.send(id, b"x");
    assert_eq!(world.outcome(id, 2000), Some(Error::Reset));

    let id = world.connected("10.0.0.1", CLOSES);
    world.send(id, b"x");
    world.until(2000, |world| world.of(id).ended);
    assert_eq!(world.of(id).got, b"bye");
    assert!(!world.of(id).over());
    // The other half is ours to close.
    world.record(&Record::Shutdown { id });
    assert_eq!(world.outcome(id, 2000), None);
}

#[test]
fn an_end_that_falls_silent_is_given_up() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", SILENT);
    world.pass_ms(100_000);
    assert!(!world.of(id).over(), "it answers when it is asked whether it is there");
    world.cable.cut(true);
    assert_eq!(world.outcome(id, 125_000), Some(Error::TimedOut { after_ms: 90_000 }));
}

#[test]
fn who_takes_nothing_gets_no_more_than_the_window_and_holds_up_nobody() {
    let mut world = World::up();
    world.takes = false;
    let idle = world.connected("10.0.0.1", SOURCE);
    world.pass_ms(1000);
    assert_eq!(world.of(idle).got.len(), RECEIVE_WINDOW as usize);
    world.takes = true;
    let busy = world.connected("10.0.0.1", SOURCE);
    world.until(20_000, |world| world.of(busy).got.len() > 4 * RECEIVE_WINDOW as usize);
    assert_eq!(world.of(idle).got.len(), RECEIVE_WINDOW as usize);
    world.take(idle);
    world.until(5000, |world| world.of(idle).got.len() > 2 * RECEIVE_WINDOW as usize);
    let got = std::mem::take(&mut world.of(idle).got);
    assert!(got == stream(0, got.len()));
}

#[test]
fn an_end_that_takes_nothing_lets_no_more_than_the_window_be_sent_and_holds_up_nobody() {
    let mut world = World::up();
    let full = world.connected("10.0.0.1", SILENT);
    let bytes = stream(0, 2 * SEND_WINDOW as usize);
    let mut sent = 0;
    for _ in 0..3000 {
        sent += world.send(full, &bytes[sent..]);
        world.pass();
    }
    // Its buffer, and ours; less than an eighth is not worth giving back.
    assert!(sent > 15 * SEND_WINDOW as usize / 8 && sent <= 2 * SEND_WINDOW as usize, "{sent}");
    assert_eq!(world.of(full).on_the_way, SEND_WINDOW);
    let up = world.connected("10.0.0.1", DISCARD);
    upload(&mut world, up, 2_000_000, 20_000);
    assert!(!world.of(full).over());
}

#[test]
fn who_sends_more_than_the_window_or_too_early_loses_the_connection() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", SILENT);
    for _ in 0..10 {
        let bytes = [0; ipc::net::DATA_BYTES];
        world.record(&Record::Data { id, bytes: &bytes });
    }
    assert_eq!(world.outcome(id, 10), Some(Error::Overrun));
    let early = world.connect("10.0.0.1", ECHO, 1000).unwrap();
    world.record(&Record::Data { id: early, bytes: b"too early" });
    assert_eq!(world.outcome(early, 10), Some(Error::Overrun));
    let late = world.connected("10.0.0.1", ECHO);
    world.record(&Record::Shutdown { id: late });
    world.record(&Record::Data { id: late, bytes: b"too late" });
    assert_eq!(world.outcome(late, 10), Some(Error::Overrun));
}

#[test]
fn there_are_so_many_at_a_time_and_a_closed_one_makes_room() {
    let mut world = World::up();
    let ids: Vec<_> = (0..SOCKETS).map(|_| world.connect("10.0.0.1", 4444 + 1, 60_000).unwrap()).collect();
    assert_eq!(world.connect("10.0.0.1", ECHO, 1000), Err(Error::TooMany { limit: SOCKETS as u16 }));
    world.net.close(0, ids[3]);
    world.pass();
    world.connected("10.0.0.1", ECHO);
    assert!(!world.of(ids[3]).over(), "of one that was closed nothing is said");
}

#[test]
fn a_client_that_died_leaves_nothing_behind() {
    let mut world = World::up();
    let old = world.connected("10.0.0.1", SOURCE);
    world.ping("10.0.0.200", 60_000).unwrap();
    world.net.client_restarted();
    world.life = None;
    world.pass_ms(10);
    world.known.clear();
    world.pass_ms(100);
    assert!(world.known.is_empty(), "{:?} is told of", world.known.keys());
    assert_eq!((world.life, world.net.status(0).sockets, world.net.status(0).pings), (Some(5), 0, 0));
    let new = world.connected("10.0.0.1", ECHO);
    assert!(new > old);
}

#[test]
fn a_ring_without_room_loses_nothing() {
    let mut world = World::up();
    let id = world.connected("10.0.0.1", SOURCE);
    // Room for one record at a time, and sometimes for none.
    for room in (0..100).map(|i| [0, 50, 200, 5000, 70_000][i % 5]) {
        world.ring.room = room;
        world.pass();
    }
    world.ring.room = 1 << 20;
    world.pass_ms(10);
    let got = std::mem::take(&mut world.of(id).got);
    assert!(got.len() > 1_000_000 && got == stream(0, got.len()), "{}", got.len());
}

#[test]
fn a_device_without_room_loses_nothing() {
    let mut world = World::up();
    let up = world.connected("10.0.0.1", DISCARD);
    world.cable.set_limit(3);
    upload(&mut world, up, 500_000, 60_000);
    assert!(world.net.status(0).full > 0);
}

#[test]
fn a_device_that_breaks_ends_everything() {
    let mut world = World::up();
    let (id, ping) = (world.connected("10.0.0.1", ECHO), world.ping("10.0.0.200", 10_000).unwrap());
    world.net.device_broken();
    assert_eq!(world.outcome(id, 10), Some(Error::Device));
    assert_eq!(world.outcome(ping, 10), Some(Error::Device));
    assert_eq!(world.connect("10.0.0.1", ECHO, 1000), Err(Error::Device));
}

#[test]
fn a_hundred_connections_one_after_the_other_leave_nothing() {
    let mut world = World::up();
    for i in 0..100u32 {
        let id = world.connected("10.0.0.1", ECHO);
        world.send(id, &i.to_le_bytes());
        world.record(&Record::Shutdown { id });
        assert_eq!(world.outcome(id, 15_000), None);
        assert_eq!(world.of(id).got, i.to_le_bytes());
    }
    assert_eq!(world.net.status(0).sockets, 0);
}
