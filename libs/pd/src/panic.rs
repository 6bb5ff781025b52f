//! A panic's last words go to root, then the PD stops.

use crate::{arch, text::Text, Start};
use core::{
    fmt::Write,
    panic::PanicInfo,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};
use sel4::{Endpoint, MessageInfo, MAX_WORDS};

static FAULT_SLOT: AtomicU64 = AtomicU64::new(0);
static PANICKING: AtomicBool = AtomicBool::new(false);

pub fn init(start: &Start) {
    FAULT_SLOT.store(start.fault_slot, Ordering::Relaxed);
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    // A panic while panicking, or before root can be reached, is only a fault.
    let slot = FAULT_SLOT.load(Ordering::Relaxed);
    if slot == 0 || PANICKING.swap(true, Ordering::Relaxed) {
        arch::stop()
    }
    let mut text = Text::<{ 8 * (MAX_WORDS - 1) }>::new();
    let _ = match info.location() {
        Some(at) => write!(text, "{}:{}: {}", at.file(), at.line(), info.message()),
        None => write!(text, "{}", info.message()),
    };
    send(Endpoint(slot), text.as_bytes());
    arch::stop()
}

/// The length, then the text, eight bytes a word.
fn send(root: Endpoint, text: &[u8]) {
    let words = 1 + text.len().div_ceil(8);
    let mut registers = [0; 4];
    for i in 0..words {
        let word = match i {
            0 => text.len() as u64,
            _ => {
                let part = &text[8 * (i - 1)..];
                let part = &part[..part.len().min(8)];
                let mut bytes = [0; 8];
                bytes[..part.len()].copy_from_slice(part);
                u64::from_le_bytes(bytes)
            }
        };
        match registers.get_mut(i) {
            Some(register) => *register = word,
            None => sel4::set_mr(i, word),
        }
    }
    root.send(MessageInfo::new(spec::label::PANIC, words), registers);
}
