/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of lib/undo has to be assembly: the start, ranges, kernel calls and where a successor begins. See undo.h.
 *
 * A kernel call is made exactly once. RS lets a dead process begin again only when it is between two instructions, never
 * within a call; so either the `syscall` is still to be executed (rip is at NAME_insn), or its results are in the registers
 * and rip is in the window from there to NAME_end, in which they are put where they are kept. In both cases the successor
 * first does the rest, from one of these two places: that can be repeated any number of times.
 */
#include "lib/undo/layout.h"

#define KEY 0
#define ARGUMENT 8
#define RESULT 16
#define LENGTH 88
#define ENTRY_BYTES 96
#define MINUS_EAGAIN -11 /* a part of the mapping is done */

    .text

/* ---- the start; RS finds the words before it through the image's entry (servers/rs/image.c) ---- */
    .balign 8
    .globl undo_header
undo_header:
    .quad UNDO_MARK, undo_enter, undo_enter_end, undo_dead
    .quad 0, 0 /* tools/update */
    .globl undo_start
undo_start:
    cmpq $0, undo_first_stack(%rip) /* it may die in the call, and begin here again */
    jne 1f
    movq %rsp, undo_first_stack(%rip)
1:  movq undo_first_stack(%rip), %rsp
    call undo_root_start
    movq %rsp, undo_stack(%rip)
    movq undo_log_begin(%rip), %r15
    jmp _start

/* ---- logging ---- */

/* rdi address, rsi length. Keeps all registers but the flags and r15, which it advances at the end. */
    .globl __undo_range
__undo_range:
    testq %rsi, %rsi
    jz 1f
    pushq %rcx
    pushq %rdi
    pushq %rsi
    movq %rsi, %rcx
    movq %rdi, %rsi
    movq %r15, %rdi
    shrq $3, %rcx
    rep movsq
    movl (%rsp), %ecx
    andl $7, %ecx
    rep movsb
    popq %rsi
    movq (%rsp), %rdi
    leaq 15(%rsi), %rcx
    andq $-16, %rcx
    btsq $63, %rdi
    movq %rdi, (%r15,%rcx)
    movq %rsi, 8(%r15,%rcx)
    leaq 16(%r15,%rcx), %r15 /* now it counts */
    popq %rdi
    popq %rcx
1:  ret

/*
 * ---- the mirrors: what has been logged is as it is now there, too ----
 * Backwards, since of an entry with data only its end is known; words by fours. rax, rcx, rdx, rsi, rdi, r8, r9 are lost. May be done twice.
 */
    .globl undo_mirror
undo_mirror:
    movq undo_log_begin(%rip), %rsi
    movq %r15, %rdi
    cmpb $0, undo_has_no_mirror(%rip)
    jne 3f
    cmpq %rsi, %rdi
    jbe 3f
    movabsq $UNDO_MIRROR, %rdx
    movabsq $UNDO_SECOND, %r9
    movabsq $UNDO_MIRRORED, %r8
    addq $48, %rsi
    cmpq %rsi, %rdi
    jbe 4f
1:  .irp nth, 0, 1, 2, 3
    movq -16-16*\nth(%rdi), %rcx
    cmpq %r8, %rcx
    jae 1\nth\()f
    movq (%rcx), %rax
    movq %rax, (%rcx,%rdx)
    movq %rax, (%rcx,%r9)
    .endr
    subq $64, %rdi
2:  cmpq %rsi, %rdi
    ja 1b
4:  subq $48, %rsi
    cmpq %rsi, %rdi
    jbe 3f
5:  movq -16(%rdi), %rcx
    cmpq %r8, %rcx
    jae 14f
    movq (%rcx), %rax
    movq %rax, (%rcx,%rdx)
    movq %rax, (%rcx,%r9)
    subq $16, %rdi
    cmpq %rsi, %rdi
    ja 5b
3:  ret
13: subq $16, %rdi
12: subq $16, %rdi
11: subq $16, %rdi
10: call 8f
    jmp 2b
14: call 8f
    cmpq %rsi, %rdi
    ja 5b
    ret

/* The entry that ends at rdi, of which rcx is the address, is no word of what has a mirror. */
8:  movq %rcx, %rax
    shrq $61, %rax
    jz 9f /* a word of other memory */
    movq -8(%rdi), %rax
    btrq $61, %rcx
    jc 5f
    btrq $63, %rcx
    jnc 9f /* of a vault what was zero */
    call 6f /* its data lie before it */
    addq $15, %rax
    andq $-16, %rax
    subq %rax, %rdi
9:  subq $16, %rdi
    ret
5:  call 6f
    jmp 9b
