/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Order of stores. An undo entry is complete before undo_copies covers it, and covered before the
 * block is changed; op_done is stored after all changes. The compiler must not move them: hence the
 * fences. (The processor that reads them after a death is the same, or sees them in order: x86.)
 */
#include "servers/fs/ext4/box.h"

#include <errno.h>
#include <string.h>

#include "servers/fs/ext4/ext4.h"

struct box *box;
struct buffer *buffers;
static uint8_t *copies, *stage, *data;

/* ---- the memory ---- */

static size_t rounded(size_t n)
{
    return (n + 4095) & ~(size_t)4095;
}

/* Where things are; false when not even a few buffers fit. */
static bool lay_out(void *memory, size_t size, uint32_t block_size)
{
    size_t fixed = rounded(sizeof *box) + (size_t)(UNDO_COPIES + STAGE_BLOCKS) * block_size;
    size_t each = block_size + sizeof *buffers, count;

    if (size < fixed + 4096 + 64 * each)
        return false;
    count = (size - fixed - 4096) / each;
    box = memory;
    buffers = (struct buffer *)((uint8_t *)memory + rounded(sizeof *box));
    copies = (uint8_t *)buffers + rounded(count * sizeof *buffers);
    stage = copies + (size_t)UNDO_COPIES * block_size;
    data = stage + (size_t)STAGE_BLOCKS * block_size;
    return true;
}

static uint32_t buffer_count(size_t size, uint32_t block_size)
{
    size_t fixed = rounded(sizeof *box) + (size_t)(UNDO_COPIES + STAGE_BLOCKS) * block_size;

    return (uint32_t)((size - fixed - 4096) / (block_size + sizeof *buffers));
}

bool box_make(void *memory, size_t size, uint64_t mount, uint32_t block_size)
{
    if (!lay_out(memory, size, block_size))
        return false;
    box->magic = 0;
    box_fence();
    memset(memory, 0, (size_t)(copies - (uint8_t *)memory));
    box->mount = mount;
    box->size = size;
    box->block_size = block_size;
    box->buffers = buffer_count(size, block_size);
    box->version = BOX_VERSION;
    box_fence();
    box->magic = BOX_MAGIC;
    return true;
}

bool box_is_sound(const void *memory, size_t size, uint64_t mount)
{
    const struct box *b = memory;

    return b->magic == BOX_MAGIC && b->version == BOX_VERSION && b->mount == mount &&
           b->size == size &&
           (b->block_size == 1024 || b->block_size == 2048 || b->block_size == 4096) &&
           size > sizeof *b + (size_t)(UNDO_COPIES + STAGE_BLOCKS + 64) * b->block_size &&
           b->buffers == buffer_count(size, b->block_size) && b->undo_copies <= UNDO_COPIES &&
           b->undo_fresh <= UNDO_FRESH && b->now.revokes <= REVOKES_MAX &&
           b->now.freed <= FREED_MAX && b->before.revokes <= REVOKES_MAX &&
           b->before.freed <= FREED_MAX && b->journal.staged <= STAGE_BLOCKS &&
           b->journal.members <= STAGE_BLOCKS && b->is_mounted;
}

static bool undo_is_sound(void)
{
    for (uint32_t n = 0; n < box->undo_copies; n++)
        if (box->undo[n].buffer >= box->buffers)
            return false;
    for (uint32_t n = 0; n < box->undo_fresh; n++)
        if (box->fresh[n] >= box->buffers)
            return false;
    return true;
}

static void undo(void);

/* What was being read may not have come; what was being written is written again. */
static void forget_io(struct buffer *b)
{
    if (b->state & (B_READING | B_FAILED))
        b->state = 0;
    b->state &= ~(uint32_t)B_WRITING;
    if (b->state == 0)
        b->logged = b->ordered = 0;
}

bool box_adopt(void *memory, size_t size)
{
    uint32_t block_size = ((struct box *)memory)->block_size;

    if (!lay_out(memory, size, block_size) || !undo_is_sound())
        return false;
    for (uint32_t n = 0; n < box->buffers; n++) {
        forget_io(&buffers[n]);
        if (buffers[n].state && !(buffers[n].state & B_VALID))
            return false;
    }
    cache_rebuild();
    if (box->op_current != box->op_done) {
        undo();
        box_fence();
        box->op_current = box->op_done;
    }
    for (uint32_t n = 0; n < box->now.freed; n++) /* of the last operation, if it died before */
        if (box->freed[n].sequence == box->journal.sequence)
            cache_forget(box->freed[n].block, box->freed[n].count);
    return true;
}

