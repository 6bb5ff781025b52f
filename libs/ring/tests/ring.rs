//! Both ends, well behaved.

mod memory;

use memory::Memory;
use proptest::prelude::*;
use ring::{Consumer, PopError, Producer, PushError};
use std::collections::VecDeque;

fn take(c: &mut Consumer) -> Option<Vec<u8>> {
    let mut buffer = [0; 4096];
    c.pop(&mut buffer).unwrap().map(|n| buffer[..n].to_vec())
}

#[test]
fn the_format_is_the_documented_one() {
    let m = Memory::new(64);
    let (mut p, mut c) = m.credit();
    p.push(&[b"abc", b"defgh"]).unwrap();
    assert_eq!(m.get_area(0).to_le_bytes(), *b"RING1\0\0\0");
    assert_eq!((m.get_area(1), m.get_area(2)), (1, 16));
    assert_eq!(m.get_area(512).to_le_bytes(), *b"\x08\0\0\0abcd");
    assert_eq!(m.get_area(513).to_le_bytes(), *b"efgh\0\0\0\0");
    assert_eq!(take(&mut c), Some(b"abcdefgh".to_vec()));
    // SAFETY: a word of the page, which nobody writes meanwhile.
    assert_eq!(unsafe { *m.page().cast::<u64>() }, 16);
    // SAFETY: a word of the page, which nobody writes meanwhile.
    assert_eq!(unsafe { *m.page().cast::<u64>().add(1) }, 1);
    assert_eq!(take(&mut c), None);
}

#[test]
fn a_full_ring_with_credit_refuses_and_loses_nothing() {
    let m = Memory::new(64);
    let (mut p, mut c) = m.credit();
    for i in 0..4u8 {
        p.push(&[&[i; 12]]).unwrap();
    }
    assert_eq!(p.free(), Ok(0));
    assert_eq!(p.push(&[b""]), Err(PushError::Full));
    assert_eq!(p.push(&[&[0; 61]]), Err(PushError::TooLong));
    assert_eq!(take(&mut c), Some(vec![0; 12]));
    p.push(&[&[4; 12]]).unwrap();
    for i in 1..5u8 {
        assert_eq!(take(&mut c), Some(vec![i; 12]));
    }
}

#[test]
fn a_record_may_fill_the_ring() {
    let m = Memory::new(64);
    let (mut p, mut c) = m.credit();
    for _ in 0..3 {
        p.push(&[&[7; 60]]).unwrap();
        assert_eq!(take(&mut c), Some(vec![7; 60]));
        p.push(&[&[]]).unwrap();
        assert_eq!(take(&mut c), Some(vec![]));
    }
}

#[test]
fn a_lossy_ring_overwrites_and_the_gap_is_counted() {
    let m = Memory::new(64);
    let (mut p, mut c) = m.lossy();
    for i in 0..10u8 {
        p.push(&[&[i; 12]]).unwrap();
    }
    // Ten records of 16 bytes; the last one is where reading goes on.
    let mut buffer = [0; 64];
    assert_eq!(c.pop(&mut buffer), Err(PopError::Lost { bytes: 144, records: 9 }));
    assert_eq!(take(&mut c), Some(vec![9; 12]));
    assert_eq!(take(&mut c), None);
    assert_eq!(c.lost(), (144, 9));
}

#[test]
fn a_consumer_that_comes_late_begins_at_the_front() {
    let m = Memory::new(128);
    // SAFETY: the memory is as long as the capacity says, and outlives both ends.
    let mut p = unsafe { Producer::lossy(m.area(), 128) }.unwrap();
    p.push(&[b"early"]).unwrap();
    // SAFETY: the memory is as long as the capacity says, and outlives both ends.
    let mut c = unsafe { Consumer::lossy(m.area(), 128) }.unwrap();
    assert_eq!(take(&mut c), Some(b"early".to_vec()));
}

