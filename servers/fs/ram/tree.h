/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Nodes and names: the tree of one file system in memory. A node lives while it has a name or is
 * open. Its number is its slot in the table and the slot's generation, so a number of the past is
 * -ESTALE; numbers of what the archive brings are the same after every restart.
 */
#ifndef RAM_TREE_H
#define RAM_TREE_H

#include "lib/fs/fs.h"
#include "servers/fs/ram/content.h"

#define TREE_BUCKETS 4096u
#define TREE_LINKS_MAX 65000u
#define TREE_TARGET_BYTES 256u /* of a symbolic link's target count as one name more */

struct entry { /* a name in a directory */
    struct entry *hash_next;
    struct entry *next, *previous; /* in the directory, by cookie */
    struct node *directory, *node;
    uint64_t cookie;
    uint32_t hash;
    char name[];
};

struct node {
    uint32_t index, generation;
    uint32_t mode, uid, gid, links, opens;
    bool covered;
    uint64_t rdev, atime_ns, mtime_ns, ctime_ns;
    union {
        struct content content; /* regular file */
        struct {
            struct node *parent; /* NULL: removed, or the root */
            struct entry *first, *last;
            struct entry
                *given; /* by the last listing, NULL unknown: where the next one begins to look */
            uint64_t next_cookie;
        } directory;
        char *target; /* symbolic link */
    };
};

struct tree {
    struct node **nodes; /* by index; index 0 is unused */
    uint32_t *generations;
    uint32_t room, free_index, count; /* free_index: where a search for a free one begins */
    struct node *root;
    struct entry *buckets[TREE_BUCKETS];
    struct pages pages; /* what may be taken of them: see tree_pages() */
    uint64_t pages_most, names, names_most; /* names_most: when users make them; root finds more */
    uint64_t (*now)(void); /* ns since 1970 */
};

/* An empty root directory. false: no memory. */
bool tree_make(struct tree *t, uint64_t pages_limit, uint64_t (*now)(void));

uint64_t node_number(const struct node *n);

/* NULL: stale */
struct node *tree_node(const struct tree *t, uint64_t number);

/* The entry, or NULL. */
struct entry *tree_find(const struct tree *t, const struct node *directory, const char *name);

/* 0 and *out, or -errno: -EEXIST, -ENOSPC. A symbolic link gets its target, copied. */
long tree_create(struct tree *t, struct node *directory, const char *name, uint32_t mode,
                 struct fs_user user, const char *target, struct node **out);
/* Whosever the file is, the name is the user's. */
long tree_link(struct tree *t, struct node *directory, const char *name, struct node *node,
               struct fs_user user);
long tree_unlink(struct tree *t, struct node *directory, const char *name, bool is_rmdir);
long tree_rename(struct tree *t, struct node *from, const char *old_name, struct node *to,
                 const char *new_name);

/* One opener less; frees the node when nothing holds it any more. */
void tree_close(struct tree *t, struct node *n);

/* The pages for that file, with what its owner may take of them: root's all that the file system has,
 * any other's two thirds. */
struct pages *tree_pages(struct tree *t, const struct node *n);

#endif
