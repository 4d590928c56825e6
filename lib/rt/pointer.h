/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of what a server has died: a pointer of which one bit has flipped. An access through it failed, at its
 * address or some way behind (a field, an element); it stands in memory, points to where nothing is, and with
 * one bit turned back to something. All of that together is no accident, so the word is put right. (Where
 * there are two ways to do that, or a wrong pointer points to something by chance, nothing is done.) No
 * kernel calls here: tested on the host. Nothing of it is logged (lib/undo).
 */
#ifndef RT_POINTER_H
#define RT_POINTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { POINTER_RANGES = 64 };

struct pointer_memory {
    /* From and to memory that may not be there, or may not be written: false. */
    bool (*peek)(const void *at, void *to, size_t bytes);
    bool (*poke)(void *at, const void *from, size_t bytes);
    bool (*is_block)(uint64_t at); /* a block of the heap that is in use begins there */
    struct pointer_range {
        uint64_t begin, end;
    } range[POINTER_RANGES]; /* where pointers are */
    unsigned ranges;
    uint64_t program, program_end; /* whose text and data they may point to, too */
};

/* near: the address that could not be accessed; or, is_register, what a register held when an access failed
 * by an address that no processor could have: then pointers to blocks of the heap alone are put right. Returns
 * how many words were. */
unsigned pointer_mend(const struct pointer_memory *m, uint64_t near, bool is_register);

#endif
