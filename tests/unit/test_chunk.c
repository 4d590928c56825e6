/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/disk/chunk.c lib/block/client.c
// includes: servers/disk/volume.c
// flags: -Itests/unit/host
/*
 * Pieces of a disk in the disk server's memory, which raw devices read, while a file server writes to
 * the same disk. Requests take effect at any time between their posting and their end, in any order. A
 * program that reads must find at least what was written when it began: what fsck sees after an umount.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/disk/volume.c"

enum {
    PARTS = 8, /* of a chunk: each has a number for its contents */
    PART_SECTORS = CHUNK_SECTORS / PARTS,
    DISK_CHUNKS = 6, /* more than there is memory for */
    DISK_PARTS = DISK_CHUNKS * PARTS,
    FIRST = 2 * PART_SECTORS, /* of the file server's partition */
    QUEUE_BYTES = BLOCK_BUFFERS_OFFSET + CHUNKS_MAX * CHUNK_BYTES,
};

static struct adapter adapter;
static struct device disk = {.adapter = &adapter, .unit = 1, .is_known = true};
static struct volume server;
static uint32_t medium[DISK_PARTS]; /* the number that is there */
static uint32_t wanted[DISK_PARTS], ended_with[DISK_PARTS]; /* by the file server's writes */
static bool is_done[BLOCK_SLOTS]; /* by the device, which has not said so yet */
static uint32_t numbers;

/* ---- what volume.c and chunk.c stand on ---- */

struct job *adapter_begin(struct adapter *a, struct block_request **request)
{
    int slot = block_slot(&a->client);

    if (slot < 0)
        return NULL;
    *request = block_request(&a->client, slot);
    memset(*request, 0, sizeof **request);
    a->job[slot] = (struct job){0};
    return &a->job[slot];
}

struct job *adapter_post(struct adapter *a, struct job *job)
{
    a->client.used |= 1u << (job - a->job);
    is_done[job - a->job] = false;
    return job;
}

uint64_t unit_sectors(const struct adapter *a, unsigned unit)
{
    return DISK_CHUNKS * CHUNK_SECTORS;
}

uint32_t unit_logical_size(const struct adapter *a, unsigned unit)
{
    return BLOCK_SECTOR;
}

bool unit_is_gone(const struct adapter *a, unsigned unit)
{
    return false;
}

const struct block_unit *device_unit(const struct device *d)
{
    return &adapter.unit[d->unit];
}

struct device *device_of(uint64_t number, struct partition *part)
{
    return NULL;
}

bool devices_are_known(void)
{
    return true;
}

bool copies_are_there(const struct adapter *a)
{
    return false;
}

bool copy_is_possible(struct adapter *a)
{
    return false;
}

struct copy *copy_begin(struct adapter *a, const struct service_queue *from,
                        struct block_request *r)
{
    abort();
}

void copy_end(struct copy *c, int error)
{
    abort();
}

void block_device_open(struct block_device *d, const struct block_driver *driver,
                       volatile void *state, void *queue, uint64_t physical, uint64_t size)
{
}

int block_device_start(struct block_device *d, bool may_adopt, enum queue_driver_state *state)
{
    return 0;
}

bool block_device_serve(struct block_device *d)
{
    return false;
}

bool block_device_settle(struct block_device *d)
{
    return true;
}

void block_unit_set(struct block_device *d, unsigned n, const struct block_unit *unit)
{
}

uint64_t clock_now(void)
{
    return 0;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    return 0;
}

const struct service_info *service_info(void)
{
    return NULL;
}

void log_info(const char *format, ...)
{
}

/* ---- the disk ---- */

static uint32_t *parts_of(const struct block_request *r)
{
    return (uint32_t *)((uint8_t *)adapter.client.queue +
                        (r->segment[0].address - adapter.client.physical));
}

/* A part's number is the first word of its first sector; a file server's write is of one part, and
 * its number is in its cookie's place. */
static void takes_effect(int slot)
{
    struct block_request *r = block_request(&adapter.client, slot);
    uint64_t first = r->sector / PART_SECTORS;
    bool is_server = adapter.job[slot].volume != NULL;

    for (uint32_t n = 0; n < r->sectors / PART_SECTORS; n++) {
        uint32_t *here = is_server ? NULL : parts_of(r) + n * PART_SECTORS * (BLOCK_SECTOR / 4);

        if (is_server)
            medium[first + n] = wanted[first + n];
        else if (r->operation == BLOCK_READ)
            *here = medium[first + n];
        else
            medium[first + n] = *here;
    }
    is_done[slot] = true;
}

