/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VFS asks of every file server: fs/ram, fs/proc, fs/dev, fs/ext4, tty and other
 * character-device servers, net (sockets). One protocol.
 *
 * The caller of every request is the *program*, forwarded by VFS and blocked in its own system
 * call; so a server may copy to and from the program's memory with kernel_copy_to/from(). There are
 * two ways to answer:
 *   - requests marked [reply]: reply to the program: the result is that of its system call. When
 *     w[5] has FILE_BACK set, forward it back to message_via() (VFS) as FILE_BACK_RESULT instead,
 *     with the result in w[0] and the request's results in w[1..5].
 *   - requests marked [back]: always forward the program back to VFS, as above.
 * FILE_POLL_EVENTS and FILE_CANCEL are ordinary calls from VFS itself.
 * A server that must wait keeps the caller's endpoint in a queue and answers later. It never blocks
 * VFS.
 *
 * "node" is the server's number for a file (inode, socket, terminal), 64 bits, never 0. Names come
 * through a grant of VFS's. Errors are Linux's. All may be repeated after a restart of the server
 * unless marked [once].
 */
#ifndef ABI_PROTO_FILE_H
#define ABI_PROTO_FILE_H

#include "abi/message.h"

enum file_request {
    /* answers */
    FILE_BACK_RESULT = PROTOCOL_FILE, /* server -> VFS: w[0] result, w[1..5] as the request says */

    /* on open files */
    /* [reply] w[0] node, w[1] address in the program, w[2] bytes, w[3] offset (ignored by streams),
       w[4] open flags (O_NONBLOCK, O_APPEND), w[5] FILE_BACK or 0 -> bytes. VFS sets FILE_BACK
       where it keeps a position: it advances it by the result and replies. Of a character device
       that has a position (major 1) w[1] of the result is the new one: it may count otherwise. */
    FILE_READ,
    /* [reply] [once] the same; with O_APPEND at the end: w[1] of the result is the new position */
    FILE_WRITE,
    FILE_IOCTL, /* [reply] w[0] node, w[1] request, w[2] argument, w[4] open flags */
    FILE_TRUNCATE, /* [back] w[0] node, w[1] length */
    FILE_SYNC, /* [reply] w[0] node, w[1] 1: data only */
    /* [reply] w[0] node, w[1] address of struct stat in the program (Linux x86-64 layout); with
       FILE_BACK w[1] is 0 and the results are w[1] mode | nlink << 32, w[2] size, w[3] uid | gid <<
       32, w[4] rdev, w[5] mtime in ns */
    FILE_STAT,
    FILE_STATFS, /* [reply] w[0] node, w[1] address of struct statfs in the program */
    /* [back] w[0] node, w[1] enum file_attribute mask, w[2] mode, w[3] uid | gid << 32, w[4] atime
       ns, w[5] mtime ns */
    FILE_SET_ATTRIBUTES,
    /* [back] w[0] node, w[1] address in the program, w[2] room, w[3] cookie (0 first) -> bytes of
       struct linux_dirent64; w[1]: next cookie */
    FILE_READ_DIRECTORY,
    /* [back] w[0] node, w[1] offset, w[2] length -> 0, w[1]: page-aligned address of the contents
       in the server's memory, good for VM_MAP_FROM at once; -ENOSYS: VFS reads instead. Beyond the
       end of file it is zeroed to the page's end. */
    FILE_MAP,
    /* [back] w[0] node, w[1] open flags, w[2] of a device file its device number, w[3] 1: the file
       has been open, an incarnation of the server has died since: before the first use of a
       descriptor -> 0, w[1]: node to use from now on (a clone, or the same). O_TRUNC is done here. */
    FILE_OPEN,
    /* [back] w[0] node: the last descriptor of an open() is closed; an unlinked node is freed. VFS
       may also make this a plain call (no via) when the program is gone: then reply. */
    FILE_CLOSE,

