/* SPDX-License-Identifier: BSD-2-Clause */
/* Which block is in which buffer; which buffer is used anew (a clock's hand goes round). */
#include "servers/fs/ext4/cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/io.h"

struct missing missing;
bool work_is_wanted, ordered_has_changed;
static const struct cache_io *io;
static int32_t *heads;
static uint32_t mask, hand, run;

static uint32_t hash_of(uint64_t block)
{
    return (uint32_t)(block * 0x9e3779b97f4a7c15ull >> 40) & mask;
}

void cache_enter(struct buffer *b)
{
    uint32_t h = hash_of(b->block);

    b->next_hash = heads[h];
    heads[h] = (int32_t)buffer_index(b);
    b->hashed = true;
}

static void leave(struct buffer *b)
{
    int32_t *link = &heads[hash_of(b->block)];

    while (*link >= 0 && *link != (int32_t)buffer_index(b))
        link = &buffers[*link].next_hash;
    if (*link >= 0)
        *link = b->next_hash;
    b->next_hash = -1;
    b->hashed = false;
}

void cache_rebuild(void)
{
    uint32_t size = 1;

    while (size < box->buffers)
        size *= 2;
    free(heads);
    heads = malloc(size * sizeof *heads);
    if (!heads)
        panic("no memory for the table of %u blocks", box->buffers);
    mask = size - 1;
    hand = 0;
    memset(heads, 0xff, size * sizeof *heads);
    for (uint32_t n = 0; n < box->buffers; n++) {
        struct buffer *b = &buffers[n];

        b->next_hash = b->next_io = -1;
        b->run = 0;
        b->used = b->changed = b->alone = b->hashed = b->has_code = false;
        if (b->state)
            cache_enter(b);
    }
}

void cache_start(const struct cache_io *how)
{
    io = how;
    cache_rebuild();
}

void cache_start_again(const struct cache_io *how)
{
    io = how;
}

void cache_run_begin(void)
{
    run++;
    missing.what = MISSING_NOTHING;
}

long miss_commit(void)
{
    missing.what = MISSING_COMMIT;
    return EXT4_MISS;
}

struct buffer *cache_find(uint64_t block)
{
    for (int32_t n = heads[hash_of(block)]; n >= 0; n = buffers[n].next_hash)
        if (buffers[n].block == block)
            return &buffers[n];
    return NULL;
}

bool cache_may_go(const struct buffer *b)
{
    return !(b->state & (B_DIRTY | B_RUNNING | B_READING | B_WRITING)) && b->logged == 0 &&
           b->run != run;
}

struct buffer *cache_take(uint64_t block)
{
    for (uint32_t tries = 0; tries < 2 * box->buffers; tries++) {
        struct buffer *b = &buffers[hand];

        hand = hand + 1 < box->buffers ? hand + 1 : 0;
        if (!cache_may_go(b))
            continue;
        if (b->state && b->used) {
            b->used = false;
            continue;
        }
        if (b->hashed)
            leave(b);
        b->state = 0;
        box_fence(); /* it is never another block's with these contents */
        b->block = block;
        b->kind = KIND_DATA;
        b->seed = b->ordered = 0;
        b->run = run;
        b->changed = b->alone = b->has_code = false;
        b->used = true; /* what is read ahead has its time to be used */
        cache_enter(b);
        return b;
    }
    return NULL;
}

/* In flight it stays known until that is over: the memory is not to be used meanwhile. */
void cache_drop(struct buffer *b)
{
    if (b->ordered)
        work_is_wanted = ordered_has_changed = true;
    if (b->hashed && !(b->state & (B_READING | B_WRITING)))
        leave(b);
    b->state &= B_READING | B_WRITING;
    box_fence(); /* not valid while it may be there alone */
    b->logged = b->ordered = 0;
    if (b->state == 0)
        b->run = 0;
}

void cache_forget(uint64_t first, uint32_t count)
{
    if (count <= box->buffers) {
        for (uint32_t i = 0; i < count; i++) {
            struct buffer *b = cache_find(first + i);

            if (b)
                cache_drop(b);
        }
        return;
    }
    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].state && buffers[n].block - first < count)
            cache_drop(&buffers[n]);
}

/* So many: of what is beyond them the hand makes the codes. */
#define CHANGED_MOST 1024
static uint32_t recent[CHANGED_MOST], recent_first, recent_end; /* free-running */

void cache_changed(struct buffer *b)
{
    uint32_t index = buffer_index(b);

    b->has_code = false;
    if (recent_end != recent_first && recent[(recent_end - 1) % CHANGED_MOST] == index)
        return;
    recent[recent_end++ % CHANGED_MOST] = index;
    if (recent_end - recent_first > CHANGED_MOST)
        recent_first = recent_end - CHANGED_MOST;
}

struct buffer *cache_next_changed(void)
{
    if (recent_end - recent_first > CHANGED_MOST) /* a bit of these has flipped */
        recent_first = recent_end;
    while (recent_first != recent_end) {
        uint32_t index = recent[recent_first++ % CHANGED_MOST];

        if (index < box->buffers && !buffers[index].has_code &&
            (buffers[index].state & (B_VALID | B_READING)) == B_VALID)
            return &buffers[index];
    }
    return NULL;
}

