/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The signal frame on a program's stack: Linux's struct rt_sigframe for x86-64, as handlers,
 * debuggers and unwinders expect it (its uapi headers asm/sigcontext.h and asm/ucontext.h; System V
 * ABI AMD64, 3.2.2 for the red zone). The FPU state lies above it; a program that has none has a
 * null pointer there.
 */
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>

#include "servers/pm/pm.h"

struct frame {
    uint64_t return_address;
    struct {
        uint64_t flags, link, stack_pointer;
        uint32_t stack_flags, pad;
        uint64_t stack_size;
        uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
            rflags;
        uint16_t cs, gs, fs, ss;
        uint64_t error, trap, old_mask, cr2, fpu, reserved[8];
        uint64_t mask;
    } context;
    siginfo_t info;
};

#define RED_ZONE 128
#define DIRECTION_FLAG 0x400
#define TRAP_FLAG 0x100

static uint8_t fpu_state[FPU_STATE_BYTES] __attribute__((aligned(64))); /* on its way */

/* The FPU state goes to the stack below sp, aligned to 64 as XSAVE has it: its address, 0: none. */
static int push_fpu(struct thread *t, uint64_t *sp, uint64_t *address)
{
    long n = slot_fpu_get(t->endpoint, fpu_state);

    *address = 0;
    if (n <= 0)
        return (int)n;
    *sp = *address = (*sp - (uint64_t)n) & ~63ull;
    return write_user(t, *address, fpu_state, (size_t)n) < 0 ? -EFAULT : 0;
}

static long pop_fpu(struct thread *t, uint64_t address)
{
    if (address && read_user(t, address, fpu_state, sizeof fpu_state) < 0)
        return -EFAULT;
    return slot_control(t->endpoint, SLOT_CONTROL_FPU_SET, address ? (uint64_t)fpu_state : 0);
}

static void save(struct frame *f, const struct registers *r, const struct thread *t)
{
    f->context.r8 = r->r8, f->context.r9 = r->r9, f->context.r10 = r->r10, f->context.r11 = r->r11;
    f->context.r12 = r->r12, f->context.r13 = r->r13, f->context.r14 = r->r14,
    f->context.r15 = r->r15;
    f->context.rdi = r->rdi, f->context.rsi = r->rsi, f->context.rbp = r->rbp,
    f->context.rbx = r->rbx;
    f->context.rdx = r->rdx, f->context.rax = r->rax, f->context.rcx = r->rcx,
    f->context.rsp = r->rsp;
    f->context.rip = r->rip, f->context.rflags = r->rflags;
    f->context.cs = 0x33, f->context.ss = 0x2b; /* what Linux shows */
    f->context.mask = t->mask_saved ? t->saved_mask : t->mask;
    f->context.old_mask = f->context.mask;
    f->context.cr2 = t->exception_address;
    f->context.error = t->exception_code;
    f->context.stack_pointer = t->alt_stack;
    f->context.stack_size = t->alt_size;
    f->context.stack_flags = alternate_flags(t, r->rsp);
}

static void fill_info(siginfo_t *info, const struct thread *t, int signal)
{
    int from = t->process->sender[signal];

    info->si_signo = signal;
    if (from == -1) {
        info->si_code = signal == SIGSEGV ? SEGV_MAPERR : 1;
        info->si_addr = (void *)t->exception_address;
    } else {
        info->si_code = from ? SI_USER : SI_KERNEL;
        info->si_pid = from;
    }
}

/* (It grows down: its upper end is on it, and its lower end is not.) */
uint32_t alternate_flags(const struct thread *t, uint64_t sp)
{
    if (!t->alt_size)
        return SS_DISABLE;
    return sp - t->alt_stack - 1 < t->alt_size ? SS_ONSTACK : 0;
}

int frame_push(struct thread *t, struct registers *r, int signal, const struct action *a)
{
    struct frame f = {.return_address = a->restorer};
    bool alternate = (a->flags & SA_ONSTACK) && alternate_flags(t, r->rsp) == 0;
    uint64_t sp = alternate ? t->alt_stack + t->alt_size : r->rsp - RED_ZONE;

    if (!a->restorer || push_fpu(t, &sp, &f.context.fpu))
        return -EFAULT;
    sp = ((sp - sizeof f) & ~15ull) - 8; /* at the handler's entry rsp + 8 is a multiple of 16 */
    save(&f, r, t);
    fill_info(&f.info, t, signal);
    if (write_user(t, sp, &f, sizeof f) < 0)
        return -EFAULT;
    r->rip = a->handler;
    r->rsp = sp;
    r->rdi = (uint64_t)signal;
    r->rsi = sp + offsetof(struct frame, info);
    r->rdx = sp + offsetof(struct frame, context);
    r->rax = 0;
    r->rflags &= ~(uint64_t)(DIRECTION_FLAG | TRAP_FLAG);
    return 0;
}

long sys_rt_sigreturn(struct message *m)
{
    struct thread *t = thread_caller(m);
    struct registers r;
    struct frame f;

    /* The handler's return has popped the return address. */
    if (registers_get(t->endpoint, &r) < 0 || read_user(t, r.rsp - 8, &f, sizeof f) < 0 ||
        pop_fpu(t, f.context.fpu) < 0) {
        process_end(t->process, SIGSEGV);
        return SERVICE_NO_REPLY;
    }
    r.r8 = f.context.r8, r.r9 = f.context.r9, r.r10 = f.context.r10, r.r11 = f.context.r11;
    r.r12 = f.context.r12, r.r13 = f.context.r13, r.r14 = f.context.r14, r.r15 = f.context.r15;
    r.rdi = f.context.rdi, r.rsi = f.context.rsi, r.rbp = f.context.rbp, r.rbx = f.context.rbx;
    r.rdx = f.context.rdx, r.rax = f.context.rax, r.rcx = f.context.rcx, r.rsp = f.context.rsp;
    r.rip = f.context.rip, r.rflags = f.context.rflags;
    t->mask = f.context.mask & ~(bit_of(SIGKILL) | bit_of(SIGSTOP));
    registers_set(t->endpoint, &r);
    if (signal_due(t))
        deliver_and_resume(t, NOT_A_CALL);
    else
        resume(t, (long)r.rax);
    return SERVICE_NO_REPLY;
}
