//! Values to and from the thread's IPC buffer, without bytes in between that nobody reads.

use crate::REGISTERS;
use core::slice;
use sel4::{Message, MAX_WORDS};
use serde::Serialize;

// A message's bytes are the words' bytes in memory, first byte lowest.
const _: () = assert!(cfg!(target_endian = "little"));

/// Encodes a value. Gives its length in bytes and the words that travel in registers; `None` if it is too long.
#[inline]
pub fn write<T: Serialize>(value: &T) -> Option<(usize, [u64; REGISTERS])> {
    // SAFETY: the thread's own buffer, of which nobody keeps a reference.
    unsafe { encode(value, &raw mut (*sel4::ipc_buffer()).msg as *mut u64) }
}

/// # Safety
/// `first` must point at [`MAX_WORDS`] words to which nobody else has a reference.
#[inline]
unsafe fn encode<T: Serialize>(value: &T, first: *mut u64) -> Option<(usize, [u64; REGISTERS])> {
    // SAFETY: every byte of a word is one.
    let length = ipc::encode(value, unsafe { slice::from_raw_parts_mut(first.cast(), 8 * MAX_WORDS) })?.len();
    // SAFETY: inside the buffer, which ends with a whole word.
    unsafe {
        if length % 8 != 0 {
            // Nothing else leaves the PD in the last word.
            *first.add(length / 8) &= (1 << (8 * (length % 8))) - 1;
        }
        Some((length, first.cast::<[u64; REGISTERS]>().read()))
    }
}

/// Hands over the `length` bytes of a message that came in, where they lie: `f` makes no system call, so nobody writes
/// to the buffer while it looks.
#[inline]
pub fn read<R>(message: &Message, length: usize, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: the thread's own buffer, of which nobody keeps a reference.
    unsafe { whole(&message.mr, &raw mut (*sel4::ipc_buffer()).msg as *mut u64, length, f) }
}

/// # Safety
/// As for [`encode`].
#[inline]
unsafe fn whole<R>(registers: &[u64; REGISTERS], first: *mut u64, length: usize, f: impl FnOnce(&[u8]) -> R) -> R {
    // SAFETY: the buffer has more words, and every byte of it is one.
    unsafe {
        first.cast::<[u64; REGISTERS]>().write(*registers);
        f(slice::from_raw_parts(first.cast(), length.min(8 * MAX_WORDS)))
    }
}

/// The words of a message, as bytes.
#[inline]
pub fn bytes(words: &[u64; MAX_WORDS]) -> &[u8; 8 * MAX_WORDS] {
    // SAFETY: the same memory, less aligned, and every byte is one.
    unsafe { &*words.as_ptr().cast() }
}

/// The words of a message, as bytes.
#[inline]
pub fn bytes_mut(words: &mut [u64; MAX_WORDS]) -> &mut [u8; 8 * MAX_WORDS] {
    // SAFETY: as above.
    unsafe { &mut *words.as_mut_ptr().cast() }
}

/// Copies a message of so many bytes out of registers and buffer.
#[inline]
pub fn take(message: &Message, length: usize, words: &mut [u64; MAX_WORDS]) {
    words[..REGISTERS].copy_from_slice(&message.mr);
    if length > 8 * REGISTERS {
        // SAFETY: the thread's own buffer, which has as many words.
        unsafe { copy_rest(&raw const (*sel4::ipc_buffer()).msg as *const u64, words.as_mut_ptr(), length) }
    }
}

/// Puts the first `length` bytes into the buffer. Gives the words that travel in registers.
#[inline]
pub fn put(words: &mut [u64; MAX_WORDS], length: usize) -> [u64; REGISTERS] {
    if let Some(last) = words.get_mut(length / 8) {
        // Nothing else leaves the PD in the last word.
        *last &= (1 << (8 * (length % 8))) - 1;
    }
    if length > 8 * REGISTERS {
        // SAFETY: as above.
        unsafe { copy_rest(words.as_ptr(), &raw mut (*sel4::ipc_buffer()).msg as *mut u64, length) }
    }
    [words[0], words[1], words[2], words[3]]
}

