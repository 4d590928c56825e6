/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VFS's protocol. Besides these it gets the Linux calls of ROUTE_VFS, from programs. VFS is at the
 * top: it calls PM, VM, DS, RS; it reaches file servers (fs/..., net, tty) by forwarding the
 * blocked program to them and getting it back (abi/proto/file.h), so it never waits.
 *
 * PM forwards processes to VFS with these; message_via() is PM. VFS handles the first three at
 * once, in the order of arrival.
 */
#ifndef ABI_PROTO_VFS_H
#define ABI_PROTO_VFS_H

#include "abi/message.h"

enum vfs_request {
    /* caller: the new child. w[0] parent's endpoint, w[1] child's pid, w[2] 1: shares descriptors
       (CLONE_FILES), w[3] 1: shares cwd (CLONE_FS). VFS copies the table and replies 0 to the
       child: it runs. */
    VFS_FORK = PROTOCOL_VFS,
    /* caller: the process (thread) that ends. VFS closes what it had, drops what waits, calls
       PM_EXIT_DONE; no reply. Once more after PM_TAKE_BACK: PM has taken it from a server. */
    VFS_EXIT,
    /* caller: a process that PM has seized while it was blocked in VFS or behind it, because a
       signal came. VFS drops the call in progress (telling the file server: FILE_CANCEL) and
       forwards it back to PM: PM_CANCELLED. */
    VFS_CANCEL,
    /* caller: a program whose credentials have just changed: w[0] euid | egid << 32. VFS takes note
       and replies 0 to it. */
    VFS_CREDENTIALS,
    /* caller: a program that has set RLIMIT_NOFILE or RLIMIT_FSIZE: w[0] endpoint of whose, w[1]
       descriptors, w[2] bytes of a file (UINT64_MAX: no limit). VFS takes note and replies 0 to it.
     */
    VFS_FILE_LIMIT,
    /* from VM (forwarded: the program that called mmap): the six arguments of mmap in w[0..5] with
       a descriptor */
    VFS_MMAP,
    /* from fs/proc */
    /* w[0] endpoint, w[1] fd, w[2] our grant, w[3] room: what /proc/PID/fd/N points to -> bytes;
       -EBADF. fd -1: cwd; -2: exe. w[0] of the reply: next open fd */
    VFS_FD_LINK,
    VFS_MOUNTS, /* w[0] our grant, w[1] room: text of /proc/mounts -> bytes */
};

#endif