static void ends(int slot, int error)
{
    struct block_request *r = block_request(&adapter.client, slot);
    uint64_t first = r->sector / PART_SECTORS;

    if (!is_done[slot] && !error)
        takes_effect(slot);
    adapter.client.used &= ~(1u << slot);
    adapter.job[slot].done(&adapter.job[slot], error);
    if (adapter.job[slot].volume)
        ended_with[first] = wanted[first];
}

/* The only request that is under way but for those of `but`. */
static int request_but(uint32_t but)
{
    uint32_t used = adapter.client.used & ~but;

    assert_int_equal(__builtin_popcount(used), 1);
    return __builtin_ctz(used);
}

static bool is_written(unsigned part)
{
    for (unsigned slot = 0; slot < BLOCK_SLOTS; slot++)
        if (server.write[slot].sectors && server.write[slot].first / PART_SECTORS == part)
            return true;
    return false;
}

/* The file server has a part written: in its slot, the number of the part. */
static bool server_writes(unsigned part)
{
    struct block_request r = {
        .operation = BLOCK_WRITE, .sector = part * PART_SECTORS - FIRST, .sectors = PART_SECTORS};

    wanted[part] = ++numbers;
    return issue(&server.device, part % BLOCK_SLOTS, &r);
}

/* A program reads a part: what it finds must be as new as all that has ended. */
static bool reads(unsigned part)
{
    struct chunk *c;
    uint32_t found;

    if (chunk_get(&disk, part * PART_SECTORS, false, &c) != 0)
        return false;
    found = *(uint32_t *)(c->memory + part % PARTS * PART_SECTORS * BLOCK_SECTOR);
    if (found < ended_with[part])
        fail_msg("part %u has number %u, and %u was written before", part, found, ended_with[part]);
    return true;
}

static int begin(void **state)
{
    static _Alignas(4096) uint8_t queue[QUEUE_BYTES], servers[BLOCK_BUFFERS_OFFSET];

    memset(queue, 0, sizeof queue);
    memset(medium, 0, sizeof medium);
    memset(wanted, 0, sizeof wanted);
    memset(ended_with, 0, sizeof ended_with);
    adapter = (struct adapter){.client = {.queue = (struct block_queue *)queue,
                                          .physical = 0x100000,
                                          .size = QUEUE_BYTES}};
    chunks_make(&adapter);
    assert_int_equal(adapter.chunks, CHUNKS_MAX);
    server = (struct volume){.device.queue = (struct block_queue *)servers,
                             .disk = &disk,
                             .part = {FIRST, DISK_CHUNKS * CHUNK_SECTORS - FIRST}};
    numbers = 0;
    return 0;
}

/* ---- ---- */

enum { PART = 11 };

/* The device has read when the write comes, and says so when that has ended. */
static void test_write_during_a_read(void **state)
{
    int read, write;

    assert_false(reads(PART));
    read = request_but(0);
    takes_effect(read);
    assert_true(server_writes(PART));
    write = request_but(1u << read);
    ends(write, 0);
    ends(read, 0);
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(reads(PART));
}

/* The same; the read begins when the write is under way, and ends before it does. */
static void test_read_during_a_write(void **state)
{
    int read, write;

    assert_true(server_writes(PART));
    write = request_but(0);
    assert_false(reads(PART));
    read = request_but(1u << write);
    ends(read, 0);
    assert_true(reads(PART)); /* the old contents, as nobody was told that they are no more */
    ends(write, 0);
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(reads(PART));
}

/* A write that fails may have been done in part. */
static void test_write_that_fails(void **state)
{
    struct chunk *c;
    int write;

    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(server_writes(PART));
    write = request_but(0);
    takes_effect(write);
    ends(write, EIO);
    assert_int_equal(chunk_get(&disk, PART * PART_SECTORS, false, &c), FS_LATER);
}

