/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests in the block queue. */
#include "servers/fs/ext4/io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/block/client.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/fs/ext4/disk.h"
#include "servers/fs/ext4/ext4.h"

enum { SLOTS_FOR_READS = 8 }; /* of all: writing leaves them */

/* What a request is; also its cookie, for a successor. */
enum job { JOB_READ = 1, JOB_WRITE, JOB_MEMORY, JOB_FLUSH };

struct disk disk;
static struct block_client client;
static struct slot {
    enum job job; /* 0: of a predecessor, about nothing that matters any more */
    int32_t first; /* buffer; more by next_io */
    void (*done)(int error);
} slots[BLOCK_SLOTS];
static int32_t waiting_first = -1, waiting_last = -1; /* buffers to be read */

/* ---- the queue ---- */

void disk_find_memory(void)
{
    const struct service_queue *where = &service_info()->queue;

    if (!where->address || where->size < BLOCK_BUFFERS_OFFSET)
        panic("no queue to the disk server");
    disk.memory = (uint8_t *)(uintptr_t)where->address + BLOCK_BUFFERS_OFFSET;
    disk.size = where->size - BLOCK_BUFFERS_OFFSET;
}

void disk_open(const char *device, bool wants_write, bool stays)
{
    const struct service_queue *where = &service_info()->queue;
    struct block_queue *q = (void *)(uintptr_t)where->address;

    block_client_open(&client, where);
    q->header.magic = BLOCK_QUEUE_MAGIC;
    snprintf(q->wanted, sizeof q->wanted, "%s", device);
    q->wants_write = wants_write;
    q->client = service_info()->self;
    if (!stays)
        queue_publish(&q->attach_wanted, q->attach_wanted + 1);
    queue_publish(&q->header.client_ready, 1);
    ipc_notify(where->client, NOTIFY_BIT(NOTIFY_BIT_PEER + where->number));
}

long disk_attached(void)
{
    const struct block_queue *q = client.queue;
    const struct block_unit *u = &q->unit[0];

    if (queue_read(&q->attach_done) != q->attach_wanted)
        return 0;
    if (q->attach_error)
        return -(long)q->attach_error;
    if (!(u->flags & BLOCK_UNIT_PRESENT))
        return -ENXIO;
    disk.bytes = u->sectors * BLOCK_SECTOR;
    disk.read_only = u->flags & BLOCK_UNIT_READ_ONLY;
    return 1;
}

static unsigned free_slots(void)
{
    return BLOCK_SLOTS - (unsigned)__builtin_popcount(client.used);
}

static struct block_request *begin(int *slot, enum job job, uint32_t operation)
{
    struct block_request *r;

    *slot = block_slot(&client);
    if (*slot < 0)
        return NULL;
    r = block_request(&client, *slot);
    memset(r, 0, offsetof(struct block_request, segment));
    r->operation = operation;
    r->cookie = job;
    slots[*slot] = (struct slot){.job = job, .first = -1};
    return r;
}

static uint64_t sector_of(uint64_t block)
{
    return block << (volume.block_shift - 9);
}

/* ---- reading ---- */

void io_read(struct buffer *b)
{
    int32_t index = (int32_t)buffer_index(b);

    b->state |= B_READING;
    b->next_io = -1;
    if (waiting_first < 0)
        waiting_first = index;
    else
        buffers[waiting_last].next_io = index;
    waiting_last = index;
}

/* The first that wait, as far as they lie in a row on the disk. */
static void post_reads(void)
{
    while (waiting_first >= 0) {
        struct buffer *b = &buffers[waiting_first], *last = NULL;
        struct block_request *r;
        uint32_t count = 0;
        int slot;

        r = begin(&slot, JOB_READ, BLOCK_READ);
        if (!r)
            return;
        slots[slot].first = waiting_first;
        r->sector = sector_of(b->block);
        while (b && count < IO_BLOCKS_MAX &&
               (!last || (b->block == last->block + 1 && !b->alone && !last->alone)) &&
               block_add(r, block_address(&client, buffer_data(b)), volume.block_size)) {
            last = b;
            count++;
            b = b->next_io < 0 ? NULL : &buffers[b->next_io];
        }
        waiting_first = last->next_io;
        last->next_io = -1;
        block_post(&client, slot, clock_now());
    }
}

/* ---- writing ---- */

uint32_t io_write(struct buffer *const list[], uint32_t count)
{
    struct block_request *r;
    uint32_t n = 0;
    int slot;

    if (free_slots() <= SLOTS_FOR_READS)
        return 0;
    r = begin(&slot, JOB_WRITE, BLOCK_WRITE);
    if (!r)
        return 0;
    r->sector = sector_of(list[0]->block);
    for (; n < count; n++) {
        struct buffer *b = list[n];

        if (!block_add(r, block_address(&client, buffer_data(b)), volume.block_size))
            break;
        b->state |= B_WRITING; /* compared when it has been written (write_has_ended()) */
        b->changed = false;
        b->issued = box->journal.sequence;
        b->next_io = -1;
        if (n)
            list[n - 1]->next_io = (int32_t)buffer_index(b);
    }
    slots[slot].first = (int32_t)buffer_index(list[0]);
    block_post(&client, slot, clock_now());
    return n;
}

