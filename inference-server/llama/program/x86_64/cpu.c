/* Which instructions the program needs. It is compiled for x86-64-v3 without dispatch at run time. */
#include "../bare.h"
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

void alpha_check_cpu(void) {
    if (!alpha_missing_features()[0]) return;
    /* Reply::LoadFailed { reason: LoadError::Cpu, detail }, by hand (proto/src/lib.rs). */
    enum { REPLY_LOAD_FAILED = 3, LOAD_ERROR_CPU = 0 };
    unsigned char record[3 + sizeof missing];
    uint32_t len = 0;
    record[len++] = REPLY_LOAD_FAILED;
    record[len++] = LOAD_ERROR_CPU;
    uint32_t size = len++;
    for (const char *p = missing; *p; p++) record[len++] = (unsigned char)*p;
    record[size] = (unsigned char)(len - size - 1);

    const struct alpha_llama_start *s = alpha_start;
    struct alpha_ring_out out;
    struct alpha_ring_in in;
    alpha_ring_out_init(&out, s->rep_ring, s->rep_capacity, s->rep_tail);
    alpha_ring_in_init(&in, s->cmd_ring, s->cmd_capacity, s->cmd_tail);
    for (;;) {
        (void)alpha_ring_push(&out, record, len);
        alpha_signal(s->signal_cap);
        alpha_wait(s->wait_cap);
        alpha_ring_take(&in, alpha_ring_waiting(&in));
    }
}
