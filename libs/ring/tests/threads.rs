//! Two threads at full speed.

mod memory;

use memory::Memory;
use ring::{Consumer, PopError, Producer, PushError};
use std::{sync::atomic::AtomicBool, sync::atomic::Ordering::*, thread};

const RECORDS: u64 = if cfg!(miri) { 200 } else { 400_000 };

/// A record that can be told from a torn one: number, then bytes that follow from it.
fn record(number: u64, bytes: &mut Vec<u8>) {
    bytes.clear();
    bytes.extend(number.to_le_bytes());
    let len = (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58) as usize;
    bytes.extend((0..len).map(|i| (number as u8).wrapping_add(i as u8)));
}

#[test]
fn credit_carries_every_record_between_threads() {
    let m = Memory::new(1024);
    let (mut p, mut c) = m.credit();
    thread::scope(|s| {
        s.spawn(move || {
            let mut bytes = Vec::new();
            for i in 0..RECORDS {
                record(i, &mut bytes);
                loop {
                    match p.push(&[&bytes]) {
                        Ok(()) => break,
                        Err(PushError::Full) => thread::yield_now(),
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
        });
        let (mut buffer, mut expected) = ([0; 256], Vec::new());
        let mut i = 0;
        while i < RECORDS {
            match c.pop(&mut buffer).unwrap() {
                Some(n) => {
                    record(i, &mut expected);
                    assert_eq!(buffer[..n], expected);
                    i += 1;
                }
                None => thread::yield_now(),
            }
        }
    });
}

#[test]
fn lossy_never_gives_a_torn_record() {
    let m = Memory::new(512);
    let (mut p, mut c) = m.lossy();
    let done = AtomicBool::new(false);
    thread::scope(|s| {
        s.spawn(|| {
            let mut bytes = Vec::new();
            for i in 0..RECORDS {
                record(i, &mut bytes);
                p.push(&[&bytes]).unwrap();
                // Now and then let the consumer win, so that both cases happen.
                if i % 64 == 0 {
                    thread::yield_now();
                }
            }
            done.store(true, Release);
        });
        let (mut buffer, mut expected) = ([0; 256], Vec::new());
        let (mut next, mut seen) = (0u64, 0u64);
        loop {
            let last = done.load(Acquire);
            match c.pop(&mut buffer) {
                Ok(Some(n)) => {
                    let number = u64::from_le_bytes(buffer[..8].try_into().unwrap());
                    assert!(number >= next, "{number} after {next}");
                    record(number, &mut expected);
                    assert_eq!(buffer[..n], expected, "torn");
                    next = number + 1;
                    seen += 1;
                }
                Ok(None) if last => break,
                Ok(None) => thread::yield_now(),
                Err(PopError::Lost { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
        }
        assert!(seen > 0);
    });
}

#[test]
fn restarts_of_both_ends_under_way() {
    let m = Memory::new(1024);
    let flag = AtomicBool::new(false);
    let done = &flag;
    thread::scope(|s| {
        let (area, page, capacity) = (m.area() as usize, m.page() as usize, m.capacity);
        s.spawn(move || {
            let mut bytes = Vec::new();
            let mut p = unsafe { Producer::credit(area as *mut u8, capacity, page as *const u8) }.unwrap();
            for i in 0..RECORDS / 4 {
                record(i, &mut bytes);
                let _ = p.push(&[&bytes]);
                if i % 500 == 499 {
                    p = unsafe { Producer::credit(area as *mut u8, capacity, page as *const u8) }.unwrap();
                }
            }
            done.store(true, Release);
        });
        let (mut buffer, mut expected, mut next) = ([0; 256], Vec::new(), 0);
        let mut c = unsafe { Consumer::credit(area as *const u8, capacity, page as *mut u8) }.unwrap();
        let mut steps = 0u64;
        while !done.load(Acquire) {
            match c.pop(&mut buffer) {
                Ok(Some(n)) => {
                    let number = u64::from_le_bytes(buffer[..8].try_into().unwrap());
                    assert!(number >= next);
                    next = number + 1;
                    record(number, &mut expected);
                    assert_eq!(buffer[..n], expected);
                }
                Ok(None) => thread::yield_now(),
                Err(PopError::Restarted { .. }) => {}
                Err(other) => panic!("{other:?}"),
            }
            steps += 1;
            if steps.is_multiple_of(700) {
                c = unsafe { Consumer::credit(area as *const u8, capacity, page as *mut u8) }.unwrap();
            }
        }
    });
}
