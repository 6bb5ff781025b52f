/* The layer between the C library and the kernel. The C library's Linux calls come in as alpha_syscall and are
 * answered here, inside the program; the platform adds waiting, signalling, a clock and a way to die. */
#ifndef ALPHA_SYS_H
#define ALPHA_SYS_H

#include <stddef.h>
#include <stdint.h>
#include "start.h"

#ifdef __cplusplus
#define ALPHA_NORETURN [[noreturn]]
extern "C" {
#else
#define ALPHA_NORETURN _Noreturn
#endif

extern const struct alpha_llama_start *alpha_start;

/* Platform: plat_sel4.c, plat_linux.c. `cap` is one of the slots of the start page. */
void alpha_wait(uint64_t cap);
void alpha_signal(uint64_t cap);
uint64_t alpha_clock_ns(void);
void alpha_set_fs(void *base);
ALPHA_NORETURN void alpha_fault(void);

/* Called before the C library is up, with a checked start page. */
void alpha_sys_init(const struct alpha_llama_start *start);
/* The body of a worker thread: it waits to be given to pthread_create. */
ALPHA_NORETURN void alpha_worker(uint64_t index);
/* Starts the C library and main; does not return. */
ALPHA_NORETURN void alpha_run(void);
/* Ends the program because of `why`. Pushes it as a last log line, then faults. */
ALPHA_NORETURN void alpha_die(const char *why);

/* Names of CPU features that the program was compiled for and that are missing, blank separated; "" if none. */
const char *alpha_missing_features(void);

struct alpha_arena {
    uint64_t used, peak, len;
};
struct alpha_arena alpha_arena_use(void);

/* Whatever is written to standard output or error goes here; defined by the main program. */
void alpha_console(const char *text, size_t len);
/* The last words of a dying program; must not allocate. Defined by the main program. */
void alpha_last_words(const char *text, size_t len);
/* An allocation of so many bytes has failed; as above. */
void alpha_memory_ran_out(uint64_t asked);

#ifdef __cplusplus
}
#endif

#endif
