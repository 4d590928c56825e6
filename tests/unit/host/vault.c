/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include "tests/unit/host/vault.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/vault/vault.h"

enum { PAGE = 4096 };
#define ROOM (1ull << 32)

static char *outside, *inside; /* the same memory twice; outside it cannot be touched */
static uint8_t used[ROOM / PAGE];
static size_t in_use;
static bool refuses;

static void begin(void)
{
    int file = memfd_create("vault", 0);

    if (file < 0 || ftruncate(file, ROOM) < 0)
        abort();
    outside = mmap(NULL, ROOM, PROT_NONE, MAP_SHARED | MAP_NORESERVE, file, 0);
    inside = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    if (outside == MAP_FAILED || inside == MAP_FAILED)
        abort();
    close(file);
}

void *vault_inside(const void *at)
{
    size_t offset = (size_t)((const char *)at - outside);

    return outside && (const char *)at >= outside && offset < ROOM ? inside + offset
                                                                   : (void *)(uintptr_t)at;
}

size_t vault_in_use(void)
{
    return in_use;
}

void vault_refuse(bool refuse)
{
    refuses = refuse;
}

void *vault_map(size_t bytes, bool needed)
{
    size_t pages = bytes / PAGE, run = 0;

    if (!outside)
        begin();
    if (!bytes || bytes % PAGE)
        abort();
    if (refuses)
        return NULL;
    (void)needed;
    for (size_t i = 0; i < sizeof used; i++) {
        run = used[i] ? 0 : run + 1;
        if (run < pages)
            continue;
        i -= pages - 1;
        memset(used + i, 1, pages);
        in_use += bytes;
        return memset(inside + i * PAGE, 0, bytes) == NULL ? NULL : outside + i * PAGE;
    }
    return NULL;
}

void vault_unmap(void *at, size_t bytes)
{
    size_t first = (size_t)((char *)at - outside) / PAGE;

    for (size_t i = first; i < first + bytes / PAGE; i++)
        if (i >= sizeof used || !used[i]--)
            abort();
    memset(vault_inside(at), 0xdd, bytes);
    in_use -= bytes;
}

void vault_copy(void *to, const void *from, size_t bytes)
{
    if (bytes)
        memcpy(vault_inside(to), vault_inside(from), bytes);
}

void vault_clear(void *at, size_t bytes)
{
    memset(vault_inside(at), 0, bytes);
}

void vault_log(const void *at, size_t bytes)
{
    (void)at;
    (void)bytes;
}

/* (With a test's eyes: it must be so.) */
void vault_log_zero(const void *at, size_t bytes)
{
    const char *bytes_there = vault_inside(at);

    for (size_t i = 0; i < bytes; i++)
        if (bytes_there[i])
            abort();
}
