/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of lib/undo share. */
#ifndef UNDO_INTERNAL_H
#define UNDO_INTERNAL_H

#include "lib/undo/undo.h"

extern struct undo_death undo_dead;

/* A kernel call that the journal does not know of. */
static inline long undo_raw_call(long number, long a, long b, long c, long d, long e)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = 0;
    long result = number + KERNEL_CALL_BASE;

    __asm__ volatile("syscall"
                     : "+a"(result), "+D"(a), "+S"(b), "+d"(c), "+r"(r10), "+r"(r8), "+r"(r9)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

extern void (*undo_loop_at)(void);

static inline uint64_t undo_entry_end(const struct undo_entry *e)
{
    return (uint64_t)(e + 1) + ((e->length + 15) & ~15ull);
}

/* ---- refuse.c ---- */
void undo_say(const char *what, uint64_t a, uint64_t b, uint64_t c); /* into the kernel's log */
/* After a death, and when all is undone: is the step to be done again? by_itself: no fuse has had it
 * die. If not, it is answered. */
void undo_judge(bool by_itself);
void undo_ring(uint64_t ns_from_now); /* the alarm */
void undo_step_is_done(void); /* after all, or it was refused */
/* Between two steps, while undo_returning says UNDO_CAREFUL. True: a notification is kept, and comes with an alarm, so after
 * receiving undo_bring_kept() is due; also by a successor. */
bool undo_careful_step(void);
void undo_bring_kept(void);
/* The step did `key` in place of this entry. */
void undo_diverged_at(const struct undo_entry *entry, uint64_t key, uint64_t from)
    __attribute__((noreturn));

/* return.c: who has a grant may have written there since the last step. */
void undo_granted_leave_out(void);
bool undo_granted_leaves_out(uint64_t at); /* the same, of one word */

/* ---- mirror.c ---- */
/* Of the program's data. (RS has nobody who would give it pages for them one by one.) */
uint64_t undo_mirror_begin(void);
uint64_t undo_mirror_bytes(void);
void undo_mirror_start(void); /* when all is stored that is there before the first message */
void undo_mirror_again(uint64_t log_end); /* the commit had not done all of it */
/* Nothing of the step is done. How many words were not as the last commit has left them, and are now; 0: none, or it cannot be. */
unsigned undo_mirror_mend(uint64_t *at);
static inline bool undo_is_flip(uint64_t was, uint64_t is) /* one bit differs, at most */
{
    return ((was ^ is) & ((was ^ is) - 1)) == 0;
}
/* Of a word and its mirrors, which are not the same: the two that are. A mirror that differs is mended. */
enum undo_vote { UNDO_MEMORY_DIFFERS, UNDO_MIRROR_MENDED, UNDO_ALL_DIFFER } undo_vote(uint64_t at);
bool undo_is_there(uint64_t at); /* mapped */
/* This word has no right contents between two steps, or others may write there. */
bool undo_is_left_out(uint64_t at);
void undo_mirror_check(void); /* says what it would mend, or not: for tests */

/* ---- log.c ---- */
struct undo_log_entry {
    uint64_t begin; /* with its data, if there are any, before it */
    uint64_t at, length; /* what it is of */
    const void
        *data; /* what was there; NULL: zeros, if that is in a vault, else nothing is known */
    bool is_in_vault;
};
struct undo_log_entry undo_log_entry_before(uint64_t end); /* that ends there */
void undo_log_play(uint64_t begin, uint64_t end); /* what was logged is as it was before */

/* ---- root.c; nothing happens in any service but RS ---- */
void undo_root_start(void); /* before the first store */
void undo_root_died(uint64_t log_end); /* before anything is undone: undo_dead.defect is set */
void undo_root_back(void); /* the step is done, or was given up */
void undo_root_undone(void); /* the step that may have wanted another program */
void undo_root_swap_now(void) __attribute__((noreturn)); /* after the commit */
void undo_root_trim(void); /* between steps: back the room that the last one has taken */

#endif
