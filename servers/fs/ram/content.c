/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/fs/ram/content.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/vault/vault.h"

#ifndef WHOLE_PART /* tests have less */
#define WHOLE_PART (1ull << 20) /* bytes that are copied in one step */
#endif

static const uint8_t zeros[PAGE_BYTES];

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void clear(uint8_t *at, size_t bytes)
{
    vault_log(at, bytes);
    vault_clear(at, bytes);
}

/* ---- the base ---- */

static const uint8_t *base_of(const struct content *c)
{
    return c->whole ? c->whole : c->borrowed;
}

static uint64_t base_chunks(const struct content *c)
{
    return (c->base_size + CHUNK_BYTES - 1) / CHUNK_BYTES;
}

static void drop_base(struct pages *p, struct content *c)
{
    if (c->whole)
        region_free(p, c->whole, c->whole_pages);
    c->whole = NULL;
    c->borrowed = NULL;
    c->whole_pages = c->whole_size = c->base_size = c->over = 0;
}

/* Of no use any more: the file has changed. */
static void drop_next(struct pages *p, struct content *c)
{
    if (c->next)
        region_free(p, c->next, c->next_pages);
    c->next = NULL;
    c->next_pages = c->next_done = 0;
}

void content_borrow(struct content *c, const void *bytes, uint64_t size)
{
    *c = (struct content){.size = size, .borrowed = bytes, .base_size = size};
}

uint64_t content_pages(const struct content *c)
{
    return c->whole_pages + c->chunk_pages + c->next_pages;
}

static void free_chunks(struct pages *p, struct content *c, uint64_t from)
{
    uint64_t base = base_chunks(c);

    for (uint64_t i = from; i < c->count; i++) {
        c->over -= i < base && c->chunks[i].pages != 0;
        c->chunk_pages -= c->chunks[i].pages;
        run_free(p, &c->chunks[i]);
    }
}

void content_free(struct pages *p, struct content *c)
{
    free_chunks(p, c, 0);
    free(c->chunks);
    drop_base(p, c);
    drop_next(p, c);
    *c = (struct content){0};
}

/* ---- chunks ---- */

/* The table of chunks reaches up to `count`. */
static long grow_table(struct content *c, uint64_t count)
{
    uint64_t wanted = c->count ? c->count : 1;
    struct run *chunks;

    if (count <= c->count)
        return 0;
    while (wanted < count)
        wanted *= 2;
    chunks = realloc(c->chunks, wanted * sizeof *chunks);
    if (!chunks)
        return -ENOSPC;
    memset(chunks + c->count, 0, (wanted - c->count) * sizeof *chunks);
    c->chunks = chunks;
    c->count = wanted;
    return 0;
}

/*
 * Chunk `number` has room for its bytes up to `to`, of which [from, to) are about to be written.
 * What is new outside that range is zero; *is_new: it may be anything in there. The first chunk grows
 * with the file; the others are for big files and come at full size.
 */
static long reserve_chunk(struct pages *p, struct content *c, uint64_t number, size_t from,
                          size_t to, bool *is_new)
{
    struct run old = c->chunks[number], run;
    size_t old_bytes = (size_t)old.pages * PAGE_BYTES, bytes;
    uint32_t pages = number ? RUN_PAGES_MAX : 1;
    bool is_zero;

    *is_new = false;
    if (to <= old_bytes)
        return 0;
    while ((size_t)pages * PAGE_BYTES < to)
        pages *= 2;
    if (!run_allocate(p, pages, &run, &is_zero))
        return -ENOSPC;
    bytes = (size_t)pages * PAGE_BYTES;
    *is_new = !is_zero;
    if (is_zero)
        vault_log_zero(run.data, old_bytes);
    else
        vault_log(run.data, old_bytes);
    vault_copy(run.data, old.data, old_bytes);
    if (!is_zero) {
        if (from > old_bytes)
            clear(run.data + old_bytes, from - old_bytes);
        clear(run.data + to, bytes - to);
    }
    run_free(p, &old);
    c->chunk_pages += pages - old_bytes / PAGE_BYTES;
    c->chunks[number] = run;
    return 0;
}