bool io_write_memory(const void *memory, uint64_t block, uint32_t count, bool fua,
                     void (*done)(int error))
{
    struct block_request *r;
    int slot;

    r = begin(&slot, JOB_MEMORY, BLOCK_WRITE);
    if (!r)
        return false;
    r->sector = sector_of(block);
    r->flags = fua ? BLOCK_FUA : 0;
    slots[slot].done = done;
    block_add(r, block_address(&client, memory), count << volume.block_shift);
    block_post(&client, slot, clock_now());
    return true;
}

bool io_flush(void (*done)(int error))
{
    struct block_request *r;
    int slot;

    r = begin(&slot, JOB_FLUSH, BLOCK_FLUSH);
    if (!r)
        return false;
    slots[slot].done = done;
    block_post(&client, slot, clock_now());
    return true;
}

/* ---- what has ended ---- */

static void end(int slot)
{
    struct slot s = slots[slot];
    int error = block_error(block_status(&client, slot));
    bool is_single = s.first >= 0 && buffers[s.first].next_io < 0;

    block_free(&client, slot);
    slots[slot] = (struct slot){0};
    for (int32_t n = s.first, next; (s.job == JOB_READ || s.job == JOB_WRITE) && n >= 0; n = next) {
        next = buffers[n].next_io;
        buffers[n].next_io = -1;
        if (s.job == JOB_READ && error == EIO && !is_single) {
            buffers[n].state &= ~(uint32_t)B_READING; /* read again by who wants it, alone */
            buffers[n].alone = true;
        } else if (s.job == JOB_READ) {
            cache_has_read(&buffers[n], error);
        } else {
            write_has_ended(&buffers[n], error);
        }
    }
    if (s.done)
        s.done(error);
}

static uint64_t ended;

bool disk_serve(void)
{
    uint32_t done = block_finished(&client, clock_now());

    for (uint32_t rest = done; rest; rest &= rest - 1)
        end(__builtin_ctz(rest));
    ended += (uint64_t)__builtin_popcount(done);
    return done != 0;
}

uint64_t disk_ended(void)
{
    return ended;
}

bool disk_settle(void)
{
    const struct service_queue *where = &service_info()->queue;

    post_reads();
    if (block_kick(&client))
        ipc_notify(where->client, NOTIFY_BIT(NOTIFY_BIT_PEER + where->number));
    return block_settle(&client);
}

bool disk_is_quiet(void)
{
    return client.used == 0 && waiting_first < 0;
}

bool disk_has_orphans(void)
{
    for (uint32_t rest = client.used; rest; rest &= rest - 1)
        if (!slots[__builtin_ctz(rest)].job)
            return true;
    return false;
}

/* ---- what a predecessor has posted ---- */

/* The buffer whose memory lies at that place of the queue; NULL: none. */
static struct buffer *buffer_at(uint64_t address)
{
    uint64_t first = block_address(&client, buffer_data(&buffers[0]));
    uint64_t n = (address - first) >> volume.block_shift;

    return address >= first && (address - first) % volume.block_size == 0 && n < box->buffers
               ? &buffers[n]
               : NULL;
}

/* On adoption the buffers forget what was being read and written (box.c): a mark that is there
 * already is of another request for the same buffer, and neither can be believed. One that is being
 * written may have changed since that was posted: it is written once more. */
static bool adopt_slot(int k, const struct block_request *r)
{
    uint64_t block = r->sector >> (volume.block_shift - 9);
    struct buffer *last = NULL;

    slots[k] = (struct slot){.job = (enum job)r->cookie, .first = -1};
    for (uint32_t n = 0; n < r->segments && n < BLOCK_SEGMENTS; n++)
        for (uint32_t at = 0; at < r->segment[n].length; at += volume.block_size, block++) {
            struct buffer *b = buffer_at(r->segment[n].address + at);

            if (!b || (b->state & (B_READING | B_WRITING)))
                return false;
            if (b->state == 0) { /* nobody wants it any more, but it is on its way */
                b->block = block;
                b->state = r->cookie == JOB_READ ? B_READING : B_WRITING;
                cache_enter(b);
            } else if (r->cookie == JOB_WRITE && b->block == block) {
                b->state |= B_WRITING;
                b->changed = true;
            } else {
                return false;
            }
            b->next_io = -1;
            if (last)
                last->next_io = (int32_t)buffer_index(b);
            else
                slots[k].first = (int32_t)buffer_index(b);
            last = b;
        }
    return true;
}

bool disk_adopt(void)
{
    for (uint32_t rest = client.used; rest; rest &= rest - 1) {
        int k = __builtin_ctz(rest);
        const struct block_request *r = block_request(&client, k);

        if ((r->cookie == JOB_READ || r->cookie == JOB_WRITE) && !adopt_slot(k, r))
            return false;
    }
    return true;
}
