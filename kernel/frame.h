/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical frames. Each frame of RAM has a reference count: one for each mapping (or kernel use);
 * at zero it is free again. Nobody owns memory in any other way, so nothing can leak when its users
 * die.
 */
#ifndef KERNEL_FRAME_H
#define KERNEL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

void frame_start(void); /* takes over the RAM of boot_info */
uint64_t frame_alloc(void); /* physical address, zeroed, one reference; 0: none left */
uint64_t frame_alloc_raw(void); /* the same, contents undefined */
bool frame_clear_ahead(void); /* zeroes one for a later frame_alloc(); false: enough are */
void frame_clear(uint64_t physical);
/* Finds `count` free frames in a row below 4 GB. *at: 0 at first; true: the first one, 0: there are
 * none; false: not searched to the end yet, to be called again with what is in *at and *run. */
bool frame_find_contiguous(uint64_t count, uint64_t *at, uint64_t *run);
bool frame_take(uint64_t physical); /* that one, contents undefined, one reference; if it is free */
void frame_free(uint64_t physical); /* drops a reference */
void frame_reference(uint64_t physical);
uint32_t frame_references(uint64_t physical); /* 0 for what is not RAM */

#endif