#[test]
fn a_consumer_that_died_finds_what_it_has_not_read() {
    for lossy in [true, false] {
        let m = Memory::new(128);
        let (mut p, mut c) = if lossy { m.lossy() } else { m.credit() };
        p.push(&[b"died of"]).unwrap();
        assert_eq!(take(&mut c), Some(b"died of".to_vec()));
        drop(c);
        p.push(&[b"meanwhile"]).unwrap();
        // SAFETY: the memory is as long as the capacity says, and outlives both ends.
        let again = || unsafe {
            if lossy { Consumer::lossy_kept(m.area(), 128, m.page()) } else { Consumer::credit(m.area(), 128, m.page()) }
        };
        let mut c = again().unwrap();
        assert_eq!(take(&mut c), Some(b"meanwhile".to_vec()));
        assert_eq!(take(&mut c), None);
        if lossy {
            for i in 0..20 {
                p.push(&[&[i; 4]]).unwrap();
            }
            let mut c = again().unwrap();
            assert_eq!(c.pop(&mut [0; 9]), Err(PopError::Lost { bytes: 152, records: 19 }));
            assert_eq!(take(&mut c), Some(vec![19; 4]));
            let mut c = again().unwrap();
            assert_eq!(take(&mut c), None);
        }
    }
}

#[test]
fn what_lay_unread_when_both_ends_died_is_dropped_and_said() {
    let m = Memory::new(128);
    let (mut p, c) = m.lossy();
    p.push(&[b"stale"]).unwrap();
    drop((p, c));
    let (mut p, mut c) = m.lossy();
    p.push(&[b"fresh"]).unwrap();
    assert_eq!(c.pop(&mut [0; 9]), Err(PopError::Restarted { bytes: 16 }));
    assert_eq!(take(&mut c), Some(b"fresh".to_vec()));
}

#[test]
fn a_consumer_that_comes_first_misses_nothing() {
    let m = Memory::new(128);
    for lossy in [true, false] {
        let m = if lossy { &m } else { &Memory::new(128) };
        // SAFETY: the memory is as long as the capacity says, and outlives both ends.
        let mut c = unsafe {
            if lossy { Consumer::lossy(m.area(), 128) } else { Consumer::credit(m.area(), 128, m.page()) }.unwrap()
        };
        assert_eq!(take(&mut c), None);
        // SAFETY: the memory is as long as the capacity says, and outlives both ends.
        let mut p = if lossy { m.lossy().0 } else { unsafe { Producer::credit(m.area(), 128, m.page()) }.unwrap() };
        p.push(&[b"one"]).unwrap();
        assert_eq!(take(&mut c), Some(b"one".to_vec()));
    }
}

#[test]
fn a_producers_restart_is_seen_and_its_old_records_are_dropped() {
    for lossy in [true, false] {
        let m = Memory::new(128);
        let (mut p, mut c) = if lossy { m.lossy() } else { m.credit() };
        p.push(&[b"read"]).unwrap();
        assert_eq!(take(&mut c), Some(b"read".to_vec()));
        p.push(&[b"stale"]).unwrap();
        let mut p = if lossy { m.lossy().0 } else { m.credit().0 };
        assert_eq!(p.epoch(), 2);
        p.push(&[b"fresh"]).unwrap();
        assert_eq!(c.pop(&mut [0; 9]), Err(PopError::Restarted { bytes: 16 }));
        assert_eq!(c.epoch(), 2);
        assert_eq!(take(&mut c), Some(b"fresh".to_vec()));
    }
}

#[test]
fn a_producer_that_begins_again_at_the_front_is_followed() {
    // As a plain C implementation may do it: epoch up, head to 0.
    let m = Memory::new(128);
    let (mut p, mut c) = m.credit();
    for _ in 0..20 {
        p.push(&[&[1; 20]]).unwrap();
        take(&mut c);
    }
    m.set_area(2, 0);
    m.set_area(6, 0);
    m.set_area(1, 2);
    m.set_area(8, u64::from_le_bytes(*b"\x03\0\0\0new\0"));
    m.set_area(2, 8);
    assert_eq!(c.pop(&mut [0; 9]), Err(PopError::Restarted { bytes: 0 }));
    assert_eq!(take(&mut c), Some(b"new".to_vec()));
}

