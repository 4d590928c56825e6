/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/fs/ram/tree.c servers/fs/ram/unpack.c servers/fs/ram/content.c
// sources: lib/vault/pages.c tests/unit/host/vault.c lib/cpio/cpio.c lib/fs/walk.c
/* The tree of fs/ram: names, links, renaming, unpacking, and paths walked in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "lib/rt/log.h"
#include "servers/fs/ram/tree.h"
#include "servers/fs/ram/unpack.h"

static struct tree tree;
static const struct fs_user root_user = {.uid = 0}, user = {.uid = 1000, .gid = 1000};

void log_info(const char *format, ...)
{
    (void)format;
}

static uint64_t now(void)
{
    static uint64_t t = 1000;

    return ++t;
}

/* The operations that walking needs. */
static long attributes(uint64_t number, struct fs_attributes *out)
{
    const struct node *n = tree_node(&tree, number);

    if (!n)
        return -ESTALE;
    *out = (struct fs_attributes){
        .mode = n->mode, .uid = n->uid, .gid = n->gid, .covered = n->covered};
    return 0;
}

static long child(uint64_t directory, const char *name, uint64_t *node)
{
    const struct entry *e = tree_find(&tree, tree_node(&tree, directory), name);

    if (!e)
        return -ENOENT;
    *node = node_number(e->node);
    return 0;
}

static long parent(uint64_t directory, uint64_t *node)
{
    const struct node *d = tree_node(&tree, directory);

    if (!d->directory.parent)
        return -ESTALE;
    *node = node_number(d->directory.parent);
    return 0;
}

static long next(uint64_t directory, uint64_t cookie, struct fs_entry *out)
{
    const struct entry *e = tree_node(&tree, directory)->directory.first;

    while (e && e->cookie <= cookie)
        e = e->next;
    if (!e)
        return 0;
    *out =
        (struct fs_entry){.node = node_number(e->node), .cookie = e->cookie, .mode = e->node->mode};
    strcpy(out->name, e->name);
    return 1;
}

static struct fs_operations operations = {
    .attributes = attributes, .child = child, .parent = parent, .next = next};

static int setup(void **state)
{
    assert_true(tree_make(&tree, 65536, now));
    operations.root = node_number(tree.root);
    return 0;
}

static void free_all(struct node *d)
{
    while (d->directory.first) {
        struct entry *e = d->directory.first;
        char name[256];

        e->node->covered = false;
        if (S_ISDIR(e->node->mode))
            free_all(e->node);
        strcpy(name, e->name);
        assert_int_equal(tree_unlink(&tree, d, name, S_ISDIR(e->node->mode)), 0);
    }
}

static int teardown(void **state)
{
    free_all(tree.root);
    assert_int_equal(tree.count, 1); /* everything is freed but the root */
    free(tree.root);
    free(tree.nodes);
    free(tree.generations);
    return 0;
}

static struct node *make(struct node *directory, const char *name, uint32_t mode)
{
    struct node *n;

    assert_int_equal(
        tree_create(&tree, directory, name, mode, root_user, S_ISLNK(mode) ? "target" : NULL, &n),
        0);
    return n;
}

static long walk(const char *path, uint64_t flags, struct fs_user who, struct fs_walk *w)
{
    *w = (struct fs_walk){.start = operations.root,
                          .path = path,
                          .length = strlen(path),
                          .flags = flags,
                          .user = who};
    return fs_walk(&operations, w);
}

static void test_links(void **state)
{
    struct node *d = make(tree.root, "d", S_IFDIR | 0755), *f = make(d, "f", S_IFREG | 0644),
                *other;
    uint64_t number = node_number(f);

    assert_int_equal(tree.root->links, 3);
    assert_int_equal(tree_create(&tree, d, "f", S_IFREG, root_user, NULL, &other), -EEXIST);
    assert_int_equal(tree_link(&tree, tree.root, "g", f, user), 0);
    assert_int_equal(f->links, 2);
    assert_int_equal(tree_link(&tree, tree.root, "h", d, user), -EPERM);
    assert_int_equal(tree_unlink(&tree, d, "f", true), -ENOTDIR);
    assert_int_equal(tree_unlink(&tree, tree.root, "d", false), -EISDIR);
    assert_int_equal(tree_unlink(&tree, tree.root, "d", true), -ENOTEMPTY);
    assert_int_equal(tree_unlink(&tree, d, "f", false), 0);
    f->opens++;
    assert_int_equal(tree_unlink(&tree, tree.root, "g", false), 0);
    assert_ptr_equal(tree_node(&tree, number), f); /* open, so it lives */
    assert_int_equal(tree_link(&tree, d, "again", f, user), -ENOENT);
    tree_close(&tree, f);
    assert_null(tree_node(&tree, number));
    f = make(d, "new", S_IFREG | 0644);
    assert_int_not_equal(node_number(f), number); /* the slot again, but another generation */
    assert_int_equal((uint32_t)node_number(f), (uint32_t)number);
}

