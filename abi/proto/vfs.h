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
    /* caller: the new child. VFS copies the table and replies 0 to the child: it runs. */
    VFS_FORK = PROTOCOL_VFS,
    /* no words. Caller: the process (thread) that ends. VFS closes what it had, drops what waits,
       calls PM_EXIT_DONE; no reply. Once more after PM_TAKE_BACK: PM has taken it from a server. */
    VFS_EXIT,
    /* no words. Caller: a process that PM has seized while it was blocked in VFS or behind it,
       because a signal came. VFS drops the call in progress (telling the file server: FILE_CANCEL)
       and forwards it back to PM: PM_CANCELLED. */
    VFS_CANCEL,
    /* caller: a program whose credentials have just changed. VFS takes note and replies 0 to it. */
    VFS_CREDENTIALS,
    /* caller: a program that has set RLIMIT_NOFILE or RLIMIT_FSIZE. VFS takes note and replies 0 to
       it. */
    VFS_FILE_LIMIT,
    /* from VM (forwarded: the program that called mmap): the six arguments of mmap in w[0..5] with
       a descriptor */
    VFS_MMAP,
    /* from fs/proc */
    VFS_FD_LINK, /* what /proc/PID/fd/N points to, to our grant -> bytes; -EBADF */
    VFS_MOUNTS, /* text of /proc/mounts to our grant -> bytes */
};

struct IN_MESSAGE vfs_refused_request { /* of MESSAGE_REFUSED */
    uint64_t
        cost; /* ns in which others had nothing of that server, each time; 0: it was not away */
    uint64_t type; /* of what was asked for */
};
MESSAGE_FITS(struct vfs_refused_request);

struct IN_MESSAGE vfs_fork_request {
    uint64_t parent; /* endpoint; 0: the first program, which has none */
    uint64_t pid; /* the child's */
    uint64_t shares_files, shares_place; /* 1: CLONE_FILES, CLONE_FS (its cwd) */
};
MESSAGE_FITS(struct vfs_fork_request);

struct IN_MESSAGE vfs_credentials_request {
    uint32_t euid, egid, ruid, rgid;
    uint64_t has_groups; /* 1: VFS asks for the supplementary ones (PM_GROUPS) */
};
MESSAGE_FITS(struct vfs_credentials_request);

struct IN_MESSAGE vfs_file_limit_request {
    uint64_t whose; /* endpoint */
    uint64_t files; /* descriptors; VFS_FILES_MAX (servers/vfs/vfs.h) at most */
    uint64_t size; /* bytes of a file; UINT64_MAX: no limit */
};
MESSAGE_FITS(struct vfs_file_limit_request);

struct IN_MESSAGE vfs_fd_link_request {
    uint64_t process; /* endpoint */
    int64_t fd; /* -1: cwd; -2: exe */
    uint64_t grant, room; /* room: bytes */
};
MESSAGE_FITS(struct vfs_fd_link_request);

struct IN_MESSAGE vfs_fd_link_reply {
    int64_t next; /* open descriptor; -1: that was the last */
};
MESSAGE_FITS(struct vfs_fd_link_reply);

struct IN_MESSAGE vfs_mounts_request {
    uint64_t grant, room; /* room: bytes */
};
MESSAGE_FITS(struct vfs_mounts_request);

#endif
