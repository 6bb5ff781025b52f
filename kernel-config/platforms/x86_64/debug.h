/* Assertions, messages on COM1, seL4_DebugPutChar and its kin. */
#define CONFIG_DEBUG_BUILD 1
#define CONFIG_PRINTING 1
#define CONFIG_USER_STACK_TRACE_LENGTH 16
