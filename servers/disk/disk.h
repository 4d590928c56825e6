/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk server: the client of all disk drivers. It knows nothing that it could not find out
 * again, so it is simply started anew when it dies.
 *
 *     adapter.c    the drivers' queues, requests that they carry out
 *     driver.c     what RS says of them
 *     watch.c      whether they get anywhere (stall.h)
 *     news.c       whether what they say can be believed (doubt.h)
 *     device.c     disks and their partitions, by name and number
 *     partition.c  partition tables
 *     chunk.c      pieces of disks in memory, for the raw devices
 *     dma.c        whether their devices have moved what they say
 *     volume.c     the queues of file servers, passed on to the drivers
 *     copy.c       buffers for the drivers that reach no other memory
 *     guard.c      disks whose blocks are checked (guard.h)
 *     write.c      writing to them
 *     mend.c       reading from them
 *     bounce.c     memory for both
 *     load.c       finding those
 *     main.c       what programs ask of raw devices
 *
 * Requests of programs that must wait are kept, and run again from their beginning (with the bytes
 * that are done already skipped) whenever a request to a disk has ended.
 */
#ifndef DISK_DISK_H
#define DISK_DISK_H

#include "abi/proto/disk.h"
#include "lib/block/client.h"
#include "lib/fs/fs.h"
#include "servers/disk/doubt.h"
#include "servers/disk/partition.h"
#include "servers/disk/stall.h"

#define CHUNK_BYTES 0x40000u
#define CHUNK_SECTORS (CHUNK_BYTES / BLOCK_SECTOR)
#define CHUNKS_MAX 4
#define CHUNKS_LENT 2 /* of them to a guard */
#define COPIES_MAX 2
#define NOTES_MAX 16 /* of 4 kB */
#define BOUNCE_MAX (CHUNKS_LENT * CHUNK_BYTES / 4096 - NOTES_MAX)

struct adapter;

enum chunk_state { CHUNK_EMPTY, CHUNK_READING, CHUNK_WRITING, CHUNK_VALID, CHUNK_FAILED };

struct chunk { /* CHUNK_BYTES of a disk, or as much as there is before its end */
    struct adapter *adapter;
    uint8_t *memory;
    uint32_t state; /* enum chunk_state */
    uint32_t unit;
    uint64_t number; /* of CHUNK_BYTES each */
    uint64_t used; /* when: grows */
    int error; /* CHUNK_FAILED: errno */
    bool is_write; /* its last request was one: who waits for that must hear of an error */
    bool is_stale; /* it was forgotten while it was moving: not valid when that ends */
};

struct copy { /* a buffer of BLOCK_TRANSFER_MAX bytes */
    uint8_t *memory; /* NULL: there is none */
    bool is_used;
    uint8_t *queue; /* of the file server, here ... */
    uint64_t physical; /* ... and as its requests name it */
    struct block_request request; /* the file server's */
};

struct adapter { /* a driver and its queue */
    struct service_queue place;
    struct block_client client;
    struct chunk chunk[CHUNKS_MAX];
    unsigned chunks;
    struct copy copy[COPIES_MAX];
    uint8_t *notes, *bounce; /* a guard's: NOTES_MAX blocks, BOUNCE_MAX blocks; NULL: none */
    uint32_t notes_used;
    bool bounce_used[BOUNCE_MAX];
    struct job { /* a request in a slot */
        void (*done)(struct job *job, int error);
        struct chunk *chunk;
        struct volume *volume; /* whose slot this is ... */
        unsigned slot;
        struct copy *copy;
        const struct service_queue *memory; /* it moves this one's memory; NULL: the adapter's */
        struct guard_op *op; /* a request of the guard's own ... */
        struct note_write *note; /* ... or of this ... */
        unsigned member; /* ... to this disk of it */
        unsigned tries, late; /* late: how often its driver has been complained of */
        uint64_t unsure_ns; /* clock: since when it is done again for that; 0: never yet */
        uint64_t burnt; /* of a write that stays: the sector that it has got to */
        uint32_t doubted; /* incarnation whose news of it was kept back; 0: none */
        bool is_elsewhere, was_elsewhere; /* it asks for another place than that wanted: ... */
        bool was_well_elsewhere;
        uint64_t sector, cookie; /* ... which was this */
        uint32_t status; /* and this had become of it */
    } job[BLOCK_SLOTS];
    struct block_unit unit[BLOCK_UNITS]; /* as we believe them to be; the generation is ours */
    uint32_t unit_doubted[BLOCK_UNITS]; /* incarnation that says otherwise */
    uint64_t good[BLOCK_UNITS]; /* a place that was read well of late ... */
    uint32_t good_sectors[BLOCK_UNITS], good_age[BLOCK_UNITS]; /* ... and how much; 0: none */
    struct doubt doubt;
    struct stall stall;
    uint32_t seen; /* incarnation of the driver, ... */
    uint64_t fresh_ns; /* ... since when */
    bool is_reset; /* it has set its device up anew */
    uint32_t ended; /* requests to the disks, and steps of writes that stay */
    struct job *probe; /* a question to the driver; NULL: none */
    uint32_t orphans; /* slots that a predecessor has posted */
    uint32_t refused; /* as the queue's header said last */
    uint32_t unsure; /* slots whose transfer may have been refused */
    uint32_t stopped; /* held ones that wait until that can be known */
    bool is_gone; /* the driver will not come back */
};
#define LATE_MAX 3 /* deadlines, until a request is given up with the next reset */
#define ADAPTERS_MAX 24
extern struct adapter *adapters[ADAPTERS_MAX];

