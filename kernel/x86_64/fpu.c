/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * x87, SSE and AVX state. A process that has never used them has none: CR0.TS makes its first use a
 * #NM, which gives it the XSAVE area that it has from its beginning, so no process dies at its
 * first use because memory is short. From then on its state is switched with it, eagerly (Intel SDM
 * vol. 1, ch. 13). The kernel itself uses none.
 */
#include "kernel/kernel.h"
#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

#define STATE_BYTES FPU_STATE_BYTES /* legacy 512, header 64, AVX 256 */
#define MXCSR_MASK 0xffff
#define MXCSR_DEFAULT 0x1f80
#define FCW_DEFAULT 0x37f

static uint32_t components; /* XCR0: what is saved */
static bool xsave;

void fpu_start(void)
{
    uint32_t r[4], more[4];
    uint64_t cr;

    cpuid(1, 0, r);
    cpuid(0xd, 1, more);
    /* Those without XSAVEOPT do without: OSXSAVE of them is reserved, says QEMU 7.2, and hangs. */
    xsave = (r[2] >> 26 & 1) && (more[0] & 1);
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr));
    cr |= 3 << 9 | (uint64_t)xsave << 18; /* OSFXSR, OSXMMEXCPT, OSXSAVE */
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr));
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr));
    cr = (cr | 1 << 1 | 1 << 3 | 1 << 5) & ~4ull; /* MP, TS, NE; not EM */
    __asm__ volatile("mov %0, %%cr0" : : "r"(cr));
    if (xsave) {
        components = 3 | (r[2] >> 28 & 1) << 2;
        __asm__ volatile("xsetbv" : : "c"(0), "a"(components), "d"(0));
    }
}

static void save(const struct slot *s)
{
    if (xsave)
        __asm__ volatile("xsave64 (%0)" : : "r"(s->fpu), "a"(components), "d"(0) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(s->fpu) : "memory");
}

static void restore(const struct slot *s)
{
    if (xsave)
        __asm__ volatile("xrstor64 (%0)" : : "r"(s->fpu), "a"(components), "d"(0) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(s->fpu) : "memory");
}

static void enable(bool on)
{
    struct cpu *cpu = cpu_self();
    uint64_t cr0;

    if (cpu->fpu_on == on)
        return;
    cpu->fpu_on = on;
    if (on)
        __asm__ volatile("clts");
    else {
        __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
        __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 8));
    }
}

static void reset_state(struct slot *s)
{
    s->fpu = memset(s->fpu_area, 0, STATE_BYTES);
    *(uint16_t *)s->fpu = FCW_DEFAULT;
    *(uint32_t *)((char *)s->fpu + 24) = MXCSR_DEFAULT;
    *(uint64_t *)((char *)s->fpu + 512) = 3; /* XSTATE_BV: x87 and SSE as they stand here */
}

/* What came from outside: nothing that XRSTOR would fault on. */
static void sanitise(struct slot *s)
{
    uint64_t *header = (uint64_t *)((char *)s->fpu + 512);

    *(uint32_t *)((char *)s->fpu + 24) &= MXCSR_MASK;
    header[0] &= components;
    memset(header + 1, 0, 56);
}

/* What the registers hold goes to its owner's area. */
static void put_away(void)
{
    struct cpu *cpu = cpu_self();

    if (cpu->fpu) {
        enable(true);
        save(cpu->fpu);
        cpu->fpu = NULL;
    }
}

bool fpu_first_use(struct slot *s)
{
    if (s->fpu)
        return false;
    put_away();
    reset_state(s);
    fpu_switch(s);
    return true;
}

void fpu_switch(struct slot *s)
{
    struct cpu *cpu = cpu_self();

    if (!s->fpu) {
        enable(false); /* the registers keep the last user's state: it may be the next one again */
        return;
    }
    if (cpu->fpu != s) {
        put_away();
        enable(true);
        restore(s);
        cpu->fpu = s;
    }
    enable(true);
}

/* Brings its area up to date. The registers stay its own, and closed to whoever runs now. */
static void note_state(const struct slot *s)
{
    bool on = cpu_self()->fpu_on;

    if (cpu_self()->fpu != s)
        return;
    enable(true);
    save(s);
    enable(on);
}

void arch_slot_copy(struct slot *s, const struct slot *from)
{
    s->registers = from->registers;
    s->from_syscall = from->from_syscall;
    if (!from->fpu)
        return;
    note_state(from);
    s->fpu = memcpy(s->fpu_area, from->fpu, STATE_BYTES);
}

long arch_fpu_get(struct slot *s, struct slot *who, uint64_t address)
{
    long error;

    if (!s->fpu)
        return 0;
    note_state(s);
    error = copy_out(who, address, s->fpu, STATE_BYTES);
    return error ? error : STATE_BYTES;
}

long arch_fpu_set(struct slot *s, struct slot *who, uint64_t address)
{
    long error;

    arch_slot_free(s);
    if (!address)
        return 0;
    s->fpu = s->fpu_area;
    error = copy_in(who, s->fpu, address, STATE_BYTES);
    if (error)
        reset_state(s);
    sanitise(s);
    return error;
}

void arch_slot_fresh(struct slot *s)
{
    arch_slot_free(s);
    s->registers.fs_base = 0;
}

void arch_slot_free(struct slot *s)
{
    if (cpu_self()->fpu == s) {
        cpu_self()->fpu = NULL;
        enable(false);
    }
    s->fpu = NULL;
}
