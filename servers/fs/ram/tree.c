/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/ram/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/undo/list.h"

/* ---- the table of nodes ---- */

uint64_t node_number(const struct node *n)
{
    return (uint64_t)n->generation << 32 | n->index;
}

struct node *tree_node(const struct tree *t, uint64_t number)
{
    uint32_t index = (uint32_t)number;
    struct node *n = index < t->room ? t->nodes[index] : NULL;

    return n && n->generation == number >> 32 ? n : NULL;
}

static bool grow_nodes(struct tree *t)
{
    uint32_t room = t->room ? t->room * 2 : 1024;
    struct node **nodes = realloc(t->nodes, room * sizeof *nodes);
    uint32_t *generations;

    if (!nodes)
        return false;
    t->nodes = nodes;
    generations = realloc(t->generations, room * sizeof *generations);
    if (!generations)
        return false;
    t->generations = generations;
    memset(nodes + t->room, 0, (room - t->room) * sizeof *nodes);
    memset(generations + t->room, 0, (room - t->room) * sizeof *generations);
    t->room = room;
    return true;
}

static struct node *node_make(struct tree *t, uint32_t mode, struct fs_user user)
{
    struct node *n;
    uint32_t index = t->free_index;

    while (index < t->room && t->nodes[index])
        index++;
    if (index == t->room && !grow_nodes(t))
        return NULL;
    n = calloc(1, sizeof *n);
    if (!n)
        return NULL;
    t->nodes[index] = n;
    t->free_index = index + 1;
    t->count++;
    n->index = index;
    n->generation = t->generations[index];
    n->mode = mode;
    n->uid = user.uid;
    n->gid = user.gid;
    n->atime_ns = n->mtime_ns = n->ctime_ns = t->now();
    return n;
}

/* What a symbolic link says takes memory, too: as many names as would have taken it. */
static uint64_t names_of_target(const char *target)
{
    return target ? strlen(target) / TREE_TARGET_BYTES : 0;
}

static void node_free(struct tree *t, struct node *n)
{
    if (S_ISREG(n->mode)) {
        content_free(&t->pages, &n->content);
    } else if (S_ISLNK(n->mode)) {
        t->names -= names_of_target(n->target);
        free(n->target);
    }
    t->nodes[n->index] = NULL;
    t->generations[n->index]++;
    if (n->index < t->free_index)
        t->free_index = n->index;
    t->count--;
    free(n);
}

static void free_when_unused(struct tree *t, struct node *n)
{
    if (n->links == 0 && n->opens == 0)
        node_free(t, n);
}

void tree_close(struct tree *t, struct node *n)
{
    if (n->opens > 0)
        n->opens--;
    free_when_unused(t, n);
}

bool tree_make(struct tree *t, uint64_t pages_limit, uint64_t (*now)(void))
{
    memset(t, 0, sizeof *t);
    t->pages.limit = t->pages_most = pages_limit;
    t->names_most = pages_limit / 2;
    t->now = now;
    t->free_index = 1;
    if (!grow_nodes(t))
        return false;
    t->root = node_make(t, S_IFDIR | 0755, (struct fs_user){0});
    if (t->root)
        t->root->links = 2;
    return t->root != NULL;
}

/* ---- names ---- */

static uint32_t hash_of(const struct node *directory, const char *name)
{
    uint32_t hash = directory->index * 2654435761u;

    for (; *name; name++)
        hash = (hash ^ (uint8_t)*name) * 16777619u;
    return hash ^ hash >> 15;
}

struct entry *tree_find(const struct tree *t, const struct node *directory, const char *name)
{
    uint32_t hash = hash_of(directory, name);

    for (struct entry *e = list_at(t->buckets[hash % TREE_BUCKETS]); e; e = list_at(e->hash_next))
        if (e->hash == hash && e->directory == directory && strcmp(e->name, name) == 0)
            return e;
    return NULL;
}

static void touch(struct tree *t, struct node *directory)
{
    directory->mtime_ns = directory->ctime_ns = t->now();
}

struct pages *tree_pages(struct tree *t, const struct node *n)
{
    t->pages.limit = n->uid ? t->pages_most / 3 * 2 : t->pages_most;
    return &t->pages;
}

/* For so many more of that user's. */
static bool names_full(const struct tree *t, uint32_t uid, uint64_t more)
{
    return uid && t->names + more > t->names_most;
}

/* An entry that is not in its directory yet. */
static struct entry *entry_make(struct node *directory, const char *name)
{
    size_t length = strlen(name) + 1;
    struct entry *e = malloc(sizeof *e + length);

    if (!e)
        return NULL;
    *e = (struct entry){.directory = directory, .hash = hash_of(directory, name)};
    memcpy(e->name, name, length);
    return e;
}

static void entry_insert(struct tree *t, struct entry *e, struct node *n)
{
    struct node *d = e->directory;
    struct entry **bucket = &t->buckets[e->hash % TREE_BUCKETS];

    t->names++;
    e->node = n;
    e->cookie = ++d->directory.next_cookie;
    list_put(*bucket, e, hash_next);
    e->previous = list_at(d->directory.last);
    if (e->previous)
        e->previous->next = e;
    else
        d->directory.first = e;
    d->directory.last = e;
    if (S_ISDIR(n->mode)) {
        n->directory.parent = d;
        d->links++;
    }
    touch(t, d);
}

