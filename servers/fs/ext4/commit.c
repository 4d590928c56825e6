/* SPDX-License-Identifier: BSD-2-Clause */
/* Committing a transaction. */
#include <errno.h>
#include <string.h>

#include "lib/rt/log.h"
#include "servers/fs/ext4/ext4.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/io.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/super.h"

enum { TAG_UUID = 16, TAIL = 4 };

/* Of the commit under way, in this incarnation. */
static struct {
    uint32_t next; /* block of the stage to write next */
    uint32_t pending; /* writes or flushes that have not ended */
    bool posted; /* the one request of this phase */
} now;
static bool wanted;

static uint32_t running(void)
{
    return box->journal.sequence;
}

void commit_want(void)
{
    wanted = work_is_wanted = true;
}

bool commit_is_done(uint32_t sequence)
{
    return (int32_t)(box->journal.committed - sequence) >= 0;
}

static bool has_something(void)
{
    return box->now.running || box->now.revokes || box->now.freed ||
           write_has_ordered(box->journal.sequence);
}

uint64_t commit_all(void)
{
    bool dirty = false;

    for (uint32_t n = 0; n < box->buffers; n++)
        if (buffers[n].state & B_DIRTY) {
            buffers[n].ordered = SEQUENCE_IS | running();
            dirty = true;
        }
    if (!dirty && !has_something() && !write_unflushed)
        return box->journal.phase == COMMIT_IDLE ? 0 : SEQUENCE_IS | (uint32_t)(running() - 1);
    commit_want();
    return SEQUENCE_IS | running();
}

/* ---- the stage ---- */

struct stage {
    uint32_t count; /* blocks so far */
    uint8_t *descriptor; /* NULL: none is open */
    size_t used; /* bytes of it */
    uint8_t *last_tag;
};

static size_t usable(void)
{
    return volume.block_size - (journal.features & JOURNAL_CSUM_V3 ? TAIL : 0);
}

static void put_header(void *block, enum journal_block type)
{
    *(struct journal_header *)block =
        (struct journal_header){swap32(JOURNAL_MAGIC), swap32(type), swap32(running())};
}

static void *next_block(struct stage *s)
{
    void *block = box_stage(s->count++);

    memset(block, 0, volume.block_size);
    return block;
}

static void close_block(uint8_t *block)
{
    uint32_t sum;

    if (!(journal.features & JOURNAL_CSUM_V3))
        return;
    sum = swap32(journal_block_sum(block, volume.block_size - TAIL));
    memcpy(block + volume.block_size - TAIL, &sum, sizeof sum);
}

static uint32_t get_flags(const uint8_t *tag)
{
    const struct journal_tag3 *wide = (const void *)tag;
    const struct journal_tag *narrow = (const void *)tag;

    return journal.features & JOURNAL_CSUM_V3 ? swap32(wide->flags)
                                              : __builtin_bswap16(narrow->flags);
}

static void put_flags(uint8_t *tag, uint32_t flags)
{
    if (journal.features & JOURNAL_CSUM_V3)
        ((struct journal_tag3 *)tag)->flags = swap32(flags);
    else
        ((struct journal_tag *)tag)->flags = __builtin_bswap16((uint16_t)flags);
}

static void close_descriptor(struct stage *s)
{
    if (!s->descriptor)
        return;
    put_flags(s->last_tag, get_flags(s->last_tag) | TAG_LAST);
    close_block(s->descriptor);
    s->descriptor = NULL;
}

static uint8_t *new_tag(struct stage *s)
{
    size_t size = journal_tag_size();
    uint8_t *tag;

    if (s->descriptor && s->used + size > usable())
        close_descriptor(s);
    if (s->descriptor) {
        tag = s->descriptor + s->used;
        put_flags(tag, TAG_SAME_UUID);
        s->used += size;
    } else {
        s->descriptor = next_block(s);
        put_header(s->descriptor, JOURNAL_DESCRIPTOR);
        tag = s->descriptor + sizeof(struct journal_header);
        memcpy(tag + size, journal.uuid, TAG_UUID);
        s->used = sizeof(struct journal_header) + size + TAG_UUID;
    }
    s->last_tag = tag;
    return tag;
}

