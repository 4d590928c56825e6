/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks and their partitions: names and numbers as in Linux. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/disk.h"

enum { DISKS_MAX = 26, MINORS = 16 };

static struct device devices[DISKS_MAX];
static unsigned count;

static const struct kind {
    const char *name;
    uint32_t major;
    char first; /* what the first disk's name ends in */
} kinds[] = {{"sd", 8, 'a'}, {"hd", 3, 'a'}, {"vd", 254, 'a'}, {"ram", 1, '0'}};

bool devices_publish(void)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char key[16];

        snprintf(key, sizeof key, "blk/%u", kinds[i].major);
        if (service_publish(key) < 0)
            return false;
    }
    return true;
}

const struct block_unit *device_unit(const struct device *d)
{
    return &d->adapter->client.queue->unit[d->unit];
}

static bool is_present(const struct device *d)
{
    return device_unit(d)->flags & BLOCK_UNIT_PRESENT;
}

static const struct kind *kind_of(const struct adapter *a)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(a->client.queue->kind, kinds[i].name, sizeof a->client.queue->kind) == 0)
            return &kinds[i];
    return &kinds[0];
}

static void add(struct adapter *a, unsigned unit)
{
    const struct kind *kind = kind_of(a);
    struct device *d = &devices[count];
    unsigned number = 0;

    if (count == DISKS_MAX) {
        log_info("more than %d disks: one of %.16s is left out", DISKS_MAX, a->place.driver);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        number += devices[i].major == kind->major;
    *d = (struct device){.adapter = a,
                         .unit = unit,
                         .major = kind->major,
                         .minor = number * MINORS,
                         .generation = a->client.queue->unit[unit].generation};
    snprintf(d->name, sizeof d->name, "%s%c", kind->name, kind->first + (int)number);
    count++;
}

static struct device *device_at(const struct adapter *a, unsigned unit)
{
    for (unsigned i = 0; i < count; i++)
        if (devices[i].adapter == a && devices[i].unit == unit)
            return &devices[i];
    return NULL;
}

static long read_sector(void *context, uint64_t sector, uint8_t bytes[512])
{
    struct chunk *c;
    long result = chunk_get(context, sector, false, &c);

    if (result == 0)
        memcpy(bytes, c->memory + sector % CHUNK_SECTORS * BLOCK_SECTOR, 512);
    return result;
}

static void announce(const struct device *d)
{
    const struct block_unit *u = device_unit(d);
    unsigned n = 0;

    for (unsigned i = 0; i < PARTITIONS_MAX; i++)
        n += d->partition[i].sectors != 0;
    log_info("%s: %.41s, %llu MB, %u partition%s", d->name, u->model,
             (unsigned long long)(u->sectors >> 11), n, n == 1 ? "" : "s");
}

/* Read its table, as far as the sectors are there. */
static void look_at(struct device *d)
{
    if (d->generation != device_unit(d)->generation) {
        d->generation = device_unit(d)->generation;
        d->is_known = false;
        chunks_forget(d->adapter, d->unit);
    }
    if (d->is_known || !is_present(d))
        return;
    if (partitions_read(read_sector, d, device_unit(d)->sectors, d->partition) == FS_LATER)
        return;
    d->is_known = true;
    announce(d);
}

void devices_look(void)
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++) {
        struct adapter *a = adapters[i];

        if (a->client.incarnation == 0)
            continue;
        for (unsigned unit = 0; unit < BLOCK_UNITS; unit++) {
            if ((a->client.queue->unit[unit].flags & BLOCK_UNIT_PRESENT) && !device_at(a, unit))
                add(a, unit);
        }
    }
    for (unsigned i = 0; i < count; i++)
        look_at(&devices[i]);
}

bool devices_are_known(void)
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++)
        if (adapters[i]->client.incarnation == 0 && !adapters[i]->is_gone)
            return false; /* its driver has not looked yet */
    for (unsigned i = 0; i < count; i++)
        if (!devices[i].is_known && is_present(&devices[i]))
            return false;
    return true;
}

struct device *device_of(uint64_t number, struct partition *part)
{
    for (unsigned i = 0; i < count; i++) {
        struct device *d = &devices[i];
        uint32_t n = minor(number) - d->minor;

        if (major(number) != d->major || n >= MINORS || !is_present(d))
            continue;
        if (n == 0)
            *part = (struct partition){0, device_unit(d)->sectors};
        else
            *part = d->partition[n - 1];
        return part->sectors ? d : NULL;
    }
    return NULL;
}

static bool describe(uint64_t index, struct disk_device *out)
{
    for (unsigned i = 0; i < count; i++) {
        const struct device *d = &devices[i];

        for (unsigned n = 0; n <= PARTITIONS_MAX; n++) {
            struct partition p = {0};

            if (!device_of(makedev(d->major, d->minor + n), &p) || index-- != 0)
                continue;
            *out = (struct disk_device){.major = d->major,
                                        .minor = d->minor + n,
                                        .first = p.first,
                                        .sectors = p.sectors,
                                        .is_partition = n != 0,
                                        .is_read_only =
                                            !!(device_unit(d)->flags & BLOCK_UNIT_READ_ONLY)};
            memcpy(out->model, device_unit(d)->model, sizeof out->model);
            if (n)
                snprintf(out->name, sizeof out->name, "%s%s%u", d->name,
                         kind_of(d->adapter)->first == '0' ? "p" : "", n);
            else
                snprintf(out->name, sizeof out->name, "%s", d->name);
            return true;
        }
    }
    return false;
}

long device_list(struct message *m)
{
    struct disk_device out;

    if (!describe(m->w[0], &out))
        return -ENOENT;
    return grant_to(message_caller(m), m->w[1], 0, &out, sizeof out);
}
