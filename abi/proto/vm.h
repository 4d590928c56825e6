/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory server's protocol. Besides these it gets the Linux calls of ROUTE_VM (from programs
 * and services) and MESSAGE_PAGE_FAULT. VM calls nobody but RS and DS. Errors as Linux has them;
 * -ENOMEM when frames run out.
 */
#ifndef ABI_PROTO_VM_H
#define ABI_PROTO_VM_H

#include "abi/message.h"

enum vm_request {
    /* from PM */
    /* copy-on-write twin of the parent's space. -EINPROGRESS: a part of it (less than 1 ms of work);
       call again, when others have had their turn. The parent may go on with other threads
       meanwhile: what they write may be in the child or not */
    VM_FORK = PROTOCOL_VM,
    VM_SHARE_SPACE, /* vm_fork_request: the child is a new thread of the parent: same space */
    VM_EXIT, /* forget it (its last thread: its regions) */
    VM_RULES, /* of a program; its children have the same */
    /* no words; after NOTIFY_BIT_MEMORY: memory is short -> whom to kill; -ENOENT: there is enough
       again */
    VM_VICTIM,
    /* from VFS, during exec and mmap. EXEC, MAP, MAP_FROM and UNMAP may say -EINPROGRESS as FORK
       does */
    VM_EXEC, /* drop everything mapped; a stack region up to VM_STACK_TOP */
    VM_MAP, /* anonymous memory, zeroed -> address */
    /* vm_map_request: private copy-on-write view of page-aligned memory of a file server (exec, mmap
       of a file) -> address */
    VM_MAP_FROM,
    VM_BRK_START,
    VM_UNMAP, /* vm_map_request */
    VM_PROTECT, /* vm_map_request */
    /* from fs/proc */
    VM_USAGE,
    VM_MAPS, /* text of /proc/PID/maps to our grant -> bytes */
};

struct IN_MESSAGE vm_fork_request {
    uint64_t parent, child; /* endpoints; parent 0: an empty space for the first program */
};
MESSAGE_FITS(struct vm_fork_request);

struct IN_MESSAGE vm_exit_request {
    uint64_t thread; /* endpoint */
};
MESSAGE_FITS(struct vm_exit_request);

struct IN_MESSAGE vm_rules_request {
    uint64_t thread; /* endpoint: one of the program's */
    uint64_t is_root; /* 1: it is root's */
    uint64_t address_limit, data_limit, stack_limit; /* bytes: RLIMIT_AS, _DATA, _STACK */
};
MESSAGE_FITS(struct vm_rules_request);

struct IN_MESSAGE vm_victim_reply {
    uint64_t thread; /* endpoint: one of the program to kill */
    uint64_t bytes; /* that it has */
};
MESSAGE_FITS(struct vm_victim_reply);

struct IN_MESSAGE vm_exec_request {
    uint64_t process; /* endpoint, as in the next two: blocked in a call to VFS */
    uint64_t stack; /* bytes, 1..VM_STACK_LIMIT, made whole pages */
};
MESSAGE_FITS(struct vm_exec_request);

struct IN_MESSAGE vm_brk_start_request {
    uint64_t process;
    uint64_t heap; /* its first address */
};
MESSAGE_FITS(struct vm_brk_start_request);

struct IN_MESSAGE vm_map_request { /* UNMAP has the first three, PROTECT four, MAP five */
    uint64_t process;
    uint64_t address; /* 0: choose */
    uint64_t length; /* bytes */
    uint64_t protection; /* Linux PROT_* */
    uint32_t flags; /* Linux MAP_* */
    endpoint_t server; /* MAP_FROM: whose memory it is */
    uint64_t from; /* MAP_FROM: address in that server */
};
MESSAGE_FITS(struct vm_map_request);

struct IN_MESSAGE vm_usage_request {
    uint64_t process; /* endpoint, of a service, too */
};
MESSAGE_FITS(struct vm_usage_request);

struct IN_MESSAGE vm_usage_reply {
    uint64_t mapped, resident; /* bytes */
};
MESSAGE_FITS(struct vm_usage_reply);

struct IN_MESSAGE vm_maps_request {
    uint64_t process; /* endpoint */
    uint64_t grant, room; /* room: bytes */
};
MESSAGE_FITS(struct vm_maps_request);

/* With mmap()'s PROT_*, of services alone: memory that is MAP_VAULT of abi/kernel.h. */
#define VM_PROTECTION_VAULT 0x100u
/* Likewise: for what others have it keep, so nothing of what is kept for services is given (ENOMEM). */
#define VM_PROTECTION_STORE 0x200u
/* Of MAP and MAP_FROM: these are contents of a file, which VM cannot fetch once more; mprotect(2) must not
 * make them writable, executable. */
#define VM_PROTECTION_FILE 0x400u
#define VM_PROTECTION_NEVER_WRITE 0x800u
#define VM_PROTECTION_NEVER_EXECUTE 0x1000u
#define VM_STACK_TOP 0x7fffffff0000ull
#define VM_STACK_LIMIT (8ull << 20)

#endif
