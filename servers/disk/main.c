/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw devices: what programs do with /dev/sda. */
#include <errno.h>
#include <fcntl.h>

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "abi/burner.h"
#include "abi/guard.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/attend.h"
#include "servers/disk/disk.h"

enum { CALLS_MAX = ENDPOINT_SLOTS /* as many as there may be programs */, AHEAD = 3 };
#define HDIO_GETGEO 0x0301
#define BLKIOMIN _IO(0x12, 120)
#define BLKIOOPT _IO(0x12, 121)
#define BLKALIGNOFF _IO(0x12, 122)
#define BLKPBSZGET _IO(0x12, 123) /* as in Linux; not in musl */
#define IDLE_NS 5000000ull /* of work, at most, between two looks at what has been asked */

/* A request that waits, or one that has waited and is run again. */
static struct call {
    struct message request; /* type 0: unused */
    uint64_t done; /* bytes */
    bool is_writing; /* the piece after `done` is on its way to the disk */
    struct job *flush;
    bool is_flushed;
    int error;
    uint32_t piece;
} calls[CALLS_MAX];
static struct call *running; /* it is being run again */

static struct call *call_keep(void)
{
    if (running)
        return running;
    for (struct call *c = calls; c < calls + CALLS_MAX; c++)
        if (!c->request.type) {
            *c = (struct call){0};
            return c;
        }
    return NULL;
}

/* What was kept under `running` is kept on when it must wait again. */
void calls_retry(void)
{
    for (struct call *c = calls; c < calls + CALLS_MAX; c++) {
        struct message request = c->request;

        if (!request.type)
            continue;
        running = c;
        c->request.type = 0;
        fs_retry(&request);
        running = NULL;
    }
}

static long later(struct call *c, const struct message *request)
{
    c->request = *request;
    return FS_LATER;
}

/* ---- reading and writing ---- */

struct span { /* what is to be done now, within one chunk */
    struct device *device;
    uint64_t byte; /* on the disk */
    uint32_t length;
};

/* 1: there is something to do; 0: at the end. */
static long span_of(uint64_t node, const struct fs_transfer *t, uint64_t done, struct span *s)
{
    struct partition p;
    uint64_t size, at = t->offset + done, left = t->length - done, room;

    s->device = device_of(node, &p);
    if (!s->device)
        return -ENXIO;
    if (!s->device->is_known && !unit_is_gone(s->device->adapter, s->device->unit))
        return FS_LATER; /* it may be one that is checked */
    size = p.sectors * BLOCK_SECTOR;
    if (left == 0 || at >= size)
        return 0;
    left = left < size - at ? left : size - at;
    s->byte = p.first * BLOCK_SECTOR + at;
    room = CHUNK_BYTES - s->byte % CHUNK_BYTES;
    s->length = (uint32_t)(left < room ? left : room);
    return 1;
}

static long result_of(uint64_t done, long error)
{
    return done ? (long)done : error;
}

static long wait_for_device(uint64_t done, const struct fs_transfer *t)
{
    struct call *call = call_keep();

    if (!call)
        return result_of(done, -EAGAIN);
    call->done = done;
    return later(call, t->request);
}

/* What comes next is begun while the first piece is still on its way, but never in all chunks: that
 * would take the one that is waited for. It is run again from here when something has come; what
 * the program has got is only in `done`. */
static long read_device(uint64_t node, struct fs_transfer *t)
{
    uint64_t done = running ? running->done : 0;
    struct span s;
    long more;

    while ((more = span_of(node, t, done, &s)) > 0) {
        uint64_t sector = s.byte / BLOCK_SECTOR;
        struct chunk *c;
        long error = chunk_get(s.device, sector, false, &c);

        if (error == 0 || error == FS_LATER)
            for (unsigned n = 1; n < s.device->adapter->chunks && /* one is being read */
                                 t->length - done + (AHEAD << 16) > n * CHUNK_BYTES;
                 n++)
                chunk_ahead(s.device, sector + n * CHUNK_SECTORS);
        if (error == FS_LATER) {
            struct call *call = call_keep();

            if (!call)
                return result_of(done, -EAGAIN);
            call->done = done;
            return later(call, t->request);
        }
        if (error == 0)
            error =
                copy_to(t->program, t->address + done, c->memory + s.byte % CHUNK_BYTES, s.length);
        if (error)
            return result_of(done, error);
        done += s.length;
    }
    if (more == FS_LATER)
        return wait_for_device(done, t);
    return result_of(done, more);
}

