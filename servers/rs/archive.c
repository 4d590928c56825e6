/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive: manifests, and files for image.c. Several archives may follow one another; of
 * two files with one name the later counts. The arena: memory that is never given back.
 */
#include <string.h>

#include "lib/cpio/cpio.h"
#include "servers/rs/rs.h"

#define ARENA 0x100000000000ull
#define MANIFEST_PREFIX "etc/bardo/"
#define MANIFEST_SUFFIX ".svc"

static uint64_t arena_end = ARENA;
static char *small;
static size_t small_left;

void *arena_pages(uint64_t pages)
{
    uint64_t at = arena_end;
    long error = memory_map(ENDPOINT_SELF, at, pages, MAP_READ | MAP_WRITE, 0, 0);

    if (error < 0) {
        log_info("too little memory to start the services (error %ld, %llu pages wanted)", error,
                 (unsigned long long)pages);
        kernel_power(POWER_PANIC, 1);
    }
    arena_end += (pages + 1) * PAGE_SIZE; /* with a hole behind */
    return (void *)at;
}

void *arena_alloc(size_t size)
{
    void *at;

    size = (size + 15) & ~(size_t)15;
    if (size > small_left) {
        small_left =
            size > 16 * PAGE_SIZE ? (size + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1) : 16 * PAGE_SIZE;
        small = arena_pages(small_left / PAGE_SIZE);
    }
    at = small;
    small += size;
    small_left -= size;
    return at;
}

const void *archive_file(const char *name, uint64_t *size)
{
    struct cpio_entry entry;

    if (cpio_find((const void *)BOOT_ARCHIVE, service_info()->archive_size, name, &entry) != 1)
        return NULL;
    *size = entry.size;
    return entry.data;
}

static bool is_manifest(const char *path)
{
    size_t prefix = strlen(MANIFEST_PREFIX), suffix = strlen(MANIFEST_SUFFIX), n = strlen(path);

    return n > prefix + suffix && memcmp(path, MANIFEST_PREFIX, prefix) == 0 &&
           !strchr(path + prefix, '/') && strcmp(path + n - suffix, MANIFEST_SUFFIX) == 0;
}

/* The service that a manifest's path names: made when it is new. NULL: no such name can be. */
static struct service *service_of(const char *path)
{
    const char *name = path + strlen(MANIFEST_PREFIX);
    size_t n = strlen(name) - strlen(MANIFEST_SUFFIX);
    char text[SERVICE_NAME_MAX] = "";
    struct service *s;

    if (n >= sizeof text) {
        log_info("%s: the name is too long; not started", path);
        return NULL;
    }
    memcpy(text, name, n);
    s = service_named(text);
    return s ? s : service_add(text);
}

static void read_manifest(const struct cpio_entry *entry)
{
    struct service *s = service_of(entry->name);
    static struct manifest manifest; /* too large for the stack */
    char error[160];

    if (!s)
        return;
    if (manifest_parse(entry->data, entry->size, entry->name, &manifest, error, sizeof error) < 0) {
        log_info("%s; not started", error);
        s->manifest = NULL;
        return;
    }
    if (!s->manifest)
        s->manifest = arena_alloc(sizeof manifest);
    *s->manifest = manifest;
}

void archive_read(void)
{
    struct cpio archive = {.bytes = (const void *)BOOT_ARCHIVE,
                           .size = service_info()->archive_size};
    struct cpio_entry entry;
    int result;

    while ((result = cpio_next(&archive, &entry)) > 0)
        if (is_manifest(entry.name))
            read_manifest(&entry);
    if (result < 0)
        log_info("the boot archive is damaged at byte %zu of %zu; what follows is ignored",
                 archive.at, archive.size);
}
