//! What the compiler calls by itself, in assembly, so that it does not compile these into calls of themselves.

use core::arch::global_asm;

/// The library that the compiler brings was built to unwind and names this; nothing here unwinds.
#[no_mangle]
extern "C" fn rust_eh_personality() {}

global_asm!(
    ".globl memcpy",
    "memcpy:",
    "mov rax, rdi",
    "mov rcx, rdx",
    "rep movsb",
    "ret",
    ".globl memset",
    "memset:",
    "mov r8, rdi",
    "mov eax, esi",
    "mov rcx, rdx",
    "rep stosb",
    "mov rax, r8",
    "ret",
    ".globl memcmp",
    ".globl bcmp",
    "memcmp:",
    "bcmp:",
    "mov rcx, rdx",
    "xor eax, eax",
    "cmp eax, eax",
    "repe cmpsb",
    "seta al",
    "sbb eax, 0",
    "ret",
);
