/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/disk/guard.c servers/disk/write.c servers/disk/mend.c
// sources: servers/disk/bounce.c lib/block/client.c
/*
 * Checked disks: lies of a driver, and power failures. The disk below has a volatile cache;
 * several operations are under way at once, and requests end in any order. When the power fails any
 * part of what was not flushed is there, and of blocks that are being written as well: then each
 * block must have one of its two sums, and be the contents of the last flush or later ones.
 */
#include <setjmp.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "servers/disk/operation.h"

enum { BLOCKS = 1100, MEMORY = 0x600000, WORK = 0x20000, LENT_AT = 0x500000, FILES_AT = 0x200000 };
enum { ASKED_MAX = 5, AREA = 0x10000, MOST = 12 /* blocks of one */ };

static struct adapter adapter;
static uint8_t *memory, medium[BLOCKS][INTEGRITY_BLOCK], cached[BLOCKS][INTEGRITY_BLOCK];
static struct integrity_header header;
static struct guard *guard;
static unsigned complaints, ended;
static int last_error;
static struct asked {
    bool is_open, is_flush;
    uint64_t block;
    uint32_t count, value;
} asked[ASKED_MAX];
static uint32_t arrived[BLOCKS]; /* by block: the newest whose write has ended */
static uint32_t promised[BLOCKS], flushed[BLOCKS]; /* at the last flush: begun, ended */
static unsigned notes_written;
static struct service_queue files; /* a file server's memory */
static bool drops; /* the driver says that it has written */
static int64_t misplaces; /* by so many blocks */

void panic(const char *format, ...)
{
    abort();
}

void log_info(const char *format, ...)
{
}

void service_complain(const char *name, endpoint_t of, enum rs_complaint why)
{
    assert_int_equal(why, COMPLAINT_DATA);
    complaints++;
}

uint8_t *chunks_lend(struct adapter *a)
{
    return NULL;
}

struct job *adapter_begin(struct adapter *a, struct block_request **request)
{
    if (a->client.used == ~0u)
        return NULL;
    *request = &a->client.request[__builtin_ctz(~a->client.used)];
    memset(*request, 0, sizeof **request);
    return &a->job[__builtin_ctz(~a->client.used)];
}

void adapter_post_raw(struct adapter *a, struct job *job)
{
    a->client.used |= 1u << (job - a->job);
}

/* One of the requests ends. False: there is none. */
static bool end_one(void)
{
    uint32_t used = adapter.client.used;
    int k = rand() % 32;

    if (!used)
        return false;
    while (!(used >> k & 1))
        k = (k + 1) % 32;
    {
        const struct block_request *r = &adapter.client.request[k];
        uint64_t at = r->sector / GUARD_SECTORS;

        if (r->operation == BLOCK_FLUSH)
            memcpy(medium, cached, sizeof medium);
        for (uint32_t i = 0; i < r->segments; i++) {
            uint8_t *data = memory + (r->segment[i].address - adapter.client.physical);
            uint32_t bytes = r->segment[i].length;

            if (r->operation == BLOCK_READ)
                memcpy(data, cached[at], bytes);
            else if (!drops || r->flags & BLOCK_FUA)
                memcpy(cached[at + (r->flags & BLOCK_FUA ? 0 : (uint64_t)misplaces)], data, bytes);
            if (r->flags & BLOCK_FUA)
                memcpy(medium[at], data, bytes);
            at += bytes / INTEGRITY_BLOCK;
        }
        notes_written += r->flags & BLOCK_FUA ? 1 : 0;
    }
    adapter.client.used &= ~(1u << k);
    adapter.job[k].done(&adapter.job[k], 0);
    return true;
}

static void done(struct job *job, int error)
{
    struct asked *q = &asked[job->slot];

    ended++;
    last_error = error;
    q->is_open = false;
    if (q->is_flush)
        memcpy(flushed, promised, sizeof flushed);
    for (uint32_t i = 0; i < q->count; i++)
        arrived[q->block + i] = q->value;
}

