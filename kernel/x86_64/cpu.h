/* SPDX-License-Identifier: BSD-2-Clause */
/* The processor: what each has for itself, and its special instructions. */
#ifndef X86_64_CPU_H
#define X86_64_CPU_H

#include "kernel/arch.h"
#include "kernel/slot.h"

struct __attribute__((packed)) tss { /* Intel SDM vol. 3, 7.7 */
    uint32_t reserved;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, iomap;
};
enum { EMERGENCY_STACKS = 3 }; /* double fault, NMI, machine check */

/* gs points here in the kernel; entry.S knows these offsets. */
struct cpu {
    struct slot *slot; /* whose registers are saved on the next entry */
    uint64_t stack; /* top of the kernel stack */
    uint64_t user_rdi; /* for a moment, while there is no register free */
    struct cpu *self;
    uint64_t root; /* what CR3 holds */
    struct slot *fpu; /* whose FPU state the registers hold, or NULL */
    bool fpu_on; /* CR0.TS is clear */
    uint64_t gdt[7];
    struct tss tss __attribute__((aligned(128))); /* within a page */
    uint8_t emergency_stacks[EMERGENCY_STACKS][4096] __attribute__((aligned(16)));
};
extern struct cpu cpus[1];

static inline struct cpu *cpu_self(void)
{
    struct cpu *self;

    __asm__("movq %%gs:24, %0" : "=r"(self));
    return self;
}
static inline void wrmsr(uint32_t n, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(n), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}
static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3])
                     : "a"(leaf), "c"(sub));
}
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_DEADLINE 0x6e0

enum {
    VECTOR_NMI = 2,
    VECTOR_NM = 7,
    VECTOR_DF = 8,
    VECTOR_PF = 14,
    VECTOR_MC = 18,
    VECTOR_IRQ = 0x30,
    VECTOR_TIMER = 0xf0,
    VECTOR_SPURIOUS = 0xff,
};

void cpu_start(void);
/* The direct map of what is above 4 GB, where there are no 1-GB pages. */
void paging_map_rest(void);
void fpu_start(void);
bool fpu_first_use(struct slot *s); /* #NM. false: it is something else */
void fpu_switch(struct slot *s);
void apic_eoi(void);

#endif
