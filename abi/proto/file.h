/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What VFS asks of every file server: fs/ram, fs/proc, fs/dev, fs/ext4, tty and other
 * character-device servers, net (sockets). One protocol.
 *
 * The caller of every request is the *program*, forwarded by VFS and blocked in its own system
 * call; so a server may copy to and from the program's memory with kernel_copy_to/from(). There are
 * two ways to answer:
 *   - requests marked [reply]: reply to the program: the result is that of its system call. When
 *     `back` is FILE_BACK, forward it back to message_via() (VFS) as FILE_BACK_RESULT instead, with
 *     the result in the first word and the request's results in the others.
 *   - requests marked [back]: always forward the program back to VFS, as above.
 * FILE_POLL_EVENTS and FILE_CANCEL are ordinary calls from VFS itself.
 * A server that must wait keeps the caller's endpoint in a queue and answers later. It never blocks
 * VFS.
 *
 * The structs of the words follow the requests. All replies are those of FILE_BACK_RESULT but where a call says otherwise.
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
    FILE_BACK_RESULT = PROTOCOL_FILE, /* server -> VFS: file_reply, or what the request says */

    /* on open files */
    /* [reply] file_transfer_request -> bytes. VFS sets FILE_BACK where it keeps a position: it
       advances it by the result and replies. Of a character device that has a position (major 1) it
       takes the one of file_transfer_reply: it may count otherwise. */
    FILE_READ,
    /* [reply] [once] the same; with O_APPEND at the end: the reply has the new position */
    FILE_WRITE,
    FILE_IOCTL, /* [reply] */
    FILE_TRUNCATE, /* [back] */
    FILE_SYNC, /* [reply] */
    /* [reply] struct stat to the program (Linux x86-64 layout); with FILE_BACK file_stat_reply */
    FILE_STAT,
    FILE_STATFS, /* [reply] struct statfs to the program */
    FILE_SET_ATTRIBUTES, /* [back] */
    FILE_READ_DIRECTORY, /* [back] -> bytes of struct linux_dirent64 */
    /* [back] -> 0 and where the contents are, good for VM_MAP_FROM at once; -EAGAIN: a part of what is to be done for
       that, ask again; -ENOSYS: VFS reads instead. Beyond the end of file it is zeroed to the page's end. */
    FILE_MAP,
    FILE_OPEN, /* [back] -> 0 and the node to use. O_TRUNC is done here. */
    /* [back] file_node_request: the last descriptor of an open() is closed; an unlinked node is freed. VFS
       may also make this a plain call (no via) when the program is gone: then reply. */
    FILE_CLOSE,

    /* on names: they all begin with the words of file_name_request */
    /* [back] walk as many components as possible -> result: 0 whole path done; bytes consumed when
       it stopped early (> 0), at a symbolic link that must be followed, a mount point or above the
       root (".."): see `stop` of the reply. Consumed counts the component that stopped it, not
       slashes after it. */
    FILE_LOOKUP,
    FILE_CREATE, /* [back] [once] -> file_lookup_reply; -EEXIST */
    FILE_SYMLINK, /* [back] [once] */
    FILE_LINK, /* [back] [once] */
    FILE_UNLINK, /* [back] [once] */
    FILE_RENAME, /* [back] [once] */
    FILE_READ_LINK, /* [reply] -> bytes */
    FILE_MOUNT, /* [back] a node is covered from now on: LOOKUP stops there; or no longer */
    /* [back], or a plain call: at mount. -> what there is, or why it cannot be mounted */
    FILE_ROOT,

    /* readiness */
    FILE_POLL, /* plain call from VFS -> events that are ready now */
    /* plain call from VFS after NOTIFY_BIT_POLL -> w[0..5]: up to six nodes that became ready (0:
       no more), or FILE_IS_READ_ONLY */
    FILE_POLL_EVENTS,
    /* plain call from VFS: file_program_request: forget what it waits for -> 1 it was waiting (VFS
       has it again, and file_cancel_reply), 0 not; FILE_CANCEL_REPEAT: it was, but it ends soon, so VFS asks again */
    FILE_CANCEL,

    /* sockets (net only). Addresses are Linux sockaddr in the program's memory. */
    SOCKET_CREATE, /* [back] -> file_open_reply */
    SOCKET_BIND, /* [reply] socket_address_request, as the next and two more */
    SOCKET_CONNECT, /* [reply] */
    SOCKET_LISTEN, /* [reply] */
    SOCKET_ACCEPT, /* [back] -> file_open_reply, of the new node */
    SOCKET_NAME, /* [reply] */
    SOCKET_SEND, /* [reply] [once] */
    SOCKET_RECEIVE, /* [reply] [once] socket_send_request, without a name */
    SOCKET_RECEIVE_FROM, /* [reply] [once] */
    SOCKET_SEND_MESSAGE, /* [reply] [once] */
    SOCKET_RECEIVE_MESSAGE, /* [reply] [once] socket_send_message_request */
    SOCKET_SHUTDOWN, /* [reply] */
    SOCKET_GET_OPTION, /* [reply] */
    SOCKET_SET_OPTION, /* [reply] socket_get_option_request */
    /* [reply] file_transfer_request, of so many struct iovec in the program */
    FILE_READ_VECTOR,
    FILE_WRITE_VECTOR, /* [reply] [once] same */

    /* [back] at umount: write everything, be done */
    FILE_UNMOUNT,
    /* plain call from VFS to a fresh incarnation, before anything else: nodes that are open, six at
       a time, each as often as it was opened; 0: that was the last */
    FILE_REOPEN,
    FILE_ALLOCATE, /* [back] */
    /* [back] -> bytes of the value, or of the names, each with a NUL; room 0: only that */
    FILE_GET_XATTR,
    FILE_SEEK, /* [back] -> offset */
    /* plain call from VFS: file_program_request -> 1: its request waits here; 0: nothing of it is here */
    FILE_WAITS,
};