static void entry_remove(struct tree *t, struct entry *e)
{
    struct node *d = e->directory;
    struct entry **bucket = &t->buckets[e->hash % TREE_BUCKETS];

    t->names--;
    list_take(*bucket, e, hash_next);
    if (list_at(e->previous))
        e->previous->next = list_at(e->next);
    else
        d->directory.first = list_at(e->next);
    if (e->next)
        e->next->previous = e->previous;
    else
        d->directory.last = e->previous;
    if (S_ISDIR(e->node->mode)) {
        e->node->directory.parent = NULL;
        d->links--;
    }
    if (d->directory.given == e)
        d->directory.given = NULL;
    touch(t, d);
    free(e);
}

/* May names be put into it? A removed directory takes none. */
static long check_directory(const struct tree *t, const struct node *d)
{
    if (!S_ISDIR(d->mode))
        return -ENOTDIR;
    return d == t->root || d->directory.parent ? 0 : -ENOENT;
}

/* All that needs memory is made before anything is seen of it: to put it in cannot fail then, and
 * nothing has to be taken out again. */
long tree_create(struct tree *t, struct node *directory, const char *name, uint32_t mode,
                 struct fs_user user, const char *target, struct node **out)
{
    long result = check_directory(t, directory);
    struct entry *e;
    struct node *n;
    char *text = NULL;

    if (result < 0)
        return result;
    if (tree_find(t, directory, name))
        return -EEXIST;
    if (S_ISDIR(mode) && directory->links >= TREE_LINKS_MAX)
        return -EMLINK;
    if (directory->mode & S_ISGID) {
        user.gid = directory->gid;
        mode |= S_ISDIR(mode) ? S_ISGID : 0;
    }
    if (names_full(t, user.uid, 1 + names_of_target(target)))
        return -ENOSPC;
    e = entry_make(directory, name);
    n = node_make(t, mode, user);
    if (target)
        text = strdup(target);
    if (!e || !n || (target && !text)) {
        free(e);
        free(text);
        if (n)
            node_free(t, n);
        return -ENOSPC;
    }
    if (target) {
        n->target = text;
        t->names += names_of_target(text);
    }
    n->links = S_ISDIR(mode) ? 2 : 1;
    entry_insert(t, e, n);
    *out = n;
    return 0;
}

long tree_link(struct tree *t, struct node *directory, const char *name, struct node *node,
               struct fs_user user)
{
    long result = check_directory(t, directory);
    struct entry *e;

    if (result < 0)
        return result;
    if (S_ISDIR(node->mode))
        return -EPERM;
    if (node->links == 0)
        return -ENOENT;
    if (node->links >= TREE_LINKS_MAX)
        return -EMLINK;
    if (tree_find(t, directory, name))
        return -EEXIST;
    e = names_full(t, user.uid, 1) ? NULL : entry_make(directory, name);
    if (!e)
        return -ENOSPC;
    entry_insert(t, e, node);
    node->links++;
    node->ctime_ns = t->now();
    return 0;
}

/* A name goes; so does the node, when nothing else holds it. */
static void drop(struct tree *t, struct entry *e)
{
    struct node *n = e->node;

    n->links -= S_ISDIR(n->mode) ? 2 : 1;
    n->ctime_ns = t->now();
    entry_remove(t, e);
    free_when_unused(t, n);
}

long tree_unlink(struct tree *t, struct node *directory, const char *name, bool is_rmdir)
{
    struct entry *e = S_ISDIR(directory->mode) ? tree_find(t, directory, name) : NULL;

    if (!e)
        return S_ISDIR(directory->mode) ? -ENOENT : -ENOTDIR;
    if (is_rmdir != !!S_ISDIR(e->node->mode))
        return is_rmdir ? -ENOTDIR : -EISDIR;
    if (e->node->covered)
        return -EBUSY;
    if (is_rmdir && e->node->directory.first)
        return -ENOTEMPTY;
    drop(t, e);
    return 0;
}

/* Is `above` the directory itself or one that it lies in? */
static bool is_within(const struct node *directory, const struct node *above)
{
    for (; directory; directory = directory->directory.parent)
        if (directory == above)
            return true;
    return false;
}

static long check_rename(const struct tree *t, const struct node *moved, const struct node *to,
                         const struct node *replaced)
{
    long result = check_directory(t, to);

    if (result < 0)
        return result;
    if (moved->covered || (replaced && replaced->covered))
        return -EBUSY;
    if (S_ISDIR(moved->mode) && is_within(to, moved))
        return -EINVAL;
    if (!replaced)
        return 0;
    if (!S_ISDIR(replaced->mode))
        return S_ISDIR(moved->mode) ? -ENOTDIR : 0;
    if (!S_ISDIR(moved->mode))
        return -EISDIR;
    return replaced->directory.first ? -ENOTEMPTY : 0;
}

long tree_rename(struct tree *t, struct node *from, const char *old_name, struct node *to,
                 const char *new_name)
{
    struct entry *e = S_ISDIR(from->mode) ? tree_find(t, from, old_name) : NULL;
    struct entry *replaced = S_ISDIR(to->mode) ? tree_find(t, to, new_name) : NULL, *fresh;
    struct node *moved;
    long result;

    if (!e)
        return -ENOENT;
    moved = e->node;
    if (replaced && replaced->node == moved)
        return 0;
    result = check_rename(t, moved, to, replaced ? replaced->node : NULL);
    if (result < 0)
        return result;
    fresh = entry_make(to, new_name);
    if (!fresh)
        return -ENOSPC;
    if (replaced)
        drop(t, replaced);
    entry_remove(t, e);
    entry_insert(t, fresh, moved);
    moved->ctime_ns = t->now();
    return 0;
}