void *buffer_data(const struct buffer *b)
{
    return data + (size_t)buffer_index(b) * box->block_size;
}

void *box_stage(uint32_t n)
{
    return stage + (size_t)n * box->block_size;
}

static void *undo_copy(uint32_t n)
{
    return copies + (size_t)n * box->block_size;
}

/* ---- operations ---- */

bool op_active(void)
{
    return box->op_current != box->op_done;
}

long op_room(void)
{
    /* descriptors and revokes have their blocks, too */
    uint32_t tags = box->block_size / sizeof(struct journal_tag3) - 2;
    uint32_t running = box->now.running + UNDO_COPIES;
    uint32_t extra = running / tags + 2 + (box->now.revokes + 64) / (box->block_size / 8 - 3) + 1;

    return running + extra + 2 > STAGE_BLOCKS ? miss_commit() : 0;
}

void op_begin(void)
{
    box->undo_copies = 0;
    box->undo_fresh = 0;
    box->before = box->now;
    box_fence();
    box->op_current = box->op_done + 1;
    box_fence();
}

/* At no moment it has blocks that neither had. */
static void freed_copy(struct freed *to, const struct freed *from)
{
    to->count = 0;
    box_fence();
    to->block = from->block;
    to->sequence = from->sequence;
    box_fence();
    to->count = from->count;
}

/* False: they do not lie side by side. At each moment all is in one of them, or in more. */
static bool join(struct freed *to, struct freed *f)
{
    bool follows = to->block + to->count == f->block, precedes = f->block + f->count == to->block;

    if (to->sequence != f->sequence || !(follows || precedes) || to->count + f->count < f->count)
        return false;
    if (follows) {
        to->count += f->count;
        return true;
    }
    f->count += to->count;
    box_fence();
    freed_copy(to, f);
    return true;
}

/* Files that are removed one after the other often lie so, too: the extents from `first` on are
 * joined with those that were freed shortly before. */
static void freed_join(uint32_t first)
{
    uint32_t kept = first;

    for (uint32_t n = first; n < box->now.freed; n++) {
        uint32_t last = kept < JOIN_MAX ? 0 : kept - JOIN_MAX, other = kept;

        while (other > last && !join(&box->freed[other - 1], &box->freed[n]))
            other--;
        if (other > last)
            continue;
        if (kept != n)
            freed_copy(&box->freed[kept], &box->freed[n]);
        kept++;
    }
    box_fence();
    box->now.freed = kept;
}

void op_commit(void)
{
    uint32_t first = box->before.freed;

    box_fence();
    box->op_done = box->op_current; /* this is the moment */
    box_fence();
    for (uint32_t n = first; n < box->now.freed; n++)
        cache_forget(box->freed[n].block, box->freed[n].count);
    freed_join(first);
}

static void undo(void)
{
    for (uint32_t n = box->undo_copies; n-- > 0;) {
        struct buffer *b = &buffers[box->undo[n].buffer];

        memcpy(buffer_data(b), undo_copy(n), box->block_size);
        cache_changed(b);
        b->state = (box->undo[n].state & ~(uint32_t)B_WRITING) | (b->state & B_WRITING);
        b->kind = box->undo[n].kind;
        b->seed = box->undo[n].seed;
    }
    for (uint32_t n = 0; n < box->undo_fresh; n++)
        cache_drop(&buffers[box->fresh[n]]);
    for (struct record *r = box->record; r < box->record + RECORDS; r++)
        if (r->op == box->op_current)
            r->op = 0;
    box->now = box->before;
}

void op_abort(void)
{
    undo();
    box_fence();
    box->op_current = box->op_done;
}

long block_change(struct buffer *b)
{
    uint32_t n = box->undo_copies;

    cache_mend(b); /* (the first time in the operation: then it has no code) */
    cache_changed(b);
    for (uint32_t i = 0; i < n; i++)
        if (box->undo[i].buffer == buffer_index(b))
            return 0;
    for (uint32_t i = 0; i < box->undo_fresh; i++)
        if (box->fresh[i] == buffer_index(b))
            return 0;
    if (n == UNDO_COPIES)
        return -EFBIG;
    memcpy(undo_copy(n), buffer_data(b), box->block_size);
    box->undo[n].buffer = buffer_index(b);
    box->undo[n].state = b->state;
    box->undo[n].kind = b->kind;
    box->undo[n].seed = b->seed;
    box_fence();
    box->undo_copies = n + 1;
    box_fence();
    if (!(b->state & B_RUNNING))
        box->now.running++;
    b->state = (b->state & ~(uint32_t)B_DIRTY) | B_RUNNING | B_CHECKED;
    b->changed = true; /* also if it is undone: what is being written may have some of it */
    return 0;
}

