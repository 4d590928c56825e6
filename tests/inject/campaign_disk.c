/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work for a disk: files of its first partition (campaign_files.c), and reads and writes of random
 * places of its second one. Each of these blocks says where it belongs, how often it has been
 * written, and the rest follows from the two: so a block that is damaged, old or in another's place
 * is found.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign.h"

enum { BLOCK = 4096, BLOCKS = 1024, PIECE_MAX = 16, EVERY_US = 4000, FILES_EVERY = 4 };

static struct {
    uint32_t version; /* 0: zeros, as it came */
    uint32_t doubtful; /* a write of the version after failed: either is right */
} blocks[BLOCKS];

static void fill(uint8_t *to, uint64_t block, uint64_t version)
{
    memset(to, 0, BLOCK);
    if (version == 0)
        return;
    pattern(to, BLOCK, block, version);
    memcpy(to, &block, sizeof block);
    memcpy(to + sizeof block, &version, sizeof version);
}

static bool is_version(const uint8_t *found, uint64_t block, uint64_t version)
{
    static uint8_t expected[BLOCK];

    fill(expected, block, version);
    return memcmp(expected, found, BLOCK) == 0;
}

static bool check(uint64_t block, const uint8_t *found)
{
    uint32_t version = blocks[block].version;

    if (is_version(found, block, version))
        return true;
    for (uint32_t later = version + 1; later <= version + blocks[block].doubtful; later++)
        if (is_version(found, block, later))
            return true;
    return false;
}

static void read_piece(struct progress *p, int fd, uint64_t first, uint64_t count)
{
    static uint8_t bytes[PIECE_MAX * BLOCK];

    if (pread(fd, bytes, count * BLOCK, (off_t)(first * BLOCK)) != (ssize_t)(count * BLOCK)) {
        unit_told(p, -1);
        p->errors++;
        return;
    }
    for (uint64_t i = 0; i < count; i++)
        if (!check(first + i, bytes + i * BLOCK))
            p->wrong++;
    unit_done(p);
}

static void write_piece(struct progress *p, int fd, uint64_t first, uint64_t count)
{
    static uint8_t bytes[PIECE_MAX * BLOCK];
    bool ok;

    for (uint64_t i = 0; i < count; i++)
        fill(bytes + i * BLOCK, first + i,
             blocks[first + i].version + blocks[first + i].doubtful + 1);
    ok = pwrite(fd, bytes, count * BLOCK, (off_t)(first * BLOCK)) == (ssize_t)(count * BLOCK) &&
         fsync(fd) == 0;
    unit_told(p, ok ? 0 : -1);
    for (uint64_t i = first; i < first + count; i++) {
        blocks[i].doubtful++;
        if (ok) {
            blocks[i].version += blocks[i].doubtful;
            blocks[i].doubtful = 0;
        }
    }
    if (ok)
        unit_done(p);
    else
        p->errors++;
}

static void one_piece(struct progress *p, int fd)
{
    static uint64_t chance = 1;
    uint64_t first, count;

    chance = chance * 6364136223846793005ull + 1442695040888963407ull;
    count = 1 + (chance >> 40) % PIECE_MAX;
    first = (chance >> 48) % (BLOCKS - count);
    if (chance >> 33 & 1)
        write_piece(p, fd, first, count);
    else
        read_piece(p, fd, first, count);
}

void work_disk(struct progress *p, const char *argument)
{
    char files[32], raw[32];
    int fd = -1;

    snprintf(files, sizeof files, "%s1", argument);
    snprintf(raw, sizeof raw, "%s2", argument);
    while (!files_mount(files) || (fd = open(raw, O_RDWR)) < 0)
        usleep(EVERY_US);
    for (unsigned turn = 0;; turn++) {
        unit_pause(p);
        if (p->check) {
            for (uint64_t first = 0; first < BLOCKS; first += PIECE_MAX)
                read_piece(p, fd, first, PIECE_MAX);
            files_check(p);
            p->check = 0;
        }
        one_piece(p, fd);
        if (turn % FILES_EVERY == 0)
            files_work(p);
        usleep(EVERY_US);
    }
}
