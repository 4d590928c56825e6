/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What programs ask for, as operations on inodes. All may return EXT4_MISS: the request is run
 * again. Those that change something run their operations themselves (box.h); one that takes
 * several tells from the file system's state where it was.
 */
#ifndef EXT4_FILE_H
#define EXT4_FILE_H

#include "lib/fs/fs.h"
#include "servers/fs/ext4/ext4.h"

/* A node is an inode's number and, above it, its generation: a number that was used again is not
 * taken for the old one. */
long node_inode(uint64_t node, struct inode *out); /* -ESTALE */
static inline uint64_t node_of(const struct inode *i)
{
    return i->number | (uint64_t)i->raw->generation << 32;
}

/* Begin an operation: there is room, and the file system may be changed. -EROFS, EXT4_MISS. */
long change_begin(void);
/* End it: commits when result >= 0. */
long change_end(long result);

/* ---- the request that is being handled (request.c) ---- */

struct progress { /* of a write that takes several operations */
    uint64_t start, done; /* offset of its first byte; bytes */
};
uint64_t request_id(void); /* 0: it has none */
/* How many bytes of this request came before this piece of it (vectors). */
uint64_t request_before(uint64_t length);
/* How much of a read has been done when it is run again: of the bytes after `before`. */
uint64_t request_read(uint64_t before);
void request_has_read(uint64_t bytes); /* of the whole request */
struct progress request_progress(void);
void request_record_progress(struct progress p); /* in the operation */
/* What the request being handled has noted when it was put off, 0 at first: the transaction that it
 * waits for, or how far it has come. */
uint64_t *request_note(void);
/* Only one request at a time writes to a file: 0, or EXT4_MISS. */
long request_lock(uint64_t node);

/* ---- what takes long is done in parts (main.c) ---- */
bool turn_is_over(void); /* so much for now: others of the system shall be served */
void turn_again(void); /* there will be another, soon */
bool turn_rests(void); /* nothing large is begun until the next one */
bool turn_pauses(void); /* and it is not there yet */
/* The request is put off until then. It is run again from its beginning: to be called when it has
 * come further than it was. Returns EXT4_MISS. */
long turn_wait(void);

/* ---- memory of programs (main.c): 0 or -errno ---- */
long give_program(endpoint_t program, uint64_t address, const void *from, size_t length);
long take_from_program(endpoint_t program, uint64_t address, void *to, size_t length);

/* ---- data.c ---- */
long file_read(uint64_t node, struct fs_transfer *t);
long file_write(uint64_t node, struct fs_transfer *t);
long file_truncate(uint64_t node, uint64_t length);
/* Blocks without contents for what has none. mode: FALLOC_FL_KEEP_SIZE or 0. */
long file_allocate(uint64_t node, uint32_t mode, uint64_t offset, uint64_t length);
long file_seek(uint64_t node, uint64_t offset, int whence); /* SEEK_DATA, SEEK_HOLE: the offset */

/* ---- names.c ---- */
long name_find(uint64_t directory, const char *name, uint64_t *node);
long name_parent(uint64_t directory, uint64_t *node);
long name_next(uint64_t directory, uint64_t cookie, struct fs_entry *out);
long name_create(uint64_t directory, const char *name, uint32_t mode, uint64_t rdev,
                 struct fs_user user, uint64_t *node);
long name_symlink(uint64_t directory, const char *name, const char *target, struct fs_user user);
long name_link(uint64_t directory, const char *name, uint64_t node);
long name_unlink(uint64_t directory, const char *name, bool is_rmdir);
long name_rename(uint64_t from, const char *old_name, uint64_t to, const char *new_name);

/* ---- attribute.c ---- */
long file_attributes(uint64_t node, struct fs_attributes *out);
long file_set_attributes(uint64_t node, const struct fs_set *set);
long file_link_text(uint64_t node, char *text, size_t room);

/* ---- orphan.c: files without a name, or that are being cut off ---- */
long orphan_add(struct inode *i); /* in an operation */
long orphan_remove(struct inode *i);
long orphan_has(const struct inode *i); /* 1, 0 */
/* Nobody cuts it off any more: it is ended, if it is one. */
void orphan_can_go(uint64_t node);
void orphans_ended(bool is_committed); /* the operation has */
void opened(uint64_t node, int change); /* somebody has it open, or not any more */
unsigned open_count(uint64_t node);
/* All who have files open have said so: those that nobody has can go. */
void orphans_release(void);
/* Delete those that nobody has open, finish those that are being cut off: 0 nothing (more) to do;
 * EXT4_MISS. */
long orphans_step(void);
/* Take the inode and its blocks away: in an operation; 1: it takes more of them. */
long inode_delete(struct inode *i);

#endif