static void test_removed_directory_takes_no_names(void **state)
{
    struct node *d = make(tree.root, "d", S_IFDIR | 0755), *n;

    d->opens++;
    assert_int_equal(tree_unlink(&tree, tree.root, "d", true), 0);
    assert_int_equal(tree_create(&tree, d, "x", S_IFREG, root_user, NULL, &n), -ENOENT);
    tree_close(&tree, d);
}

static void test_rename(void **state)
{
    struct node *a = make(tree.root, "a", S_IFDIR | 0755), *b = make(a, "b", S_IFDIR | 0755),
                *f = make(a, "f", S_IFREG | 0644);
    struct node *g = make(b, "g", S_IFREG | 0644);
    uint64_t number = node_number(g);

    assert_int_equal(tree_rename(&tree, tree.root, "a", b, "a"), -EINVAL); /* into itself */
    assert_int_equal(tree_rename(&tree, tree.root, "none", b, "a"), -ENOENT);
    assert_int_equal(tree_rename(&tree, a, "f", a, "b"), -EISDIR);
    assert_int_equal(tree_rename(&tree, a, "b", a, "f"), -ENOTDIR);
    assert_int_equal(tree_rename(&tree, a, "f", b, "g"), 0); /* replaces g */
    assert_null(tree_node(&tree, number));
    assert_ptr_equal(tree_find(&tree, b, "g")->node, f);
    assert_int_equal(tree_link(&tree, a, "same", f, user), 0);
    assert_int_equal(tree_rename(&tree, a, "same", b, "g"),
                     0); /* two names of one file: nothing is done */
    assert_non_null(tree_find(&tree, a, "same"));
    assert_int_equal(tree_rename(&tree, a, "b", tree.root, "c"), 0);
    assert_ptr_equal(b->directory.parent, tree.root);
    assert_int_equal(a->links, 2);
    assert_int_equal(tree.root->links, 4);
    assert_int_equal(tree_rename(&tree, tree.root, "c", tree.root, "a"), -ENOTEMPTY);
    a->covered = true;
    assert_int_equal(tree_rename(&tree, tree.root, "a", tree.root, "z"), -EBUSY);
}

static void test_set_group_directory(void **state)
{
    struct node *d = make(tree.root, "d", S_IFDIR | S_ISGID | 0775), *sub;

    d->gid = 33;
    assert_int_equal(tree_create(&tree, d, "sub", S_IFDIR | 0755, user, NULL, &sub), 0);
    assert_int_equal(sub->gid, 33);
    assert_true(sub->mode & S_ISGID);
}

static void test_walk(void **state)
{
    struct node *d = make(tree.root, "d", S_IFDIR | 0755), *f = make(d, "f", S_IFREG | 0644);
    struct node *l = make(d, "l", S_IFLNK | 0777), *m = make(d, "m", S_IFDIR | 0755),
                *p = make(d, "p", S_IFDIR | 0700);
    struct fs_walk w;

    m->covered = true;
    make(p, "secret", S_IFREG | 0644);
    assert_int_equal(walk("", 0, user, &w), 0);
    assert_int_equal(w.node, operations.root);
    assert_int_equal(walk("/d//./f", 0, user, &w), 0);
    assert_int_equal(w.node, node_number(f));
    assert_int_equal(walk("d/f/", 0, user, &w), -ENOTDIR);
    assert_int_equal(walk("d/f/x", 0, user, &w), -ENOTDIR);
    assert_int_equal(walk("d/", 0, user, &w), 0);
    assert_int_equal(walk("d/x", 0, user, &w), -ENOENT);
    assert_int_equal(w.node, node_number(d));
    assert_int_equal(walk("d/x/", 0, user, &w), -ENOENT);
    assert_int_equal(w.node, node_number(d));
    assert_int_equal(walk("d/x/y", 0, user, &w), -ENOENT);
    assert_int_equal(w.node, 0);
    assert_int_equal(walk("d/l", 0, user, &w), 0);
    assert_int_equal(w.node, node_number(l));
    assert_int_equal(walk("d/l", LOOKUP_FOLLOW, user, &w), 3);
    assert_int_equal(w.stop, STOP_SYMLINK);
    assert_int_equal(w.directory, node_number(d));
    assert_int_equal(walk("d/l//rest", 0, user, &w), 3);
    assert_int_equal(w.stop, STOP_SYMLINK);
    assert_int_equal(walk("d/m/rest", 0, user, &w), 3);
    assert_int_equal(w.stop, STOP_MOUNT);
    assert_int_equal(w.node, node_number(m));
    assert_int_equal(walk("d/../../up", 0, user, &w), 7);
    assert_int_equal(w.stop, STOP_ABOVE_ROOT);
    assert_int_equal(walk("d/p/secret", 0, user, &w), -EACCES);
    assert_int_equal(walk("d/p/secret", 0, root_user, &w), 0);
}