struct device { /* a disk and its partitions */
    struct adapter *adapter;
    unsigned unit;
    uint32_t generation; /* of the medium whose table was read */
    bool is_known; /* the partitions have been read */
    bool is_mirror; /* of another one, or a copy: not shown */
    bool is_ill; /* the same, since its headers cannot be read: until its driver comes anew */
    uint32_t major, minor; /* of the whole disk */
    char name[12];
    struct partition partition[PARTITIONS_MAX];
};

/* ---- adapter.c ---- */
void adapters_look(void); /* RS has something new */
bool adapters_serve(void); /* requests that have ended; true: something has moved */
uint64_t adapters_settle(void); /* attend_again() */
/* Post the request that fill() writes. False: no slot just now. */
struct job *adapter_begin(struct adapter *a, struct block_request **request);
/* The job that done() will get: another one on a disk that is checked. */
struct job *adapter_post(struct adapter *a, struct job *job);
void adapter_post_raw(struct adapter *a, struct job *job); /* to the disk itself */
/* What is written to the unit stays. */
static inline bool unit_is_once(const struct adapter *a, unsigned unit)
{
    return a->unit[unit].flags & BLOCK_UNIT_ONCE;
}
/* A write to such a one: whatever has become of it. */
static inline bool adapter_must_not_repeat(struct adapter *a, int slot)
{
    const struct block_request *r = block_request(&a->client, slot);

    return r->operation == BLOCK_WRITE && unit_is_once(a, r->unit % BLOCK_UNITS);
}

/* ---- dma.c ---- */
void dma_look(void); /* there may be an IOMMU */
/* Of the slots that are done those whose transfer may have been refused. Once for all that
 * block_finished() gave, after it. */
uint32_t dma_doubtful(struct adapter *a);
/* One of those is kept until it can be done once more; false: it must not, or not any more. */
bool dma_repeats(struct adapter *a, int slot, uint64_t now);
void dma_go_on(struct adapter *a, uint64_t now); /* with what is kept, should it be time */
/* Slots that are kept. (A fresh driver has been given all that was held.) */
static inline uint32_t dma_stopped(const struct adapter *a)
{
    return a->stopped & a->client.held;
}

/* ---- driver.c ---- */
bool driver_is_gone(const struct adapter *a); /* for good */
bool driver_is_away(const struct adapter *a); /* another one than that which we know is to come */

/* ---- watch.c ---- */
void watch_look(void); /* the alarm: requests that take too long */
void watch_expect(void); /* before every wait */
void watch_soon(void); /* come back at once */
void watch_driver(struct adapter *a); /* it may be a fresh one */
void watch_ended(struct adapter *a, int slot, uint64_t now); /* a request that is not tried again */

/* ---- news.c ---- */
void news_of_units(struct adapter *a); /* the queue's units may have changed */
/* A request has ended; true: with that status, which may be told. */
bool news_of_request(struct adapter *a, int slot, uint32_t *status);
void news_ask_again(struct adapter *a); /* what was kept back */
bool news_are_late(struct adapter *a, uint64_t now); /* no fresh driver came to be asked */

/* ---- chunk.c ---- */
void chunks_make(struct adapter *a);
/*
 * The chunk with that sector: 0 and *out valid; FS_LATER: it is being read, or there is no room
 * just now; -errno. `whole`: it will be overwritten from end to end, its contents do not matter.
 */
long chunk_get(struct device *d, uint64_t sector, bool whole, struct chunk **out);
void chunk_ahead(struct device *d, uint64_t sector); /* it will be wanted soon */
long chunk_write(struct chunk *c, uint64_t first, uint32_t sectors); /* write these through */
void chunks_forget(struct adapter *a, unsigned unit);
void chunks_forget_part(struct adapter *a, unsigned unit, uint64_t first, uint64_t sectors);
/* The memory of CHUNKS_LENT of them, for good; NULL: just now it is in use. */
uint8_t *chunks_lend(struct adapter *a);

/* ---- copy.c ---- */
void copies_make(struct adapter *a);
bool copies_are_there(const struct adapter *a);
bool copy_is_possible(struct adapter *a); /* just now */
/* A file server's request, whose segments lie in its queue, becomes one that the driver can do. */
struct copy *copy_begin(struct adapter *a, const struct service_queue *from,
                        struct block_request *r);
void copy_end(struct copy *c, int error);

/* ---- volume.c ---- */
void volume_create(const struct service_queue *place);
void volumes_look(void); /* devices have changed, or a file server has notified */
bool volumes_serve(void); /* true: something moved */
bool volumes_settle(void);

/* ---- device.c ---- */
bool devices_publish(void); /* the names of their drivers; false: somebody else has them */
void devices_look(void); /* adapters have changed, or a sector has come */
/* The disk with that number, and which part of it: 0 the whole. NULL: none. */
struct device *device_of(uint64_t number, struct partition *part);
bool device_is_checked(const struct device *d); /* (guard.h) */
uint64_t device_whole(uint64_t number); /* that of its disk; 0: not known (yet) */
bool devices_are_known(void); /* the partitions of all disks have been read */
long device_list(struct message *m);
const struct block_unit *device_unit(const struct device *d);
/* Of a checked disk these are those of its contents. */
uint64_t unit_sectors(const struct adapter *a, unsigned unit);
uint32_t unit_logical_size(const struct adapter *a, unsigned unit);
bool unit_is_gone(const struct adapter *a, unsigned unit); /* for good */
/* As its driver says, just now: where the next write must begin, and how many were refused. */
uint64_t unit_next(const struct adapter *a, unsigned unit, uint64_t *refused);
struct device *device_at(const struct adapter *a, unsigned unit);
bool devices_are_pending(const struct device *but); /* others are not known yet */
/* A predecessor has chosen some that are not known yet. */
bool devices_chosen_are_pending(void);

/* ---- main.c ---- */
void calls_retry(void); /* something has ended */

#endif
