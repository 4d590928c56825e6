/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/cpio/cpio.h"

#include <errno.h>
#include <string.h>

enum { HEADER_BYTES = 110, FIELDS = 13 };
enum field {
    INODE,
    MODE,
    UID,
    GID,
    LINKS,
    MTIME,
    SIZE,
    DEVICE_MAJOR,
    DEVICE_MINOR,
    MAJOR,
    MINOR,
    NAME_SIZE,
    CHECK
};

/* A header has a hundred of these digits. */
static int hexadecimal(const char *text, uint32_t *value)
{
    uint32_t number = 0;

    for (int i = 0; i < 8; i++) {
        uint32_t digit = (uint32_t)(uint8_t)text[i] - '0';

        if (digit > 9) {
            digit = ((uint32_t)(uint8_t)text[i] | 0x20) - 'a' + 10;
            if (digit < 10 || digit > 15)
                return -EINVAL;
        }
        number = number << 4 | digit;
    }
    *value = number;
    return 0;
}

static size_t aligned(size_t at)
{
    return (at + 3) & ~(size_t)3;
}

/* The entry whose header is at archive->at; moves on behind it. */
static int read_entry(struct cpio *archive, struct cpio_entry *entry)
{
    const char *header = (const char *)archive->bytes + archive->at;
    size_t left = archive->size - archive->at, data;
    uint32_t field[FIELDS];

    if (left < HEADER_BYTES ||
        (memcmp(header, "070701", 6) != 0 && memcmp(header, "070702", 6) != 0))
        return -EINVAL;
    for (int i = 0; i < FIELDS; i++)
        if (hexadecimal(header + 6 + 8 * i, &field[i]) < 0)
            return -EINVAL;
    if (field[NAME_SIZE] == 0 || field[NAME_SIZE] > left - HEADER_BYTES ||
        header[HEADER_BYTES + field[NAME_SIZE] - 1] != 0)
        return -EINVAL;
    data = aligned(archive->at + HEADER_BYTES + field[NAME_SIZE]);
    if (data > archive->size || field[SIZE] > archive->size - data)
        return -EINVAL;
    *entry = (struct cpio_entry){.name = header + HEADER_BYTES,
                                 .data = (const char *)archive->bytes + data,
                                 .size = field[SIZE],
                                 .inode = field[INODE],
                                 .mode = field[MODE],
                                 .uid = field[UID],
                                 .gid = field[GID],
                                 .links = field[LINKS],
                                 .mtime = field[MTIME],
                                 .major = field[MAJOR],
                                 .minor = field[MINOR]};
    archive->at = aligned(data + field[SIZE]);
    if (archive->at > archive->size)
        archive->at = archive->size;
    return 1;
}

int cpio_next(struct cpio *archive, struct cpio_entry *entry)
{
    const char *bytes = archive->bytes;

    for (;;) {
        while (archive->at < archive->size &&
               bytes[archive->at] == 0) /* padding between archives */
            archive->at++;
        if (archive->at >= archive->size)
            return 0;
        if (read_entry(archive, entry) < 0)
            return -EINVAL;
        if (strcmp(entry->name, "TRAILER!!!") == 0)
            continue;
        while (entry->name[0] == '/' ||
               (entry->name[0] == '.' && (entry->name[1] == '/' || entry->name[1] == 0)))
            entry->name++;
        return 1;
    }
}

int cpio_find(const void *bytes, size_t size, const char *name, struct cpio_entry *entry)
{
    struct cpio archive = {.bytes = bytes, .size = size};
    struct cpio_entry next;
    int found = 0, result;

    while ((result = cpio_next(&archive, &next)) > 0) {
        if (strcmp(next.name, name) == 0) {
            *entry = next;
            found = 1;
        }
    }
    return found ? 1 : result;
}