#[test]
fn a_consumers_restart_goes_on_at_the_tail() {
    let m = Memory::new(128);
    let (mut p, mut c) = m.credit();
    p.push(&[b"one"]).unwrap();
    p.push(&[b"two"]).unwrap();
    take(&mut c);
    // SAFETY: the memory is as long as the capacity says, and outlives both ends.
    let mut c = unsafe { Consumer::credit(m.area(), 128, m.page()) }.unwrap();
    assert_eq!(take(&mut c), Some(b"two".to_vec()));
}

#[test]
fn a_record_that_is_too_long_for_the_buffer_is_skipped() {
    let m = Memory::new(128);
    let (mut p, mut c) = m.credit();
    p.push(&[&[1; 20]]).unwrap();
    p.push(&[b"next"]).unwrap();
    assert_eq!(c.pop(&mut [0; 19]), Err(PopError::TooSmall { needed: 20 }));
    assert_eq!(take(&mut c), Some(b"next".to_vec()));
}

#[test]
fn bad_shapes_are_refused() {
    let m = Memory::new(128);
    for capacity in [0, 32, 63, 100, usize::MAX] {
        // SAFETY: refused before anything is touched.
        assert!(unsafe { Producer::lossy(m.area(), capacity) }.is_err(), "{capacity}");
        // SAFETY: refused before anything is touched.
        assert!(unsafe { Consumer::lossy(m.area(), capacity) }.is_err(), "{capacity}");
    }
    // SAFETY: refused before anything is touched.
    assert!(unsafe { Producer::lossy(m.area().add(4), 64) }.is_err());
    // SAFETY: refused before anything is touched.
    assert!(unsafe { Producer::lossy(std::ptr::null_mut(), 64) }.is_err());
}

proptest! {
    /// Against a queue: what goes in comes out, in order, cut as it was, and refusals are exact.
    #[test]
    fn credit_behaves_as_a_queue(
        bits in 6..12u32,
        actions in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200), 0..200usize), 1..300),
    ) {
        let m = Memory::new(1 << bits);
        let (mut p, mut c) = m.credit();
        let mut model: VecDeque<Vec<u8>> = VecDeque::new();
        let size = |r: &[u8]| (4 + r.len()).next_multiple_of(8);
        for (push, bytes, cut) in actions {
            if push {
                let (a, b) = bytes.split_at(cut.min(bytes.len()));
                let used: usize = model.iter().map(|r| size(r)).sum();
                let expected = if size(&bytes) > m.capacity {
                    Err(PushError::TooLong)
                } else if used + size(&bytes) > m.capacity {
                    Err(PushError::Full)
                } else {
                    Ok(())
                };
                prop_assert_eq!(p.push(&[a, b]), expected);
                if expected.is_ok() {
                    model.push_back(bytes);
                }
            } else {
                prop_assert_eq!(c.is_empty(), model.is_empty());
                prop_assert_eq!(take(&mut c), model.pop_front());
            }
        }
    }

    /// A lossy consumer sees some of the records, in order and whole, and the counts add up.
    #[test]
    fn lossy_gives_a_subsequence(
        bits in 6..10u32,
        bursts in prop::collection::vec((0..20usize, 0..5usize, 0..48usize), 1..60),
    ) {
        let m = Memory::new(1 << bits);
        let (mut p, mut c) = m.lossy();
        let mut buffer = [0; 64];
        let (mut written, mut seen, mut next) = (0u64, 0u64, 0u64);
        for (push, pop, len) in bursts {
            for _ in 0..push {
                p.push(&[&written.to_le_bytes(), &vec![written as u8; len]]).unwrap();
                written += 1;
            }
            for _ in 0..pop {
                match c.pop(&mut buffer) {
                    Ok(None) => break,
                    Ok(Some(n)) => {
                        let number = u64::from_le_bytes(buffer[..8].try_into().unwrap());
                        prop_assert!(number >= next && number < written);
                        prop_assert!(buffer[8..n].iter().all(|b| *b == number as u8));
                        prop_assert_eq!(number, seen + c.lost().1);
                        next = number + 1;
                        seen += 1;
                    }
                    Err(PopError::Lost { .. }) => {}
                    Err(other) => prop_assert!(false, "{other:?}"),
                }
            }
        }
    }
}