/* The buffer of a block that nobody used until now: empty, and gone again when the operation is
 * undone. */
static long fresh(uint64_t block, struct buffer **out)
{
    struct buffer *b = cache_find(block);

    if (b && (b->state & (B_WRITING | B_READING))) { /* of its former life */
        missing = (struct missing){MISSING_BLOCK, block};
        return EXT4_MISS;
    }
    if (box->undo_fresh == UNDO_FRESH)
        return -EFBIG;
    if (!b)
        b = cache_take(block);
    if (!b) {
        missing = (struct missing){.what = MISSING_MEMORY};
        return EXT4_MISS;
    }
    box->fresh[box->undo_fresh] = buffer_index(b);
    box_fence();
    box->undo_fresh++;
    box_fence();
    b->logged = b->ordered = 0; /* what the journal may have of it is revoked */
    memset(buffer_data(b), 0, box->block_size);
    cache_changed(b);
    *out = b;
    return 0;
}

long block_fresh(uint64_t block, enum kind kind, uint32_t seed, struct buffer **out)
{
    long result = fresh(block, out);

    if (result)
        return result;
    (*out)->kind = kind;
    (*out)->seed = seed;
    (*out)->state = B_VALID | B_RUNNING | B_CHECKED;
    box->now.running++;
    return 0;
}

long block_fresh_data(uint64_t block, struct buffer **out)
{
    long result = fresh(block, out);

    if (result)
        return result;
    (*out)->kind = KIND_DATA;
    (*out)->ordered = SEQUENCE_IS | box->journal.sequence;
    (*out)->state = B_VALID | B_DIRTY;
    return 0;
}

/* ---- what was freed ---- */

static bool is_revoked(uint64_t block)
{
    for (uint32_t n = box->now.revokes; n-- > 0;)
        if (box->revoke[n] == block)
            return true;
    return false;
}

long op_freed(uint64_t first, uint32_t count, bool is_metadata)
{
    if (box->now.freed == FREED_MAX || (is_metadata && count > REVOKES_MAX - box->now.revokes))
        return miss_commit();
    for (uint32_t i = 0; is_metadata && i < count; i++)
        if (!is_revoked(first + i))
            box->revoke[box->now.revokes++] = first + i;
    box->freed[box->now.freed] = (struct freed){first, count, box->journal.sequence};
    box_fence();
    box->now.freed++;
    return 0;
}

const struct freed *op_pending(uint64_t first, uint32_t count, uint32_t *n)
{
    while (*n < box->now.freed) {
        const struct freed *f = &box->freed[(*n)++];

        if (f->count && f->block < first + count && first < f->block + f->count)
            return f;
    }
    return NULL;
}

void op_freed_until(uint32_t sequence)
{
    uint32_t kept = 0;

    for (uint32_t n = 0; n < box->now.freed; n++)
        if ((int32_t)(box->freed[n].sequence - sequence) > 0) {
            if (kept != n)
                freed_copy(&box->freed[kept], &box->freed[n]);
            kept++;
        }
    box_fence();
    box->now.freed = kept;
}

/* ---- exactly once ---- */

void op_record(uint64_t id, const uint64_t answer[ANSWER_WORDS])
{
    struct record *r = &box->record[0];

    if (id == 0)
        return;
    for (struct record *other = box->record; other < box->record + RECORDS; other++) {
        if (other->id == id) {
            r = other;
            break;
        }
        if (other->op < r->op)
            r = other;
    }
    r->op = 0;
    box_fence();
    r->id = id;
    memcpy(r->answer, answer, sizeof r->answer);
    box_fence();
    r->op = box->op_current;
}

const uint64_t *op_recorded(uint64_t id)
{
    for (struct record *r = box->record; id && r < box->record + RECORDS; r++)
        if (r->id == id && r->op && r->op <= box->op_done)
            return r->answer;
    return NULL;
}
