/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A request that lacks something is kept as it came and run again from its beginning when that may
 * be there: no state but the message, and how far a write has got.
 */
#include "servers/fs/ext4/request.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rt/log.h"
#include "servers/fs/ext4/disk.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"

enum { KEPT_FIRST = 16 };

struct kept {
    struct message message; /* type 0: unused */
    struct missing missing;
    uint64_t locked; /* node that it writes to */
    uint64_t note;
    struct progress progress; /* of a request without a number */
    uint64_t order; /* they are run again in the order in which they came */
};

static struct kept *kept;
static uint32_t kept_count;
static uint64_t orders;

/* The request that is being handled. */
static struct {
    uint64_t id, before, locked, note, order;
    struct progress progress;
    struct kept *slot; /* it is being run again: where it is kept */
} now;

static bool moves_data(uint32_t type)
{
    return type == FILE_READ || type == FILE_WRITE || type == FILE_READ_VECTOR ||
           type == FILE_WRITE_VECTOR;
}

long request_begin(const struct message *m, uint64_t *node)
{
    const uint64_t *answer;

    cache_scrub();
    cache_run_begin();
    now.id = m->type >> FILE_NUMBER_SHIFT;
    now.before = 0;
    if (!now.slot) {
        turn_begin();
        now.locked = now.note = 0;
        now.progress = (struct progress){0};
        now.order = ++orders;
    }
    if (!mount_is_ready() && !mount_may_ask((uint32_t)m->type)) {
        missing.what = MISSING_MOUNT;
        return mount_error() ? mount_error() : FS_LATER;
    }
    if (turn_rests() && moves_data((uint32_t)m->type)) {
        missing.what = MISSING_PAUSE;
        return FS_LATER;
    }
    answer = box ? op_recorded(now.id) : NULL;
    if (!answer)
        return 0;
    *node = answer[0];
    now.progress = (struct progress){answer[1], answer[2]};
    return answer[2] ? 0 : 1; /* writes go on from where they were */
}

uint64_t request_id(void)
{
    return now.id;
}

uint64_t request_before(uint64_t length)
{
    uint64_t before = now.before;

    now.before += length;
    return before;
}

uint64_t request_read(uint64_t before)
{
    return now.progress.done > before ? now.progress.done - before : 0;
}

void request_has_read(uint64_t bytes)
{
    now.progress.done = bytes;
}

struct progress request_progress(void)
{
    return now.progress;
}

void request_record_progress(struct progress p)
{
    const uint64_t answer[ANSWER_WORDS] = {0, p.start, p.done};

    now.progress = p;
    op_record(now.id, answer);
}

uint64_t *request_note(void)
{
    return &now.note;
}

long request_lock(uint64_t node)
{
    for (struct kept *k = kept; k < kept + kept_count; k++)
        if (k->message.type && k != now.slot && k->locked == node && k->order < now.order) {
            missing = (struct missing){.what = MISSING_TURN};
            return EXT4_MISS;
        }
    now.locked = node;
    return 0;
}

/* ---- keeping ---- */

static struct kept *kept_free(void)
{
    uint32_t old = kept_count, count = old ? 2 * old : KEPT_FIRST;
    struct kept *more;

    for (struct kept *k = kept; k < kept + old; k++)
        if (k->message.type == 0)
            return k;
    more = realloc(kept, count * sizeof *more);
    if (!more)
        panic("no memory for one more request");
    memset(more + old, 0, (count - old) * sizeof *more);
    kept = more;
    kept_count = count;
    return kept + old;
}

void request_later(const struct message *m)
{
    struct kept *k = now.slot ? now.slot : kept_free();

    *k = (struct kept){.message = *m,
                       .missing = missing,
                       .locked = now.locked,
                       .note = now.note,
                       .progress = now.progress,
                       .order = now.order};
    if (missing.what == MISSING_MEMORY)
        write_want(WRITE_ALL);
    if (missing.what == MISSING_MEMORY || missing.what == MISSING_COMMIT)
        commit_want();
}

/* May it have what it waits for? */
static bool is_worth_it(const struct kept *k)
{
    const struct buffer *b;

    switch (k->missing.what) {
    case MISSING_BLOCK:
        b = cache_find(k->missing.block);
        return !b || !(b->state & (B_READING | B_WRITING)) ||
               (b->state & (B_VALID | B_READING)) == B_VALID;
    case MISSING_MOUNT:
        return mount_is_ready() || mount_error();
    case MISSING_PAUSE:
        return !turn_pauses();
    case MISSING_TURN:
    case MISSING_MEMORY:
    case MISSING_COMMIT:
    case MISSING_NOTHING:
        return true;
    }
    return true;
}

static void run(struct kept *k)
{
    struct message m = k->message;

    now.slot = k;
    now.locked = k->locked;
    now.note = k->note;
    now.progress = k->progress;
    now.order = k->order;
    k->missing.what = MISSING_NOTHING;
    k->message.type = 0;
    fs_retry(&m);
    now.slot = NULL;
}

/* In the order in which they came, which request_lock() relies on. When the turn is over the next
 * one begins behind the last that ran: else the first few, with much to do, would keep the others
 * from it for ever. One is run in any case, however late it is. */
bool requests_retry(void)
{
    static uint64_t had_turn; /* they have, up to that order; 0: it begins with the first */
    bool any = false, from_first = had_turn == 0;
    uint64_t after = had_turn;

    had_turn = 0;

    for (;;) {
        struct kept *next = NULL;

        for (struct kept *k = kept; k < kept + kept_count; k++)
            if (k->message.type && k->order > after && (!next || k->order < next->order))
                next = k;
        if (!next) {
            if (!from_first)
                turn_again();
            return any;
        }
        if (any && turn_is_over()) {
            had_turn = after;
            turn_again();
            return any;
        }
        after = next->order;
        if (is_worth_it(next)) {
            run(next);
            any = true;
        }
    }
}

long request_cancel(endpoint_t program)
{
    for (struct kept *k = kept; k < kept + kept_count; k++)
        if (k->message.type && message_caller(&k->message) == program) {
            k->message.type = 0;
            if (k->locked)
                orphan_can_go(k->locked);
            return FILE_CANCEL_REPEAT; /* it will be asked again: what it has done is remembered by
                                          its number */
        }
    return 0;
}

/* What they wait for comes from the disk in the end. */
long request_waits(endpoint_t program, uint64_t *moves)
{
    *moves = disk_ended();
    for (struct kept *k = kept; k < kept + kept_count; k++)
        if (k->message.type && message_caller(&k->message) == program)
            return 1;
    return 0;
}

bool requests_want(enum missing_what what)
{
    for (struct kept *k = kept; k < kept + kept_count; k++)
        if (k->message.type && k->missing.what == what)
            return true;
    return false;
}
