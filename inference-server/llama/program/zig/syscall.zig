// Stands in for the raw Linux calls of zig's own library, which the C library's allocator uses: each becomes a call of
// the function that answers it inside the program (sys.c).
extern fn alpha_syscall(SYS, u64, u64, u64, u64, u64, u64) u64;

pub fn syscall0(number: SYS) u64 {
    return alpha_syscall(number, 0, 0, 0, 0, 0, 0);
}
pub fn syscall1(number: SYS, a: u64) u64 {
    return alpha_syscall(number, a, 0, 0, 0, 0, 0);
}
pub fn syscall2(number: SYS, a: u64, b: u64) u64 {
    return alpha_syscall(number, a, b, 0, 0, 0, 0);
}
pub fn syscall3(number: SYS, a: u64, b: u64, c: u64) u64 {
    return alpha_syscall(number, a, b, c, 0, 0, 0);
}
pub fn syscall4(number: SYS, a: u64, b: u64, c: u64, d: u64) u64 {
    return alpha_syscall(number, a, b, c, d, 0, 0);
}
pub fn syscall5(number: SYS, a: u64, b: u64, c: u64, d: u64, e: u64) u64 {
    return alpha_syscall(number, a, b, c, d, e, 0);
}
pub fn syscall6(number: SYS, a: u64, b: u64, c: u64, d: u64, e: u64, f: u64) u64 {
    return alpha_syscall(number, a, b, c, d, e, f);
}
