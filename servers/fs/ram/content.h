/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contents of one file, in a vault (lib/vault), in one of three forms: borrowed (bytes of the boot archive, never
 * written), whole (one mapping of its own that VM may lend to programs, never written), or chunks
 * of 64 KB, some of which may be missing (holes, zero). The first write turns the others into
 * chunks.
 */
#ifndef RAM_CONTENT_H
#define RAM_CONTENT_H

#include "lib/vault/pages.h"

#define CHUNK_BYTES (RUN_PAGES_MAX * PAGE_BYTES)
#define CONTENT_MAX (1ull << 36)

struct content {
    uint64_t size;
    const uint8_t *borrowed;
    uint8_t *whole; /* whole_pages mapped; beyond size zero */
    uint64_t whole_pages;
    struct run *chunks; /* count of them; bytes of a chunk beyond size are zero */
    uint64_t count, chunk_pages; /* chunk_pages: in use by them */
};

/* Moves bytes between the file and whoever asks: `done` bytes have been moved before. 0
 * or -errno. */
typedef long (*content_copy)(void *who, uint64_t done, void *bytes, size_t length);

/* Bytes read, or -errno when not even one could be. */
long content_read(struct content *c, uint64_t offset, uint64_t length, content_copy copy,
                  void *who);

/* Bytes written; -ENOSPC, -EFBIG, or what copy says when not even one could be. */
long content_write(struct pages *p, struct content *c, uint64_t offset, uint64_t length,
                   content_copy copy, void *who);

/* 0, -ENOSPC, -EFBIG */
long content_truncate(struct pages *p, struct content *c, uint64_t size);

/* Make it whole: 0, -ENOSPC. */
long content_make_whole(struct pages *p, struct content *c);

void content_free(struct pages *p, struct content *c);

/* Pages of memory that it holds. */
uint64_t content_pages(const struct content *c);

#endif