/* Elsewhere nothing is forgotten: a program that reads gets on while files are written. */
static void test_write_elsewhere(void **state)
{
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(server_writes(PART + PARTS));
    ends(request_but(0), 0);
    assert_true(reads(PART));
}

/* As BLKFLSBUF, or another medium. */
static void test_all_is_forgotten(void **state)
{
    assert_false(reads(PART));
    takes_effect(request_but(0));
    chunks_forget(&adapter, disk.unit);
    medium[PART] = ended_with[PART] = ++numbers;
    ends(request_but(0), 0);
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(reads(PART));
    chunks_forget(&adapter, disk.unit + 1);
    assert_true(reads(PART));
    chunks_forget(&adapter, disk.unit);
    assert_false(reads(PART));
}

/* What a program's write has come to is told to it, whatever is forgotten meanwhile; that a read has
 * failed is no longer of interest. */
static void test_errors(void **state)
{
    struct chunk *c;

    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_int_equal(chunk_get(&disk, PART * PART_SECTORS, false, &c), 0);
    assert_int_equal(chunk_write(c, PART * PART_SECTORS, PART_SECTORS), 0);
    chunks_forget(&adapter, disk.unit);
    ends(request_but(0), EIO);
    chunks_forget(&adapter, disk.unit);
    assert_int_equal(chunk_get(&disk, PART * PART_SECTORS, false, &c), -EIO);
    assert_false(reads(PART));
    chunks_forget(&adapter, disk.unit);
    ends(request_but(0), EIO);
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(reads(PART));
}

/* The disk server dies during the write: its successor takes it over, and has read meanwhile. */
static void test_adopted_write(void **state)
{
    int write;

    assert_true(server_writes(PART));
    write = request_but(0);
    assert_int_equal(block_request(&adapter.client, write)->cookie,
                     cookie_of(&server, PART % BLOCK_SLOTS));
    adapter.orphans = 1u << write;
    memset(server.write, 0, sizeof server.write);
    memset(adapter.job, 0, sizeof adapter.job);
    assert_false(reads(PART));
    assert_int_equal(adapter.client.used,
                     1u << write); /* what that one does to memory is not known */
    assert_true(adopt(&server.device));
    assert_int_equal(adapter.orphans, 0);
    assert_false(reads(PART));
    ends(request_but(1u << write), 0);
    assert_true(reads(PART));
    ends(write, 0);
    assert_false(reads(PART));
    ends(request_but(0), 0);
    assert_true(reads(PART));
}

static void test_anything(void **state)
{
    unsigned found = 0, written = 0;

    srand(1);
    for (unsigned n = 0; n < 300000; n++) {
        unsigned part = (unsigned)rand() % DISK_PARTS;
        int slot = rand() % (int)BLOCK_SLOTS;
        bool is_used = adapter.client.used >> slot & 1;

        switch (rand() % 8) {
        case 0:
        case 1:
            found += reads(part);
            break;
        case 2:
            chunk_ahead(&disk, part * PART_SECTORS);
            break;
        case 3: /* one at a time for each slot, and so for each part */
            if (n % 4 == 0 && part * PART_SECTORS >= FIRST &&
                !server.write[part % BLOCK_SLOTS].sectors)
                written += server_writes(part);
            break;
        case 4:
        case 5:
            if (is_used && !is_done[slot])
                takes_effect(slot);
            break;
        default:
            if (is_used)
                ends(slot, 0);
        }
    }
    print_message("%u reads, %u writes\n", found, written);
    assert_true(found > 2000 && written > 2000);
    while (adapter.client.used)
        ends(__builtin_ctz(adapter.client.used), 0);
    for (unsigned part = 0; part < DISK_PARTS; part++) {
        assert_false(is_written(part));
        if (!reads(part))
            ends(request_but(0), 0);
        assert_true(reads(part));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_write_during_a_read, begin),
        cmocka_unit_test_setup(test_read_during_a_write, begin),
        cmocka_unit_test_setup(test_write_that_fails, begin),
        cmocka_unit_test_setup(test_write_elsewhere, begin),
        cmocka_unit_test_setup(test_all_is_forgotten, begin),
        cmocka_unit_test_setup(test_errors, begin),
        cmocka_unit_test_setup(test_adopted_write, begin),
        cmocka_unit_test_setup(test_anything, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
