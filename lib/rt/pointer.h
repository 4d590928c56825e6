/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of what a server has died: a pointer of which one bit has flipped. It is in a register of the dead,
 * and points to where nothing is; the same word stands in memory; and with one bit turned back it points
 * to something. All three together are no accident, so the word is put right. (Where more than one
 * bit would do, or a wrong pointer points to something by chance, nothing is done.) No kernel calls
 * here: tested on the host. Nothing of it is logged (lib/undo).
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

/* suspect: what a register held; fault: the address of the access that failed, 0: it was none that a
 * processor could make, or it is not known. Returns how many words it has put right. */
unsigned pointer_mend(const struct pointer_memory *m, uint64_t suspect, uint64_t fault);

#endif