/* The device refuses what was written before. It is not even asked: this may be a call of a program
 * that VFS makes once more, since our predecessor has died over it. (While a request of that one is
 * under way there is no chunk, and nobody gets here.) */
static long check_once(const struct span *s)
{
    uint64_t block = unit_logical_size(s->device->adapter, s->device->unit), refused;

    if (s->byte % block || s->length % block)
        return -EINVAL;
    return s->byte / BLOCK_SECTOR == unit_next(s->device->adapter, s->device->unit, &refused)
               ? 0
               : -EIO;
}

/* The bytes of a span go into the chunk, and from there to the disk. */
static long write_span(const struct span *s, struct fs_transfer *t, uint64_t done,
                       struct chunk **out)
{
    uint64_t first = s->byte / BLOCK_SECTOR;
    uint64_t last = (s->byte + s->length + BLOCK_SECTOR - 1) / BLOCK_SECTOR;
    long error = chunk_get(s->device, first, s->length == CHUNK_BYTES, out);

    if (error)
        return error;
    if (unit_is_once(s->device->adapter, s->device->unit))
        error = check_once(s);
    if (error)
        return error;
    error =
        copy_from(t->program, t->address + done, (*out)->memory + s->byte % CHUNK_BYTES, s->length);
    if (error) {
        (*out)->state = CHUNK_EMPTY; /* half of it may have been copied */
        return error;
    }
    return chunk_write(*out, first, (uint32_t)(last - first));
}

/* Piece by piece, each waited for: what is acknowledged is with the device. The place to keep the
 * call in is taken first: without it a piece that is on its way could not be told from one that has
 * not begun. */
static long write_device(uint64_t node, struct fs_transfer *t)
{
    struct call *call = call_keep();
    struct span s;
    long more;

    if (!call)
        return -EAGAIN;
    while ((more = span_of(node, t, call->done, &s)) > 0) {
        struct chunk *c;
        long error;

        if (device_unit(s.device)->flags & BLOCK_UNIT_READ_ONLY)
            return result_of(call->done, -EROFS);
        if (call->is_writing) { /* has it arrived? */
            error = chunk_get(s.device, s.byte / BLOCK_SECTOR, false, &c);
            if (error == FS_LATER)
                return later(call, t->request);
            call->is_writing = false;
            if (error)
                return result_of(call->done, error);
            call->done += s.length;
            continue;
        }
        error = write_span(&s, t, call->done, &c);
        if (error == 0)
            call->is_writing = true;
        else if (error != FS_LATER)
            return result_of(call->done, error);
        return later(call, t->request);
    }
    if (more == FS_LATER)
        return later(call, t->request);
    return call->done || more < 0 || t->length == 0 ? result_of(call->done, more) : -ENOSPC;
}

/* ---- the rest ---- */

static void flushed(struct job *job, int error)
{
    for (struct call *c = calls; c < calls + CALLS_MAX; c++)
        if (c->flush == job) {
            c->flush = NULL;
            c->is_flushed = true;
            c->error = error;
        }
}

static long sync_device(uint64_t node, const struct message *request)
{
    struct call *call = call_keep();
    struct block_request *r;
    struct partition p;
    struct device *d = device_of(node, &p);

    if (!d || unit_is_gone(d->adapter, d->unit))
        return -ENXIO;
    if (!call)
        return -EAGAIN;
    if (call->is_flushed)
        return -call->error;
    if (!call->flush) {
        call->flush = adapter_begin(d->adapter, &r);
        if (call->flush) {
            r->operation = BLOCK_FLUSH;
            r->unit = d->unit;
            call->flush->done = flushed;
            call->flush = adapter_post(d->adapter, call->flush);
        }
    }
    return later(call, request);
}

static long put(endpoint_t program, uint64_t address, const void *value, size_t size)
{
    return copy_to(program, address, value, size);
}

