/* Assertions, messages on COM1, seL4_DebugPutChar and its kin. The Makefile sets a trace of one word. */
#define CONFIG_DEBUG_BUILD 1
#define CONFIG_PRINTING 1
#undef CONFIG_USER_STACK_TRACE_LENGTH
#define CONFIG_USER_STACK_TRACE_LENGTH 16