/* In the memory of the disk server, or of a file server, which it may change meanwhile. */
static void ask_in(unsigned slot, bool is_file, uint32_t operation, uint64_t block, uint32_t count)
{
    uint64_t at = (is_file ? FILES_AT : WORK) + slot * AREA;
    struct block_request r = {.operation = operation, .sector = block * GUARD_SECTORS};
    struct job job = {.done = done, .slot = slot, .memory = is_file ? &files : NULL};

    asked[slot].is_open = true;
    asked[slot].is_flush = operation == BLOCK_FLUSH;
    asked[slot].count = 0;
    if (operation == BLOCK_FLUSH)
        memcpy(promised, arrived, sizeof promised);
    if (count)
        block_add(&r, adapter.client.physical + at, count * INTEGRITY_BLOCK);
    guard_post(guard, &adapter, &job, &r);
}

static void ask(uint32_t operation, uint64_t block, uint32_t count)
{
    ask_in(0, false, operation, block, count);
}

static void step_all(void)
{
    while (guards_serve())
        ;
}

/* At most so many requests end. True: something that was asked for has, too. */
static bool run(unsigned most)
{
    unsigned before = ended;

    while (ended == before) {
        step_all();
        if (ended != before)
            break;
        if (most-- == 0)
            return false;
        assert_true(end_one());
    }
    return true;
}

static int perform(uint32_t operation, uint64_t block, uint32_t count)
{
    ask(operation, block, count);
    assert_true(run(1000000));
    return last_error;
}

/* What a power failure has cut short. */
static void forget(void)
{
    for (struct guard_op *op = guard->first, *next; op; op = next) {
        next = op->next;
        free(op);
    }
    guard->first = NULL;
    guard->end = &guard->first;
    guard->writing = guard->moving = 0;
    guard->flushing = NULL;
    for (unsigned k = 0; k < BLOCK_SLOTS; k++)
        if (adapter.client.used >> k & 1 && adapter.job[k].note) {
            if (--adapter.job[k].note->pending == 0)
                free(adapter.job[k].note);
        }
    adapter.client.used = 0;
    memset(asked, 0, sizeof asked);
}

static void begin(void)
{
    static const uint8_t uuid[16] = "a disk of a test";

    if (!memory)
        memory = aligned_alloc(4096, MEMORY);
    memset(memory, 0, MEMORY);
    memset(cached, 0, sizeof cached);
    integrity_header_make(&header, uuid, 0, 1, BLOCKS);
    assert_true(integrity_header_is_right(&header, BLOCKS) && header.data > 1000);
    if (!guard)
        guard = guard_new(&header);
    forget();
    adapter = (struct adapter){.notes = memory + LENT_AT,
                               .bounce = memory + LENT_AT + NOTES_MAX * INTEGRITY_BLOCK};
    files = (struct service_queue){.address = (uint64_t)(uintptr_t)memory + FILES_AT,
                                   .physical = FILES_AT};
    adapter.client.queue = (struct block_queue *)memory;
    adapter.unit[0].flags = BLOCK_UNIT_PRESENT;
    adapter.client.incarnation = 1;
    memset(guard->flags, 0, header.data);
    memset(guard->state, 0, integrity_notes(&header) * sizeof *guard->state);
    for (uint64_t n = 0; n < integrity_notes(&header); n++) {
        integrity_note_make(&header, n, &guard->note[n]);
        memcpy(cached[integrity_note_at(&header, n, 1)], &guard->note[n], INTEGRITY_BLOCK);
    }
    memcpy(medium, cached, sizeof medium);
    guard->member[0] = (struct guard_member){.adapter = &adapter};
    guard->is_active = true;
    memset(arrived, 0, sizeof arrived);
    memset(promised, 0, sizeof promised);
    memset(flushed, 0, sizeof flushed);
    complaints = notes_written = 0;
    drops = false;
    misplaces = 0;
}

static void fill_at(uint64_t at, uint32_t count, uint32_t value)
{
    for (uint32_t i = 0; i < count * INTEGRITY_BLOCK / 4; i++)
        ((uint32_t *)(memory + at))[i] = value;
}

