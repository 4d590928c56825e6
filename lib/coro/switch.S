/* SPDX-License-Identifier: BSD-2-Clause */
/* void coro_switch(void **save, void *load): callee-saved registers to this stack, its pointer to *save; the other stack instead. */
    .text
    .globl coro_switch
    .type coro_switch, @function
coro_switch:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
#ifndef UNDO /* there it is the end of a log, which goes on (lib/undo) */
    push %r15
#endif
    mov %rsp, (%rdi)
    mov %rsi, %rsp
#ifndef UNDO
    pop %r15
#endif
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size coro_switch, . - coro_switch
    .section .note.GNU-stack, "", @progbits
