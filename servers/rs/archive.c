/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The boot archive. Several archives may follow one another; of two files with one name the later
 * counts.
 */
#include "lib/cpio/cpio.h"
#include "servers/rs/rs.h"

const void *archive_file(const char *name, uint64_t *size)
{
    struct cpio_entry entry;

    if (cpio_find((const void *)BOOT_ARCHIVE, service_info()->archive_size, name, &entry) != 1)
        return NULL;
    *size = entry.size;
    return entry.data;
}

void archive_each(void (*visit)(const struct cpio_entry *entry))
{
    struct cpio archive = {.bytes = (const void *)BOOT_ARCHIVE,
                           .size = service_info()->archive_size};
    struct cpio_entry entry;
    int result;

    while ((result = cpio_next(&archive, &entry)) > 0)
        visit(&entry);
    if (result == 0)
        return;
    log_always("corrupt boot archive: damaged at byte %zu of %zu; what follows is ignored",
               archive.at, archive.size);
    if (archive.at == 0)
        kernel_panic(PANIC_STATUS);
}
