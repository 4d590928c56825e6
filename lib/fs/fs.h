/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all file servers share: the file protocol (abi/proto/file.h) on one side, a table of
 * operations on nodes on the other. A file server fills in struct fs_operations, publishes its name
 * and calls fs_serve().
 *
 * Operations return >= 0 or -errno. One that is NULL answers with the error named beside it. Nodes
 * come from VFS and may be stale: each operation checks them (-ESTALE). Names given to operations
 * are one component: not empty, without '/', at most FS_NAME_MAX bytes, never "." or "..",
 * NUL-terminated.
 *
 * Permissions: the library checks search permission along a path; write permission and the sticky
 * bit of directories before entries change. Whether a file may be opened is VFS's decision.
 */
#ifndef FS_FS_H
#define FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "abi/proto/file.h"
#include "lib/service/service.h"

#define FS_NAME_MAX 255
#define FS_PATH_MAX 4096

/* From read and write: nothing to answer yet. The server keeps a copy of transfer->request and
 * answers later: fs_retry(). */
#define FS_LATER SERVICE_NO_REPLY

struct fs_attributes {
    uint64_t size, rdev, blocks; /* blocks: of 512 bytes */
    uint32_t mode, links, uid, gid;
    uint64_t atime_ns, mtime_ns, ctime_ns; /* since 1970 */
    bool covered; /* something is mounted here */
};

struct fs_entry { /* of a directory */
    uint64_t node, cookie; /* cookie: where the next entry is looked for; grows */
    uint32_t mode;
    char name[FS_NAME_MAX + 1];
};

struct fs_user {
    uint32_t uid, gid;
    uint32_t group_count; /* supplementary ones */
    const uint32_t *groups;
};

struct fs_transfer { /* a read or write: straight from or to the program's memory */
    endpoint_t program;
    uint64_t address, length, offset;
    uint32_t flags; /* of open() */
    uint64_t position; /* out, set to offset + result when left 0: the position after it */
    const struct message *request;
};

struct fs_set {
    uint64_t mask; /* enum file_attribute */
    uint32_t mode, uid, gid;
    uint64_t atime_ns, mtime_ns;
};

struct fs_operations {
    uint64_t root;
    uint64_t device; /* st_dev: makedev() */
    long (*attributes)(uint64_t node, struct fs_attributes *out);
    long (*child)(uint64_t directory, const char *name, uint64_t *node); /* -ENOENT */
    long (*parent)(uint64_t directory, uint64_t *node); /* never asked of the root */
    uint64_t (*number)(uint64_t node); /* st_ino; NULL: the node itself */
    long (*next)(uint64_t directory, uint64_t cookie,
                 struct fs_entry *out); /* 1: out is the entry after cookie; 0: no more */
    long (*link_text)(uint64_t node, char *text, size_t room); /* bytes, no NUL; NULL: -EINVAL */
    long (*open)(uint64_t node, uint32_t flags,
                 uint64_t *use); /* *use is node at the start; NULL: 0 */
    void (*close)(uint64_t node);
    long (*read)(uint64_t node, struct fs_transfer *t); /* NULL: -EINVAL */
    long (*write)(uint64_t node, struct fs_transfer *t); /* NULL: -EROFS */
    long (*ioctl)(uint64_t node, uint64_t request, uint64_t argument,
                  endpoint_t program); /* NULL: -ENOTTY */
    long (*truncate)(uint64_t node, uint64_t length); /* from here on, NULL: -EROFS */
    long (*set_attributes)(uint64_t node, const struct fs_set *set);
    long (*create)(uint64_t directory, const char *name, uint32_t mode, uint64_t rdev,
                   struct fs_user user, uint64_t *node);
    long (*symlink)(uint64_t directory, const char *name, const char *target, struct fs_user user);
    long (*link)(uint64_t directory, const char *name, uint64_t node, struct fs_user user);
    long (*unlink)(uint64_t directory, const char *name, bool is_rmdir);
    long (*rename)(uint64_t from, const char *old_name, uint64_t to, const char *new_name);
    long (*map)(uint64_t node, uint64_t offset, uint64_t length,
                uint64_t *address); /* NULL: -ENOSYS */
    long (*cover)(uint64_t node, bool covered); /* NULL: -EINVAL */
    long (*statfs)(struct statfs *out); /* NULL: all zero but the sizes */
    long (*poll)(uint64_t node, uint64_t events, bool tell); /* NULL: always ready */
    uint64_t (*ready)(void); /* a node that became ready after poll(tell), 0: no more */
    long (*cancel)(endpoint_t program); /* 1: it was waiting, and is forgotten; NULL: 0 */
    /* As FILE_WAITS. NULL: 0, no request is ever put off */
    long (*waits)(endpoint_t program, uint64_t *moves);
    long (*sync)(uint64_t node, const struct message *request); /* may be FS_LATER; NULL: 0 */
    /* FALLOC_FL_* mode; NULL: -EOPNOTSUPP */
    long (*allocate)(uint64_t node, uint32_t mode, uint64_t offset, uint64_t length);
    long (*seek)(uint64_t node, uint64_t offset, int whence); /* SEEK_DATA, SEEK_HOLE */
    /* An extended attribute, or with name "" the names of all, each with a NUL: how many bytes;
     * room 0: only that. NULL: -EOPNOTSUPP. */
    long (*xattr)(uint64_t node, const char *name, void *value, size_t room);
    long (*mounted)(bool read_only); /* NULL: 0 */
    long (*unmount)(void); /* everything on the disk, and nothing more to do; NULL: 0 */
    void (*reopen)(uint64_t node); /* somebody has it open still; 0: that was all of them */
    uint64_t traits; /* enum file_trait */
    bool adopted; /* what the predecessor had is there: nothing was lost */
    /*
     * Servers that put requests off (FS_LATER from any operation). begin: before a request is
     * handled, also again: 0; 1: it has been done by a predecessor, *node is what it created;
     * FS_LATER; -errno. later: it was put off: keep a copy, and fs_retry() it some time.
     */
    long (*begin)(const struct message *request, uint64_t *node);
    void (*later)(const struct message *request);
    void (*notified)(uint64_t bits);
    void (*shutdown)(void);
    void (*idle)(void); /* before every wait */
    const struct service_entry *more; /* requests of the server's own */
    size_t more_count;
};

