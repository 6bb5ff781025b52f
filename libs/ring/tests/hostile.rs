//! A peer that writes whatever it likes into the shared memory.

mod memory;
#[path = "../fuzz/run.rs"]
mod run;

use memory::Memory;
use proptest::prelude::*;
use ring::{Consumer, PopError, PushError};
use std::{path::Path, sync::atomic::AtomicBool, sync::atomic::Ordering::*, thread};

#[test]
fn the_corpus_of_the_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/hostile");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        run::hostile(&std::fs::read(entry.unwrap().path()).unwrap());
        files += 1;
    }
    assert!(files >= 8, "the corpus is missing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..Default::default() })]
    #[test]
    fn any_input_of_the_fuzz_target(data in prop::collection::vec(any::<u8>(), 0..400)) {
        run::hostile(&data);
    }
}

#[test]
fn a_length_that_lies_is_corrupt_and_skipped() {
    let m = Memory::new(128);
    let (mut p, mut c) = m.credit();
    p.push(&[b"good"]).unwrap();
    for lie in [u32::MAX, 125, 5, 0x8000_0000] {
        m.set_area(8, lie as u64);
        // SAFETY: the memory is as long as the capacity says, and outlives both ends.
        let mut c = unsafe { Consumer::lossy(m.area(), 128) }.unwrap();
        assert_eq!(c.pop(&mut [0; 256]), Err(PopError::Corrupt), "{lie}");
        assert_eq!(c.pop(&mut [0; 256]), Ok(None));
    }
    m.set_area(8, u32::MAX as u64);
    assert_eq!(c.pop(&mut [0; 256]), Err(PopError::Corrupt));
    p.push(&[b"again"]).unwrap();
    assert_eq!(c.pop(&mut [0; 256]), Ok(Some(5)));
}

#[test]
fn a_head_out_of_reach_is_corrupt_with_credit_and_a_gap_without() {
    for head in [u64::MAX, 1 << 63, 1 << 32, 136] {
        let m = Memory::new(128);
        let (_p, mut c) = m.credit();
        m.set_area(2, head);
        assert_eq!(c.pop(&mut [0; 256]), Err(PopError::Corrupt), "{head:#x}");
        assert_eq!(c.pop(&mut [0; 256]), Ok(None));

        let m = Memory::new(128);
        let (_p, mut c) = m.lossy();
        m.set_area(2, head);
        m.set_area(5, u64::MAX);
        match c.pop(&mut [0; 256]) {
            Err(PopError::Lost { bytes, records }) => assert!(records <= bytes / 8),
            other => assert_eq!(other, Err(PopError::Corrupt)),
        }
    }
}

#[test]
fn a_tail_that_lies_costs_the_consumer_only() {
    let m = Memory::new(128);
    let (mut p, _) = m.credit();
    for tail in [8, 1 << 40, u64::MAX - 200, 1 << 63] {
        m.set_page(0, tail);
        assert_eq!(p.push(&[b"x"]), Err(PushError::BadTail), "{tail:#x}");
    }
    m.set_page(0, 0);
    p.push(&[b"x"]).unwrap();
}

#[test]
fn a_reservation_that_always_says_torn_ends_at_the_head() {
    let m = Memory::new(128);
    let (mut p, mut c) = m.lossy();
    p.push(&[b"one"]).unwrap();
    p.push(&[b"two"]).unwrap();
    m.set_area(3, u64::MAX);
    let mut steps = 0;
    while c.pop(&mut [0; 16]) != Ok(None) {
        steps += 1;
        assert!(steps < 4);
    }
}

/// Somebody else scribbles over everything while both ends work. Only the bounds are checked here; under a sanitizer
/// or Miri, all accesses.
#[test]
fn scribbling_while_both_ends_work() {
    let m = Memory::new(256);
    let rounds = if cfg!(miri) { 300 } else { 200_000u64 };
    for lossy in [true, false] {
        let (mut p, mut c) = if lossy { m.lossy() } else { m.credit() };
        let done = AtomicBool::new(false);
        thread::scope(|s| {
            s.spawn(|| {
                let mut x = 1u64;
                while !done.load(Acquire) {
                    x = x.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    let value = if x >> 62 == 0 { x } else { m.get_area(2).wrapping_add(x >> 55) };
                    m.set_area((x >> 33) as usize % 40, value);
                    m.set_page((x >> 40) as usize, value);
                }
            });
            let mut buffer = [0; 512];
            for i in 0..rounds {
                let _ = p.push(&[&i.to_le_bytes(), &buffer[..(i % 90) as usize]]);
                if let Ok(Some(n)) = c.pop(&mut buffer) {
                    assert!(n <= 512);
                }
            }
            done.store(true, Release);
        });
    }
}