static void fill(uint32_t count, uint32_t value)
{
    fill_at(WORK, count, value);
}

static void test_lies(void **state)
{
    begin();
    assert_int_equal(perform(BLOCK_READ, 5, 3), 0); /* never written: zeros */
    assert_int_equal(memory[WORK], 0);
    fill(4, 7);
    assert_int_equal(perform(BLOCK_WRITE, 508, 4), 0); /* of two notes */
    fill(4, 0);
    assert_int_equal(perform(BLOCK_READ, 508, 4), 0);
    assert_int_equal(memory[WORK + 3 * INTEGRITY_BLOCK], 7);
    cached[1 + 509][4000] ^= 16;
    assert_int_equal(perform(BLOCK_READ, 508, 1), 0);
    assert_int_equal(perform(BLOCK_READ, 508, 4), EIO);
    assert_int_equal(complaints, 1);
    fill(1, 9);
    assert_int_equal(perform(BLOCK_WRITE, 509, 1), 0);
    assert_int_equal(perform(BLOCK_READ, 508, 4), 0);
    drops = true;
    fill(1, 10);
    assert_int_equal(perform(BLOCK_WRITE, 509, 1), 0);
    assert_int_equal(perform(BLOCK_READ, 509, 1), EIO);
    drops = false;
    misplaces = 1;
    fill(1, 11);
    assert_int_equal(perform(BLOCK_WRITE, 509, 1), 0);
    misplaces = 0;
    assert_int_equal(perform(BLOCK_READ, 509, 1), EIO);
    assert_int_equal(perform(BLOCK_READ, 510, 1), EIO);
    assert_int_equal(perform(BLOCK_READ, 511, 1), 0);
}

/* A file server changes its memory while it is being written: what is written is what has the sum.
 */
static void test_changes(void **state)
{
    begin();
    fill(2, 7);
    memcpy(memory + FILES_AT, memory + WORK, 2 * INTEGRITY_BLOCK);
    ask_in(0, true, BLOCK_WRITE, 9, 2);
    step_all();
    memset(memory + FILES_AT, 1, 2 * INTEGRITY_BLOCK);
    assert_true(run(1000) && last_error == 0);
    ask_in(0, true, BLOCK_READ, 9, 2);
    assert_true(run(1000) && last_error == 0);
    assert_int_equal(memory[FILES_AT], 7);
    cached[1 + 10][17] ^= 1; /* what is wrong is not handed on there either */
    ask_in(0, true, BLOCK_READ, 9, 2);
    assert_true(run(1000) && last_error == EIO);
}

/* What comes together shares its notes, and is under way together. */
static void test_together(void **state)
{
    begin();
    for (unsigned i = 0; i < ASKED_MAX; i++)
        ask_in(i, i & 1, BLOCK_WRITE, 20 + 10 * i, 5);
    step_all();
    assert_int_equal(adapter.client.used & (adapter.client.used - 1), 0); /* one note */
    end_one();
    step_all();
    end_one(); /* the note again: with the sums of those that came after the first */
    while (ended < ASKED_MAX)
        assert_true(run(1000) && last_error == 0);
    assert_in_range(notes_written, 1, 2);
    ended = 0;
    assert_int_equal(perform(BLOCK_FLUSH, 0, 0), 0);
    for (unsigned i = 0; i < ASKED_MAX; i++)
        assert_int_equal(perform(BLOCK_READ, 20 + 10 * i, 5), 0);
}

/* After the power has failed: each block is what one of its sums says, and not older than the
 * flush. */