static void test_walk_stale_and_long(void **state)
{
    struct node *d = make(tree.root, "d", S_IFDIR | 0755);
    uint64_t number = node_number(d);
    char name[400];
    struct fs_walk w;

    memset(name, 'n', sizeof name);
    name[256] = 0;
    assert_int_equal(walk(name, 0, user, &w), -ENAMETOOLONG);
    assert_int_equal(tree_unlink(&tree, tree.root, "d", true), 0);
    w = (struct fs_walk){.start = number, .path = "x", .length = 1};
    assert_int_equal(fs_walk(&operations, &w), -ENOENT);
    assert_int_equal(w.node, 0);
}

static void test_permissions(void **state)
{
    struct fs_attributes d = {.mode = S_IFDIR | S_ISVTX | 0777},
                         f = {.mode = S_IFREG | 0640, .uid = 5, .gid = 1000};
    char name[300] = "name//", dots[] = "..", slash[] = "a/b", nothing[] = "";

    assert_true(fs_may(&f, user, 4));
    assert_false(fs_may(&f, user, 2));
    assert_false(fs_may(&f, root_user, 1)); /* nobody may execute it */
    assert_int_equal(fs_may_remove(&d, &f, user), -EPERM);
    f.uid = 1000;
    assert_int_equal(fs_may_remove(&d, &f, user), 0);
    d.mode = S_IFDIR | 0755;
    assert_int_equal(fs_may_remove(&d, &f, user), -EACCES);
    assert_int_equal(fs_name_check(name, 6), 0);
    assert_string_equal(name, "name");
    assert_int_equal(fs_name_check(dots, 2), -EEXIST);
    assert_int_equal(fs_name_check(slash, 3), -EINVAL);
    assert_int_equal(fs_name_check(nothing, 0), -ENOENT);
}

static void test_listing(void **state)
{
    enum { FILES = 300 };
    struct node *d = make(tree.root, "d", S_IFDIR | 0755);
    uint64_t cookie = 0;
    char buffer[1000], name[16];
    int seen = 0;
    long n;

    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file%d", i);
        make(d, name, S_IFREG | 0644);
    }
    assert_int_equal(fs_pack_directory(&operations, node_number(d), buffer, 10, &cookie), -EINVAL);
    while ((n = fs_pack_directory(&operations, node_number(d), buffer, sizeof buffer, &cookie)) >
           0) {
        assert_true(n <= (long)sizeof buffer);
        for (long at = 0; at < n; seen++) {
            uint16_t length;

            memcpy(&length, buffer + at + 16, 2);
            assert_int_equal(length % 8, 0);
            if (seen >= 2) {
                snprintf(name, sizeof name, "file%d", seen - 2);
                assert_string_equal(buffer + at + 19, name);
                assert_int_equal(tree_unlink(&tree, d, name, false),
                                 0); /* as rm -r does, while it reads */
            }
            at += length;
        }
    }
    assert_int_equal(n, 0);
    assert_int_equal(seen, FILES + 2);
}

/* ---- archives ---- */

static size_t add(char *archive, size_t at, const char *name, uint32_t mode, const char *data)
{
    size_t start = at;

    at += (size_t)sprintf(archive + at,
                          "070701%08X%08X%08X%08X%08X%08X%08zX%08X%08X%08X%08X%08zX%08X%s", 1, mode,
                          0, 0, 1, 0, strlen(data), 0, 0, 0, 0, strlen(name) + 1, 0, name) +
          1;
    while ((at - start) % 4)
        archive[at++] = 0;
    memcpy(archive + at, data, strlen(data));
    at += strlen(data);
    while ((at - start) % 4)
        archive[at++] = 0;
    return at;
}

