/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The class library of block drivers. A driver is a table of functions (the chip's half) and a
 * manifest:
 *
 *     int main(void)
 *     {
 *         block_driver_run(&my_chip);
 *     }
 *
 * The library owns the loop (driverloop.h), the queue (abi/block_queue.h), the interrupt and the
 * shutdown; it checks every request before the chip's half sees it. The chip's half turns a request
 * into a command and tells which commands are done.
 *
 * Slots. A request keeps its slot number from the queue down to the chip, so that a fresh driver
 * can tell from the chip's registers alone what is still under way: adopt() says which slots the
 * chip works on. Whatever else is in flight in the queue is issued (again). A command that the chip
 * has finished and the dead driver has not reported is so done a second time, which does no harm.
 */
#ifndef DRIVER_BLOCKDRIVER_H
#define DRIVER_BLOCKDRIVER_H

#include <stdbool.h>

#include "abi/block_queue.h"
#include "lib/driver/driver.h"
#include "lib/driver/driverloop.h"

struct block_device;

struct block_driver {
    const char *name;
    const char *kind; /* how its disks are called: "sd" */
    /* Writes are never repeated: those that a predecessor left end with BLOCK_LOST. */
    bool once;
    bool passes_on; /* no driver but the disk server, whose clients write nothing once more */
    uint64_t registers_size; /* bytes of registers that the chip has at least; 0: it has none */

    /*
     * Is the device live and set up just as reset() leaves it? Then set d->issued to the slots that
     * it works on, and return true. Else set d->mismatch, return false, and leave everything to
     * reset(). The units in the queue are as the predecessor found them. Leaves interrupts masked.
     */
    bool (*adopt)(struct block_device *d);
    /* From any state to: idle, no DMA in flight, units filled in (block_unit()). 0, or -errno: the
     * device does not answer as it should. Interrupts masked. */
    int (*reset)(struct block_device *d);

    void (*mask)(struct block_device *d);
    void (*unmask)(struct block_device *d); /* interrupts; at once when a cause is pending */

    /* Give the chip slot `k`, whose request has been checked; false: no room just now, it will be
     * offered again after the next completion. */
    bool (*issue)(struct block_device *d, unsigned k, const struct block_request *r);
    /*
     * Clear the interrupt's causes, then say which of d->issued are finished: the result is a set
     * of slots, with d->status[k] filled in. Commands that the chip has thrown away after another's
     * error are taken out of d->issued; they are issued again.
     */
    uint32_t (*finished)(struct block_device *d);
};

struct block_device {
    const struct block_driver *driver;
    volatile void *registers;
    unsigned ports; /* the first of its I/O BAR; 0: it has none */
    struct block_queue *queue;
    uint8_t *memory; /* the queue as bytes */
    uint8_t *chip; /* BLOCK_CHIP_SIZE bytes for the chip's tables */
    uint64_t physical, chip_physical, size; /* of the queue; all of it lies below 4 GB */
    const struct service_region *regions; /* more that requests may name */
    unsigned region_count;
    uint32_t issued; /* slots that the chip works on */
    uint32_t status[BLOCK_SLOTS]; /* by finished(): enum block_status */
    uint32_t posted[BLOCK_SLOTS]; /* of the requests that were issued */
    bool wake_client;
    const char *mismatch; /* why adopt() failed, for the log */
};

extern const struct driver_class block_class; /* its `driver`: a struct block_driver */

/* Runs the driver; never returns. Uses service_info(). */
static inline __attribute__((noreturn)) void block_driver_run(const struct block_driver *driver)
{
    driver_loop_run(&block_class, driver);
}

/* ---- for the chip's half ---- */

static inline bool block_mismatch(struct block_device *d, const char *what)
{
    d->mismatch = what;
    return false;
}

/* Blocks whose requests can be told in sectors of 512 bytes, and whose transfers the class's clients
 * can post. */
static inline bool block_size_is_good(uint32_t logical_size)
{
    return logical_size >= BLOCK_SECTOR && logical_size <= 4096 &&
           !(logical_size & (logical_size - 1));
}

/* Sectors in a block of the unit: checked requests are multiples of it. */
static inline uint32_t block_scale(const struct block_device *d, unsigned unit)
{
    uint32_t size = *(const volatile uint32_t *)&d->queue->unit[unit].logical_size;

    return size > BLOCK_SECTOR ? size / BLOCK_SECTOR : 1;
}

/* A disk was found, or is not there (any more): flags 0. Another medium gets another generation. */
void block_unit_set(struct block_device *d, unsigned unit, const struct block_unit *found);

/* ---- the logic, without kernel calls; for block_class and the unit tests ---- */

/* Ends the driver when there is no queue. */
void block_device_open(struct block_device *d, const struct block_driver *driver,
                       volatile void *registers, void *queue, uint64_t physical, uint64_t size);
/* Adopts (when `may_adopt`) or resets; counts it in the queue. -errno: the device is dead. */
int block_device_start(struct block_device *d, bool may_adopt, enum queue_driver_state *state);
/* One turn: report what is finished, issue what is new. True: something moved. */
bool block_device_serve(struct block_device *d);
/* Before sleeping: ask for notifications; false: the client has posted meanwhile. */
bool block_device_settle(struct block_device *d);

#endif