/* Of [from, to) in a chunk, about to be written, the bytes up to `kept` may be anything. */
static void log_before(const uint8_t *data, size_t from, size_t kept, size_t to)
{
    kept = (size_t)smaller(kept > from ? kept : from, to);
    vault_log(data + from, kept - from);
    vault_log_zero(data + kept, to - kept);
}

/* Where the base is, a chunk that is missing gets that first. */
static long lay_over(struct pages *p, struct content *c, uint64_t number)
{
    uint64_t start = number * CHUNK_BYTES;
    size_t n;
    bool is_new;
    long result;

    if (start >= c->base_size || c->chunks[number].pages != 0)
        return 0;
    n = (size_t)smaller(c->base_size - start, CHUNK_BYTES);
    result = reserve_chunk(p, c, number, 0, n, &is_new);
    if (result < 0)
        return result;
    log_before(c->chunks[number].data, 0, is_new ? n : 0, n);
    vault_copy(c->chunks[number].data, base_of(c) + start, n);
    c->over++;
    if (c->over == base_chunks(c))
        drop_base(p, c);
    return 0;
}

/* Write the part of [offset, offset + length) that lies in one chunk: bytes, or -errno. */
static long write_chunk(struct pages *p, struct content *c, uint64_t offset, uint64_t length,
                        content_copy copy, void *who, uint64_t done)
{
    uint64_t number = offset / CHUNK_BYTES;
    size_t from = offset % CHUNK_BYTES, n = (size_t)smaller(length, CHUNK_BYTES - from);
    uint64_t in_file = c->size > number * CHUNK_BYTES ? c->size - number * CHUNK_BYTES : 0;
    long result = lay_over(p, c, number);
    size_t old_bytes = (size_t)c->chunks[number].pages * PAGE_BYTES;
    size_t kept =
        (size_t)smaller(old_bytes, in_file); /* bytes of the chunk that were the file's before */
    bool is_new = false;
    uint8_t *data;

    if (result == 0)
        result = reserve_chunk(p, c, number, from, from + n, &is_new);
    data = c->chunks[number].data;
    if (result == 0) {
        log_before(data, from, is_new ? from + n : kept, from + n);
        result = copy(who, done, data + from, n);
    }
    if (result < 0) {
        size_t start = from > kept ? from : kept;

        if (data && start < from + n && from + n <= (size_t)c->chunks[number].pages * PAGE_BYTES)
            clear(data + start, from + n - start);
        return result;
    }
    if (c->size < offset + n)
        c->size = offset + n;
    return (long)n;
}

static long write_chunks(struct pages *p, struct content *c, uint64_t offset, uint64_t length,
                         content_copy copy, void *who)
{
    uint64_t done = 0;
    long result = grow_table(c, (offset + length + CHUNK_BYTES - 1) / CHUNK_BYTES);

    while (result >= 0 && done < length) {
        result = write_chunk(p, c, offset + done, length - done, copy, who, done);
        if (result > 0)
            done += (uint64_t)result;
    }
    return done ? (long)done : result;
}

long content_write(struct pages *p, struct content *c, uint64_t offset, uint64_t length,
                   content_copy copy, void *who)
{
    if (offset >= CONTENT_MAX)
        return -EFBIG;
    length = smaller(length, CONTENT_MAX - offset);
    if (length == 0)
        return 0;
    drop_next(p, c);
    return write_chunks(p, c, offset, length, copy, who);
}

/* Bytes of the file at offset that lie together in memory; *n how many, at most what it was. A hole
 * gives zeros. */
