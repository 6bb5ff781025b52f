/* What runs before the C library is up. */
#ifndef ALPHA_BARE_H
#define ALPHA_BARE_H

#include "sys.h"

/* Returns if this CPU has what the program was compiled for. Else it says Hello and answers LoadFailed to every command,
 * for ever: llama.cpp's own code would stop at the first instruction that is missing. */
void alpha_check_cpu(void);

#endif