6:  cmpq %r8, %rcx
    jae 7f
    pushq %rsi
    pushq %rdi
    pushq %rcx
    .irp mirror, rdx, r9
    movq (%rsp), %rsi
    leaq (%rsi,%\mirror), %rdi
    movq %rax, %rcx
    shrq $3, %rcx
    rep movsq
    movl %eax, %ecx
    andl $7, %ecx
    rep movsb
    .endr
    popq %rcx
    popq %rdi
    popq %rsi
7:  ret

/* ---- kernel calls, in place of `syscall`: rcx and r11 are lost ---- */

/* A message, between its registers (abi/kernel.h) and memory. */
    .macro put_message at, base
    movq %rdi, \at(\base)
    movq %rsi, \at+8(\base)
    movq %rdx, \at+16(\base)
    movq %r10, \at+24(\base)
    movq %r8, \at+32(\base)
    movq %r9, \at+40(\base)
    movq %r12, \at+48(\base)
    movq %r13, \at+56(\base)
    .endm

    .macro get_words at, base /* all but whose it is */
    movq \at+8(\base), %rsi
    movq \at+16(\base), %rdx
    movq \at+24(\base), %r10
    movq \at+32(\base), %r8
    movq \at+40(\base), %r9
    movq \at+48(\base), %r12
    movq \at+56(\base), %r13
    .endm

    .macro get_message at, base
    movq \at(\base), %rdi
    get_words \at, \base
    .endm

/* The end of the entry is touched first: when there is no room, it is made before the call. */
    .macro journal_begin
    movq undo_journal_at(%rip), %rcx
    movq $0, LENGTH(%rcx)
    movq %rax, KEY(%rcx)
    movq %rdi, ARGUMENT(%rcx)
    .endm

/* rcx: the entry; falls through when it is the one of this call */
    .macro replay_begin
    movq undo_replay_at(%rip), %rcx
    cmpq %rax, KEY(%rcx)
    jne undo_diverged_call
    cmpq %rdi, ARGUMENT(%rcx)
    jne undo_diverged_call
    .endm

    .macro replay_end
    addq $ENTRY_BYTES, %rcx
    movq %rcx, undo_replay_at(%rip)
    cmpq undo_journal_at(%rip), %rcx
    jb 4f
    movq $0, undo_replay_at(%rip)
4:  ret
    .endm

    .globl undo_call
undo_call:
    cmpq $0, undo_replay_at(%rip)
    jne 3f
    journal_begin
    movq %rsi, RESULT+24(%rcx) /* for who takes it back */
    movq %rdx, RESULT+32(%rcx)
undo_call_insn:
    syscall
undo_call_window:
    movq undo_journal_at(%rip), %rcx
    movq %rax, RESULT(%rcx)
    movq %rsi, RESULT+8(%rcx)
    movq %rdx, RESULT+16(%rcx)
    addq $ENTRY_BYTES, undo_journal_at(%rip)
undo_call_end:
    ret
3:  replay_begin
    movq RESULT(%rcx), %rax
    movq RESULT+8(%rcx), %rsi
    movq RESULT+16(%rcx), %rdx
    replay_end

    .globl undo_call_message
undo_call_message:
    cmpq $0, undo_replay_at(%rip)
    jne 3f
    journal_begin
undo_call_message_insn:
    syscall
undo_call_message_window:
    movq undo_journal_at(%rip), %rcx
    movq %rax, RESULT(%rcx)
    put_message RESULT+8, %rcx
    addq $ENTRY_BYTES, undo_journal_at(%rip)
undo_call_message_end:
    ret
3:  replay_begin
    movq RESULT(%rcx), %rax
    get_message RESULT+8, %rcx
    replay_end

undo_diverged_call:
    movq %rcx, %rdi
    movq %rax, %rsi
    movq (%rsp), %rdx
    call undo_diverged_at

/* The answer of the step before goes out, and the message of the next comes in: with that the step has begun. */
    .globl undo_receive_message
undo_receive_message:
    movslq undo_answer_to(%rip), %rdi
    get_words undo_message, %rip
    movq undo_result(%rip), %rsi
    xorl %r14d, %r14d
    movl $REPLY_RECEIVE, %eax
undo_receive_insn:
    syscall
undo_receive_window:
    put_message undo_message, %rip
    movq %rax, undo_status(%rip)
    movl $0, undo_answer_to(%rip)
    movq $1, undo_in_step(%rip)
undo_receive_end:
    ret