static const uint8_t *piece(const struct content *c, uint64_t offset, size_t *n)
{
    uint64_t number = offset / CHUNK_BYTES;
    size_t within = offset % CHUNK_BYTES, bytes_there;

    if (c->over == 0 && offset < c->base_size) {
        *n = (size_t)smaller(*n, c->base_size - offset);
        return base_of(c) + offset;
    }
    *n = (size_t)smaller(*n, CHUNK_BYTES - within);
    if (offset < c->base_size && (number >= c->count || c->chunks[number].pages == 0)) {
        *n = (size_t)smaller(*n, c->base_size - offset);
        return base_of(c) + offset;
    }
    bytes_there = number < c->count ? (size_t)c->chunks[number].pages * PAGE_BYTES : 0;
    if (within < bytes_there) {
        *n = (size_t)smaller(*n, bytes_there - within);
        return c->chunks[number].data + within;
    }
    *n = (size_t)smaller(*n, sizeof zeros);
    return zeros;
}

long content_read(struct content *c, uint64_t offset, uint64_t length, content_copy copy, void *who)
{
    uint64_t done = 0;
    long result = 0;

    if (offset >= c->size)
        return 0;
    length = smaller(length, c->size - offset);
    while (done < length && result == 0) {
        size_t n = (size_t)(length - done);
        const uint8_t *bytes = piece(c, offset + done, &n);

        result = copy(who, done, (void *)(uintptr_t)bytes, n);
        if (result == 0)
            done += n;
    }
    return done ? (long)done : result;
}

/* What lies behind the end is zeros at all times: the rest of the last chunk is cleared now, since
 * nobody looks at it when the file grows again. */
long content_truncate(struct pages *p, struct content *c, uint64_t size)
{
    uint64_t keep = (size + CHUNK_BYTES - 1) / CHUNK_BYTES;
    size_t within = size % CHUNK_BYTES;

    if (size > CONTENT_MAX)
        return -EFBIG;
    if (size == c->size)
        return 0;
    if (size == 0) {
        content_free(p, c);
        return 0;
    }
    drop_next(p, c);
    if (size < c->size) {
        free_chunks(p, c, keep);
        if (within && keep - 1 < c->count && c->chunks[keep - 1].data) {
            struct run *last = &c->chunks[keep - 1];
            size_t bytes = (size_t)last->pages * PAGE_BYTES;

            if (within < bytes)
                clear(last->data + within, bytes - within);
        }
        c->base_size = smaller(c->base_size, size);
        if (c->base_size && c->over == base_chunks(c))
            drop_base(p, c);
    }
    c->size = size;
    return 0;
}

/* ---- whole ---- */

/* To where nothing was before. */
static long copy_out_memory(void *who, uint64_t done, void *bytes, size_t length)
{
    vault_copy((uint8_t *)who + done, bytes, length);
    return 0;
}

static bool is_whole(const struct content *c)
{
    return c->whole && c->chunk_pages == 0 && c->base_size == c->size && c->whole_size == c->size;
}

long content_make_whole(struct pages *p, struct content *c)
{
    struct content whole;
    size_t n;

    if (is_whole(c) || c->size == 0)
        return 0;
    if (!c->next) {
        c->next_pages = (c->size + PAGE_BYTES - 1) / PAGE_BYTES;
        c->next = region_allocate(p, c->next_pages);
        if (!c->next) {
            c->next_pages = 0;
            return -ENOSPC;
        }
    }
    n = (size_t)smaller(WHOLE_PART, c->size - c->next_done);
    content_read(c, c->next_done, n, copy_out_memory, c->next + c->next_done);
    c->next_done += n;
    if (c->next_done < c->size)
        return -EAGAIN;
    whole = (struct content){.size = c->size,
                             .whole = c->next,
                             .whole_pages = c->next_pages,
                             .whole_size = c->size,
                             .base_size = c->size};
    c->next = NULL;
    content_free(p, c);
    *c = whole;
    return 0;
}
