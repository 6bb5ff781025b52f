/* Stands in for the C library's header of the same name: each Linux call becomes a call of the function that answers
 * it inside the program (sys.c). */
long alpha_syscall(long, long, long, long, long, long, long);

#define __SYSCALL_LL_E(x) (x)
#define __SYSCALL_LL_O(x) (x)

#define ALPHA_SYSCALL(n, a, b, c, d, e, f) alpha_syscall((n), (a), (b), (c), (d), (e), (f))

static __inline long __syscall0(long n) { return ALPHA_SYSCALL(n, 0, 0, 0, 0, 0, 0); }
static __inline long __syscall1(long n, long a) { return ALPHA_SYSCALL(n, a, 0, 0, 0, 0, 0); }
static __inline long __syscall2(long n, long a, long b) { return ALPHA_SYSCALL(n, a, b, 0, 0, 0, 0); }
static __inline long __syscall3(long n, long a, long b, long c) { return ALPHA_SYSCALL(n, a, b, c, 0, 0, 0); }
static __inline long __syscall4(long n, long a, long b, long c, long d) { return ALPHA_SYSCALL(n, a, b, c, d, 0, 0); }
static __inline long __syscall5(long n, long a, long b, long c, long d, long e) { return ALPHA_SYSCALL(n, a, b, c, d, e, 0); }
static __inline long __syscall6(long n, long a, long b, long c, long d, long e, long f) { return ALPHA_SYSCALL(n, a, b, c, d, e, f); }

#define IPC_64 0