/* A million ticks of the TSC: it was compared just now. */
uint32_t cache_moment(void)
{
    return (uint32_t)(__builtin_ia32_rdtsc() >> 20) | 1;
}

static enum code_says compare(struct buffer *b)
{
    enum code_says says;

    if (!b->has_code || (b->state & (B_VALID | B_READING)) != B_VALID)
        return CODE_RIGHT;
    b->verified = cache_moment();
    says = code_compare(buffer_data(b), box->block_size, &b->code);
    if (says == CODE_MENDED)
        log_info("block %llu: mended, a bit of it had flipped", (unsigned long long)b->block);
    if (says == CODE_CHANGED) {
        log_info("block %llu: changed by itself", (unsigned long long)b->block);
        b->has_code = false;
    }
    return says;
}

bool cache_verify(struct buffer *b)
{
    if (!b->has_code || b->verified == cache_moment() || compare(b) != CODE_CHANGED)
        return true;
    if (!cache_may_go(b)) /* and it is nowhere else */
        return true;
    cache_drop(b);
    return false;
}

void cache_mend(struct buffer *b)
{
    compare(b);
}

bool cache_was_right(struct buffer *b)
{
    enum code_says says = compare(b);

    if (says == CODE_CHANGED) {
        b->run = 0; /* of this run nobody else has got it */
        if (cache_may_go(b))
            cache_drop(b);
    }
    return says == CODE_RIGHT;
}

/* The first look at its contents as this kind of metadata. */
static long check(struct buffer *b, enum kind kind, uint32_t seed)
{
    uint32_t old_kind = b->kind, old_seed = b->seed;

    if ((b->state & B_CHECKED) && b->kind == kind)
        return 0;
    if (b->state & B_RUNNING) { /* of other metadata: a damaged pointer leads here */
        log_info("block %llu: belongs to two", (unsigned long long)b->block);
        return -EUCLEAN;
    }
    b->state &= ~(uint32_t)B_CHECKED;
    box_fence(); /* it has not been looked at as this kind */
    b->kind = kind;
    b->seed = seed;
    if (kind != KIND_DATA && volume.has_checksums && !seal_is_right(b)) {
        log_info("block %llu: its checksum is wrong", (unsigned long long)b->block);
        b->kind = old_kind;
        b->seed = old_seed;
        return -EUCLEAN;
    }
    box_fence();
    b->state |= B_CHECKED;
    return 0;
}

/* What this run of a request has got stays until the next run begins: `run` keeps it from being
 * taken for another block. A failure is told once and then forgotten: who asks again has it read
 * again. */
static long get(struct buffer *b, uint64_t block, enum kind kind, struct buffer **out)
{
    if (block >= volume.blocks)
        return -EUCLEAN;
    if (!b) {
        b = cache_take(block);
        if (!b) {
            missing = (struct missing){.what = MISSING_MEMORY};
            return EXT4_MISS;
        }
        b->kind = kind;
        io->read(b);
    }
    if (b->state & B_FAILED) {
        cache_drop(b);
        return -EIO;
    }
    if (b->state == 0) /* taken by somebody who has not filled it */
        io->read(b);
    if (!(b->state & B_VALID)) {
        missing = (struct missing){MISSING_BLOCK, block};
        return EXT4_MISS;
    }
    b->run = run;
    b->used = true;
    *out = b;
    return 0;
}

long block_get(uint64_t block, enum kind kind, uint32_t seed, struct buffer **out)
{
    struct buffer *b = cache_find(block);
    long result = get(b && cache_verify(b) ? b : NULL, block, kind, out);

    return result || kind == KIND_DATA ? result : check(*out, kind, seed);
}

long block_get_data(uint64_t block, struct buffer **out)
{
    return get(cache_find(block), block, KIND_DATA, out);
}

void block_ahead(uint64_t block, enum kind kind)
{
    struct buffer *b = block < volume.blocks && !cache_find(block) ? cache_take(block) : NULL;

    if (!b)
        return;
    b->kind = kind;
    io->read(b);
}

long block_overwrite(uint64_t block, struct buffer **out)
{
    struct buffer *b = cache_find(block);

    if (b && (b->state & B_READING || (b->state & (B_WRITING | B_VALID)) == B_WRITING)) {
        missing = (struct missing){MISSING_BLOCK, block};
        return EXT4_MISS;
    }
    if (!b)
        b = cache_take(block);
    if (!b) {
        missing = (struct missing){.what = MISSING_MEMORY};
        return EXT4_MISS;
    }
    b->run = run;
    b->used = true;
    *out = b;
    return 0;
}

void cache_has_read(struct buffer *b, int error)
{
    b->state &= ~(uint32_t)B_READING;
    b->has_code = false;
    b->state |= error ? B_FAILED : B_VALID;
    if (b->kind != KIND_DATA) /* data are often used once; of metadata one bit may do much harm */
        cache_changed(b);
}