static long ioctl_device(uint64_t node, uint64_t request, uint64_t argument, endpoint_t program)
{
    struct partition p;
    struct device *d = device_of(node, &p);
    uint64_t bytes = p.sectors * BLOCK_SECTOR, sectors = p.sectors;
    const struct block_unit *u;
    int value;

    if (!d)
        return -ENXIO;
    u = device_unit(d);
    switch ((uint32_t)request) {
    case BLKGETSIZE64:
        return put(program, argument, &bytes, sizeof bytes);
    case BLKGETSIZE:
        return put(program, argument, &sectors, sizeof sectors);
    case BLKSSZGET:
        value = (int)unit_logical_size(d->adapter, d->unit);
        return put(program, argument, &value, sizeof value);
    case BLKIOOPT:
    case BLKALIGNOFF:
        value = 0;
        return put(program, argument, &value, sizeof value);
    case BLKIOMIN:
    case BLKBSZGET:
    case BLKPBSZGET:
        value = (int)unit_logical_size(d->adapter, d->unit);
        value = value > (int)u->physical_size ? value : (int)u->physical_size;
        return put(program, argument, &value, sizeof value);
    case BLKROGET:
        value = !!(u->flags & BLOCK_UNIT_READ_ONLY);
        return put(program, argument, &value, sizeof value);
    case HDIO_GETGEO: { /* made up, as everywhere: disks have had no geometry for long */
        struct {
            uint8_t heads, sectors;
            uint16_t cylinders;
            uint64_t start;
        } geometry = {255, 63, (uint16_t)(p.sectors / (255 * 63)), p.first};

        return put(program, argument, &geometry, sizeof geometry);
    }
    case BURNER_GET_STATE: {
        struct burner_state state = {.block = unit_logical_size(d->adapter, d->unit)};

        if (!unit_is_once(d->adapter, d->unit))
            return -ENOTTY;
        state.next = unit_next(d->adapter, d->unit, &state.refused) * BLOCK_SECTOR;
        return put(program, argument, &state, sizeof state);
    }
    case GUARD_IS_CHECKED:
        return device_is_checked(d) ? 0 : -ENOTTY;
    case BLKFLSBUF: /* all is written through; but what is read from now on comes from the disk */
        chunks_forget(d->adapter, d->unit);
        return 0;
    case BLKRRPART:
        d->is_known = false;
        devices_look();
        return 0;
    default:
        return -ENOTTY;
    }
}

static long open_device(uint64_t node, uint32_t flags, uint64_t *use)
{
    struct partition p;
    struct device *d = device_of(node, &p);

    (void)use;
    if (!d)
        return -ENXIO;
    return (flags & O_ACCMODE) != O_RDONLY && (device_unit(d)->flags & BLOCK_UNIT_READ_ONLY)
               ? -EROFS
               : 0;
}

/* What VFS asks before a disk is mounted, when it may not be there (yet): `rdev` is its whole one. */
static long attributes(uint64_t node, struct fs_attributes *out)
{
    struct partition p;
    bool is_there = device_of(node, &p);
    uint64_t whole = device_whole(node);

    if (!whole)
        return devices_are_known() ? -ENXIO : -EAGAIN;
    *out = (struct fs_attributes){.mode = S_IFBLK | 0660,
                                  .links = 1,
                                  .rdev = whole,
                                  .size = is_there ? p.sectors * BLOCK_SECTOR : 0};
    return 0;
}

static long cancel(endpoint_t program)
{
    for (struct call *c = calls; c < calls + CALLS_MAX; c++)
        if (c->request.type && message_caller(&c->request) == program && !c->is_writing &&
            !c->flush) {
            c->request.type = 0;
            return 1;
        }
    return 0;
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        adapters_look();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        watch_look();
}

/*
 * Before every wait: what has ended meanwhile; then tell the drivers what is new. Who has waited
 * may want more at once, and nothing would begin that but the next notification, so it goes round
 * until nothing moves; but not for so long that RS takes it for a loop without end.
 */
static void idle(void)
{
    uint64_t end = clock_now() + IDLE_NS, again;
    unsigned rounds = 0;
    bool moves;

    do {
        moves = adapters_serve();
        volumes_look();
        moves |= volumes_serve();
        moves |= !volumes_settle();
        again = adapters_settle();
    } while ((moves || (again && ++rounds < ATTEND_ROUNDS)) && clock_now() < end);
    attend_again(again);
    if (moves)
        watch_soon();
    else
        watch_expect();
}

static long list(struct message *m)
{
    return device_list(m);
}

int main(void)
{
    static const struct service_entry more[] = {{DISK_LIST, list}};
    static const struct fs_operations operations = {
        .attributes = attributes,
        .open = open_device,
        .read = read_device,
        .write = write_device,
        .ioctl = ioctl_device,
        .sync = sync_device,
        .cancel = cancel,
        .notified = notified,
        .idle = idle,
        .more = more,
        .more_count = sizeof more / sizeof *more,
    };

    adapters_look();
    if (!devices_publish())
        panic("the name of a disk's driver (\"blk/8\") is published by somebody else");
    watch_look();
    fs_serve(&operations);
}
