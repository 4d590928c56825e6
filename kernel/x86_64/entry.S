/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways in and out of the kernel. A process's registers are saved in its slot, whose address is in
 * the per-CPU area (gs); the kernel runs on the per-CPU stack. struct registers (abi/kernel.h) is
 * at offset 0 of struct slot, struct cpu in cpu.h; cpu.c checks these offsets.
 */
#define CPU_SLOT 0
#define CPU_STACK 8
#define CPU_USER_RSP 16
#define R15 0
#define R14 8
#define R13 16
#define R12 24
#define RBP 32
#define RBX 40
#define R11 48
#define R10 56
#define R9 64
#define R8 72
#define RAX 80
#define RCX 88
#define RDX 96
#define RSI 104
#define RDI 112
#define VECTOR 120
#define ERROR 128
#define RIP 136
#define CS 144
#define RFLAGS 152
#define RSP 160
#define SS 168
#define SLOT_FROM_SYSCALL 200
#define USER_CS 0x23
#define USER_SS 0x1b

.macro save_but_rdi /* rdi: the slot */
    movq %r15, R15(%rdi)
    movq %r14, R14(%rdi)
    movq %r13, R13(%rdi)
    movq %r12, R12(%rdi)
    movq %rbp, RBP(%rdi)
    movq %rbx, RBX(%rdi)
    movq %r11, R11(%rdi)
    movq %r10, R10(%rdi)
    movq %r9, R9(%rdi)
    movq %r8, R8(%rdi)
    movq %rax, RAX(%rdi)
    movq %rcx, RCX(%rdi)
    movq %rdx, RDX(%rdi)
    movq %rsi, RSI(%rdi)
.endm

    .text
    .globl arch_syscall_entry, arch_enter_user
arch_syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    movq %gs:CPU_STACK, %rsp
    pushq %rdi
    movq %gs:CPU_SLOT, %rdi
    save_but_rdi
    popq %rax
    movq %rax, RDI(%rdi)
    movq %gs:CPU_USER_RSP, %rax
    movq %rax, RSP(%rdi)
    movq %rcx, RIP(%rdi)
    movq %r11, RFLAGS(%rdi)
    movq $256, VECTOR(%rdi)
    movb $1, SLOT_FROM_SYSCALL(%rdi)
    call kernel_syscall
    movq %rax, %rdi
/* rdi: the slot to run */
arch_enter_user:
    movq %rdi, %gs:CPU_SLOT
    movq R15(%rdi), %r15
    movq R14(%rdi), %r14
    movq R13(%rdi), %r13
    movq R12(%rdi), %r12
    movq RBP(%rdi), %rbp
    movq RBX(%rdi), %rbx
    movq R10(%rdi), %r10
    movq R9(%rdi), %r9
    movq R8(%rdi), %r8
    movq RAX(%rdi), %rax
    movq RDX(%rdi), %rdx
    movq RSI(%rdi), %rsi
    cmpb $0, SLOT_FROM_SYSCALL(%rdi)
    je 1f
    movq RIP(%rdi), %rcx
    btq $47, %rcx
    jc 3f
    movq RFLAGS(%rdi), %r11
    movq RSP(%rdi), %rsp
    movq RDI(%rdi), %rdi
    swapgs
    sysretq
3:  movq $0, RIP(%rdi) /* faults in user mode; non-canonical: here (SDM vol. 2, SYSRET and IRET) */
1:  btq $47, RIP(%rdi)
    jc 3b
    movq %gs:CPU_STACK, %rsp
    pushq $USER_SS
    pushq RSP(%rdi)
    pushq RFLAGS(%rdi)
    pushq $USER_CS
    pushq RIP(%rdi)
    movq R11(%rdi), %r11
    movq RCX(%rdi), %rcx
    movq RDI(%rdi), %rdi
    swapgs
    iretq

/* Traps and interrupts. On the kernel stack: vector, error, then what the processor pushed. */
arch_trap_common:
    cld
    testb $3, 24(%rsp)
    jz 2f
    swapgs
    pushq %rdi
    movq %gs:CPU_SLOT, %rdi
    save_but_rdi
    popq %rax
    movq %rax, RDI(%rdi)
    popq VECTOR(%rdi)
    popq ERROR(%rdi)
    popq RIP(%rdi)
    popq CS(%rdi)
    popq RFLAGS(%rdi)
    popq RSP(%rdi)
    popq SS(%rdi)
    movb $0, SLOT_FROM_SYSCALL(%rdi)
    movq %gs:CPU_STACK, %rsp
    call trap_from_user
    movq %rax, %rdi
    jmp arch_enter_user
2:  pushq %rax /* in the kernel: an interrupt in arch_idle(), or the end */
    pushq %rcx
    pushq %rdx
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    leaq 72(%rsp), %rdi
    call trap_from_kernel
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .globl arch_vectors
    .balign 16
arch_vectors: /* 16 bytes each */
    .set n, 0
    .rept 256
    .balign 16
    .if (n == 8) || ((n >= 10) && (n <= 14)) || (n == 17) || (n == 21)
    .else
    pushq $0
    .endif
    pushq $n
    jmp arch_trap_common
    .set n, n + 1
    .endr
    .section .note.GNU-stack, "", @progbits
