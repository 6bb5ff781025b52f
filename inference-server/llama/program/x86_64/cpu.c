/* Which instructions the program needs. It is compiled for x86-64-v3 without dispatch at run time. */
#include "../bare.h"
#include "../proto_version.h"
#include "../ring.h"
#include <cpuid.h>

static char missing[96];

static void name(const char *feature) {
    char *p = missing;
    while (*p) p++;
    if (p != missing) *p++ = ' ';
    while (*feature) *p++ = *feature++;
}

const char *alpha_missing_features(void) {
    unsigned a, b, c, d, ext_b = 0, far_c = 0, xcr0 = 0;
    missing[0] = 0;
    __cpuid(1, a, b, c, d);
    unsigned basic = c;
    if (__get_cpuid_max(0, 0) >= 7) {
        __cpuid_count(7, 0, a, b, c, d);
        ext_b = b;
    }
    if (__get_cpuid_max(0x80000000, 0) >= 0x80000001) {
        __cpuid(0x80000001, a, b, c, d);
        far_c = c;
    }
    if (basic >> 27 & 1) __asm__ volatile("xgetbv" : "=a"(xcr0), "=d"(d) : "c"(0));
    bool state = (xcr0 & 6) == 6; /* the kernel keeps SSE and AVX registers */
    if (!(basic >> 28 & 1) || !state) name("AVX");
    if (!(ext_b >> 5 & 1)) name("AVX2");
    if (!(basic >> 12 & 1)) name("FMA");
    if (!(basic >> 29 & 1)) name("F16C");
    if (!(ext_b >> 3 & 1)) name("BMI1");
    if (!(ext_b >> 8 & 1)) name("BMI2");
    if (!(basic >> 20 & 1)) name("SSE4.2");
    if (!(basic >> 23 & 1)) name("POPCNT");
    if (!(basic >> 22 & 1)) name("MOVBE");
    if (!(far_c >> 5 & 1)) name("LZCNT");
    return missing;
}

static unsigned char record[192];
static uint32_t len;

static void number(uint64_t v) {
    for (; v >= 0x80; v >>= 7) record[len++] = (unsigned char)v | 0x80;
    record[len++] = (unsigned char)v;
}

/* The two replies that are left to this program, by hand (proto/src/lib.rs). */
enum { REPLY_HELLO = 0, REPLY_LOAD_FAILED = 3, LOAD_ERROR_CPU = 0 };

static void hello(const struct alpha_llama_start *s) {
    len = 0;
    number(REPLY_HELLO);
    number(ALPHA_PROTO_VERSION);
    number(s->thread_count);
    number(s->arena_len);
    number(s->model_len);
}

static void load_failed(void) {
    uint64_t size = 0;
    while (missing[size]) size++;
    len = 0;
    number(REPLY_LOAD_FAILED);
    number(LOAD_ERROR_CPU);
    number(size);
    for (uint64_t i = 0; i < size; i++) record[len++] = (unsigned char)missing[i];
}

void alpha_check_cpu(void) {
    if (!alpha_missing_features()[0]) return;
    const struct alpha_llama_start *s = alpha_start;
    struct alpha_ring_out out;
    struct alpha_ring_in in;
    alpha_ring_out_init(&out, s->rep_ring, s->rep_capacity, s->rep_tail);
    alpha_ring_in_init(&in, s->cmd_ring, s->cmd_capacity, s->cmd_tail);
    hello(s);
    (void)alpha_ring_push(&out, record, len);
    alpha_signal(s->signal_cap);
    load_failed();
    for (;;) {
        uint64_t waiting = alpha_ring_waiting(&in);
        if (waiting) {
            alpha_ring_take(&in, waiting);
            (void)alpha_ring_push(&out, record, len);
            alpha_signal(s->signal_cap);
        } else {
            alpha_wait(s->wait_cap);
        }
    }
}
