//! What the compiler calls by itself, in assembly, so that it does not compile these into calls of themselves.

use core::arch::global_asm;

global_asm!(
    ".globl memcpy", "memcpy:", "mov rax, rdi", "mov rcx, rdx", "rep movsb", "ret",
    ".globl memset", "memset:", "mov r8, rdi", "mov eax, esi", "mov rcx, rdx", "rep stosb", "mov rax, r8", "ret",
    ".globl memcmp", ".globl bcmp", "memcmp:", "bcmp:", "mov rcx, rdx", "xor eax, eax", "cmp eax, eax", "repe cmpsb",
    "seta al", "sbb eax, 0", "ret",
);