/*
 * ---- a successor begins here ----
 * All registers but rip are those of the dead, whose rip is in undo_dead. From here to undo_enter_end RS leaves undo_dead
 * alone when it dies once more, so nothing is changed but rcx, which nobody needs, and a return address.
 */
    .macro finish name
    cmpq $\name\()_insn, %rcx
    je \name\()_again
    jb 1f
    cmpq $\name\()_end, %rcx
    jae 1f
    movq $undo_begin, (%rsp) /* within NAME, which returns to there */
    jmp \name\()_window
\name\()_again:
    movq $undo_begin, (%rsp)
    jmp \name\()_insn
1:
    .endm

    .macro save_registers /* struct registers; of rcx and r11 the kernel has made something else */
    movq %r15, undo_root_registers(%rip)
    movq %r14, undo_root_registers+8(%rip)
    movq %r13, undo_root_registers+16(%rip)
    movq %r12, undo_root_registers+24(%rip)
    movq %rbp, undo_root_registers+32(%rip)
    movq %rbx, undo_root_registers+40(%rip)
    movq %r10, undo_root_registers+56(%rip)
    movq %r9, undo_root_registers+64(%rip)
    movq %r8, undo_root_registers+72(%rip)
    movq %rax, undo_root_registers+80(%rip)
    movq %rdx, undo_root_registers+96(%rip)
    movq %rsi, undo_root_registers+104(%rip)
    movq %rdi, undo_root_registers+112(%rip)
    movq %rcx, undo_root_registers+136(%rip)
    movq %rsp, undo_root_registers+160(%rip)
    .endm

    .globl undo_enter, undo_enter_root, undo_enter_end, undo_begin
undo_enter_root: /* the kernel lets RS begin here: rcx is where it was, r11 why it died (KERNEL_GUARD) */
    cmpq $undo_enter_root, %rcx
    jb 1f
    cmpq $undo_enter_end, %rcx
    jb undo_enter /* it has not looked yet at what is there */
1:  movq %rcx, undo_dead(%rip)
    save_registers
    incq %r11
    movq %r11, undo_root_why(%rip)
undo_enter:
    cmpq $0, undo_stack(%rip) /* it had not even begun */
    je undo_start
    movq undo_dead(%rip), %rcx
    finish undo_call
    finish undo_call_message
    finish undo_receive
undo_enter_end:
undo_begin:
    movq $undo_return_stack_top, %rsp
    cld
    call undo_return
    movq undo_stack(%rip), %rsp
    jmp *undo_loop_at(%rip)

    .globl undo_loop
undo_loop:
    andq $-16, %rsp
    pushq $0 /* where it would return to */
    movq %rsp, %rsi
    pushq %rdi
    call undo_loop_set
    popq %rdi
    jmp *%rdi

/*
 * RS's own text changes (undo_root_swap()): rdi, rsi: the first kernel call (struct undo_swap_call) and the end of them. This runs where it is
 * mapped a second time, so it names nothing but where it goes on, which is in the new text. r15 stays.
 */
    .globl undo_swap_calls
undo_swap_calls:
    movq %rdi, %rbx
    movq %rsi, %rbp
1:  cmpq %rbp, %rbx
    jae 2f
    movq (%rbx), %rax
    movq 8(%rbx), %rdi
    movq 16(%rbx), %rsi
    movq 24(%rbx), %rdx
    movq 32(%rbx), %r10
    movq 40(%rbx), %r8
    movq 48(%rbx), %r9
    syscall
    cmpq $MINUS_EAGAIN, %rax
    je 1b
    addq $56, %rbx
    jmp 1b
2:  movabsq $undo_begin, %rax
    jmp *%rax

    .bss
    .balign 16
    .globl undo_return_stack, undo_return_stack_top
undo_return_stack:
    .skip 0x2000
undo_return_stack_top:
    .section undo_apart, "aw", @progbits
    .globl undo_in_step, undo_replay_at, undo_returning, undo_message, undo_status, undo_answer_to, undo_result, undo_dead
    .globl undo_journal_at, undo_log_begin, undo_stack, undo_loop_at
undo_replay_at: .quad 0
undo_returning: .quad 0
undo_status: .quad 0
undo_answer_to: .quad 0 /* endpoint_t; 0: nobody */
undo_result: .quad 0
undo_stack: .quad 0
undo_first_stack: .quad 0
    .balign 128 /* in one page: RS keeps it of the dead (servers/rs/corpse.c) */
undo_dead: .skip UNDO_DEATH_BYTES
undo_in_step: .quad 1
undo_message: .skip 64
undo_journal_at: .quad UNDO_JOURNAL
undo_log_begin: .quad UNDO_LOG
undo_loop_at: .quad _start
    .section .note.GNU-stack, "", @progbits
