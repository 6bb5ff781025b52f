//! Single-producer single-consumer rings of records in shared memory.
//!
//! The two ends lie in different protection domains and need not trust each other. Whatever the other side wrote is
//! copied out, then checked: a hostile peer can cause lost or senseless records, never a panic, an access outside the
//! ring, or a loop that does not end. What it can do is to keep its consumer busy, so whoever drains a ring takes a
//! limited number of records at a time and then looks at its other sources.
//!
//! # Format
//!
//! All numbers are little-endian. Positions count bytes since the ring was made and never go back; position `p` lies
//! at `DATA + p % capacity`. The capacity is a power of two. Memory that was never used is zero.
//!
//! The *producer's area*, which the consumer can only read:
//!
//! | bytes | what | |
//! |---|---|---|
//! | 0..8 | `magic` | `RING1`, as a number 0x31474e4952 |
//! | 8..16 | `epoch` | counts the starts of the producer, from 1; stored last when it attaches |
//! | 16..24 | `head` | position behind the last record; release store after the data |
//! | 24..32 | `reserve` | lossy rings: `head` after the record that is being written, stored before its data |
//! | 32..40 | `last` | lossy rings: where the last whole record begins |
//! | 40..48 | `records` | lossy rings: records ever written; 0 if the producer does not count |
//! | 48..56 | `start` | where this epoch's first record begins |
//! | 4096.. | data | |
//!
//! The *consumer's page*. With credit the producer can read it; on a lossy ring nobody but the consumer sees it, and it
//! is there for the consumer's next life:
//!
//! | bytes | what | |
//! |---|---|---|
//! | 0..8 | `tail` | position up to which everything was taken; release store |
//! | 8..16 | `seen` | the epoch that the consumer knows; 0 before its first life |
//! | 16..24 | `taken` | lossy rings: records of this epoch up to `tail`, as the producer counts them |
//!
//! A *record* is its payload's length as a u32, then the payload, then padding to a multiple of 8 bytes. It may wrap
//! round the end of the data.
//!
//! # What happens when it is full
//!
//! * [`Producer::lossy`]: the producer knows nothing of the consumer and overwrites the oldest records. The consumer
//!   notices ([`PopError::Lost`]), counts, and goes on at the last record.
//! * [`Producer::credit`]: the producer reads `tail` and refuses ([`PushError::Full`]). To block instead, wait for the
//!   consumer's signal and try again.
//!
//! # Restarts
//!
//! A producer that attaches again goes on at `head` with the next epoch; the consumer drops what the epoch before left
//! and says so ([`PopError::Restarted`]). A consumer that attaches again goes on at its `tail`: what came while it was
//! dead is not lost, and the record that it died of is not read again.
#![cfg_attr(not(test), no_std)]

#[cfg(not(target_endian = "little"))]
compile_error!("the format is little-endian, and so are the machines that this runs on");

use core::{
    ptr::NonNull,
    slice,
    sync::atomic::{fence, AtomicU64, Ordering::*},
};

/// `RING1`
pub const MAGIC: u64 = 0x31_474e_4952;
/// Where the data begin in the producer's area.
pub const DATA: usize = 4096;
/// The smallest and the largest capacity.
pub const MIN_CAPACITY: usize = 64;
pub const MAX_CAPACITY: usize = 1 << 40;
/// Bytes of a record beside its payload, before padding.
pub const RECORD_HEADER: usize = 4;

// Words of the producer's area.
const W_MAGIC: usize = 0;
const W_EPOCH: usize = 1;
const W_HEAD: usize = 2;
const W_RESERVE: usize = 3;
const W_LAST: usize = 4;
const W_RECORDS: usize = 5;
const W_START: usize = 6;
// Words of the consumer's page.
const W_TAIL: usize = 0;
const W_SEEN: usize = 1;
const W_TAKEN: usize = 2;

/// A producer's page as if the ring had never been used, but with an epoch of its own: whoever knew the ring before
/// notices. For the one who owns the memory, while nobody writes to it.
pub fn renew(page: &mut [u8; DATA], epoch: u64) {
    page.fill(0);
    page[W_MAGIC * 8..][..8].copy_from_slice(&MAGIC.to_le_bytes());
    page[W_EPOCH * 8..][..8].copy_from_slice(&epoch.to_le_bytes());
}

