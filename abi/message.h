/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The message: 64 bytes, moved in registers, never in memory (see abi/kernel.h for which).
 *
 * A request has a type of its protocol (abi/proto/). A reply's type is the result: >= 0, or -errno;
 * it becomes the return value of a Linux system call. Types below 0x1000 are Linux system call
 * numbers and are made by the kernel alone; so are those of enum message_type. Nobody can forge
 * either.
 */
#ifndef ABI_MESSAGE_H
#define ABI_MESSAGE_H

#include "abi/endpoint.h"

#define MESSAGE_WORDS 6

struct message {
    /* low half: who is blocked in the call; high half: who forwarded it to us, or 0 */
    uint64_t source;
    uint64_t type; /* request: protocol number; reply: (int64_t) result */
    uint64_t w[MESSAGE_WORDS];
};

/*
 * What the words of a request or a reply are called its protocol says (abi/proto/), in a struct that
 * lies where `w` does:
 *
 *     struct message m = message_of(VM_EXIT, (struct vm_exit_request){.thread = thread});
 *     const struct vm_exit_request *r = message_words(m);
 *
 * A field is a word or half of one. The words behind the last field are 0 in message_of(); of a
 * reply they are nobody's business.
 */
#define IN_MESSAGE __attribute__((may_alias)) /* of such a struct; MESSAGE_FITS follows each */
#define MESSAGE_FITS(words)                                                                        \
    _Static_assert(sizeof(words) <= 8 * MESSAGE_WORDS && sizeof(words) % 8 == 0, "whole words")

/* To be read, or (of one's own message) filled in: const or not as its owner has it, as strchr(). */
static inline void *message_words(const struct message *m)
{
    return (void *)m->w;
}

/* Two fields that are the halves of a word, at once: one store, which is one entry in the log of a
 * server that keeps its memory (lib/undo). */
static inline void message_halves(void *low, uint32_t low_value, uint32_t high_value)
{
    *(uint64_t IN_MESSAGE *)low = low_value | (uint64_t)high_value << 32;
}

/* An expression: a message with that type and those words, a compound literal, commas and all. */
#define message_of(request, ...)                                                                   \
    ({                                                                                             \
        struct message made = {.type = request};                                                   \
        *(__typeof__(__VA_ARGS__) *)made.w = __VA_ARGS__;                                          \
        made;                                                                                      \
    })

/* Who made the call, and so whom to reply to. */
static inline endpoint_t message_caller(const struct message *m)
{
    return (endpoint_t)(uint32_t)m->source;
}

/* Who handed the caller on with forward(); 0 when the caller called us itself. */
static inline endpoint_t message_via(const struct message *m)
{
    return (endpoint_t)(m->source >> 32);
}

/* types below: Linux system calls; w[0..5] are the six arguments */
#define MESSAGE_LINUX_MAX 0x1000

/* Messages that the kernel makes. */
enum message_type {
    /* source 0. w[0]: the pending notification bits, now cleared. No reply. */
    MESSAGE_NOTIFY = 0x1000,
    /* to the pager. w[0] address, w[1] enum page_fault, w[2] instruction pointer, w[3] endpoint of
       the space that faulted (another than the caller's when the caller was copying). Reply 0: try
       again; reply < 0: an exception (or -EFAULT to the one that copied). */
    MESSAGE_PAGE_FAULT,
    /* to the guardian. w[0] vector, w[1] error code, w[2] fault address, w[3] instruction pointer.
       Reply 0: resume (after changing the registers, say). */
    MESSAGE_EXCEPTION,
    /* to the forwarder: the server that you had forwarded this caller to has died. w[0] its
       endpoint, w[1] type and w[2..5] words 0..3 of the message it was handed. The caller is
       blocked in a call to you again. */
    MESSAGE_BOUNCED,
    /* not the kernel's; to VFS: what it handed this caller on for has killed the server, which has
       undone it (lib/undo), or copy after copy of it: vfs_refused_request. Nobody is to ask for it again: it is -EIO. */
    MESSAGE_REFUSED,
};

/* The types of the protocols: 256 each. */
enum message_protocol {
    PROTOCOL_RS = 0x2000,
    PROTOCOL_DS = 0x2100,
    PROTOCOL_VM = 0x2200,
    PROTOCOL_PM = 0x2300,
    PROTOCOL_VFS = 0x2400,
    PROTOCOL_FILE = 0x2500,
    PROTOCOL_PCI = 0x2700,
    PROTOCOL_NET = 0x2900,
    PROTOCOL_DISK = 0x2a00,
    PROTOCOL_TEST = 0x2f00,
};

enum page_fault { FAULT_PRESENT = 1, FAULT_WRITE = 2, FAULT_USER = 4, FAULT_EXECUTE = 16 };

/*
 * Notification bits. A receiver gives bits 0..31 to its peers as it likes (who sends what is in the
 * protocol's header); the upper half is set by the kernel and by nobody else.
 */
#define NOTIFY_USER_BITS 0xffffffffull
#define NOTIFY_ROOT_BITS                                                                           \
    0x11ull /* of those, only RS may set: NOTIFY_BIT_SERVICES and _SHUTDOWN                        \
             */
enum notify_bit {
    NOTIFY_BIT_SERVICES = 0, /* RS to whom it concerns: something changed, ask RS */
    NOTIFY_BIT_DS = 1, /* DS to a subscriber: call DS_EVENT */
    NOTIFY_BIT_QUEUE = 2, /* queue client to driver: look at the queue */
    NOTIFY_BIT_POLL = 3, /* file servers to VFS: call FILE_POLL_EVENTS */
    NOTIFY_BIT_SHUTDOWN = 4, /* RS to a service: finish and exit */
    NOTIFY_BIT_LOG = 5, /* log's subscribers */
    NOTIFY_BIT_MEMORY = 6, /* VM to PM: call VM_VICTIM */
    NOTIFY_BIT_PEER = 8, /* 8..31: driver to client, bit 8 + queue number */
    NOTIFY_BIT_IRQ = 32, /* 32..39: interrupt 0..7 of this service */
    NOTIFY_BIT_ALARM = 40, /* the alarm set with clock_alarm() has gone off */
    /* to the root task alone: a slot whose guardian it is was destroyed or a route died */
    NOTIFY_BIT_DEATH = 41,
    NOTIFY_BIT_KERNEL_LOG = 42, /* to the log server: there is something new in the kernel's log */
};
#define NOTIFY_BIT(n) (1ull << (n))

/* Errors of Bardo's own, above Linux's. A Linux program never sees them: the kernel turns them into
 * EIO. */
#define EDEADSRCDST 600 /* the endpoint's incarnation is dead (or died during the call) */
#define ENOTREADY 601 /* the receiver would have to be waiting, and is not */

#endif