static void check_all(const uint32_t *newest, unsigned round)
{
    static struct integrity_note note, other;

    for (uint64_t b = 0; b < header.data; b++) {
        const struct integrity_entry *e = &note.entry[b % NOTE_ENTRIES];
        uint64_t number = b / NOTE_ENTRIES;
        const uint8_t *data = medium[integrity_data_at(b)];
        uint32_t sum = integrity_sum(&header, b, data), value;

        if (b % NOTE_ENTRIES == 0) {
            memcpy(&note, medium[integrity_note_at(&header, number, 0)], sizeof note);
            memcpy(&other, medium[integrity_note_at(&header, number, 1)], sizeof other);
            if (!integrity_note_is_right(&header, number, &note) ||
                (integrity_note_is_right(&header, number, &other) &&
                 other.generation > note.generation))
                note = other;
            assert_true(integrity_note_is_right(&header, number, &note));
        }
        memcpy(&value, data, sizeof value);
        if (value < flushed[b] || value > newest[b])
            fail_msg("round %u: block %u has contents of no time", round, (unsigned)b);
        if (value && sum != e->now && sum != e->before)
            fail_msg("round %u: block %u has a sum of no time", round, (unsigned)b);
        if (value == 0 && e->now && e->before)
            fail_msg("round %u: block %u is lost", round, (unsigned)b);
    }
}

/* Of what is asked for, at random, nothing overlaps what is under way. */
static bool ask_something(uint32_t n, uint32_t *newest)
{
    uint64_t block = (uint64_t)rand() % (rand() % 2 ? 1000 : 20);
    uint32_t count = 1 + (uint32_t)rand() % MOST;
    bool is_file = rand() & 1;
    unsigned slot = 0;

    while (slot < ASKED_MAX && asked[slot].is_open)
        slot++;
    if (slot == ASKED_MAX)
        return false;
    if (rand() % 6 == 0) {
        ask_in(slot, false, BLOCK_FLUSH, 0, 0);
        return true;
    }
    count = block + count > header.data ? 1 : count;
    for (const struct asked *q = asked; q < asked + ASKED_MAX; q++)
        if (q->is_open && block < q->block + q->count && q->block < block + count)
            return false;
    fill_at((is_file ? FILES_AT : WORK) + slot * AREA, count, n);
    for (uint32_t i = 0; i < count; i++)
        newest[block + i] = n;
    ask_in(slot, is_file, BLOCK_WRITE, block, count);
    asked[slot].block = block;
    asked[slot].count = count;
    asked[slot].value = n;
    return true;
}

/* Blocks are written whole, or not at all; one that is being written is torn if it is a note's:
 * that is what its other place is for. */
static void tear(void)
{
    for (uint32_t k = 0; k < 32; k++) {
        const struct block_request *r = &adapter.client.request[k];
        uint64_t at = r->sector / GUARD_SECTORS;

        if (!(adapter.client.used >> k & 1) || r->operation != BLOCK_WRITE)
            continue;
        for (uint32_t i = 0; i < r->segments; i++) {
            uint32_t bytes =
                r->flags & BLOCK_FUA ? (uint32_t)rand() % 9 * 512 : r->segment[i].length;

            memcpy(r->flags & BLOCK_FUA ? medium[at] : cached[at], memory + r->segment[i].address,
                   bytes);
            at += r->segment[i].length / INTEGRITY_BLOCK;
        }
    }
}

static void test_power_failures(void **state)
{
    static uint32_t newest[BLOCKS];

    srand(3);
    for (unsigned round = 0; round < 300; round++) {
        unsigned life = 40 + (unsigned)rand() % 300;

        begin();
        memset(newest, 0, sizeof newest);
        for (uint32_t n = 1; n < life; n++) {
            if (rand() % 3 == 0)
                ask_something(n, newest);
            else
                end_one();
            if (rand() % 4)
                step_all();
        }
        tear();
        for (uint64_t b = 0; b < header.data; b++)
            if (rand() % 2)
                memcpy(medium[integrity_data_at(b)], cached[integrity_data_at(b)], INTEGRITY_BLOCK);
        check_all(newest, round);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lies), cmocka_unit_test(test_changes),
                                       cmocka_unit_test(test_together),
                                       cmocka_unit_test(test_power_failures)};
    int failed = cmocka_run_group_tests(tests, NULL, NULL);

    forget();
    free(memory);
    return failed;
}