/// Makes a consumer's page that of one who has taken everything in the ring with this producer's page.
pub fn catch_up(page: &mut [u8; DATA], producer: &[u8; DATA]) {
    page.fill(0);
    for (to, from) in [(W_TAIL, W_HEAD), (W_SEEN, W_EPOCH), (W_TAKEN, W_RECORDS)] {
        page[to * 8..][..8].copy_from_slice(&producer[from * 8..][..8]);
    }
}

/// A capacity that is no power of two, too small or too large, or an address that is not aligned to 8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadRing;

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushError {
    /// No room until the consumer takes something.
    Full,
    /// Longer than the ring will ever hold.
    TooLong,
    /// The consumer's tail is nonsense. It may mend itself, so this is [`PushError::Full`] for most.
    BadTail,
}

/// Why there is no record this time. The consumer has already gone on: the next `pop` looks at what comes after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// The producer overwrote `bytes` bytes before they were read: at least `records` records, 0 if it does not count.
    Lost { bytes: u64, records: u64 },
    /// The producer started again; `bytes` of its former life were not read.
    Restarted { bytes: u64 },
    /// The record has `needed` bytes, more than the buffer. It is skipped.
    TooSmall { needed: usize },
    /// The producer's numbers make no sense. Everything up to its head is skipped.
    Corrupt,
}

/// Words of shared memory. Every access is an atomic one, so that a peer that writes at the same moment is no
/// undefined behaviour, only a wrong value.
#[derive(Clone, Copy)]
struct Words(NonNull<AtomicU64>);

impl Words {
    fn new(base: *mut u8) -> Result<Self, BadRing> {
        if !(base as usize).is_multiple_of(8) {
            return Err(BadRing);
        }
        NonNull::new(base.cast()).map(Words).ok_or(BadRing)
    }

    /// # Safety
    /// Word `i` must lie in the memory that the constructor was promised.
    #[inline]
    unsafe fn at(&self, i: usize) -> &AtomicU64 {
        // SAFETY: the word is mapped by the caller's promise, aligned as `new` checked, and only ever accessed atomically.
        unsafe { &*self.0.as_ptr().add(i) }
    }
}

/// The data part: words, addressed by position.
#[derive(Clone, Copy)]
struct Data {
    words: Words,
    capacity: u64,
}

impl Data {
    fn new(base: *mut u8, capacity: usize) -> Result<Self, BadRing> {
        if !capacity.is_power_of_two() || !(MIN_CAPACITY..=MAX_CAPACITY).contains(&capacity) {
            return Err(BadRing);
        }
        let words = Words::new(base)?;
        Ok(Data { words, capacity: capacity as u64 })
    }

    /// The word at a position; whatever the position is, it lies within the data.
    #[inline]
    fn word(&self, position: u64) -> &AtomicU64 {
        let offset = (position & (self.capacity - 1)) as usize / 8;
        // SAFETY: the mask keeps it below the capacity, and the area was promised to be that long.
        unsafe { self.words.at(DATA / 8 + offset) }
    }

    /// The words from a position to the end of the data, at least one: a position for each word costs more than the word.
    #[inline]
    fn run(&self, position: u64) -> &[AtomicU64] {
        let offset = (position & (self.capacity - 1)) as usize / 8;
        // SAFETY: the area was promised to be `DATA + capacity` bytes long, the mask keeps the offset below the capacity,
        // and the words are only ever accessed atomically.
        unsafe { slice::from_raw_parts(self.words.at(DATA / 8 + offset), self.capacity as usize / 8 - offset) }
    }

    /// A word of the header.
    #[inline]
    fn header(&self, i: usize) -> &AtomicU64 {
        debug_assert!(i < DATA / 8);
        // SAFETY: only this file's constants are asked for, all in the header, which is part of the promised area.
        unsafe { self.words.at(i) }
    }
}

/// Bytes that a record with `len` bytes of payload takes. Fits: `len` is a u32 wherever this is used.
#[inline]
fn record_bytes(len: u64) -> u64 {
    (RECORD_HEADER as u64 + len).next_multiple_of(8)
}

/// The writing end.
pub struct Producer {
    data: Data,
    /// `None` on a lossy ring.
    tail: Option<Words>,
    /// The truth; the shared copies are for the consumer and never read back.
    head: u64,
    epoch: u64,
    records: u64,
}

// SAFETY: the pointers are to memory that stays, and all accesses are atomic.
unsafe impl Send for Producer {}

impl Producer {
    /// Attaches to a ring that overwrites its oldest records.
    ///
    /// # Safety
    /// `area` must point to `DATA + capacity` bytes that stay mapped and writable, and this must be the only producer.
    pub unsafe fn lossy(area: *mut u8, capacity: usize) -> Result<Self, BadRing> {
        Self::attach(Data::new(area, capacity)?, None)
    }

