/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive. Several archives may follow one another; of two files with one name the later
 * counts.
 */
#include <string.h>

#include "lib/cpio/cpio.h"
#include "servers/rs/rs.h"

#define PROGRAMS "lib/bardo/"
#define PROGRAMS_MAX 128

static struct cpio_entry programs[PROGRAMS_MAX]; /* so that nobody goes through it again for one */
static unsigned program_count;

static bool has_prefix(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static void note(const struct cpio_entry *entry)
{
    if (!has_prefix(entry->name, PROGRAMS))
        return;
    if (program_count == PROGRAMS_MAX)
        log_always("%s: more than %d programs of services; not started", entry->name, PROGRAMS_MAX);
    else
        programs[program_count++] = *entry;
}

const void *archive_program(const char *name, uint64_t *size)
{
    for (unsigned i = program_count; i-- > 0;)
        if (strcmp(programs[i].name + strlen(PROGRAMS), name) == 0) {
            *size = programs[i].size;
            return programs[i].data;
        }
    return NULL;
}

void archive_each(void (*visit)(const struct cpio_entry *entry))
{
    struct cpio archive = {.bytes = (const void *)BOOT_ARCHIVE,
                           .size = service_info()->archive_size};
    struct cpio_entry entry;
    int result;

    while ((result = cpio_next(&archive, &entry)) > 0) {
        note(&entry);
        visit(&entry);
    }
    if (result == 0)
        return;
    log_always("corrupt boot archive: damaged at byte %zu of %zu; what follows is ignored",
               archive.at, archive.size);
    if (archive.at == 0)
        kernel_panic(RS_PANIC_STATUS);
}
