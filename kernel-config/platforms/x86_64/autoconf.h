/* seL4 5.0.0 on pc99, 64 bits. Common to both variants; release.h or debug.h follows. */
#define AUTOCONF_INCLUDED

#define CONFIG_ARCH_X86 1
#define CONFIG_ARCH_X86_64 1
#define CONFIG_PLAT_PC99 1
#define CONFIG_WORD_SIZE 64
#define CONFIG_KERNEL_MASTER 1
#define CONFIG_CACHE_LN_SZ 64

/* Cores: up to this many are started, fewer when the machine has fewer. */
#define CONFIG_MAX_NUM_NODES 8
#define CONFIG_KERNEL_STACK_BITS 12

/* Interrupts: xAPIC, because QEMU's TCG offers it everywhere; one IOAPIC is what q35 has. */
#define CONFIG_IRQ_IOAPIC 1
#define CONFIG_MAX_NUM_IOAPIC 1
#define CONFIG_XAPIC 1

/* Registers: x87, SSE and AVX (bits 0 to 2) are switched with the thread. */
#define CONFIG_HAVE_FPU 1
#define CONFIG_XSAVE 1
#define CONFIG_XSAVE_XSAVE 1
#define CONFIG_XSAVE_FEATURE_SET 7
#define CONFIG_XSAVE_SIZE 832
#define CONFIG_FPU_MAX_RESTORES_SINCE_SWITCH 64
#define CONFIG_FSGSBASE_INST 1

/* PCID stays off: TCG has no INVPCID and the kernel refuses to boot without it. */
#define CONFIG_HUGE_PAGE 1
#define CONFIG_SYSCALL 1
#define CONFIG_FASTPATH 1

/* 10 ms slices: two ticks of 5 ms. Each tick of each core takes the kernel's lock, in the order of coming: on a host
 * with fewer processors than cores, one that does not run holds up all others. So there are few. */
#define CONFIG_TIMER_TICK_MS 5
#define CONFIG_TIME_SLICE 2
#define CONFIG_NUM_DOMAINS 1
#define CONFIG_NUM_PRIORITIES 256
#define CONFIG_DOMAIN_SCHEDULE ""

/* A root image of 500 MB takes 122,077 slots; 17 bits are 131,072 (4 MiB of memory). */
#define CONFIG_ROOT_CNODE_SIZE_BITS 17
/* The bootinfo frame is one page: this many descriptors of 12 bytes fit behind its head of 169. */
#define CONFIG_MAX_NUM_BOOTINFO_UNTYPED_CAPS 327
#define CONFIG_RETYPE_FAN_OUT_LIMIT 256
#define CONFIG_MAX_NUM_WORK_UNITS_PER_PREEMPTION 100

/* An IOMMU (VT-d) is used where ACPI tells of one; without, the boot is the same and bootinfo says 0 levels. */
#define CONFIG_IOMMU 1
#define CONFIG_MAX_RMRR_ENTRIES 32

#define CONFIG_OPTIMISATION_O2 1
#define CONFIG_KERNEL_COMPILER ""
#define CONFIG_KERNEL_CFLAGS ""
#define CONFIG_KERNEL_EXTRA_CPPFLAGS ""
#define CONFIG_LIB_SEL4 1
#define CONFIG_HAVE_LIB_SEL4 1