    /// Attaches to a ring whose consumer gives credit.
    ///
    /// # Safety
    /// As [`Producer::lossy`]; `page` must point to 16 bytes that stay mapped and readable.
    pub unsafe fn credit(area: *mut u8, capacity: usize, page: *const u8) -> Result<Self, BadRing> {
        Self::attach(Data::new(area, capacity)?, Some(Words::new(page.cast_mut())?))
    }

    fn attach(data: Data, tail: Option<Words>) -> Result<Self, BadRing> {
        let used = data.header(W_MAGIC).load(Relaxed) == MAGIC;
        // A former life may have left anything here: any aligned number is a good position.
        let head = if used { data.header(W_HEAD).load(Relaxed) & !7 } else { 0 };
        let epoch = if used { data.header(W_EPOCH).load(Relaxed).wrapping_add(1).max(1) } else { 1 };
        data.header(W_RESERVE).store(head, Relaxed);
        data.header(W_LAST).store(head, Relaxed);
        data.header(W_RECORDS).store(0, Relaxed);
        data.header(W_START).store(head, Relaxed);
        data.header(W_HEAD).store(head, Relaxed);
        data.header(W_MAGIC).store(MAGIC, Relaxed);
        data.header(W_EPOCH).store(epoch, Release);
        Ok(Producer { data, tail, head, epoch, records: 0 })
    }

    /// Which life of the producer this is, from 1.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The longest payload that fits at all.
    pub fn max_payload(&self) -> usize {
        (self.data.capacity as usize).min(u32::MAX as usize & !7) - RECORD_HEADER
    }

    /// Bytes that are free now (payloads take [`RECORD_HEADER`] and padding more); a lossy ring is always free.
    pub fn free(&self) -> Result<u64, PushError> {
        let Some(page) = &self.tail else { return Ok(self.data.capacity) };
        // SAFETY: `Producer::credit` was promised the page.
        let tail = unsafe { page.at(W_TAIL) }.load(Acquire);
        let used = self.head.wrapping_sub(tail);
        // A tail beyond the head, or further behind than the ring is long.
        self.data.capacity.checked_sub(used).ok_or(PushError::BadTail)
    }

    /// Writes one record, whose payload is the concatenation of `parts`.
    pub fn push(&mut self, parts: &[&[u8]]) -> Result<(), PushError> {
        let mut len = 0usize;
        for part in parts {
            len = len.checked_add(part.len()).ok_or(PushError::TooLong)?;
        }
        if len > self.max_payload() {
            return Err(PushError::TooLong);
        }
        let total = record_bytes(len as u64);
        if self.tail.is_some() && total > self.free()? {
            return Err(PushError::Full);
        }
        let end = self.head.wrapping_add(total);
        if self.tail.is_none() {
            self.data.header(W_RESERVE).store(end, Relaxed);
            // The consumer must see the reservation before any of the data that follow.
            fence(Release);
        }
        let mut writer = Writer { data: self.data, position: self.head, word: len as u64, filled: 4 };
        for part in parts {
            writer.write(part);
        }
        writer.finish();
        if self.tail.is_none() {
            self.records = self.records.wrapping_add(1);
            self.data.header(W_LAST).store(self.head, Relaxed);
            self.data.header(W_RECORDS).store(self.records, Relaxed);
        }
        self.head = end;
        self.data.header(W_HEAD).store(end, Release);
        Ok(())
    }
}

/// Puts bytes together into words.
struct Writer {
    data: Data,
    position: u64,
    word: u64,
    /// Bytes in `word`, 0 to 7.
    filled: u32,
}

impl Writer {
    #[inline]
    fn store(&mut self, word: u64) {
        self.data.word(self.position).store(word, Relaxed);
        self.position = self.position.wrapping_add(8);
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while self.filled != 0 {
            let Some((&byte, rest)) = bytes.split_first() else { return };
            self.word |= u64::from(byte) << (8 * self.filled);
            self.filled += 1;
            bytes = rest;
            if self.filled == 8 {
                self.store(self.word);
                (self.word, self.filled) = (0, 0);
            }
        }
        let (mut words, rest) = bytes.as_chunks::<8>();
        while !words.is_empty() {
            let run = self.data.run(self.position);
            let (now, after) = words.split_at(words.len().min(run.len()));
            for (place, word) in run.iter().zip(now) {
                place.store(u64::from_le_bytes(*word), Relaxed);
            }
            self.position = self.position.wrapping_add(8 * now.len() as u64);
            words = after;
        }
        for (i, &byte) in rest.iter().enumerate() {
            self.word |= u64::from(byte) << (8 * i);
        }
        self.filled = rest.len() as u32;
    }

