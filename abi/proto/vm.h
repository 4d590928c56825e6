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
    /* w[0] parent, w[1] child: copy-on-write twin of the parent's space. -EINPROGRESS: a part of it
       (less than 1 ms of work); call again, when others have had their turn. The parent may go on
       with other threads meanwhile: what they write may be in the child or not */
    VM_FORK = PROTOCOL_VM,
    VM_SHARE_SPACE, /* w[0] process, w[1] new thread of it: same space */
    VM_EXIT, /* w[0] endpoint: forget it (its last thread: its regions) */
    /* w[0] a program, w[1] 1: it is root's, w[2..4] RLIMIT_AS, _DATA, _STACK; its children have the
       same */
    VM_RULES,
    /* after NOTIFY_BIT_MEMORY: memory is short -> w[0] a thread of the program to kill, w[1] bytes
       that it has; -ENOENT: there is enough again */
    VM_VICTIM,
    /* from VFS, during exec and mmap; w[0] is always the process, blocked in a call to VFS. EXEC, MAP,
       MAP_FROM and UNMAP may say -EINPROGRESS as FORK does */
    /* w[0]: drop everything mapped; stack region of w[1] bytes up to VM_STACK_TOP, growing down to
       the limit */
    VM_EXEC,
    /* w[0], w[1] address (0: choose), w[2] length, w[3] Linux PROT_*, w[4] Linux MAP_* -> address.
       Anonymous memory, zeroed. */
    VM_MAP,
    /* w[0], w[1] address (0: choose), w[2] length, w[3] PROT_*, w[4] MAP_*, w[5] address in the
       *file server* whose endpoint is in the high half of w[4]: private copy-on-write view of that
       page-aligned memory (exec, mmap of a file) -> address */
    VM_MAP_FROM,
    VM_BRK_START, /* w[0], w[1]: first address of the heap */
    VM_UNMAP, /* w[0], w[1] address, w[2] length */
    VM_PROTECT, /* w[0], w[1] address, w[2] length, w[3] PROT_* */
    /* from fs/proc */
    VM_USAGE, /* w[0] endpoint -> w[0] virtual bytes, w[1] resident bytes */
    VM_MAPS, /* w[0] endpoint, w[1] our grant, w[2] room: text of /proc/PID/maps -> bytes */
};
/* With mmap()'s PROT_*, of services alone: memory that is MAP_VAULT of abi/kernel.h. */
#define VM_PROTECTION_VAULT 0x100u
/* Likewise: for what others have it keep, so nothing of what is kept for services is given (ENOMEM). */
#define VM_PROTECTION_STORE 0x200u
#define VM_STACK_TOP 0x7fffffff0000ull
#define VM_STACK_LIMIT (8ull << 20)

#endif
