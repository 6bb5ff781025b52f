//! Frames and records that somebody made up.

use crate::common::{cable::Faults, peer::*, World};
use ipc::net::{Reach, Record, Server};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damaged_frames_of_a_real_exchange_do_no_harm(seed in any::<u64>(), damaged in 100u32..900) {
        let mut world = World::new(Faults { lost: 0, damaged, swapped: 100, doubled: 100 }, seed);
        world.peer.manners.advertises = true;
        world.peer.names.push(("host.example", vec![Says::A(ADDRESS), Says::Aaaa(ADDRESS6.parse().unwrap())]));
        for _ in 0..3 {
            let _ = world.connect("host.example", ECHO, 3000);
            let _ = world.ping("host.example", 3000);
            world.pass_ms(200);
        }
    }

    #[test]
    fn any_records_do_no_harm(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..50)) {
        let mut world = World::up();
        let id = world.connected("10.0.0.1", ECHO);
        for record in &records {
            world.net.record(record);
        }
        for bytes in [0, 1, u32::MAX] {
            world.record(&Record::Taken { id, bytes });
        }
        world.send(id, b"and still");
        world.until(2000, |world| world.of(id).got == b"and still");
        let real = records.iter().filter(|record| ipc::decode::<Record>(record).is_ok()).count();
        prop_assert_eq!(world.net.status(0).malformed, (records.len() - real) as u64);
    }
}

#[test]
fn after_a_storm_of_frames_it_still_works() {
    let mut world = World::up();
    let mut random = 1u64;
    let (ours, theirs) = world.cable.ends();
    drop(ours);
    for _ in 0..20_000 {
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mut frame: Vec<u8> = (0..random % 120).map(|i| (random >> (i % 56)) as u8).collect();
        if frame.len() > 34 {
            frame[..6].copy_from_slice(&crate::common::MAC);
            let kind = [[8, 0], [8, 6], [0x86, 0xdd]][random as usize / 7 % 3];
            frame[12..14].copy_from_slice(&kind);
            frame[14] = if kind == [8, 0] { 0x45 } else { 0x60 };
        }
        theirs.send(frame);
        if random % 50 == 0 {
            world.pass();
        }
    }
    world.pass_ms(100);
    assert_eq!(world.reach, Some(Reach::Ready));
    let id = world.connected("10.0.0.1", ECHO);
    world.send(id, b"alive");
    world.until(3000, |world| world.of(id).got == b"alive");
}
