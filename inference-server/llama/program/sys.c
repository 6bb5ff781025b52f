/* Answers to the Linux calls of the C library, in user space. Memory comes from the arena, the model is the one file
 * that exists, threads are the workers that were started with the program, a futex is a wait on a notification.
 * Nothing here may use the C library or thread-local storage: it runs before both are up, and inside them. */
#include "sys.h"

#include <stdbool.h>

enum { /* Linux numbers and constants of x86_64; the generic ones of aarch64 come with that port */
    SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_lseek = 8, SYS_mmap = 9, SYS_munmap = 11,
    SYS_readv = 19, SYS_writev = 20, SYS_madvise = 28, SYS_tkill = 200, SYS_mremap = 25, SYS_getpid = 39,
    SYS_exit = 60, SYS_kill = 62, SYS_gettid = 186, SYS_futex = 202, SYS_sched_getaffinity = 204,
    SYS_set_tid_address = 218, SYS_fadvise64 = 221, SYS_clock_gettime = 228, SYS_exit_group = 231, SYS_tgkill = 234,
    SYS_openat = 257, SYS_sched_yield = 24,
};
enum { ENOENT = 2, EBADF = 9, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EINVAL = 22, EMFILE = 24, ENOSYS = 38, ETIMEDOUT = 110 };
enum { PROT_WRITE = 2, MAP_FIXED = 16, MAP_ANONYMOUS = 32, MREMAP_MAYMOVE = 1, FUTEX_WAIT = 0, FUTEX_WAKE = 1 };
enum { PAGE = 4096, FILES = 8, FIRST_FD = 3, MAIN_STACK = 1 << 20 };

const struct alpha_llama_start *alpha_start;

static void *fill(void *to, int byte, size_t len) {
    unsigned char *p = to;
    for (size_t i = 0; i < len; i++) p[i] = (unsigned char)byte;
    return to;
}

static void copy(void *to, const void *from, size_t len) {
    unsigned char *p = to;
    const unsigned char *q = from;
    for (size_t i = 0; i < len; i++) p[i] = q[i];
}

/* ---- a lock that needs nobody's help: held for a few dozen instructions, by threads on cores of their own ---- */

typedef struct { int held; } spin;

static void spin_lock(spin *s) {
    while (__atomic_exchange_n(&s->held, 1, __ATOMIC_ACQUIRE))
        while (__atomic_load_n(&s->held, __ATOMIC_RELAXED)) __builtin_ia32_pause();
}

static void spin_unlock(spin *s) { __atomic_store_n(&s->held, 0, __ATOMIC_RELEASE); }

/* ---- the arena: first fit over a bitmap of pages. It begins with the main thread's stack, so that a stack that
 * overflows runs into whatever the layout left unmapped below, and not into data ---- */

static struct {
    spin lock;
    uint64_t *map;     /* one bit a page, set = in use */
    unsigned char *base;
    size_t pages, words;
    size_t hint;       /* no free page lies below this one */
    size_t fresh;      /* pages from here on were never handed out and are still zero */
    size_t used, peak;
} arena;

static bool taken(size_t page) { return arena.map[page / 64] >> (page % 64) & 1; }

static void mark(size_t first, size_t count, bool used) {
    for (size_t p = first; p < first + count;) {
        if (p % 64 == 0 && first + count - p >= 64) {
            arena.map[p / 64] = used ? ~0ull : 0;
            p += 64;
        } else {
            if (used) arena.map[p / 64] |= 1ull << (p % 64);
            else arena.map[p / 64] &= ~(1ull << (p % 64));
            p++;
        }
    }
}

static void arena_init(unsigned char *base, size_t len) {
    arena.base = base + MAIN_STACK;
    arena.map = (uint64_t *)arena.base;
    arena.pages = (len - MAIN_STACK) / PAGE;
    arena.words = (arena.pages + 63) / 64;
    size_t own = (arena.words * 8 + PAGE - 1) / PAGE;
    fill(arena.base, 0, own * PAGE);
    mark(0, own, true);
    for (size_t p = arena.pages; p < arena.words * 64; p++) arena.map[p / 64] |= 1ull << (p % 64);
    arena.hint = arena.fresh = arena.used = arena.peak = own;
}

