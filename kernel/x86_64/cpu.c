/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptor tables, system call entry, traps. (Intel SDM vol. 3, ch. 3, 5, 6; AMD APM vol. 2, 6.1
 * for SYSCALL.) */
#include "kernel/x86_64/cpu.h"

#include <errno.h>

#include "kernel/string.h"

struct cpu cpus[1];

struct gate {
    uint16_t offset0, selector;
    uint8_t ist, type;
    uint16_t offset1;
    uint32_t offset2, zero;
};
struct __attribute__((packed)) pointer {
    uint16_t limit;
    uint64_t base;
};
struct trap_frame {
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* null, kernel code, kernel data, user data, user code; the TSS follows. SYSRET wants user data
 * before user code. */
static const uint64_t segments[5] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cff3000000ffff,
                                     0x00affb000000ffff};
static struct gate idt[256]; /* the same for all CPUs */
extern char arch_vectors[], arch_syscall_entry[], kernel_stack_end[];

/* What entry.S knows. */
_Static_assert(offsetof(struct cpu, slot) == 0 && offsetof(struct cpu, stack) == 8 &&
                   offsetof(struct cpu, user_rdi) == 16 && offsetof(struct cpu, self) == 24 &&
                   offsetof(struct cpu, root) == 32 && offsetof(struct cpu, fpu_on) == 48,
               "struct cpu");
_Static_assert(offsetof(struct registers, rdi) == 112 && offsetof(struct registers, ss) == 168 &&
                   offsetof(struct registers, fs_base) == 176 &&
                   offsetof(struct slot, registers) == 0 && offsetof(struct slot, fpu) == 184 &&
                   offsetof(struct slot, space) == 192 && offsetof(struct space, root) == 0 &&
                   offsetof(struct slot, from_syscall) == 200 &&
                   offsetof(struct slot, endpoint) == 204 &&
                   offsetof(struct slot, rights.calls) == 368,
               "struct slot");
_Static_assert(KERNEL_CALL_BASE == 0x1000 && KERNEL_NULL == 0 && KERNEL_CALL == 1 &&
                   KERNEL_REPLY_RECEIVE == 4,
               "numbers of kernel calls");

struct slot *trap_from_user(struct slot *s);
void trap_from_kernel(const struct trap_frame *f);

static void idt_fill(void)
{
    static const uint8_t special[EMERGENCY_STACKS] = {VECTOR_DF, VECTOR_NMI, VECTOR_MC};

    for (unsigned v = 0; v < 256; v++) {
        uint64_t at = (uint64_t)arch_vectors + v * 16;
        /* 3 and 4 may be raised by int3 and into. */
        uint8_t privilege = v == 3 || v == 4 ? 0x60 : 0;

        idt[v] = (struct gate){.offset0 = (uint16_t)at,
                               .offset1 = (uint16_t)(at >> 16),
                               .offset2 = (uint32_t)(at >> 32),
                               .selector = 8,
                               .type = 0x8e | privilege};
    }
    for (uint8_t i = 0; i < EMERGENCY_STACKS; i++)
        idt[special[i]].ist = i + 1;
}

static void features_enable(void)
{
    uint32_t r[4];
    uint64_t cr4;

    cpuid(1, 0, r);
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= (r[3] >> 7 & 1) << 6 | (r[3] >> 13 & 1) << 7; /* machine checks, global pages */
    cpuid(0, 0, r);
    if (r[0] >= 7)
        cpuid(7, 0, r);
    else
        r[1] = r[2] = 0;
    cr4 |= (r[1] >> 7 & 1) << 20; /* SMEP */
    cr4 |= (r[1] >> 20 & 1) << 21; /* SMAP: the kernel never touches user addresses at all */
    cr4 |= (r[2] >> 2 & 1) << 11; /* UMIP */
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
}

/* Its stacks, and the descriptors that lead to them. */
static void cpu_fill(struct cpu *cpu, uint64_t stack)
{
    struct tss *tss = &cpu->tss;
    uint64_t at = (uint64_t)tss;

    cpu->self = cpu;
    cpu->stack = tss->rsp[0] = stack;
    for (unsigned i = 0; i < EMERGENCY_STACKS; i++)
        tss->ist[i] = (uint64_t)cpu->emergency_stacks[i] + sizeof cpu->emergency_stacks[i];
    tss->iomap = sizeof *tss; /* beyond the limit: no port for anybody */
    memcpy(cpu->gdt, segments, sizeof segments);
    cpu->gdt[5] =
        (sizeof *tss - 1) | (at & 0xffffff) << 16 | 0x89ull << 40 | (at >> 24 & 0xff) << 56;
    cpu->gdt[6] = at >> 32;
}

