/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing a directory in the order of the hashes: one with a hash tree, or of one block, which may
 * get a tree at any time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "servers/fs/ext4/index.h"

/* A run of leaves that have names with the same hash in common, sorted: as it was when the blocks
 * were like this. */
static struct listing {
    uint32_t directory;
    uint64_t changes; /* op_done then */
    uint64_t first, last; /* cookies that it covers: (first, last] */
    uint32_t count;
    struct listed {
        uint64_t cookie;
        uint32_t inode;
        uint8_t type, length;
        char name[255];
    } * list;
    uint32_t room;
} listing;

/* The oldest hash has 31 bits alone: some of many names share it. */
static uint64_t cookie_of(uint32_t version, struct hash h, const struct ext4_dirent *e)
{
    uint32_t low =
        version % HASH_UNSIGNED == HASH_LEGACY ? crc32c(~0u, e->name, e->name_length) : h.minor;

    return ((uint64_t)(h.major >> 1) << 32 | low) + 1;
}

static long take(struct buffer *b, uint32_t version, const struct entry_place *p)
{
    const struct ext4_dirent *e = (void *)((uint8_t *)buffer_data(b) + p->at);
    struct listed *l;

    if (!entry_is_shown(e))
        return 0;
    if (listing.count == listing.room) {
        uint32_t room = listing.room ? 2 * listing.room : 256;
        struct listed *more = realloc(listing.list, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        listing.list = more;
        listing.room = room;
    }
    l = &listing.list[listing.count++];
    l->cookie = cookie_of(version, p->hash, e);
    l->inode = e->inode;
    l->type = e->type;
    l->length = e->name_length;
    memcpy(l->name, e->name, e->name_length);
    return 0;
}

static int by_cookie(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    if (x->cookie != y->cookie)
        return x->cookie < y->cookie ? -1 : 1;
    if (x->length != y->length)
        return x->length < y->length ? -1 : 1;
    return memcmp(x->name, y->name, x->length);
}

/* The leaf that is responsible for the cookie, and those that go on with its last hash. 0; 1: there
 * are no more. */
static long list_from(struct inode *d, uint64_t cookie)
{
    static struct entry_place places[ENTRIES_MAX];
    uint32_t next = 0, leaves = 0;
    struct index_path p = {.version = volume.hash_version};
    bool is_tree = index_is_used(d);
    long result = is_tree ? index_probe(d, (uint32_t)(cookie >> 32) << 1, &p) : 0, more;

    listing.directory = 0;
    listing.count = 0;
    do {
        struct buffer *b;
        long n = result;

        if (n == 0)
            n = is_tree ? index_leaf(d, &p, &b) : directory_block(d, 0, &b);
        if (n == 0)
            n = entries_sort(b, p.version, places, ENTRIES_MAX);
        for (long k = 0; k < n && result == 0; k++)
            result = take(b, p.version, &places[k]);
        if (n < 0 || result)
            return n < 0 ? n : result;
        more = is_tree ? index_advance(d, &p, &next) : 0;
        if (more < 0 || ++leaves > directory_blocks(d))
            return more < 0 ? more : -EUCLEAN;
    } while (more && (next & 1));
    if (listing.count)
        qsort(listing.list, listing.count, sizeof *listing.list, by_cookie);
    for (uint32_t k = 1; k < listing.count; k++) /* those with the same hash are told apart */
        if (listing.list[k].cookie <= listing.list[k - 1].cookie)
            listing.list[k].cookie = listing.list[k - 1].cookie + 1;
    listing.directory = op_active() ? 0 : d->number; /* what an operation does may be undone */
    listing.changes = box->op_done;
    listing.first = cookie;
    listing.last = more ? (uint64_t)(next >> 1) << 32 : UINT64_MAX;
    return 0;
}

static bool covers(const struct inode *d, uint64_t cookie)
{
    return listing.directory == d->number && listing.changes == box->op_done && !op_active() &&
           cookie >= listing.first && cookie < listing.last;
}

long index_next(struct inode *d, uint64_t cookie, struct directory_entry *out)
{
    for (;;) {
        long result = covers(d, cookie) ? 0 : list_from(d, cookie);

        if (result)
            return result;
        for (uint32_t n = 0; n < listing.count; n++) {
            const struct listed *l = &listing.list[n];

            if (l->cookie <= cookie)
                continue;
            *out = (struct directory_entry){
                .number = l->inode, .type = l->type, .length = l->length, .cookie = l->cookie};
            memcpy(out->name, l->name, l->length);
            return 1;
        }
        if (listing.last == UINT64_MAX)
            return 0;
        if (listing.last <= cookie)
            return -EUCLEAN; /* hashes that do not grow */
        cookie = listing.last;
    }
}