struct IN_MESSAGE file_reply { /* all begin so */
    int64_t result;
};
MESSAGE_FITS(struct file_reply);

struct IN_MESSAGE file_node_request {
    uint64_t node;
};
MESSAGE_FITS(struct file_node_request);

struct IN_MESSAGE file_program_request {
    uint64_t program; /* endpoint */
};
MESSAGE_FITS(struct file_program_request);

struct IN_MESSAGE file_transfer_request {
    uint64_t node;
    uint64_t address; /* in the program */
    uint64_t length; /* bytes; of a vector: segments */
    uint64_t offset; /* ignored by streams */
    uint64_t flags; /* of open(): O_NONBLOCK, O_APPEND; FILE_DROPS_IDS */
    uint64_t back; /* FILE_BACK or 0 */
};
MESSAGE_FITS(struct file_transfer_request);

struct IN_MESSAGE file_transfer_reply {
    int64_t result;
    uint64_t position; /* behind what was read or written */
};
MESSAGE_FITS(struct file_transfer_reply);

struct IN_MESSAGE file_ioctl_request {
    uint64_t node;
    uint64_t request, argument; /* as of ioctl(2) */
    uint64_t none;
    uint64_t flags; /* of open() */
    uint64_t back;
};
MESSAGE_FITS(struct file_ioctl_request);

struct IN_MESSAGE file_truncate_request {
    uint64_t node;
    uint64_t length; /* bytes */
    uint64_t flags; /* FILE_DROPS_IDS or 0 */
};
MESSAGE_FITS(struct file_truncate_request);

struct IN_MESSAGE file_sync_request {
    uint64_t node;
    uint64_t data_only; /* 1: fdatasync(2) */
    uint64_t none[3];
    uint64_t back;
};
MESSAGE_FITS(struct file_sync_request);

struct IN_MESSAGE file_stat_request {
    uint64_t node;
    uint64_t address; /* in the program; with FILE_BACK 0 */
    uint64_t none[3];
    uint64_t back;
};
MESSAGE_FITS(struct file_stat_request);

struct IN_MESSAGE file_stat_reply {
    int64_t result;
    uint32_t mode, links;
    uint64_t size; /* bytes */
    uint32_t uid, gid;
    uint64_t rdev;
    uint64_t mtime_ns; /* since 1970 */
};
MESSAGE_FITS(struct file_stat_reply);

struct IN_MESSAGE file_statfs_request {
    uint64_t node;
    uint64_t address; /* in the program */
    uint64_t flags; /* ST_* of statvfs(3), of its mount */
    uint64_t none[2];
    uint64_t back;
};
MESSAGE_FITS(struct file_statfs_request);

struct IN_MESSAGE file_set_attributes_request {
    uint64_t node;
    uint64_t mask; /* enum file_attribute: which of these */
    uint64_t mode;
    uint32_t uid, gid;
    uint64_t atime_ns, mtime_ns; /* since 1970 */
};
MESSAGE_FITS(struct file_set_attributes_request);

