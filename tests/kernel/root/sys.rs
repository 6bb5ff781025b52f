//! The system calls and invocations that the tests use, written out: these tests are about the kernel's own
//! interface, so they do not stand on the bindings that they would have to trust.

use core::arch::asm;

pub type Word = u64;
pub type Cap = u64;

pub const CALL: Word = -1i64 as Word;
pub const REPLY_RECV: Word = -2i64 as Word;
pub const SEND: Word = -3i64 as Word;
pub const NB_SEND: Word = -4i64 as Word;
pub const RECV: Word = -5i64 as Word;
pub const REPLY: Word = -6i64 as Word;
pub const YIELD: Word = -7i64 as Word;
pub const NB_RECV: Word = -8i64 as Word;

/// What a system call leaves in the registers.
#[derive(Clone, Copy)]
pub struct Message {
    pub badge: Word,
    pub info: Word,
    pub words: [Word; 4],
}

impl Message {
    pub fn label(&self) -> Word {
        self.info >> 12
    }
    pub fn extra_caps(&self) -> Word {
        (self.info >> 7) & 3
    }
}

pub fn info(label: Word, caps: Word, length: Word) -> Word {
    label << 12 | caps << 7 | length
}

/// The kernel returns with the stack pointer lost: it is kept in r12 meanwhile.
pub fn syscall(number: Word, cap: Cap, tag: Word, words: [Word; 4]) -> Message {
    let (badge, info_out): (Word, Word);
    let (m0, m1, m2, m3): (Word, Word, Word, Word);
    unsafe {
        asm!(
            "mov r12, rsp",
            "syscall",
            "mov rsp, r12",
            inout("rdx") number => _,
            inout("rdi") cap => badge,
            inout("rsi") tag => info_out,
            inout("r10") words[0] => m0,
            inout("r8") words[1] => m1,
            inout("r9") words[2] => m2,
            inout("r15") words[3] => m3,
            out("r12") _, out("rcx") _, out("r11") _,
        );
    }
    Message { badge, info: info_out, words: [m0, m1, m2, m3] }
}

/// A thread's IPC buffer. Volatile throughout: the kernel reads and writes it behind the compiler's back.
#[repr(C)]
pub struct IpcBuffer {
    pub tag: Word,
    pub words: [Word; 120],
    pub user_data: Word,
    pub caps_or_badges: [Word; 3],
    pub receive_cnode: Word,
    pub receive_index: Word,
    pub receive_depth: Word,
}

/// Invokes a capability; the error number is 0 when it worked.
pub fn invoke(buffer: *mut IpcBuffer, cap: Cap, label: Word, caps: &[Cap], args: &[Word]) -> (Word, [Word; 4]) {
    let mut registers = [0; 4];
    unsafe {
        for (i, &arg) in args.iter().enumerate() {
            match registers.get_mut(i) {
                Some(register) => *register = arg,
                None => (&raw mut (*buffer).words[i]).write_volatile(arg),
            }
        }
        for (i, &cap) in caps.iter().enumerate() {
            (&raw mut (*buffer).caps_or_badges[i]).write_volatile(cap);
        }
    }
    let reply = syscall(CALL, cap, info(label, caps.len() as Word, args.len() as Word), registers);
    (reply.label(), reply.words)
}
