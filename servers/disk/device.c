/* SPDX-License-Identifier: BSD-2-Clause */
/* Disks and their partitions: names and numbers as in Linux. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/disk/guard.h"

enum { DISKS_MAX = 26, MINORS = 16, LISTED_MAX = 32 };

/* Partitions from MINORS on have numbers of another major, as in Linux. There they are given out as
 * they come; here each disk has its own, so that they are the same after a restart. */
#define MAJOR_BEYOND 259

static struct device devices[DISKS_MAX];
static unsigned count;

static const struct kind {
    const char *name;
    uint32_t major;
    char first; /* the first disk's letter, or digit: then the partitions' digits are kept apart */
    const char *after;
} kinds[] = {{"sd", 8, 'a', ""},       {"hd", 3, 'a', ""},  {"vd", 254, 'a', ""},
             {"nvme", 240, '0', "n1"}, {"ram", 1, '0', ""}, {"wo", 241, '0', ""}};

static bool publish(uint32_t number)
{
    char key[16];

    snprintf(key, sizeof key, "blk/%u", number);
    return service_publish(key) >= 0;
}

bool devices_publish(void)
{
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!publish(kinds[i].major))
            return false;
    return publish(MAJOR_BEYOND);
}

const struct block_unit *device_unit(const struct device *d)
{
    return &d->adapter->unit[d->unit];
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
                         .generation = a->unit[unit].generation};
    if (kind->first == '0')
        snprintf(d->name, sizeof d->name, "%s%u%s", kind->name, number, kind->after);
    else
        snprintf(d->name, sizeof d->name, "%s%c", kind->name, kind->first + (int)number);
    count++;
}

struct device *device_at(const struct adapter *a, unsigned unit)
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

/* What the driver says its disk is called, without what a terminal or the log's readers would take
 * for something else. */
static void get_model(const struct device *d, char *out, size_t size)
{
    const char *model = device_unit(d)->model;
    size_t n;

    for (n = 0; n < size - 1 && n < sizeof device_unit(d)->model; n++) {
        char c = *(const volatile char *)&model[n];

        if (c == 0)
            break;
        out[n] = c >= ' ' && c <= '~' ? c : '?';
    }
    memset(out + n, 0, size - n);
}

static void announce(const struct device *d, unsigned beyond)
{
    char model[sizeof device_unit(d)->model];
    unsigned n = 0;

    get_model(d, model, sizeof model);

    for (unsigned i = 0; i < PARTITIONS_MAX; i++)
        n += d->partition[i].sectors != 0;
    log_info("%s: %s, %llu MB, %u partition%s", d->name, model,
             (unsigned long long)(unit_sectors(d->adapter, d->unit) >> 11), n, n == 1 ? "" : "s");
    if (beyond)
        log_info("%s: its partitions with numbers beyond %u are left out (%u%s)", d->name,
                 PARTITIONS_MAX, beyond, beyond == 1 ? " or more" : "");
}

/* Read its table, as far as the sectors are there. */
static void look_at(struct device *d)
{
    unsigned beyond;

    if (d->generation != device_unit(d)->generation) {
        d->generation = device_unit(d)->generation;
        d->is_known = false;
        chunks_forget(d->adapter, d->unit);
        guard_forget(d);
    }
    if (d->is_ill && unit_is_gone(d->adapter, d->unit))
        d->is_known = d->is_mirror = d->is_ill = false;
    if (d->is_known || !is_present(d))
        return;
    if (guard_look(d) == FS_LATER)
        return;
    if (d->is_mirror) { /* nobody will ask for what is on it */
        d->is_known = true;
        return;
    }
    if (partitions_read(read_sector, d, unit_sectors(d->adapter, d->unit),
                        device_unit(d)->logical_size, d->partition, &beyond) == FS_LATER ||
        unit_is_gone(d->adapter, d->unit))
        return;
    d->is_known = true;
    announce(d, beyond);
}

void devices_look(void)
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++) {
        struct adapter *a = adapters[i];

        if (a->client.incarnation == 0)
            continue;
        for (unsigned unit = 0; unit < BLOCK_UNITS; unit++) {
            if ((a->unit[unit].flags & BLOCK_UNIT_PRESENT) && !device_at(a, unit))
                add(a, unit);
        }
    }
    for (unsigned i = 0; i < count; i++)
        look_at(&devices[i]);
}

bool devices_are_pending(const struct device *but)
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++)
        if (adapters[i]->client.incarnation == 0 && !adapters[i]->is_gone)
            return true;
    for (unsigned i = 0; i < count; i++)
        if (&devices[i] != but && !devices[i].is_known && is_present(&devices[i]) &&
            !unit_is_gone(devices[i].adapter, devices[i].unit))
            return true;
    return false;
}

