/* SPDX-License-Identifier: BSD-2-Clause */
/* A message in the registers of a process, as abi/kernel.h says, and as kept in its slot. */
#ifndef KERNEL_MESSAGE_H
#define KERNEL_MESSAGE_H

#include "kernel/kernel.h"

static inline void set_message(struct registers *r, uint64_t source, uint64_t type, uint64_t w0,
                               uint64_t w1, uint64_t w2, uint64_t w3, uint64_t w4, uint64_t w5)
{
    r->rax = 0;
    r->rdi = source;
    r->rsi = type;
    r->rdx = w0;
    r->r10 = w1;
    r->r8 = w2;
    r->r9 = w3;
    r->r12 = w4;
    r->r13 = w5;
}

static inline void keep_message(uint64_t m[7], const struct registers *r)
{
    m[0] = r->rsi;
    m[1] = r->rdx;
    m[2] = r->r10;
    m[3] = r->r8;
    m[4] = r->r9;
    m[5] = r->r12;
    m[6] = r->r13;
}

#endif