    /* on names: w[0] directory node, w[1] grant index of VFS with the path, w[2] its length;
       uid/gid of the program in w[3] as uid | gid << 32 */
    /* [back] walk as many components as possible, from w[0]; w[4] enum file_lookup, w[5] open flags
       for LOOKUP_OPEN -> result: 0 whole path done; bytes consumed when it stopped early (> 0), at
       a symbolic link that must be followed, a mount point or above the root (".."): see w[5]. w[1]
       node, w[2] mode, w[3] size, w[4] rdev (STOP_SYMLINK: node of the directory that the link is
       in), w[5] enum file_stop | owner uid << 32. Consumed counts the component that stopped it,
       not slashes after it. -ENOENT: w[1] the parent's node when only the last component is
       missing, else 0; */
    FILE_LOOKUP,
    /* [back] [once] name in w[1..2], w[4] mode (S_IF*: regular, directory, FIFO, device, socket),
       w[5] rdev -> as LOOKUP; -EEXIST */
    FILE_CREATE,
    FILE_SYMLINK, /* [back] [once] name in w[1..2]; w[4] grant with the target, w[5] its length */
    FILE_LINK, /* [back] [once] name in w[1..2], w[4] node */
    FILE_UNLINK, /* [back] [once] w[4] 1: rmdir */
    /* [back] [once] name in w[1..2] in directory w[0] becomes name at grant (w[4] low half, length
       high half) in directory w[5]; w[3] high bit unused */
    FILE_RENAME,
    /* [reply] w[0] node, w[1] address in the program, w[2] room; with FILE_BACK: w[1] is a grant of
       VFS's -> bytes */
    FILE_READ_LINK,
    FILE_MOUNT, /* [back] w[0] node: now covered: LOOKUP stops there (w[1] 1) or no longer (0) */
    /* [back], or a plain call: at mount. w[0] 1: read-only -> w[1] node of the root directory, w[2]
       enum file_trait; or why it cannot be mounted */
    FILE_ROOT,

    /* readiness */
    /* plain call from VFS: w[0] node, w[1] POLL* events, w[2] 1: and tell me once when one of them
       comes -> events that are ready now */
    FILE_POLL,
    /* plain call from VFS after NOTIFY_BIT_POLL -> w[0..5]: up to six nodes that became ready (0:
       no more), or FILE_IS_READ_ONLY */
    FILE_POLL_EVENTS,
    /* plain call from VFS: w[0] program's endpoint: forget what it waits for -> 1 it was waiting
       (VFS has it again; w[1] of tty: bytes of its write that had been taken), 0 not;
       FILE_CANCEL_REPEAT: it was, but it ends soon, so VFS asks again */
    FILE_CANCEL,

    /* sockets (net only). Addresses are Linux sockaddr in the program's memory. w[4] open flags as
       for READ */
    SOCKET_CREATE, /* [back] w[0] domain, w[1] type, w[2] protocol -> 0, w[1] node */
    SOCKET_BIND, /* [reply] w[0] node, w[1] address, w[2] length */
    SOCKET_CONNECT, /* [reply] same */
    SOCKET_LISTEN, /* [reply] w[1] backlog */
    SOCKET_ACCEPT, /* [back] w[1] address or 0, w[2] address of length -> 0, w[1] new node */
    SOCKET_NAME, /* [reply] w[1] address, w[2] address of length, w[3] 1: peer */
    /* [reply] [once] w[1] buffer, w[2] bytes, w[3] flags, w[4] open flags | address length << 32,
       w[5] address */
    SOCKET_SEND,
    /* [reply] [once] w[1] buffer, w[2] bytes, w[3] flags, w[4] open flags, w[5] address; address
       length's address is in w[3] high... see SOCKET_RECEIVE_FROM */
    SOCKET_RECEIVE,
    /* [reply] [once] w[1] address of struct socket_transfer arguments as Linux's recvfrom: w[1]
       buffer, w[2] bytes, w[3] flags | open flags << 32, w[4] address, w[5] address of length */
    SOCKET_RECEIVE_FROM,
    SOCKET_SEND_MESSAGE, /* [reply] [once] w[1] msghdr, w[2] flags, w[4] open flags */
    SOCKET_RECEIVE_MESSAGE, /* [reply] [once] same */
    SOCKET_SHUTDOWN, /* [reply] w[1] how */
    /* [reply] w[1] level, w[2] name, w[3] value address, w[4] address of length */
    SOCKET_GET_OPTION,
    SOCKET_SET_OPTION, /* [reply] w[1] level, w[2] name, w[3] value address, w[4] length */
    /* [reply] w[0] node, w[1] address of struct iovec[] in the program, w[2] count, w[3] offset,
       w[4] open flags, w[5] FILE_BACK */
    FILE_READ_VECTOR,
    FILE_WRITE_VECTOR, /* [reply] [once] same */

