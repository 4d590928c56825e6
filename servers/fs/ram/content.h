/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The contents of one file, in a vault (lib/vault): chunks of 64 KB, over a base that is never written: borrowed (bytes
 * of the boot archive) or whole (one mapping of its own that VM may lend to programs). Where a chunk is missing there
 * is the base, and where that ends a hole (zero). A write copies what it needs of the base into a chunk first. Nothing
 * here takes longer for a large file but freeing it.
 */
#ifndef RAM_CONTENT_H
#define RAM_CONTENT_H

#include "lib/vault/pages.h"

#define CHUNK_BYTES (RUN_PAGES_MAX * PAGE_BYTES)
#define CONTENT_MAX (1ull << 36)

struct content {
    uint64_t size;
    const uint8_t *borrowed;
    uint8_t *whole; /* whole_pages mapped; zero beyond whole_size */
    uint64_t whole_pages, whole_size;
    uint64_t base_size; /* so much of borrowed or whole is the file's */
    struct run *chunks; /* count of them; bytes of a chunk beyond size are zero */
    uint64_t count, chunk_pages; /* chunk_pages: in use by them */
    uint64_t over; /* chunks that lie over the base */
    uint8_t *next; /* the next whole, of which next_done bytes are there */
    uint64_t next_pages, next_done;
};

/* Of an empty file: its bytes lie there, and stay. */
void content_borrow(struct content *c, const void *bytes, uint64_t size);

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

/* Make it whole: 0; -EAGAIN: a part of that was done; -ENOSPC. What changes meanwhile makes it begin anew. */
long content_make_whole(struct pages *p, struct content *c);

void content_free(struct pages *p, struct content *c);

/* Pages of memory that it holds. */
uint64_t content_pages(const struct content *c);

#endif