struct IN_MESSAGE file_read_directory_request {
    uint64_t node;
    uint64_t address, room; /* in the program; bytes */
    uint64_t cookie; /* 0: from the first entry on */
};
MESSAGE_FITS(struct file_read_directory_request);

struct IN_MESSAGE file_read_directory_reply {
    int64_t result;
    uint64_t cookie; /* for the next ones */
};
MESSAGE_FITS(struct file_read_directory_reply);

struct IN_MESSAGE file_map_request {
    uint64_t node;
    uint64_t offset, length; /* bytes */
};
MESSAGE_FITS(struct file_map_request);

struct IN_MESSAGE file_map_reply {
    int64_t result;
    uint64_t address; /* in the server's memory, page-aligned */
};
MESSAGE_FITS(struct file_map_reply);

struct IN_MESSAGE file_open_request {
    uint64_t node;
    uint64_t flags; /* of open(); FILE_DROPS_IDS, for O_TRUNC */
    uint64_t rdev; /* of a device file */
    /* 1: the file has been open, an incarnation of the server has died since: before the first use of
       a descriptor */
    uint64_t again;
};
MESSAGE_FITS(struct file_open_request);

struct IN_MESSAGE file_open_reply {
    int64_t result;
    uint64_t node; /* to use from now on: a clone, or the same */
};
MESSAGE_FITS(struct file_open_reply);

struct IN_MESSAGE file_name_request {
    uint64_t directory; /* its node */
    uint64_t
        grant; /* of VFS: the path, or a name in the directory; behind it supplementary groups */
    uint32_t length, groups; /* bytes of that name; how many groups, 32 bits each */
    uint32_t uid, gid; /* of the program */
};
MESSAGE_FITS(struct file_name_request);
#define FILE_GROUPS_MAX 32

struct IN_MESSAGE file_lookup_request {
    struct file_name_request name;
    uint64_t how; /* enum file_lookup */
    uint64_t flags; /* of open(), for LOOKUP_OPEN */
};
MESSAGE_FITS(struct file_lookup_request);

struct IN_MESSAGE file_lookup_reply {
    int64_t result;
    uint64_t node; /* -ENOENT: the parent's when only the last component is missing, else 0 */
    uint64_t mode;
    uint64_t size; /* bytes */
    uint64_t rdev; /* STOP_SYMLINK: directory that the link is in; STOP_OPENED: node to use */
    uint32_t stop, uid; /* enum file_stop; the owner */
};
MESSAGE_FITS(struct file_lookup_reply);

struct IN_MESSAGE file_create_request {
    struct file_name_request name;
    uint64_t mode; /* S_IF*: regular, directory, FIFO, device, socket */
    uint64_t rdev;
};
MESSAGE_FITS(struct file_create_request);

struct IN_MESSAGE file_symlink_request {
    struct file_name_request name;
    uint64_t target_grant, target_length; /* what it says */
};
MESSAGE_FITS(struct file_symlink_request);

struct IN_MESSAGE file_link_request {
    struct file_name_request name;
    uint64_t node; /* that has one more name */
};
MESSAGE_FITS(struct file_link_request);

struct IN_MESSAGE file_unlink_request {
    struct file_name_request name;
    uint64_t is_directory; /* 1: rmdir */
};
MESSAGE_FITS(struct file_unlink_request);

struct IN_MESSAGE file_rename_request {
    struct file_name_request name;
    uint32_t to_grant; /* the name that it becomes, */
    uint16_t to_length, no_replace; /* (1: -EEXIST when it is there) */
    uint64_t to_directory; /* and where */
};
MESSAGE_FITS(struct file_rename_request);

struct IN_MESSAGE file_read_link_request {
    uint64_t node;
    uint64_t address; /* in the program; with FILE_BACK a grant of VFS's */
    uint64_t room; /* bytes */
    uint64_t none[2];
    uint64_t back;
};
MESSAGE_FITS(struct file_read_link_request);

struct IN_MESSAGE file_mount_request {
    uint64_t node;
    uint64_t covered; /* 1, or 0: no longer */
};
MESSAGE_FITS(struct file_mount_request);

struct IN_MESSAGE file_root_request {
    uint64_t read_only; /* 1 */
};
MESSAGE_FITS(struct file_root_request);

