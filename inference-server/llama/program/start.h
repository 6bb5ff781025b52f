/* The start page: everything that varies between two starts of the llama program.
 *
 * Whoever makes the protection domain fills one page with this structure, maps it read-only, and starts thread 0
 * with the page's address in rdi. Every field is a u64, little endian, in this order, without padding; the offset
 * stands beside each. Addresses are virtual addresses in this protection domain, lengths are bytes, capability
 * fields are slots of its CSpace as the kernel takes them.
 *
 * Threads. All start at the ELF's entry point with rsp at the top of a stack of their own:
 *   thread 0     rdi = address of this page
 *   thread i     rdi = i, for 1 <= i < thread_count
 * The entry point tells them apart by rdi < 64. The symbol alpha_worker_entry is the same for workers alone.
 * 16 KiB of stack are enough for each: they change to larger ones in the arena. The main thread's is the first MiB
 * of the arena and grows down: leave the page below the arena unmapped.
 * They can start in any order and at any time. No thread needs an IPC buffer. Each needs its own FS base kept by the
 * kernel, and the right to execute wrfsbase.
 */
#ifndef ALPHA_LLAMA_START_H
#define ALPHA_LLAMA_START_H

#include <stdint.h>

#define ALPHA_LLAMA_MAGIC   0x414d414c4c504c41ull /* the bytes "ALPLLAMA" */
#define ALPHA_LLAMA_VERSION 2ull
#define ALPHA_MAX_THREADS   8

struct alpha_llama_start {
    uint64_t magic;         /*   0  ALPHA_LLAMA_MAGIC */
    uint64_t version;       /*   8  ALPHA_LLAMA_VERSION */
    uint64_t size;          /*  16  size of this structure: 336 */
    uint64_t thread_count;  /*  24  1 to 8; one thread a core */

    uint64_t arena_vaddr;   /*  32  memory for everything that the program allocates: RW, page aligned, zeroed */
    uint64_t arena_len;     /*  40  multiple of 4096, 4 MiB or more */
    uint64_t model_vaddr;   /*  48  the model file: RO, page aligned */
    uint64_t model_len;     /*  56  exact length of the file, 0 if there is none; mapped up to the page's end */

    uint64_t cmd_ring;      /*  64  command ring, producer's area: RO; header page, data from +4096 */
    uint64_t cmd_capacity;  /*  72  bytes of data, a power of two */
    uint64_t cmd_tail;      /*  80  command ring, consumer's page: RW */
    uint64_t rep_ring;      /*  88  reply ring, producer's area: RW; header page, data from +4096 */
    uint64_t rep_capacity;  /*  96  bytes of data, a power of two, 16 KiB or more */
    uint64_t rep_tail;      /* 104  reply ring, consumer's page: RO */

    uint64_t wait_cap;      /* 112  notification that this program waits on: commands came, replies were taken */
    uint64_t signal_cap;    /* 120  notification towards the inference server: replies came, commands were taken */
    uint64_t thread_cap[ALPHA_MAX_THREADS]; /* 128  one notification for each thread, with both rights */

    uint64_t tsc_hz;        /* 192  ticks of the CPU's counter in a second */
    uint64_t epoch;         /* 200  counts the starts of this program, from 1 */
    uint64_t model_name[7]; /* 208  file name of the model for messages, UTF-8, zero padded */

    uint64_t spare_vaddr;   /* 264  a second model, for when the first cannot be loaded: RO, page aligned */
    uint64_t spare_len;     /* 272  its exact length, 0 if there is none */
    uint64_t spare_name[7]; /* 280  its file name */
    /* 336 */
};

#ifdef __cplusplus
static_assert(sizeof(struct alpha_llama_start) == 336, "start page");
#else
_Static_assert(sizeof(struct alpha_llama_start) == 336, "start page");
#endif

#endif
