/* SPDX-License-Identifier: BSD-2-Clause */
/* Where the logs of lib/undo are, and other numbers that assembly shares with C. */
#ifndef UNDO_LAYOUT_H
#define UNDO_LAYOUT_H

#define UNDO_FUSE 0x73e000000000 /* with the log's beginning in one page table */
#define UNDO_DEAD_STACK 0x73e000080000 /* of RS alone: a copy of the stack that it died on */
#define UNDO_DEAD_STACK_MAX 0x4000 /* bytes */
#define UNDO_LOG 0x73e000100000
/* (No two of them are one bit apart: one that flips in an address of the one does not lead to the other.) */
#define UNDO_JOURNAL (UNDO_LOG + 0xc000000)
#define UNDO_OUTBOX (UNDO_LOG + 0x14000000)
/* What is at an address below UNDO_MIRRORED (the program's data, and its heap) was the same at UNDO_MIRROR + that address, and
 * at UNDO_SECOND + that address, when the last step was committed; where there is no page, nothing has been stored yet. */
#define UNDO_MIRROR 0x73d000000000
#define UNDO_SECOND 0x73d600000000
#define UNDO_MIRRORED 0x180000000
#define UNDO_HEAP 0x80000000 /* from where on lib/rt/malloc.c takes what it cuts into blocks */
#define UNDO_WINDOW_MAX 0x4000000 /* bytes, of each: beyond that a step has too much to do */
#define UNDO_WINDOW_FIRST 0x4000 /* bytes that are mapped from the start on, and then at once */

#define UNDO_MARK 0x6b6361622073656f /* before undo_start */

#define UNDO_DEATH_BYTES 208 /* of struct undo_death */

#define REPLY_RECEIVE 0x1004 /* KERNEL_CALL_BASE + KERNEL_REPLY_RECEIVE */

#ifndef __ASSEMBLER__
#include <stdint.h>

#include "abi/kernel.h"

/* What RS finds before the entry of an image that comes back this way: addresses in it. */
struct undo_header {
    uint64_t mark; /* UNDO_MARK */
    uint64_t enter, enter_end; /* where a successor begins; within, RS does not write `death` */
    uint64_t death; /* of struct undo_death */
    uint64_t layout; /* of its memory: the same number, the same layout; 0: unknown */
    uint64_t fits; /* it can take over a memory of that layout */
};
extern const struct undo_header undo_header; /* of the program itself */

struct undo_death { /* written by RS before a successor begins */
    uint64_t rip; /* of the dead */
    uint32_t defect; /* enum rs_defect */
    uint32_t fuse; /* not 0: the logs of some steps are to end after so many entries at most */
    uint64_t address; /* of the access that failed; 0: it was none, or is not known (RS's own) */
    struct registers registers; /* of the dead; of RS without rcx and r11 */
};
#endif
#endif