struct IN_MESSAGE file_root_reply {
    int64_t result;
    uint64_t node; /* of the root directory */
    uint64_t traits; /* enum file_trait */
};
MESSAGE_FITS(struct file_root_reply);

struct IN_MESSAGE file_poll_request {
    uint64_t node;
    uint64_t events; /* POLL* */
    uint64_t tell; /* 1: and tell me once when one of them comes */
};
MESSAGE_FITS(struct file_poll_request);

struct IN_MESSAGE file_cancel_reply {
    uint64_t none;
    int64_t done; /* of tty: bytes of its write that had been taken */
};
MESSAGE_FITS(struct file_cancel_reply);

struct IN_MESSAGE file_waits_reply {
    uint64_t none;
    uint64_t moves; /* a number that moves as long as there is something that it may wait for */
};
MESSAGE_FITS(struct file_waits_reply);

struct IN_MESSAGE file_allocate_request {
    uint64_t node;
    uint64_t mode; /* FALLOC_FL_* */
    uint64_t offset, length; /* bytes */
    uint64_t flags; /* FILE_DROPS_IDS or 0 */
};
MESSAGE_FITS(struct file_allocate_request);

struct IN_MESSAGE file_get_xattr_request {
    uint64_t node;
    uint64_t grant, length; /* the name; length 0: all names */
    uint64_t address, room; /* in the program; bytes */
};
MESSAGE_FITS(struct file_get_xattr_request);

struct IN_MESSAGE file_seek_request {
    uint64_t node;
    uint64_t offset, whence; /* SEEK_DATA or SEEK_HOLE */
};
MESSAGE_FITS(struct file_seek_request);

struct IN_MESSAGE socket_create_request {
    uint64_t domain, type, protocol; /* as of socket(2), without SOCK_NONBLOCK and the like */
};
MESSAGE_FITS(struct socket_create_request);

struct IN_MESSAGE socket_address_request {
    uint64_t node;
    uint64_t address; /* of ACCEPT: or 0 */
    uint64_t length; /* bytes; of ACCEPT and NAME: where they are */
    uint64_t peer; /* of NAME: 1: the peer's */
    uint64_t flags; /* of open(); of CONNECT and ACCEPT */
};
MESSAGE_FITS(struct socket_address_request);

struct IN_MESSAGE socket_listen_request {
    uint64_t node;
    uint64_t backlog;
};
MESSAGE_FITS(struct socket_listen_request);

struct IN_MESSAGE socket_send_request {
    uint64_t node;
    uint64_t address, length; /* of the bytes */
    uint64_t flags; /* MSG_* */
    uint32_t open_flags, name_length;
    uint64_t name; /* address, or 0 */
};
MESSAGE_FITS(struct socket_send_request);

struct IN_MESSAGE socket_receive_from_request {
    uint64_t node;
    uint64_t address, length; /* of the bytes */
    uint32_t flags, open_flags;
    uint64_t name, name_length; /* addresses, of its length, too */
};
MESSAGE_FITS(struct socket_receive_from_request);

struct IN_MESSAGE socket_send_message_request {
    uint64_t node;
    uint64_t header; /* address of struct msghdr */
    uint64_t flags; /* MSG_* */
    uint64_t none;
    uint64_t open_flags;
};
MESSAGE_FITS(struct socket_send_message_request);

struct IN_MESSAGE socket_shutdown_request {
    uint64_t node;
    uint64_t how; /* SHUT_* */
};
MESSAGE_FITS(struct socket_shutdown_request);

struct IN_MESSAGE socket_get_option_request {
    uint64_t node;
    uint64_t level, name;
    uint64_t value; /* address */
    uint64_t length; /* bytes; of GET: where they are */
};
MESSAGE_FITS(struct socket_get_option_request);

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
/* The contents are changed by somebody who is not root: the file loses its set-uid bit, and the set-gid
   bit if its group may run it, before. */
#define FILE_DROPS_IDS (1ull << 32)
#define FILE_IS_READ_ONLY (1ull << 62) /* in place of a node: nothing is changed from now on */
#define FILE_CANCEL_REPEAT 2

enum file_lookup {
    LOOKUP_FOLLOW = 1, /* follow a symbolic link in the last place, too (that is: stop there) */
    /* when the whole path leads to a regular file, open it at once, as FILE_OPEN would:
       STOP_OPENED, and `rdev` is the node to use */
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