void cpu_start(void)
{
    struct pointer gdt_at = {sizeof cpus[0].gdt - 1, (uint64_t)cpus[0].gdt},
                   idt_at = {sizeof idt - 1, (uint64_t)idt};

    cpu_fill(&cpus[0], (uint64_t)kernel_stack_end);
    idt_fill();
    __asm__ volatile("lgdt %0; lidt %1; ltr %w2" : : "m"(gdt_at), "m"(idt_at), "r"(0x28));
    __asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %1, %%ss; mov %0, %%fs; mov %0, %%gs"
                     :
                     : "r"(0), "r"(0x10));
    wrmsr(MSR_GS_BASE, (uint64_t)&cpus[0]);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
    /* SYSRET: cs 0x13 + 16 = 0x23, ss 0x13 + 8 = 0x1b */
    wrmsr(MSR_STAR, 0x08ull << 32 | 0x13ull << 48);
    wrmsr(MSR_LSTAR, (uint64_t)arch_syscall_entry);
    wrmsr(MSR_SFMASK, 0x47700); /* TF IF DF IOPL NT AC off */
    features_enable();
}

static void interrupt(unsigned vector)
{
    if (vector == VECTOR_SPURIOUS)
        return;
    if (vector == VECTOR_TIMER)
        kernel_timer();
    else
        kernel_interrupt(vector - VECTOR_IRQ);
    apic_eoi(); /* now that the line is masked: earlier, a level interrupt would come again */
}

static bool is_interrupt(uint64_t vector)
{
    return vector == VECTOR_TIMER || vector == VECTOR_SPURIOUS ||
           (vector >= VECTOR_IRQ && vector < VECTOR_IRQ + ARCH_IRQ_VECTORS);
}

struct slot *trap_from_user(struct slot *s)
{
    uint64_t vector = s->registers.vector, address = 0;

    if (is_interrupt(vector)) {
        interrupt((unsigned)vector);
        return kernel_user_interrupt(s);
    }
    /* The machine's, not the process's. */
    if (vector == VECTOR_NMI || vector == VECTOR_DF || vector == VECTOR_MC)
        kernel_panic("exception %lu in %s: rip %lx", vector, s->name, s->registers.rip);
    if (vector == VECTOR_NM && fpu_first_use(s))
        return s;
    if (vector == VECTOR_PF)
        __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    return kernel_exception(s, (unsigned)vector, s->registers.error, address);
}

void trap_from_kernel(const struct trap_frame *f)
{
    uint64_t address;

    if (is_interrupt(f->vector)) {
        interrupt((unsigned)f->vector);
        return;
    }
    __asm__ volatile("mov %%cr2, %0" : "=r"(address));
    kernel_panic("exception %lu in the kernel: error %lx rip %lx rsp %lx address %lx", f->vector,
                 f->error, f->rip, f->rsp, address);
}

void arch_idle(bool halt)
{
    if (halt)
        __asm__ volatile("sti; hlt; cli" : : : "memory");
    else
        __asm__ volatile("sti; nop; cli" : : : "memory");
}

void arch_slot_init(struct slot *s, uint64_t entry, uint64_t stack)
{
    memset(&s->registers, 0, sizeof s->registers);
    s->registers.rip = entry;
    s->registers.rsp = stack;
    s->fpu = NULL;
    s->from_syscall = 0;
    arch_registers_sanitise(&s->registers);
}

void arch_registers_sanitise(struct registers *r)
{
    /* CF PF AF ZF SF TF DF OF RF AC ID; the rest is the kernel's */
    const uint64_t user_flags = 0x250dd5;

    r->cs = 0x23;
    r->ss = 0x1b;
    r->rflags = (r->rflags & user_flags) | 0x202;
    r->vector = 256;
    r->error = 0;
    if (r->rip >= USER_END)
        r->rip = 0; /* faults in user mode, and nowhere else */
    if (r->fs_base >= USER_END)
        r->fs_base = 0;
}

#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
/* kernel/copy.c */
long copy_kernel(const struct slot *s, uint64_t address, void *kernel, size_t length, bool out);

long arch_prctl(struct slot *s, uint64_t code, uint64_t address)
{
    if (code == ARCH_GET_FS)
        return copy_kernel(s, address, &s->registers.fs_base, 8, true);
    if (code != ARCH_SET_FS)
        return -EINVAL;
    if (address >= USER_END)
        return -EPERM;
    s->registers.fs_base = address;
    wrmsr(MSR_FS_BASE, address);
    return 0;
}