static void stage_buffer(struct stage *s, const struct buffer *b)
{
    uint8_t *tag = new_tag(s);
    uint32_t *copy = next_block(s);
    uint32_t flags = get_flags(tag);

    memcpy(copy, buffer_data(b), volume.block_size);
    if (*copy == swap32(JOURNAL_MAGIC)) { /* it must not look like a block of the journal's own */
        *copy = 0;
        flags |= TAG_ESCAPED;
    }
    if (journal.features & JOURNAL_CSUM_V3) {
        struct journal_tag3 *t = (void *)tag;

        t->block_hi = swap32((uint32_t)(b->block >> 32));
        t->checksum = swap32(journal_tag_sum(copy, running()));
    } else if (journal.features & JOURNAL_64BIT) {
        ((struct journal_tag *)tag)->block_hi = swap32((uint32_t)(b->block >> 32));
    }
    *(uint32_t *)tag = swap32((uint32_t)b->block);
    put_flags(tag, flags);
}

static void stage_revokes(struct stage *s)
{
    size_t size = journal.features & JOURNAL_64BIT ? 8 : 4;
    uint32_t n = 0;

    while (n < box->now.revokes) {
        uint8_t *block = next_block(s);
        size_t used = sizeof(struct journal_revoke);

        put_header(block, JOURNAL_REVOKE);
        for (; n < box->now.revokes && used + size <= usable(); n++, used += size) {
            uint64_t wide = __builtin_bswap64(box->revoke[n]);
            uint32_t narrow = swap32((uint32_t)box->revoke[n]);

            memcpy(block + used, size == 8 ? (void *)&wide : (void *)&narrow, size);
        }
        ((struct journal_revoke *)block)->bytes = swap32((uint32_t)used);
        close_block(block);
    }
}

static void stage_record(struct stage *s)
{
    struct journal_commit *c = next_block(s);
    uint64_t ns = time_now();

    put_header(c, JOURNAL_COMMIT);
    c->seconds = __builtin_bswap64(ns / 1000000000u);
    c->nanoseconds = swap32((uint32_t)(ns % 1000000000u));
    if (journal.features & JOURNAL_CSUM_V3)
        c->checksum[0] = swap32(journal_block_sum(c, offsetof(struct journal_commit, checksum)));
}

/*
 * A thousand blocks may be to be sealed and copied: in parts, between which only those are served
 * who change nothing. A successor begins anew, as the phase says nothing of it.
 */
enum staging_pass { SEAL_BITMAPS, SEAL_OTHERS, STAGE, STAGED };
static struct {
    bool begun;
    enum staging_pass pass;
    uint32_t at; /* buffer */
    struct stage stage;
} staging;

static void stage_one(uint32_t n)
{
    struct buffer *b = &buffers[n];
    bool is_bitmap = b->kind == KIND_BLOCK_BITMAP || b->kind == KIND_INODE_BITMAP;

    if (staging.pass == STAGE) {
        cache_mend(b);
        stage_buffer(&staging.stage, b);
        box->journal.member[box->journal.members++] = n;
    } else if (is_bitmap == (staging.pass == SEAL_BITMAPS)) {
        seal(b); /* bitmaps first: their checksums are in the descriptors */
    }
}

/* The counters go to the super block with each transaction. */
static long join_super(void)
{
    struct buffer *b;
    long result = block_get(volume.super_block, KIND_SUPER, 0, &b);
    struct ext4_super *s;

    if (result)
        return result;
    s = (void *)((uint8_t *)buffer_data(b) + volume.super_offset);
    super_put_counters(s, &box->now.counters);
    s->wtime = (uint32_t)(time_now() / 1000000000u);
    cache_changed(b);
    b->state = (b->state & ~(uint32_t)B_DIRTY) | B_RUNNING | B_CHECKED;
    return 0;
}

/* Some of it: true when that was all. */
static bool stage_some(void)
{
    for (; staging.pass < STAGED; staging.pass++, staging.at = 0)
        for (; staging.at < box->buffers; staging.at++) {
            if (!(buffers[staging.at].state & B_RUNNING))
                continue;
            if (turn_is_over())
                return false;
            stage_one(staging.at);
        }
    close_descriptor(&staging.stage);
    stage_record(&staging.stage);
    box->journal.staged = staging.stage.count;
    return true;
}

static bool stage_begin(void)
{
    if (join_super() != 0)
        return false; /* tried again when it has been read */
    staging = (typeof(staging)){.begun = true};
    box->journal.members = 0;
    stage_revokes(&staging.stage);
    return true;
}

/* Where the one in the stage lies in the journal. */
static uint32_t *place_of_stage(void)
{
    return &box->journal.begin[box->journal.committing % LIVE_MAX];
}