static unsigned char *arena_take(size_t first, size_t count) {
    mark(first, count, true);
    if (first == arena.hint) arena.hint = first + count;
    arena.used += count;
    if (arena.used > arena.peak) arena.peak = arena.used;
    unsigned char *at = arena.base + first * PAGE;
    if (first < arena.fresh) {
        size_t stale = arena.fresh - first < count ? arena.fresh - first : count;
        __builtin_memset(at, 0, stale * PAGE);
    }
    if (first + count > arena.fresh) arena.fresh = first + count;
    return at;
}

static unsigned char *arena_map(size_t len) {
    size_t count = (len + PAGE - 1) / PAGE;
    if (len == 0 || count > arena.pages) return 0;
    unsigned char *at = 0;
    spin_lock(&arena.lock);
    size_t run = 0;
    bool seen_free = false;
    for (size_t p = arena.hint; p < arena.pages;) {
        uint64_t word = arena.map[p / 64];
        if (p % 64 == 0 && word == ~0ull) { run = 0; p += 64; continue; }
        if (p % 64 == 0 && word == 0 && p + 64 <= arena.pages && run + 64 <= count) {
            if (!seen_free) { arena.hint = p; seen_free = true; }
            run += 64;
            p += 64;
        } else if (taken(p)) {
            run = 0;
            p++;
        } else {
            if (!seen_free) { arena.hint = p; seen_free = true; }
            run++;
            p++;
        }
        if (run >= count) { at = arena_take(p - run, count); break; }
    }
    spin_unlock(&arena.lock);
    if (!at) alpha_memory_ran_out(len);
    return at;
}

static bool in_arena(const void *at, size_t len) {
    uintptr_t a = (uintptr_t)at, base = (uintptr_t)arena.base;
    return a >= base && a % PAGE == 0 && len <= arena.pages * PAGE && a - base <= arena.pages * PAGE - len;
}

static void arena_unmap(unsigned char *at, size_t len) {
    size_t first = (size_t)(at - arena.base) / PAGE, count = (len + PAGE - 1) / PAGE;
    spin_lock(&arena.lock);
    for (size_t p = first; p < first + count; p++)
        if (taken(p)) arena.used--;
    mark(first, count, false);
    if (first < arena.hint) arena.hint = first;
    spin_unlock(&arena.lock);
}

/* Shrinks or grows a mapping where it lies. */
static bool arena_resize(unsigned char *at, size_t old_len, size_t new_len) {
    size_t first = (size_t)(at - arena.base) / PAGE;
    size_t was = (old_len + PAGE - 1) / PAGE, now = (new_len + PAGE - 1) / PAGE;
    if (now < was) arena_unmap(at + now * PAGE, (was - now) * PAGE);
    if (now <= was) return true;
    bool fits = first + now <= arena.pages;
    spin_lock(&arena.lock);
    for (size_t p = first + was; fits && p < first + now; p++) fits = !taken(p);
    if (fits) arena_take(first + was, now - was);
    spin_unlock(&arena.lock);
    return fits;
}

struct alpha_arena alpha_arena_use(void) {
    return (struct alpha_arena){ MAIN_STACK + arena.used * PAGE, MAIN_STACK + arena.peak * PAGE, MAIN_STACK + arena.pages * PAGE };
}

/* ---- the model files ---- */

static struct { bool open; uint64_t at, base, size; } files[FILES];

static bool same(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a == *b;
}

static long file_open(const char *name) {
    bool spare = same(name, "/spare.gguf");
    if (!spare && !same(name, "/model.gguf")) return -ENOENT;
    uint64_t base = spare ? alpha_start->spare_vaddr : alpha_start->model_vaddr;
    uint64_t size = spare ? alpha_start->spare_len : alpha_start->model_len;
    if (size == 0) return -ENOENT;
    for (int i = 0; i < FILES; i++)
        if (!files[i].open) {
            files[i].open = true;
            files[i].at = 0;
            files[i].base = base;
            files[i].size = size;
            return FIRST_FD + i;
        }
    return -EMFILE;
}

static bool is_file(long fd) { return fd >= FIRST_FD && fd < FIRST_FD + FILES && files[fd - FIRST_FD].open; }

static long file_read(long fd, unsigned char *to, size_t len) {
    if (!is_file(fd)) return -EBADF;
    uint64_t *at = &files[fd - FIRST_FD].at, size = files[fd - FIRST_FD].size;
    size_t n = *at >= size ? 0 : size - *at < len ? size - *at : len;
    copy(to, (const unsigned char *)files[fd - FIRST_FD].base + *at, n);
    *at += n;
    return (long)n;
}