static void test_unpack(void **state)
{
    static char archive[4096];
    struct fs_walk w;
    size_t at = 0;

    memset(archive, 0, sizeof archive);
    at = add(archive, at, "bin", S_IFDIR | 0755, "");
    at = add(archive, at, "bin/sh", S_IFREG | 0755, "shell");
    at = add(archive, at, "usr", S_IFDIR | 0755, "");
    at = add(archive, at, "usr/bin", S_IFLNK | 0777, "../bin");
    at = add(archive, at, "loop", S_IFLNK | 0777, "loop");
    at = add(archive, at, "loop/file", S_IFREG | 0644, "is left out");
    at = add(archive, at, "TRAILER!!!", 0, "");
    at += 512 - at % 512;
    at = add(archive, at, "usr/bin/tool", S_IFREG | 0755, "through a link");
    at = add(archive, at, "deep/er/file", S_IFREG | 0600, "parents are made");
    at = add(archive, at, "bin/sh", S_IFREG | 0755, "another shell");
    at = add(archive, at, "TRAILER!!!", 0, "");
    assert_int_equal(unpack(&tree, archive, at), 0);
    assert_int_equal(walk("bin/sh", 0, user, &w), 0);
    assert_int_equal(tree_node(&tree, w.node)->content.size, strlen("another shell"));
    assert_memory_equal(tree_node(&tree, w.node)->content.borrowed, "another shell", 13);
    assert_int_equal(walk("bin/tool", 0, user, &w), 0);
    assert_int_equal(walk("deep/er/file", 0, user, &w), 0);
    assert_int_equal(w.attributes.mode, S_IFREG | 0600);
    assert_int_equal(unpack(&tree, archive, at - 200), -EINVAL); /* cut off */
}

/* Users' files leave names and pages to root's. */
static void test_shares(void **state)
{
    struct node *n, *of_root;
    char name[16];
    unsigned count = 0;

    assert_int_equal(tree_create(&tree, tree.root, "r", S_IFREG, root_user, NULL, &of_root), 0);
    tree.names_most = tree.names + 10;
    for (long result = 0; result == 0; count++) {
        snprintf(name, sizeof name, "%u", count);
        result = tree_create(&tree, tree.root, name, S_IFREG, user, NULL, &n);
        assert_true(result == 0 || result == -ENOSPC);
    }
    assert_int_equal(count, 11);
    n = tree_find(&tree, tree.root, "0")->node;
    assert_int_equal(tree_link(&tree, tree.root, "link", n, user), -ENOSPC);
    assert_int_equal(tree_create(&tree, tree.root, "s", S_IFREG, root_user, NULL, &of_root), 0);
    assert_int_equal(tree_unlink(&tree, tree.root, "1", false), 0);
    assert_int_equal(tree_unlink(&tree, tree.root, "2", false), 0);
    assert_int_equal(tree_link(&tree, tree.root, "link", n, user), 0);
    assert_int_equal(tree_link(&tree, tree.root, "of root", of_root, user), -ENOSPC);
    assert_int_equal(tree_link(&tree, tree.root, "of root", of_root, root_user), 0);
    assert_int_equal(tree_pages(&tree, of_root)->limit, 65536);
    assert_in_range(tree_pages(&tree, n)->limit, 43000, 44000);
}

/* What a symbolic link says counts as names do, until it is gone. */
static void test_share_of_targets(void **state)
{
    static char target[4096];
    struct node *n;
    uint64_t before = tree.names;

    (void)state;
    memset(target, 'x', sizeof target - 1);
    tree.names_most = before + 16 + 15;
    assert_int_equal(tree_create(&tree, tree.root, "a", S_IFLNK | 0777, user, target, &n), 0);
    assert_int_equal(tree.names, before + 16);
    assert_int_equal(tree_create(&tree, tree.root, "b", S_IFLNK | 0777, user, target, &n), -ENOSPC);
    assert_int_equal(tree.names, before + 16);
    assert_int_equal(tree_create(&tree, tree.root, "b", S_IFLNK | 0777, user, "short", &n), 0);
    assert_int_equal(tree_create(&tree, tree.root, "c", S_IFLNK | 0777, root_user, target, &n), 0);
    for (const char *name = "abc"; *name; name++)
        assert_int_equal(tree_unlink(&tree, tree.root, (char[]){*name, 0}, false), 0);
    assert_int_equal(tree.names, before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_links, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removed_directory_takes_no_names, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rename, setup, teardown),
        cmocka_unit_test_setup_teardown(test_set_group_directory, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walk, setup, teardown),
        cmocka_unit_test_setup_teardown(test_walk_stale_and_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_permissions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_listing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unpack, setup, teardown),
        cmocka_unit_test_setup_teardown(test_shares, setup, teardown),
        cmocka_unit_test_setup_teardown(test_share_of_targets, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