    fn finish(mut self) {
        if self.filled != 0 {
            self.store(self.word);
        }
    }
}

/// The reading end.
pub struct Consumer {
    data: Data,
    /// Where the position is kept for the next life, and on a ring with credit for the producer.
    page: Option<Words>,
    lossy: bool,
    position: u64,
    /// The producer's epoch; 0 before the producer has attached.
    epoch: u64,
    /// Records of this epoch up to `position`, as the producer counts them.
    records: u64,
    lost_bytes: u64,
    lost_records: u64,
}

// SAFETY: the pointers are to memory that stays, and all accesses are atomic.
unsafe impl Send for Consumer {}

impl Consumer {
    /// Attaches to a lossy ring that was not read before; what was overwritten since the ring was made is
    /// [`PopError::Lost`].
    ///
    /// # Safety
    /// `area` must point to `DATA + capacity` bytes that stay mapped and readable.
    pub unsafe fn lossy(area: *const u8, capacity: usize) -> Result<Self, BadRing> {
        Ok(Self::attach(Data::new(area.cast_mut(), capacity)?, None, true))
    }

    /// Attaches to a lossy ring and goes on where the consumer's former life stopped.
    ///
    /// # Safety
    /// As [`Consumer::lossy`]; `page` must point to 24 bytes that stay mapped and writable, and this must be the only
    /// consumer.
    pub unsafe fn lossy_kept(area: *const u8, capacity: usize, page: *mut u8) -> Result<Self, BadRing> {
        Ok(Self::attach(Data::new(area.cast_mut(), capacity)?, Some(Words::new(page)?), true))
    }

    /// Attaches to a ring with credit and goes on where the consumer's former life stopped.
    ///
    /// # Safety
    /// As [`Consumer::lossy_kept`].
    pub unsafe fn credit(area: *const u8, capacity: usize, page: *mut u8) -> Result<Self, BadRing> {
        Ok(Self::attach(Data::new(area.cast_mut(), capacity)?, Some(Words::new(page)?), false))
    }

    fn attach(data: Data, page: Option<Words>, lossy: bool) -> Self {
        // SAFETY: whoever made this consumer promised the words of the page.
        let kept = |word| page.map_or(0, |page| unsafe { page.at(word) }.load(Relaxed));
        // A former life may have left anything: any aligned number is a good position, and the first `pop` notices what
        // the producer did meanwhile.
        let (position, seen, records) = (kept(W_TAIL) & !7, kept(W_SEEN), kept(W_TAKEN));
        let epoch = if seen == 0 { data.header(W_EPOCH).load(Acquire) } else { seen };
        let mut consumer = Consumer { data, page, lossy, position, epoch, records, lost_bytes: 0, lost_records: 0 };
        consumer.publish();
        consumer
    }

    /// The producer's epoch as last seen; 0 before it has attached.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Bytes and records lost since this consumer attached.
    pub fn lost(&self) -> (u64, u64) {
        (self.lost_bytes, self.lost_records)
    }

    /// Whether `pop` would find anything.
    pub fn is_empty(&self) -> bool {
        self.data.header(W_EPOCH).load(Acquire) == self.epoch && self.head() == self.position
    }

    fn head(&self) -> u64 {
        self.data.header(W_HEAD).load(Acquire) & !7
    }

    /// Writes down how far we are, for the producer and for our next life.
    fn publish(&mut self) {
        if let Some(page) = &self.page {
            // SAFETY: whoever made this consumer promised the words of the page.
            unsafe {
                page.at(W_SEEN).store(self.epoch, Relaxed);
                if self.lossy {
                    page.at(W_TAKEN).store(self.records, Relaxed);
                }
                page.at(W_TAIL).store(self.position, Release);
            }
        }
    }