static long file_seek(long fd, long offset, int whence) {
    if (!is_file(fd)) return -EBADF;
    uint64_t *at = &files[fd - FIRST_FD].at;
    uint64_t from = whence == 0 ? 0 : whence == 1 ? *at : whence == 2 ? files[fd - FIRST_FD].size : ~0ull;
    if (from == ~0ull || (long)(from + (uint64_t)offset) < 0) return -EINVAL;
    *at = from + (uint64_t)offset;
    return (long)*at;
}

struct iovec { void *base; size_t len; };

static long each(const struct iovec *v, int n, long fd, bool write) {
    long done = 0;
    for (int i = 0; i < n; i++) {
        long r = (long)v[i].len;
        if (write) alpha_console(v[i].base, v[i].len);
        else r = file_read(fd, v[i].base, v[i].len);
        if (r < 0) return done ? done : r;
        done += r;
        if ((size_t)r < v[i].len) break;
    }
    return done;
}

static bool in_model(uintptr_t at) {
    return (at >= alpha_start->model_vaddr && at - alpha_start->model_vaddr < alpha_start->model_len) ||
           (at >= alpha_start->spare_vaddr && at - alpha_start->spare_vaddr < alpha_start->spare_len);
}

static long map(size_t len, int prot, int flags, long fd, uint64_t offset) {
    if (flags & MAP_FIXED) return -EINVAL;
    if (flags & MAP_ANONYMOUS) {
        unsigned char *at = arena_map(len);
        return at ? (long)at : -ENOMEM;
    }
    if (!is_file(fd)) return -EBADF;
    if (prot & PROT_WRITE) return -EACCES;
    uint64_t size = files[fd - FIRST_FD].size;
    if (offset % PAGE || offset >= size || len > size - offset) return -EINVAL;
    return (long)(files[fd - FIRST_FD].base + offset); /* the model is mapped already: no copy */
}

static long unmap(unsigned char *at, size_t len) {
    if (in_model((uintptr_t)at)) return 0;
    if (!in_arena(at, len)) return -EINVAL;
    arena_unmap(at, len);
    return 0;
}

static long remap(unsigned char *at, size_t old_len, size_t new_len, int flags) {
    if (!in_arena(at, old_len) || new_len == 0) return -EINVAL;
    if (arena_resize(at, old_len, new_len)) return (long)at;
    if (!(flags & MREMAP_MAYMOVE)) return -ENOMEM;
    unsigned char *to = arena_map(new_len);
    if (!to) return -ENOMEM;
    __builtin_memcpy(to, at, old_len);
    arena_unmap(at, old_len);
    return (long)to;
}

/* ---- threads and futexes ---- */

enum { FREE, TAKEN, READY };

static struct worker {
    int state;
    int (*body)(void *);
    void *argument;
    unsigned char *stack;
    void *tls;
    int *clear;       /* zeroed and woken when the thread ends */
    void *own_stack;  /* where alpha_worker stands while the thread runs */
    const int *waits; /* futex that it waits for, 0 if none */
} workers[ALPHA_MAX_THREADS];

static spin workers_lock, futex_lock;

extern void alpha_enter(unsigned char *stack, int (*body)(void *), void *argument, void **own_stack);
ALPHA_NORETURN extern void alpha_leave(void *own_stack);

static uint64_t self(void) {
    void *tls;
    __asm__("movq %%fs:0, %0" : "=r"(tls));
    for (uint64_t i = 1; i < ALPHA_MAX_THREADS; i++)
        if (workers[i].tls == tls && workers[i].state == READY) return i;
    return 0;
}

static void wake_at(const int *address, uint64_t limit, long *woken) {
    uint64_t caps[ALPHA_MAX_THREADS], n = 0;
    spin_lock(&futex_lock);
    for (uint64_t i = 0; i < ALPHA_MAX_THREADS && n < limit; i++)
        if (workers[i].waits == address) {
            __atomic_store_n(&workers[i].waits, 0, __ATOMIC_RELEASE);
            caps[n++] = alpha_start->thread_cap[i];
        }
    spin_unlock(&futex_lock);
    for (uint64_t i = 0; i < n; i++) alpha_signal(caps[i]);
    *woken = (long)n;
}

