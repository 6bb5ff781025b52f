/* The platform under the seL4 kernel: two kernel calls, the counter, a deliberate fault. */
#include "sys.h"
#include "bare.h"

/* The `syscall` instruction loses rcx and r11, and this kernel the stack pointer as well, so rbx keeps it. rdx holds
 * the number of the call, rdi the capability, rsi the message info; a message that comes back fills r8-r10 and r15. */
enum { SYS_SEND = -3, SYS_RECV = -5 };

void alpha_signal(uint64_t cap) {
    uint64_t info = 0;
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "syscall\n\t"
                     "movq %%rbx, %%rsp"
                     : "+D"(cap), "+S"(info)
                     : "d"((int64_t)SYS_SEND)
                     : "rcx", "rbx", "r8", "r9", "r10", "r11", "r15", "memory");
}

void alpha_wait(uint64_t cap) {
    uint64_t info = 0;
    __asm__ volatile("movq %%rsp, %%rbx\n\t"
                     "syscall\n\t"
                     "movq %%rbx, %%rsp"
                     : "+D"(cap), "+S"(info)
                     : "d"((int64_t)SYS_RECV)
                     : "rcx", "rbx", "r8", "r9", "r10", "r11", "r15", "memory");
}

static uint64_t ns_per_tick_32; /* nanoseconds a tick, 32 bits after the point */

uint64_t alpha_clock_ns(void) {
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)((unsigned __int128)((uint64_t)high << 32 | low) * ns_per_tick_32 >> 32);
}

void alpha_set_fs(void *base) { __asm__ volatile("wrfsbase %0" : : "r"(base) : "memory"); }

void alpha_fault(void) {
    for (;;) __asm__ volatile("ud2");
}

ALPHA_NORETURN void alpha_main_thread(const struct alpha_llama_start *start) {
    ns_per_tick_32 = start->tsc_hz ? (1000000000ull << 32) / start->tsc_hz : 1ull << 32;
    alpha_sys_init(start);
    alpha_check_cpu();
    alpha_run();
}