/* Serve for ever; says RS_READY_FRESH first. */
void fs_serve(const struct fs_operations *operations) __attribute__((noreturn));

/* Handle a request that was kept (FS_LATER) once more, as though it came now. */
void fs_retry(const struct message *request);

/* The program whose request is being handled. */
endpoint_t fs_program(void);

/* ---- pure logic, tested on the host ---- */

struct fs_walk {
    /* in */
    uint64_t start;
    const char *path; /* NUL-terminated */
    size_t length;
    uint64_t flags; /* enum file_lookup */
    struct fs_user user;
    /* out */
    /* where it ended; after -ENOENT: the directory that lacks the last component alone, else 0 */
    uint64_t node;
    uint64_t directory; /* STOP_SYMLINK: that of the link */
    struct fs_attributes attributes; /* of node */
    enum file_stop stop;
};

/* Walk a path: 0 all done, > 0 bytes consumed when it stopped early, -errno. */
long fs_walk(const struct fs_operations *fs, struct fs_walk *walk);

/* May the user do this (bits R_OK W_OK X_OK of unistd.h) to something with these attributes? */
bool fs_may(const struct fs_attributes *a, struct fs_user user, unsigned wanted);

/* May the user remove or rename `child` in `directory`: write permission and the sticky bit. 0,
 * -EACCES, -EPERM */
long fs_may_remove(const struct fs_attributes *directory, const struct fs_attributes *child,
                   struct fs_user user);

/* A name for a directory entry: 0, -ENOENT (empty), -ENAMETOOLONG, -EINVAL ('/' or NUL inside),
   -EEXIST ("." and ".."). Slashes at the end are cut off. */
long fs_name_check(char *name, size_t length);

/* Pack entries of a directory into buffer as struct linux_dirent64 from *cookie on, which advances.
   Bytes; 0 at the end; -EINVAL when not even one fits. */
long fs_pack_directory(const struct fs_operations *fs, uint64_t directory, void *buffer,
                       size_t room, uint64_t *cookie);

/* The contents of the file are about to be changed by a request with these flags: with FILE_DROPS_IDS its
 * set-uid and set-gid bits go. 0, FS_LATER, -errno. */
long fs_drop_ids(const struct fs_operations *fs, uint64_t node, uint64_t flags);
/* The same, into what is set, for a change of its owner. */
long fs_drop_ids_of_owner(const struct fs_operations *fs, uint64_t node, struct fs_set *set);

void fs_fill_stat(uint64_t node, const struct fs_attributes *a, struct stat *out);

#endif
