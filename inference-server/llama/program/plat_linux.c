/* The platform on Linux, for tests of the same program: shared memory in place of frames, futexes in place of
 * notifications. Its own few system calls are raw; everything else goes through sys.c as it does under seL4.
 *
 *     llama SHARED_FD COMMAND_CAPACITY REPLY_CAPACITY MODEL_PATH ARENA_BYTES THREADS EPOCH [SPARE_PATH]
 *
 * SHARED_FD holds, each part page aligned: two bells (u32: towards this program, towards the other side); the command
 * ring's producer area; its consumer page; the reply ring's producer area; its consumer page. */
#include "bare.h"

enum { WAIT_CAP = 1, SIGNAL_CAP = 2, THREAD_CAP = 3, PAGE = 4096 };

static uint32_t own_bells[THREAD_CAP + ALPHA_MAX_THREADS];
static uint32_t *shared_bells;
static struct alpha_llama_start start_page;

static long raw(long n, long a, long b, long c, long d, long e, long f) {
    long result;
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return result;
}

enum { SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_lseek = 8, SYS_mmap = 9, SYS_arch_prctl = 158, SYS_prctl = 157, SYS_futex = 202, SYS_clock_gettime = 228, SYS_exit_group = 231 };

static uint32_t *bell(uint64_t cap) {
    return cap == WAIT_CAP ? &shared_bells[0] : cap == SIGNAL_CAP ? &shared_bells[1] : &own_bells[cap];
}

void alpha_wait(uint64_t cap) {
    uint32_t *b = bell(cap);
    while (!__atomic_exchange_n(b, 0, __ATOMIC_ACQ_REL)) raw(SYS_futex, (long)b, 0, 0, 0, 0, 0);
}

void alpha_signal(uint64_t cap) {
    uint32_t *b = bell(cap);
    if (!__atomic_exchange_n(b, 1, __ATOMIC_ACQ_REL)) raw(SYS_futex, (long)b, 1, 1, 0, 0, 0);
}

uint64_t alpha_clock_ns(void) {
    int64_t t[2];
    raw(SYS_clock_gettime, 1, (long)t, 0, 0, 0, 0);
    return (uint64_t)t[0] * 1000000000u + (uint64_t)t[1];
}

void alpha_set_fs(void *base) { raw(SYS_arch_prctl, 0x1002, (long)base, 0, 0, 0, 0); }

void alpha_fault(void) {
    for (;;) __asm__ volatile("ud2");
}

ALPHA_NORETURN static void fail(const char *why) {
    long n = 0;
    while (why[n]) n++;
    raw(SYS_write, 2, (long)why, n, 0, 0, 0);
    raw(SYS_exit_group, 2, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

static uint64_t number(const char *text) {
    uint64_t n = 0;
    for (; *text >= '0' && *text <= '9'; text++) n = n * 10 + (uint64_t)(*text - '0');
    return n;
}

static uint64_t map(uint64_t len, int prot, int flags, long fd, uint64_t offset) {
    long at = raw(SYS_mmap, 0, (long)len, prot, flags, fd, (long)offset);
    if (at < 0 && at > -4096) fail("llama: mmap failed\n");
    return (uint64_t)at;
}

/* Maps a file and notes where and under which name; one that is not there has no length. */
static void open_file(const char *path, uint64_t *at, uint64_t *len, uint64_t name[7]) {
    enum { READ = 1, PRIVATE = 2 };
    long fd = raw(SYS_open, (long)path, 0, 0, 0, 0, 0);
    long size = fd < 0 ? 0 : raw(SYS_lseek, fd, 0, 2, 0, 0, 0);
    if (size > 0) {
        *len = (uint64_t)size;
        *at = map((uint64_t)size, READ, PRIVATE, fd, 0);
    }
    const char *file = path;
    for (const char *p = path; *p; p++)
        if (*p == '/') file = p + 1;
    for (unsigned i = 0; file[i] && i < 55; i++) ((char *)name)[i] = file[i];
}

/* The entry under seL4, which this program shares a file with. */
ALPHA_NORETURN void alpha_main_thread(const struct alpha_llama_start *start) {
    (void)start;
    alpha_fault();
}

extern void alpha_host_clone(void *stack, uint64_t index);

ALPHA_NORETURN void alpha_host_main(const uint64_t *stack) {
    enum { READ = 1, WRITE = 2, SHARED = 1, PRIVATE = 2, ANONYMOUS = 32, NORESERVE = 0x4000 };
    const char **argv = (const char **)(stack + 1);
    if (stack[0] != 8 && stack[0] != 9) fail("llama: 7 or 8 arguments wanted\n");
    raw(SYS_prctl, 1, 9, 0, 0, 0, 0); /* ends with its parent */
    struct alpha_llama_start *s = &start_page;
    s->magic = ALPHA_LLAMA_MAGIC;
    s->version = ALPHA_LLAMA_VERSION;
    s->size = sizeof *s;
    long fd = (long)number(argv[1]);
    s->cmd_capacity = number(argv[2]);
    s->rep_capacity = number(argv[3]);
    uint64_t at = 0;
    shared_bells = (uint32_t *)map(PAGE, READ | WRITE, SHARED, fd, at), at += PAGE;
    s->cmd_ring = map(PAGE + s->cmd_capacity, READ, SHARED, fd, at), at += PAGE + s->cmd_capacity;
    s->cmd_tail = map(PAGE, READ | WRITE, SHARED, fd, at), at += PAGE;
    s->rep_ring = map(PAGE + s->rep_capacity, READ | WRITE, SHARED, fd, at), at += PAGE + s->rep_capacity;
    s->rep_tail = map(PAGE, READ, SHARED, fd, at);

    open_file(argv[4], &s->model_vaddr, &s->model_len, s->model_name);
    if (argv[8]) open_file(argv[8], &s->spare_vaddr, &s->spare_len, s->spare_name);

    s->arena_len = number(argv[5]) & ~(uint64_t)(PAGE - 1);
    s->arena_vaddr = map(s->arena_len + PAGE, 0, PRIVATE | ANONYMOUS | NORESERVE, -1, 0) + PAGE;
    raw(10 /* mprotect */, (long)s->arena_vaddr, (long)s->arena_len, READ | WRITE, 0, 0, 0);
    s->thread_count = number(argv[6]);
    s->epoch = number(argv[7]);
    s->wait_cap = WAIT_CAP;
    s->signal_cap = SIGNAL_CAP;
    for (uint64_t i = 0; i < ALPHA_MAX_THREADS; i++) s->thread_cap[i] = THREAD_CAP + i;
    for (uint64_t i = 1; i < s->thread_count && i < ALPHA_MAX_THREADS; i++)
        alpha_host_clone((void *)(map(16384, READ | WRITE, PRIVATE | ANONYMOUS, -1, 0) + 16384), i);
    alpha_sys_init(s);
    alpha_check_cpu();
    alpha_run();
}