    /// Takes one record into `buffer` and gives its length; `None` if there is none.
    ///
    /// On an error the buffer may hold anything.
    pub fn pop(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, PopError> {
        let epoch = self.data.header(W_EPOCH).load(Acquire);
        if epoch != self.epoch {
            let known = self.epoch != 0;
            let restarted = self.restarted(epoch);
            // The first life is no restart: its records may be there already.
            if known {
                return Err(restarted);
            }
        }
        let head = self.head();
        let used = head.wrapping_sub(self.position);
        if used == 0 {
            return Ok(None);
        }
        if used > self.data.capacity {
            return Err(self.overrun(head));
        }
        let first = self.data.word(self.position).load(Relaxed);
        let len = first & u64::from(u32::MAX);
        let total = record_bytes(len);
        let fits = total <= used && len <= buffer.len() as u64;
        if fits {
            self.copy(first, &mut buffer[..len as usize]);
        }
        if self.lossy {
            // Read the reservation after the data: if the producer has come round to this record, what was copied is
            // no record.
            fence(Acquire);
            let reserve = self.data.header(W_RESERVE).load(Relaxed);
            if reserve.wrapping_sub(self.position) > self.data.capacity {
                return Err(self.overrun(self.head()));
            }
        }
        let epoch = self.data.header(W_EPOCH).load(Acquire);
        if epoch != self.epoch {
            // The record may already be one of the new life, which begins behind what is to be dropped.
            return Err(self.restarted(epoch));
        }
        if total > used {
            self.position = head;
            self.publish();
            return Err(PopError::Corrupt);
        }
        self.position = self.position.wrapping_add(total);
        self.records = self.records.wrapping_add(1);
        self.publish();
        if fits {
            Ok(Some(len as usize))
        } else {
            Err(PopError::TooSmall { needed: len as usize })
        }
    }

    /// Copies a record's payload, whose first four bytes came with its length.
    fn copy(&self, first: u64, buffer: &mut [u8]) {
        let mut position = self.position;
        let (start, rest) = buffer.split_at_mut(buffer.len().min(4));
        start.copy_from_slice(&(first >> 32).to_le_bytes()[..start.len()]);
        position = position.wrapping_add(8);
        let (mut words, last) = rest.as_chunks_mut::<8>();
        while !words.is_empty() {
            let run = self.data.run(position);
            let (now, after) = words.split_at_mut(words.len().min(run.len()));
            for (word, place) in now.iter_mut().zip(run) {
                *word = place.load(Relaxed).to_le_bytes();
            }
            position = position.wrapping_add(8 * now.len() as u64);
            words = after;
        }
        if !last.is_empty() {
            let word = self.data.word(position).load(Relaxed).to_le_bytes();
            last.copy_from_slice(&word[..last.len()]);
        }
    }

    /// The head is out of reach: the producer went round, or lies.
    #[cold]
    fn overrun(&mut self, head: u64) -> PopError {
        let backwards = (head.wrapping_sub(self.position) as i64) < 0;
        if !self.lossy || backwards {
            self.position = head;
            self.publish();
            return PopError::Corrupt;
        }
        let published = self.data.header(W_RECORDS).load(Relaxed);
        let last = self.data.header(W_LAST).load(Relaxed) & !7;
        // The last record, if its place is believable and ahead of us.
        let behind = head.wrapping_sub(last);
        let usable = behind != 0 && behind <= self.data.capacity && behind < head.wrapping_sub(self.position);
        let target = if usable { last } else { head };
        let bytes = target.wrapping_sub(self.position);
        let before = published.saturating_sub(u64::from(usable));
        // Every record takes 8 bytes at least, so a count beyond that is a lie.
        let records = before.saturating_sub(self.records).min(bytes / 8);
        self.records = before;
        self.position = target;
        self.lost_bytes = self.lost_bytes.saturating_add(bytes);
        self.lost_records = self.lost_records.saturating_add(records);
        self.publish();
        PopError::Lost { bytes, records }
    }

    /// Another epoch than the one we know.
    #[cold]
    fn restarted(&mut self, epoch: u64) -> PopError {
        let head = self.head();
        let start = self.data.header(W_START).load(Relaxed) & !7;
        let reachable = head.wrapping_sub(self.position) <= self.data.capacity;
        // Where the new life began: not behind us, unless the producer began again from the front.
        let ahead = start.wrapping_sub(self.position) as i64 >= 0;
        let target = if head.wrapping_sub(start) <= self.data.capacity && (ahead || !reachable) {
            start
        } else if reachable {
            self.position
        } else {
            head
        };
        let bytes = (target.wrapping_sub(self.position) as i64).max(0) as u64;
        self.epoch = epoch;
        self.position = target;
        self.records = 0;
        self.publish();
        self.lost_bytes = self.lost_bytes.saturating_add(bytes);
        PopError::Restarted { bytes }
    }
}
