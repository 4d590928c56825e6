/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The heap of services: blocks of size classes (four for each doubling), cut from pieces of memory
 * that never go back; a freed block waits for the next of its class. Big blocks are the system's
 * own mappings. malloc.c makes malloc() of it: the C library's gives memory back so eagerly that a
 * server that serves one request after the other would ask VM twice for each; and it touches the
 * FPU. No kernel calls here: tested on the host.
 */
#ifndef RT_HEAP_H
#define RT_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEAP_SMALL_MAX 65536u /* bigger ones are mappings */
#define HEAP_CLASSES 44

struct heap {
    void *(*more)(size_t bytes); /* pages, zeroed, for a big block; NULL: none */
    void *(*more_piece)(size_t bytes); /* the same, and it is kept */
    void (*give_back)(void *pages, size_t bytes); /* big blocks alone */
    void (*corrupt)(const void *block); /* does not return */
    size_t piece; /* how much to ask for at once */
    struct heap_block *unused[HEAP_CLASSES];
    uint8_t *at, *end; /* of the present piece */
};

void *heap_take(struct heap *h, size_t bytes); /* aligned to 16; NULL: no memory */
void heap_give(struct heap *h, void *block);
size_t heap_room(struct heap *h, const void *block); /* usable bytes */

#endif
