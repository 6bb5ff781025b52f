//! Messages and the IPC buffer.

use crate::{
    arch,
    error::{Error, Result},
    generated::{config, consts, syscall, IpcBuffer},
    Badge, CPtr, MessageInfo, Word,
};
use core::mem::offset_of;

/// Words in the longest message.
pub const MAX_WORDS: usize = consts::MSG_MAX_LENGTH as usize;

/// A message that came in: from a sender, as a reply, or from the kernel.
///
/// The first words are here; the others lie in the IPC buffer until the thread's next system call or invocation.
#[derive(Clone, Copy, Debug)]
pub struct Message {
    pub info: MessageInfo,
    pub badge: Badge,
    pub mr: [Word; 4],
}

impl Message {
    /// Word `i`, 0 beyond the longest message.
    #[inline]
    pub fn word(&self, i: usize) -> Word {
        match self.mr.get(i) {
            Some(word) => *word,
            None => mr(i),
        }
    }

    #[inline]
    pub fn label(&self) -> Word {
        self.info.label()
    }

    /// Number of words. The kernel never reports more than [`MAX_WORDS`]; nor does this.
    #[inline]
    pub fn len(&self) -> usize {
        (self.info.length() as usize).min(MAX_WORDS)
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

const MSG: usize = offset_of!(IpcBuffer, msg) / 8;
const CAPS: usize = offset_of!(IpcBuffer, caps_or_badges) / 8;
const USER_DATA: usize = offset_of!(IpcBuffer, user_data) / 8;

/// Word `i` of the message in the IPC buffer. The first [`crate::MESSAGE_REGISTERS`] words of a message do not come
/// this way.
#[inline]
pub fn mr(i: usize) -> Word {
    if i < MAX_WORDS {
        arch::buffer_word(MSG + i)
    } else {
        0
    }
}

/// Sets word `i` of the message in the IPC buffer; beyond its end, nothing.
#[inline]
pub fn set_mr(i: usize, word: Word) {
    if i < MAX_WORDS {
        arch::set_buffer_word(MSG + i, word)
    }
}

/// Sets capability `i` (0 to 2) of the message.
#[inline]
pub fn set_cap(i: usize, cap: CPtr) {
    if i < consts::MSG_MAX_EXTRA_CAPS as usize {
        arch::set_buffer_word(CAPS + i, cap.0)
    }
}

/// Makes [`ipc_buffer`] work in this thread.
///
/// # Safety
/// `buffer` must be where this thread's own IPC buffer is mapped.
#[inline]
pub unsafe fn set_ipc_buffer(buffer: *mut IpcBuffer) {
    arch::set_buffer_word(USER_DATA, buffer as Word)
}

/// The thread's IPC buffer; null before [`set_ipc_buffer`].
#[inline]
pub fn ipc_buffer() -> *mut IpcBuffer {
    arch::buffer_word(USER_DATA) as *mut IpcBuffer
}

/// Replies to the last caller. Without one, nothing happens.
#[inline]
pub fn reply(info: MessageInfo, mr: [Word; 4]) {
    arch::send(syscall::REPLY, 0, info, mr)
}

/// Lets another thread of the same priority run.
#[inline]
pub fn yield_now() {
    arch::null(syscall::YIELD)
}

/// Writes a character to the kernel's console, if this kernel has one.
pub fn debug_put_char(c: u8) {
    if config::DEBUG_BUILD && config::PRINTING {
        arch::send(syscall::DEBUG_PUT_CHAR, c as Word, MessageInfo::default(), [0; 4])
    }
}

/// Invokes a capability.
#[inline]
pub(crate) fn invoke<const C: usize, const N: usize>(
    service: CPtr,
    label: Word,
    caps: [CPtr; C],
    words: [Word; N],
) -> Result<Message> {
    for (i, cap) in caps.into_iter().enumerate() {
        set_cap(i, cap);
    }
    let mut registers = [0; 4];
    for (i, word) in words.into_iter().enumerate() {
        match registers.get_mut(i) {
            Some(register) => *register = word,
            None => set_mr(i, word),
        }
    }
    let info = MessageInfo::new(label, N).with_extra_caps(C as Word);
    let reply = arch::send_recv(syscall::CALL, service.0, info, registers);
    if reply.label() == consts::NO_ERROR {
        Ok(reply)
    } else {
        Err(Error::read(reply))
    }
}