/* The next transaction begins. May be done again, by a successor. */
static void mark(void)
{
    struct journal_state *j = &box->journal;

    for (uint32_t n = 0; n < j->members; n++) {
        struct buffer *b = &buffers[j->member[n]];

        b->state &= ~(uint32_t)B_RUNNING;
        b->logged = SEQUENCE_IS | j->committing;
        b->changed = true; /* if it is being written just now, that is the old one */
    }
    *place_of_stage() = j->head;
    box->now.running = box->now.revokes = 0;
    j->sequence = j->committing + 1;
    box_fence(); /* a successor that finds the phase finds the rest */
    j->phase = COMMIT_WRITING;
}

static void begin(void)
{
    if (!staging.begun && (journal_room() <= STAGE_BLOCKS || journal_live() >= LIVE_MAX - 1)) {
        write_want(WRITE_ALL);
        return;
    }
    if (!staging.begun && !stage_begin())
        return;
    if (!stage_some()) {
        turn_again();
        return;
    }
    staging.begun = wanted = false;
    box->journal.committing = running();
    box_fence();
    box->journal.phase = COMMIT_MARKING;
    box_fence();
    mark();
    now = (typeof(now)){0};
    write_want(WRITE_ORDERED);
}

/* ---- writing it ---- */

static void ended(int error)
{
    now.pending--;
    if (error)
        journal_failed(error);
}

/* Blocks of the stage [next, end) to the journal. True: all have been posted. */
static bool post_stage(uint32_t end, bool fua)
{
    while (now.next < end) {
        uint32_t at = journal_next(*place_of_stage(), now.next);
        uint32_t n = journal_run(at, end - now.next);

        if (n > IO_BLOCKS_MAX)
            n = IO_BLOCKS_MAX;
        if (!io_write_memory(box_stage(now.next), journal_place(at), n, fua, ended))
            return false;
        now.pending++;
        now.next += n;
    }
    return true;
}

static void enter(enum commit_phase phase)
{
    box_fence();
    box->journal.phase = phase;
    now.posted = false;
}

static void step_writing(void)
{
    struct journal_state *j = &box->journal;

    if (post_stage(j->staged - 1, false) && now.pending == 0 && write_ordered_is_done())
        enter(COMMIT_FLUSHING);
}

static void step_flushing(void)
{
    if (!now.posted) {
        write_unflushed = false;
        now.posted = io_flush(ended);
        now.pending += now.posted;
    } else if (now.pending == 0) {
        now.next = box->journal.staged - 1;
        enter(COMMIT_RECORDING);
    }
}

static void step_recording(void)
{
    struct journal_state *j = &box->journal;

    if (!post_stage(j->staged, true) || now.pending)
        return;
    j->head = journal_next(*place_of_stage(), j->staged); /* all of it may be done again */
    j->committed = j->committing;
    op_freed_until(j->committed);
    enter(COMMIT_IDLE);
}

void commit_step(void)
{
    enum commit_phase before;

    do {
        before = box->journal.phase;
        if (box->has_error)
            return;
        switch (before) {
        case COMMIT_IDLE:
            if (wanted)
                begin();
            break;
        case COMMIT_MARKING:
            mark();
            break;
        case COMMIT_WRITING:
            step_writing();
            break;
        case COMMIT_FLUSHING:
            step_flushing();
            break;
        case COMMIT_RECORDING:
            step_recording();
            break;
        }
    } while (box->journal.phase != before);
}

bool commit_is_quiet(void)
{
    return box->journal.phase == COMMIT_IDLE && !has_something();
}

void commit_forget(void)
{
    now = (typeof(now)){0};
    staging.begun = wanted = false;
}

long commit_room(void)
{
    const struct journal_state *j = &box->journal;
    uint32_t taken = j->phase == COMMIT_IDLE ? 0 : j->staged;

    if (staging.begun)
        return miss_commit();

    /* Whoever is let in has a place in the journal: so a block of the running transaction, which
     * cannot be written in place, never stands in the way of the tail for good. */
    return journal_room() > STAGE_BLOCKS + taken && journal_live() < LIVE_MAX - 8 ? 0
                                                                                  : miss_commit();
}

/*
 * Whatever the predecessor has posted has ended by now. What it wanted to write nobody knows any
 * more: so everything is wanted that a commit could wait for, at once. (The alarm would do it, too,
 * but one who is killed more often than that never comes to it.)
 */
void commit_adopt(void)
{
    now = (typeof(now)){0};
    staging.begun = false;
    if (box->journal.phase == COMMIT_MARKING)
        mark(); /* before anything is changed for the next one */
    if (box->journal.phase == COMMIT_FLUSHING || box->journal.phase == COMMIT_RECORDING)
        box->journal.phase = COMMIT_WRITING;
    wanted = box->journal.phase != COMMIT_IDLE || has_something();
    work_is_wanted = true;
    if (!volume.read_only)
        write_want(WRITE_DATA);
}