static long futex_wait(const int *address, int expected, const int64_t timeout[2]) {
    uint64_t me = self();
    if (timeout) { /* nothing in llama.cpp waits with a limit; should it, it polls */
        uint64_t end = alpha_clock_ns() + (uint64_t)timeout[0] * 1000000000u + (uint64_t)timeout[1];
        while (__atomic_load_n(address, __ATOMIC_ACQUIRE) == expected) {
            if (alpha_clock_ns() >= end) return -ETIMEDOUT;
            __builtin_ia32_pause();
        }
        return -EAGAIN;
    }
    spin_lock(&futex_lock);
    bool changed = __atomic_load_n(address, __ATOMIC_ACQUIRE) != expected;
    if (!changed) workers[me].waits = address;
    spin_unlock(&futex_lock);
    if (changed) return -EAGAIN;
    while (__atomic_load_n(&workers[me].waits, __ATOMIC_ACQUIRE)) alpha_wait(alpha_start->thread_cap[me]);
    return 0;
}

static long futex(int *address, int operation, int value, const int64_t *timeout) {
    long woken = 0;
    switch (operation & 127) {
    case FUTEX_WAIT: return futex_wait(address, value, timeout);
    case FUTEX_WAKE: wake_at(address, (uint64_t)(unsigned)value, &woken); return woken;
    default: return -ENOSYS;
    }
}

/* The C library's own name for starting a thread; its argument list. */
int __clone(int (*body)(void *), void *stack, int flags, void *argument, int *id, void *tls, int *clear) {
    (void)flags;
    for (uint64_t i = 1; i < alpha_start->thread_count && i < ALPHA_MAX_THREADS; i++) {
        struct worker *w = &workers[i];
        spin_lock(&workers_lock);
        bool mine = w->state == FREE;
        if (mine) w->state = TAKEN;
        spin_unlock(&workers_lock);
        if (!mine) continue;
        w->body = body;
        w->stack = stack;
        w->argument = argument;
        w->tls = tls;
        w->clear = clear;
        *id = (int)i + 1;
        __atomic_store_n(&w->state, READY, __ATOMIC_RELEASE);
        alpha_signal(alpha_start->thread_cap[i]);
        return (int)i + 1;
    }
    return -EAGAIN;
}

void alpha_worker(uint64_t index) {
    const struct alpha_llama_start *start;
    while (!(start = __atomic_load_n(&alpha_start, __ATOMIC_ACQUIRE))) __builtin_ia32_pause();
    if (index >= ALPHA_MAX_THREADS || index >= start->thread_count) alpha_fault();
    struct worker *w = &workers[index];
    for (;;) {
        while (__atomic_load_n(&w->state, __ATOMIC_ACQUIRE) != READY) alpha_wait(start->thread_cap[index]);
        alpha_set_fs(w->tls);
        alpha_enter(w->stack, w->body, w->argument, &w->own_stack);
        /* The thread has ended and stands on its own stack again: only now may others free the other one. */
        int *clear = w->clear;
        long woken;
        w->tls = 0;
        __atomic_store_n(&w->state, FREE, __ATOMIC_RELEASE);
        if (clear) {
            __atomic_store_n(clear, 0, __ATOMIC_SEQ_CST);
            wake_at(clear, 1, &woken);
        }
    }
}

ALPHA_NORETURN static void thread_exit(void) {
    uint64_t me = self();
    if (me == 0) alpha_die("the main thread ended");
    alpha_leave(workers[me].own_stack);
}

/* The C library's name for the end of a detached thread: free its stack without standing on it. Nothing in
 * llama.cpp detaches a thread, so the stack is simply left. */
void __unmapself(void *base, size_t size) {
    (void)base, (void)size;
    thread_exit();
}

int __set_thread_area(void *tls) {
    alpha_set_fs(tls);
    return 0;
}

/* ---- the entry that every patched call site reaches ---- */

