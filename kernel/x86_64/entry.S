/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways in and out of the kernel. A process's registers are saved in its slot, whose address is in
 * the per-CPU area (gs); the kernel runs on the per-CPU stack. struct registers (abi/kernel.h) is
 * at offset 0 of struct slot, struct cpu in cpu.h; cpu.c checks these offsets.
 */
#define CPU_SLOT 0
#define CPU_STACK 8
#define CPU_USER_RDI 16
#define CPU_ROOT 32
#define CPU_FPU_ON 48
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
#define FS_BASE 176
#define SLOT_FPU 184
#define SLOT_SPACE 192
#define SLOT_FROM_SYSCALL 200
#define SLOT_ENDPOINT 204
#define SLOT_RIGHTS 368
#define NUMBER_NULL 0x1000
#define NUMBER_CALL 0x1001
#define NUMBER_REPLY_RECEIVE 0x1004
#define MSR_FS_BASE 0xc0000100
#define USER_CS 0x23
#define USER_SS 0x1b

.macro save /* all but rcx, r11 and rsp, in the slot that ran; rdi: that slot; uses rsi */
    movq %rdi, %gs:CPU_USER_RDI
    movq %gs:CPU_SLOT, %rdi
    movq %r15, R15(%rdi)
    movq %r14, R14(%rdi)
    movq %r13, R13(%rdi)
    movq %r12, R12(%rdi)
    movq %rbp, RBP(%rdi)
    movq %rbx, RBX(%rdi)
    movq %r10, R10(%rdi)
    movq %r9, R9(%rdi)
    movq %r8, R8(%rdi)
    movq %rax, RAX(%rdi)
    movq %rdx, RDX(%rdi)
    movq %rsi, RSI(%rdi)
    movq %gs:CPU_USER_RDI, %rsi
    movq %rsi, RDI(%rdi)
.endm

/* What is switched besides registers: address space, FS base (always: the last one may have changed it by loading fs), FPU.
 * rdi: the slot that runs from now on. Keeps rdi and rsi. */
.macro switch_slot
    movq %rdi, %gs:CPU_SLOT
    movq SLOT_SPACE(%rdi), %rax
    movq (%rax), %rax
    cmpq %gs:CPU_ROOT, %rax
    je 1f
    movq %rax, %gs:CPU_ROOT
    movq %rax, %cr3
1:  movl $MSR_FS_BASE, %ecx
    movl FS_BASE(%rdi), %eax
    movl FS_BASE + 4(%rdi), %edx
    wrmsr
    cmpq $0, SLOT_FPU(%rdi)
    jne 1f
    cmpb $0, %gs:CPU_FPU_ON
    je 2f
1:  pushq %rdi
    pushq %rsi
    call fpu_switch
    popq %rsi
    popq %rdi
2:
.endm

    .text
    .globl arch_syscall_entry, arch_enter_user, arch_hand_over
arch_syscall_entry:
    swapgs
    save
    movq %rsp, RSP(%rdi)
    movq %gs:CPU_STACK, %rsp
    movq %rcx, RIP(%rdi)
    movq %r11, RFLAGS(%rdi)
    cmpq $NUMBER_CALL, %rax
    je 8f
    cmpq $NUMBER_REPLY_RECEIVE, %rax
    je 9f
    cmpq $NUMBER_NULL, %rax
    je 6f
7:  call kernel_syscall
    movq %rax, %rdi
arch_enter_user: /* rdi: the slot to run */
    cmpq %gs:CPU_SLOT, %rdi
    je 5f
    switch_slot
5:  movq R15(%rdi), %r15
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
    je 3f
    movq RIP(%rdi), %rcx
    movq RFLAGS(%rdi), %r11
    movq RSP(%rdi), %rsp
    movq RDI(%rdi), %rdi
    swapgs
    sysretq
6:  testb $1, SLOT_RIGHTS(%rdi) /* the right to make the null call */
    jz 7b
    movq $0, RAX(%rdi)
    jmp 5b
8:  call fast_call /* both come back when they can do nothing */
    movq %gs:CPU_SLOT, %rdi
    jmp 7b
9:  call fast_reply_receive
    movq %gs:CPU_SLOT, %rdi
    jmp 7b

/* Noreturn. rdi: the slot to run, back from a system call that gives it a message; rsi: whose registers this is in. */
arch_hand_over:
    switch_slot
    movq R15(%rdi), %r15
    movq R14(%rdi), %r14
    movq RBP(%rdi), %rbp
    movq RBX(%rdi), %rbx
    movq RIP(%rdi), %rcx
    movq RFLAGS(%rdi), %r11
    movq RSP(%rdi), %rsp
    movq R13(%rsi), %r13
    movq R12(%rsi), %r12
    movq R10(%rsi), %r10
    movq R9(%rsi), %r9
    movq R8(%rsi), %r8
    movq RDX(%rsi), %rdx
    movl SLOT_ENDPOINT(%rsi), %edi
    movq RSI(%rsi), %rsi
    xorl %eax, %eax
    swapgs
    sysretq

2:  movq $0, RIP(%rdi) /* faults in user mode; non-canonical: here (SDM vol. 2, IRET) */
3:  btq $47, RIP(%rdi)
    jc 2b
    movb $1, SLOT_FROM_SYSCALL(%rdi) /* as it is next time, unless by a trap */
    movq $256, VECTOR(%rdi)
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
    save
    movq %rcx, RCX(%rdi)
    movq %r11, R11(%rdi)
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

    .section .bss
    .balign 4096
    .globl kernel_stack_guard, kernel_stack_end
kernel_stack_guard: .skip 4096 /* unmapped by arch_start() */
    .skip 16384
kernel_stack_end:
    .section .note.GNU-stack, "", @progbits