    /* [back] at umount: write everything, be done */
    FILE_UNMOUNT,
    /* plain call from VFS to a fresh incarnation, before anything else: nodes that are open, six at
       a time, each as often as it was opened; 0: that was the last */
    FILE_REOPEN,
    FILE_ALLOCATE, /* [back] w[0] node, w[1] FALLOC_FL_* mode, w[2] offset, w[3] length */
    /* [back] w[0] node, w[1] grant with the name, w[2] its length (0: all names), w[3] address in
       the program, w[4] room -> bytes of the value, or of the names, each with a NUL; room 0: only
       that */
    FILE_GET_XATTR,
    FILE_SEEK, /* [back] w[0] node, w[1] offset, w[2] SEEK_DATA or SEEK_HOLE -> offset */
    /* plain call from VFS: w[0] program's endpoint -> 1: its request waits here, w[1]: a number that moves
       as long as there is something that it may wait for; 0: nothing of it is here */
    FILE_WAITS,
};

/*
 * Exactly once. The upper half of a request's type is its number, given by VFS, or 0. When a server
 * has died VFS repeats what it had been given, with the same numbers; a server that says
 * TRAIT_REMEMBERS knows from them what its predecessor has done, and answers that again.
 */
#define FILE_TYPE_MASK 0xffffffffull
#define FILE_NUMBER_SHIFT 32

enum file_trait {
    TRAIT_REMEMBERS = 1,
    TRAIT_FINISHES = 2, /* what it does ends soon: signals wait for that */
};

#define FILE_BACK 1ull
#define FILE_IS_READ_ONLY (1ull << 62) /* in place of a node: nothing is changed from now on */
#define FILE_CANCEL_REPEAT 2

enum file_lookup {
    LOOKUP_FOLLOW = 1, /* follow a symbolic link in the last place, too (that is: stop there) */
    /* when the whole path leads to a regular file, open it at once, as FILE_OPEN would:
       STOP_OPENED, and w[4] is the node to use */
    LOOKUP_OPEN = 2,
};
enum file_stop { STOP_NONE, STOP_SYMLINK, STOP_MOUNT, STOP_ABOVE_ROOT, STOP_OPENED };
enum file_attribute {
    ATTRIBUTE_MODE = 1,
    ATTRIBUTE_UID = 2,
    ATTRIBUTE_GID = 4,
    ATTRIBUTE_ATIME = 8,
    ATTRIBUTE_MTIME = 16
};

/*
 * Device files: LOOKUP gives mode S_IFCHR or S_IFBLK and rdev. VFS finds the server under the DS
 * key "chr/MAJOR" ("blk/MAJOR") and uses the minor (of disks the whole device number) as the node
 * in FILE_OPEN. Majors as in Linux: 1 mem (fs/dev), 4 ttyS and tty, 5 tty and console, 8 sd, 10
 * misc, 254 rtc.
 */

#endif