static bool is_to_come(const struct adapter *a, unsigned unit)
{
    const struct device *d = device_at(a, unit);

    if (!((const volatile struct block_queue *)a->client.queue)->is_chosen[unit] || a->is_gone)
        return false;
    return d ? is_present(d) && !d->is_known && !guard_has(d) : a->client.incarnation == 0;
}

bool devices_chosen_are_pending(void)
{
    for (unsigned i = 0; i < ADAPTERS_MAX && adapters[i]; i++)
        for (unsigned unit = 0; unit < BLOCK_UNITS; unit++)
            if (is_to_come(adapters[i], unit))
                return true;
    return false;
}

uint64_t unit_sectors(const struct adapter *a, unsigned unit)
{
    const struct guard *g = guard_of(a, unit);

    return g ? g->header.data * GUARD_SECTORS : a->unit[unit].sectors;
}

uint32_t unit_logical_size(const struct adapter *a, unsigned unit)
{
    return guard_of(a, unit) ? INTEGRITY_BLOCK : a->unit[unit].logical_size;
}

bool device_is_checked(const struct device *d)
{
    return guard_has(d);
}

bool unit_is_gone(const struct adapter *a, unsigned unit)
{
    const struct guard *g = guard_of(a, unit);
    bool gone = a->is_gone;

    for (unsigned m = 0; gone && g && m < INTEGRITY_MEMBERS; m++)
        gone = !g->member[m].adapter || g->member[m].adapter->is_gone;
    return gone;
}

uint64_t unit_next(const struct adapter *a, unsigned unit, uint64_t *refused)
{
    const volatile struct block_unit *u = &a->client.queue->unit[unit];

    *refused = u->refused;
    return u->next;
}

bool devices_are_known(void)
{
    return !devices_are_pending(NULL);
}

/* The number of partition n, 0: of the disk itself. */
static uint64_t number_of(const struct device *d, unsigned n)
{
    unsigned index = (unsigned)(d - devices);

    return n < MINORS ? makedev(d->major, d->minor + n)
                      : makedev(MAJOR_BEYOND, index * PARTITIONS_MAX + n);
}

/* Majors of their own tell it without the disk; the others are told apart by the disks' order. */
uint64_t device_whole(uint64_t number)
{
    unsigned index = minor(number) / PARTITIONS_MAX;

    if (major(number) != MAJOR_BEYOND)
        return makedev(major(number), minor(number) - minor(number) % MINORS);
    return index < count ? makedev(devices[index].major, devices[index].minor) : 0;
}

static bool is_there(const struct device *d, unsigned n, struct partition *part)
{
    if (!is_present(d) || d->is_mirror)
        return false;
    *part = n ? d->partition[n - 1] : (struct partition){0, unit_sectors(d->adapter, d->unit)};
    return part->sectors != 0;
}

struct device *device_of(uint64_t number, struct partition *part)
{
    for (unsigned i = 0; i < count; i++)
        for (unsigned n = 0; n <= PARTITIONS_MAX; n++)
            if (number_of(&devices[i], n) == number)
                return is_there(&devices[i], n, part) ? &devices[i] : NULL;
    return NULL;
}

static void describe(const struct device *d, unsigned n, const struct partition *p,
                     struct disk_device *out)
{
    const char *between = kind_of(d->adapter)->first == '0' ? "p" : "";
    uint64_t number = number_of(d, n);

    *out = (struct disk_device){.major = major(number),
                                .minor = minor(number),
                                .first = p->first,
                                .sectors = p->sectors,
                                .is_partition = n != 0,
                                .is_read_only = !!(device_unit(d)->flags & BLOCK_UNIT_READ_ONLY)};
    get_model(d, out->model, sizeof out->model);
    if (n == 0) {
        const struct block_count *c = &d->adapter->client.queue->count[d->unit % BLOCK_UNITS];

        out->reads = c->reads;
        out->sectors_read = c->sectors_read;
        out->writes = c->writes;
        out->sectors_written = c->sectors_written;
    }
    if (n)
        snprintf(out->name, sizeof out->name, "%s%s%u", d->name, between, n);
    else
        snprintf(out->name, sizeof out->name, "%s", d->name);
}

long device_list(struct message *m)
{
    static struct disk_device out[LISTED_MAX];
    const struct disk_list_request *r = message_words(m);
    uint64_t skip = r->first, room = r->count < LISTED_MAX ? r->count : LISTED_MAX;
    struct partition p;
    long listed = 0, error;

    for (unsigned i = 0; i < count; i++)
        for (unsigned n = 0; n <= PARTITIONS_MAX && listed < (long)room; n++) {
            if (!is_there(&devices[i], n, &p))
                continue;
            if (skip)
                skip--;
            else
                describe(&devices[i], n, &p, &out[listed++]);
        }
    error = listed ? grant_to(message_caller(m), r->grant, 0, out, (size_t)listed * sizeof *out)
                   : -ENOENT;
    return error ? error : listed;
}