long alpha_syscall(long number, long a, long b, long c, long d, long e, long f) {
    switch (number) {
    case SYS_mmap: return map((size_t)b, (int)c, (int)d, e, (uint64_t)f);
    case SYS_munmap: return unmap((unsigned char *)a, (size_t)b);
    case SYS_mremap: return remap((unsigned char *)a, (size_t)b, (size_t)c, (int)d);
    case SYS_futex: return futex((int *)a, (int)b, (int)c, (const int64_t *)d);
    case SYS_clock_gettime: {
        uint64_t now = alpha_clock_ns();
        ((int64_t *)b)[0] = (int64_t)(now / 1000000000u);
        ((int64_t *)b)[1] = (int64_t)(now % 1000000000u);
        return 0;
    }
    case SYS_open: return file_open((const char *)a);
    case SYS_openat: return file_open((const char *)b);
    case SYS_read: return file_read(a, (unsigned char *)b, (size_t)c);
    case SYS_readv: return each((const struct iovec *)b, (int)c, a, false);
    case SYS_lseek: return file_seek(a, b, (int)c);
    case SYS_close:
        if (!is_file(a)) return -EBADF;
        files[a - FIRST_FD].open = false;
        return 0;
    case SYS_write:
        if (a != 1 && a != 2) return -EBADF;
        alpha_console((const char *)b, (size_t)c);
        return c;
    case SYS_writev: return a == 1 || a == 2 ? each((const struct iovec *)b, (int)c, a, true) : -EBADF;
    case SYS_fadvise64:
    case SYS_madvise:
    case SYS_sched_yield: return 0;
    case SYS_getpid: return 1;
    case SYS_gettid:
    case SYS_set_tid_address: return (long)self() + 1;
    case SYS_sched_getaffinity:
        if ((size_t)b < 8) return -EINVAL;
        *(uint64_t *)c = (1ull << alpha_start->thread_count) - 1;
        return 8;
    case SYS_exit: thread_exit();
    case SYS_tkill:
    case SYS_tgkill:
    case SYS_kill: alpha_die("llama.cpp gave up (abort)");
    case SYS_exit_group: alpha_die("the program ended");
    default: return -ENOSYS;
    }
}

/* ---- start and end ---- */

static int dying;

void alpha_die(const char *why) {
    size_t len = 0;
    while (why[len]) len++;
    if (!__atomic_exchange_n(&dying, 1, __ATOMIC_SEQ_CST)) alpha_last_words(why, len);
    alpha_fault();
}

void alpha_sys_init(const struct alpha_llama_start *start) {
    if (start->magic != ALPHA_LLAMA_MAGIC || start->version != ALPHA_LLAMA_VERSION ||
        start->size < sizeof *start || start->thread_count < 1 || start->thread_count > ALPHA_MAX_THREADS ||
        start->arena_vaddr % PAGE || start->arena_len < 4 * MAIN_STACK || start->model_vaddr % PAGE || start->spare_vaddr % PAGE)
        alpha_fault();
    arena_init((unsigned char *)start->arena_vaddr, start->arena_len & ~(uint64_t)(PAGE - 1));
    __atomic_store_n(&alpha_start, start, __ATOMIC_RELEASE);
}

struct elf_header { unsigned char ident[16]; uint16_t type, machine; uint32_t version; uint64_t entry, phoff, shoff;
                    uint32_t flags; uint16_t ehsize, phentsize, phnum; };
extern const struct elf_header __ehdr_start;
ALPHA_NORETURN extern void alpha_jump(unsigned char *stack, void (*body)(void));
extern int main(int, char **, char **);
ALPHA_NORETURN extern int __libc_start_main(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void));

/* What a kernel would put on the first stack: arguments, environment, auxiliary vector. */
static uint64_t initial[24];

static void start_library(void) { __libc_start_main(main, 1, (char **)initial, 0, 0, 0); }

void alpha_run(void) {
    enum { AT_NULL, AT_PHDR = 3, AT_PHENT = 4, AT_PHNUM = 5, AT_PAGESZ = 6 };
    uint64_t *p = initial;
    *p++ = (uint64_t)"llama";
    *p++ = 0;
    *p++ = (uint64_t)"GGML_NO_BACKTRACE=1";
    *p++ = 0;
    *p++ = AT_PHDR, *p++ = (uint64_t)&__ehdr_start + __ehdr_start.phoff;
    *p++ = AT_PHENT, *p++ = __ehdr_start.phentsize;
    *p++ = AT_PHNUM, *p++ = __ehdr_start.phnum;
    *p++ = AT_PAGESZ, *p++ = PAGE;
    *p++ = AT_NULL, *p++ = 0;
    alpha_jump(arena.base, start_library);
}