/// Words that [`copy_rest`] copies together.
const GROUP: usize = 4;
const _: () = assert!((MAX_WORDS - REGISTERS).is_multiple_of(GROUP));

/// Copies the words behind those that travel in registers, up to `length` bytes of a message, and what is left of the
/// last group: it stays in this PD, for only the message's own words are sent.
///
/// # Safety
/// Both must point at [`MAX_WORDS`] words, of which those at `to` may be written to.
#[inline]
unsafe fn copy_rest(from: *const u64, to: *mut u64, length: usize) {
    let mut at = REGISTERS;
    while 8 * at < length.min(8 * MAX_WORDS) {
        for i in at..at + GROUP {
            // SAFETY: the last group ends with the last word. Volatile, or this becomes a call of `memcpy`, which takes
            // longer than most messages.
            unsafe { to.add(i).write_volatile(from.add(i).read()) }
        }
        at += GROUP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of exactly so many bytes.
    fn value(bytes: usize) -> Vec<(u8, [u8; 0])> {
        (1..bytes).map(|i| (i as u8 | 1, [])).collect()
    }

    #[test]
    fn every_length_is_written_as_postcard_says_and_read_back() {
        for length in 1..=8 * MAX_WORDS {
            let head = if length > 128 { 2 } else { 1 };
            let value = value(length + 1 - head);
            let expected = postcard::to_allocvec(&value).unwrap();
            let mut words = [u64::MAX; MAX_WORDS];
            // SAFETY: `words`, `from` and `to` have MAX_WORDS words or more.
            let (bytes, registers) = unsafe { encode(&value, words.as_mut_ptr()) }.unwrap();
            assert_eq!(bytes, expected.len());
            assert_eq!(registers, words[..REGISTERS]);
            let used = bytes.div_ceil(8);
            if bytes % 8 != 0 {
                assert_eq!(words[used - 1] >> (8 * (bytes % 8)), 0, "stale bytes in the last word");
            }
            assert!(words[used..].iter().all(|word| *word == u64::MAX));
            // Words that travelled in registers are not in the buffer.
            words[..REGISTERS].fill(u64::MAX);
            // SAFETY: `words`, `from` and `to` have MAX_WORDS words or more.
            unsafe { whole(&registers, words.as_mut_ptr(), bytes, |back| assert_eq!(back, expected)) };
        }
    }

    #[test]
    fn a_copy_has_all_of_the_message_and_ends_with_the_buffer() {
        let from: [u64; MAX_WORDS] = core::array::from_fn(|i| i as u64 + 1);
        for length in 8 * REGISTERS + 1..=8 * MAX_WORDS + 20 {
            let mut to = [0; MAX_WORDS + 1];
            // SAFETY: `words`, `from` and `to` have MAX_WORDS words or more.
            unsafe { copy_rest(from.as_ptr(), to.as_mut_ptr(), length) };
            let words = length.div_ceil(8).min(MAX_WORDS);
            assert_eq!(to[REGISTERS..words], from[REGISTERS..words]);
            assert_eq!(to[..REGISTERS], [0; REGISTERS]);
            assert_eq!(to[MAX_WORDS], 0, "written behind the buffer");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let mut words = [0; MAX_WORDS + 1];
        for length in 8 * MAX_WORDS..8 * MAX_WORDS + 20 {
            // SAFETY: `words`, `from` and `to` have MAX_WORDS words or more.
            assert_eq!(unsafe { encode(&value(length), words.as_mut_ptr()) }, None);
            // SAFETY: `words`, `from` and `to` have MAX_WORDS words or more.
            assert_eq!(unsafe { encode(&vec![1u8; length], words.as_mut_ptr()) }, None);
        }
        assert_eq!(words[MAX_WORDS], 0, "written behind the buffer");
    }
}
