/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A slot: one process (or thread) of which the kernel knows registers, address space, rights, and
 * whom it talks to. The processor's half needs the fields up to `endpoint`.
 */
#ifndef KERNEL_SLOT_H
#define KERNEL_SLOT_H

#include "abi/kernel.h"
#include "kernel/list.h"

struct space {
    uint64_t root; /* page tables, physical; offset 0: the entry code loads it */
    uint32_t users; /* slots in it */
    uint64_t pages; /* mapped */
    struct space *next; /* of those that are nobody's any more */
};

enum call_kind { CALL_NONE, CALL_IPC, CALL_LINUX, CALL_FAULT, CALL_SEIZED };

enum special { SPECIAL_DEADLINE = 1 }; /* it has one */

/* so that a number becomes an address in few instructions */
struct __attribute__((aligned(128))) slot {
    struct registers registers; /* offset 0: the entry code saves here */
    void *fpu; /* XSAVE area; NULL: never used the FPU */
    struct space *space;
    union {
        struct {
            /* 1: may go back by sysret (rcx, r11 lost); cleared by traps and REGISTERS_SET */
            uint8_t from_syscall;
            uint8_t state; /* enum slot_state */
            uint8_t stopped;
            uint8_t special; /* enum special */
        };
        uint32_t condition; /* the four at once, for the fast path */
    };
    endpoint_t endpoint;
    uint8_t call_kind; /* enum call_kind: how the answer gets to it */
    uint8_t message_kept; /* its message is in `message`, else in its registers */
    uint8_t copying; /* its fault happened in a copy: the kernel call is repeated on success */
    uint8_t priority;
    endpoint_t peer; /* calling: whom; receiving from one: whom */
    endpoint_t forwarder; /* who handed it on; 0 nobody */
    endpoint_t guardian, pager;
    uint32_t service_id, generation;
    uint64_t message[7]; /* the kept message: type, words */
    uint64_t pending; /* notifications */
    uint64_t deadline; /* of a call or receive, absolute; 0 none */
    uint64_t alarm;
    struct list callers; /* who waits for us to receive, in order */
    struct list link; /* in callers of another, or in a ready queue */
    struct list timed; /* in the list of those with a deadline or alarm */
    struct rights rights;
    /* bit: a kernel call that may go the fast way: rights.calls */
    uint64_t fast;
    struct {
        uint64_t address;
        uint32_t count;
    } grants;
    uint16_t irq[8]; /* interrupt number + 1 behind NOTIFY_BIT_IRQ + i */
    uint64_t cpu_ticks, receives, turn_end;
    /* who pays for what it does: who asked, or it itself; and what it has paid for */
    struct slot *payer;
    uint64_t paid_ticks;
    uint8_t dying; /* not all who were blocked on it know: its slot is not free yet */
    void *fpu_area; /* a frame, for the FPU state that it may come to have */
    char name[16];
    /* who had it when it was seized in a system call: may still copy, and answer to `late`; 0
     * nobody */
    endpoint_t seized_from;
    /* that answer; from 0: none; to: handed on, to whom */
    struct {
        endpoint_t from, to;
        uint64_t message[7];
    } late;
};

#endif
