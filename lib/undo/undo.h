/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A server that comes back with all it had. Its memory is kept when it dies; what it did since its
 * last message is undone and done again.
 *
 * A *step* is a transaction: a message is received and handled, up to the next receiving.
 *   - The undo log has the old contents of all that the step stores to: tools/undo-plugin makes the
 *     compiler log each store. %r15 is the log's end.
 *   - The journal has what each kernel call of the step returned, and all else that may be another
 *     the next time: the clock, random numbers, memory that others write.
 * After a death RS (servers/rs/succeed.c) lets the same process begin at undo_enter. The log is
 * played backwards, and the step is done again with the same message; calls that are in the journal
 * are not made again.
 *
 * Where it lies (RS maps it; a step that needs more is given more, up to the limit):
 *     UNDO_LOG       16-byte entries {address, old word}, or data, then {address | bit 63, length};
 *                    with bit 62, too, of memory that only the kernel can write; with bit 62
 *                    alone, of such memory that was zero, there are no data; nor with bit 61, of
 *                    what has been written after it was logged
 *     UNDO_JOURNAL   struct undo_entry, some with data behind
 *     UNDO_OUTBOX    struct undo_output: what is done when the step is
 *     UNDO_FUSE      a log that tests let run into its end: docs/testing.md
 *
 *     UNDO_MIRROR    what the last commit has left of the data and the heap: what is otherwise
 *                    there before a step is no work of the program's own (mirror.c)
 *     UNDO_SECOND    the same once more: of the three the two that are the same are right
 *
 * A service is built this way when its manifest says `returns rolled-back`; UNDO is defined then.
 * For all others what is here does nothing.
 */
#ifndef UNDO_UNDO_H
#define UNDO_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/service.h"
#include "lib/undo/layout.h"

#ifdef UNDO

/* of a call, or with a bit of its own */
enum {
    UNDO_KEY_DATA = 0x10000, /* data of `length` bytes lie behind the entry */
    UNDO_KEY_INPUT = 0x20000, /* a word: the clock, say */
    UNDO_KEY_DONE = 0x30000, /* undo_done() */
    UNDO_KEY_GRANTED =
        0x40000, /* data: what the callee has written by our grants, in their order */
    UNDO_KEY_ELSE = 0x50000, /* data: a message to `argument` */
};

struct undo_output { /* what is to be done after the commit; twice does no harm */
    uint64_t call; /* number of the call, as the kernel takes it: a reply, a forward, munmap */
    uint64_t to; /* the endpoint; or the address */
    struct message message; /* of munmap: type is the length */
    uint64_t forward_to;
};

enum undo_returning {
    UNDO_RETURNED = 1, /* a successor is at work on the step that its predecessor began */
    UNDO_FUSED = 2, /* steps may run into the end of their log */
    UNDO_OUTPUT = 4, /* there is something to be done after the commit */
    UNDO_SWAP = 8, /* of RS: its text is to be changed after the commit */
    UNDO_CAREFUL = 16, /* notifications were refused lately */
};

struct undo_entry {
    uint64_t key; /* number of the call, as the kernel takes it, or enum above */
    uint64_t argument; /* the call's first */
    uint64_t result[9]; /* rax; rsi, rdx, or of a message all */
    uint64_t length; /* of data: bytes */
};

extern uint64_t undo_in_step; /* 0: what was logged is nothing any more, the answer is to be sent */
extern uint64_t undo_journal_at; /* the journal's end */
extern uint64_t undo_replay_at; /* the next entry to be taken from it; 0: calls are made */
extern uint64_t undo_returning; /* enum undo_returning: what undo_receive_slow() is to look after */
extern uint64_t undo_log_begin; /* UNDO_LOG, or with a fuse somewhere in UNDO_FUSE */
extern struct message undo_message; /* of the step; at its end the words of its answer */
extern int64_t undo_status; /* of its receiving */

/*
 * The loop of steps. undo_loop() never returns; from the end of this step on, a successor begins
 * with loop(), which is to be:
 *
 *     for (;;) {
 *         undo_receive();        unless the step is there already
 *         ...                    handles undo_message
 *         undo_answer(to, result);
 *         undo_commit();
 *     }
 */
void undo_loop(void (*loop)(void)) __attribute__((noreturn));
void undo_receive_slow(void);
extern uint64_t undo_scrub_due; /* of the TSC: past, or no more than 32 bits away */
void undo_scrub(void); /* scrub.c */
void undo_diverged(const char *how) __attribute__((noreturn)); /* the step cannot be repeated */
/* Of a request that nobody is to make: what it has done is undone, and its caller gets -EIO. `why` is
 * logged. */
void undo_refuse(const char *why) __attribute__((noreturn));

/*
 * A notification whose step is refused comes again, after 10 ms, with an alarm. For a while some step
 * of a notification has killed: whoever has many things to do for one does one of them in a step. And
 * if that was refused: the first of them kills, and is to be left out. Both are the same when a step is
 * repeated.
 */
bool undo_is_careful(void);
bool undo_first_kills(void);
/* How many steps have been refused. Each is followed by an alarm: what it has done to others may be
 * looked at then. */
uint64_t undo_refusals(void);
/* A service may have one: whoever was refused m is not answered, but stays blocked on it. Logs nothing. */
bool undo_keeps_refused(const struct message *m) __attribute__((weak));

static inline __attribute__((always_inline)) void undo_receive(void)
{
    if (__builtin_expect(undo_returning, 0))
        undo_receive_slow();
    if (undo_in_step)
        return;
    __asm__ volatile("call undo_receive_message"
                     :
                     :
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "memory");
    /* Further away than 32 bits it cannot be: a bit of it has flipped. */
    if (__builtin_expect((undo_scrub_due - 1 - __builtin_ia32_rdtsc()) >> 32 != 0, 0))
        undo_scrub();
}

/* The end of a step: whom to answer (0: nobody), and what. A repeated step does that again, so it is
 * not logged. */
static inline __attribute__((always_inline)) void undo_answer(endpoint_t to, long result)
{
    __asm__ volatile("movl %0, undo_answer_to(%%rip)\n\tmovq %1, undo_result(%%rip)"
                     :
                     : "r"(to), "r"(result)
                     : "memory");
}

/* What has been logged and kept since the commit, by what may be repeated, is forgotten. */
static inline __attribute__((always_inline)) void undo_forget(void)
{
    __asm__ volatile("call undo_mirror\n\t"
                     "movq undo_log_begin(%%rip), %%r15\n\t"
                     "movq %0, %%rcx\n\t"
                     "movq %%rcx, undo_journal_at(%%rip)"
                     :
                     : "i"(UNDO_JOURNAL)
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "cc", "memory");
}

static inline __attribute__((always_inline)) void undo_commit(void)
{
    if (__builtin_expect(undo_replay_at, 0))
        undo_diverged("it ended early");
    __asm__ volatile("movq $0, undo_in_step(%%rip)" /* this is it; the rest is tidying up */
                     :
                     :
                     : "memory");
    undo_forget();
}

/* How much has been logged in this step: to end one that has much to do. */
static inline uint64_t undo_log_bytes(void)
{
    uint64_t end;

    __asm__ volatile("movq %%r15, %0" : "=r"(end));
    return end - undo_log_begin;
}

/* Memory that somebody else than this program's own compiled code is about to write: the kernel,
 * assembly. What is on the stack of the step needs it not, and may be given. */
static inline __attribute__((always_inline)) void undo_range(const void *at, size_t length)
{
    __asm__ volatile("call __undo_range" : : "D"(at), "S"(length) : "memory");
}

/* That was of an earlier step, or is of no importance, and it has been written: so is the mirror at the commit. */
void undo_written(const void *at, size_t length);
/* The same as undo_range() of memory in a vault (lib/vault). */
void undo_vault(const void *at, size_t length);
void undo_vault_zero(const void *at, size_t length); /* what is zero now */

/* First of all, by a service of which a step stores so much that the mirror would cost too much (decision 0015). */
extern bool undo_has_no_mirror;
static inline void undo_without_mirror(void)
{
    undo_has_no_mirror = true;
}

/* Where malloc() takes its next piece (lib/rt/malloc.c); UNDO_HEAP to there is looked through with the data. */
extern uint64_t undo_heap_end;

/* What a service has mapped for itself below UNDO_MIRRORED, elsewhere than its heap, is looked through, too: one range. */
extern uint64_t undo_tables_begin, undo_tables_end;
static inline void undo_looks_through(uint64_t begin, uint64_t end)
{
    undo_tables_begin = begin;
    undo_tables_end = end;
}

/* What a step is about to use, and others have left there: a bit of it that has flipped is put right. Both multiples of 8;
 * in the data, the heap, or what is looked through; of memory that has no mirror nothing is known. */
void undo_verify(const void *at, size_t length);
void undo_verify_differing(
    const void *at); /* the same of a word that is not as one of its mirrors */
static inline __attribute__((always_inline)) void undo_verify_word(const void *at)
{
    const uint64_t *is = at;

    if (__builtin_expect(!undo_has_no_mirror && (uint64_t)at < UNDO_MIRRORED &&
                             *is != *(const uint64_t *)(UNDO_MIRROR + (uint64_t)at),
                         0))
        undo_verify_differing(at);
}

/* A service may have one: of memory that has no right contents, before it is compared. It calls the other. */
void undo_mirror_leave_out(void) __attribute__((weak));
bool undo_mirror_leaves_out(uint64_t at) __attribute__((weak)); /* the same, of one word */
void undo_mirror_same(const void *at, size_t length);

/* A value that may be another when the step is repeated. */
uint64_t undo_input(uint64_t value);
/* The same of memory that somebody else has written, after undo_range() before that: it is as it was
 * then. */
void undo_input_bytes(void *at, size_t length);
/*
 * What a callee writes by a grant while we wait for its answer is an input as the answer is, and is
 * kept right behind it: by the call itself, or, when we die before, by the successor before it undoes
 * anything.
 */
extern uint64_t undo_write_grants; /* how many are open */
static inline void undo_count_grants(int more)
{
    undo_write_grants += (uint64_t)(int64_t)more;
}
void undo_grant_table(const struct grant *table, size_t count);
void undo_granted(endpoint_t callee); /* it has answered */

/* A kernel call (not one with a message) that fills `to`. */
long undo_read(long number, long a, long b, long c, long d, long e, void *to, size_t length);

/* Something that is done once, though the step may be repeated: what is done between the two calls,
 * when undo_repeated() says no. It may be done twice as long as the step has gone no further. */
bool undo_repeated(void);
void undo_done(void);
/*
 * What a call that is about to be made does at another server, `m` takes back there: it is called when
 * this step is refused. It must do no harm if the call was not made after all. (What was made in the
 * kernel is taken back anyhow: slots, mappings.)
 */
void undo_else(endpoint_t to, const struct message *m);
/* A kernel call that may be made again. */
long undo_again(long number, long a, long b, long c, long d);
/* To be done when the step is committed: so nobody learns of it before, and the step can be repeated
 * as long as it is not. */
void undo_later(uint64_t call, uint64_t to, const struct message *m, uint64_t forward_to);

/*
 * Of RS alone, which the kernel lets go on when it dies (root.c).
 */
struct undo_root { /* its last death; changes between two steps */
    uint64_t returns; /* how often it has come back */
    uint32_t defect, detail; /* enum rs_defect */
    uint64_t instruction;
    uint64_t died_tsc, back_tsc;
    uint64_t swaps,
        swapped_tsc; /* how often its program was changed; the clock before the last time */
    uint64_t swaps_back; /* how often because it had died in the new one */
    struct registers registers; /* but rcx, r11, and what is not the program's own */
    uint64_t stack,
        stack_pages; /* from where on its stack was in use; a copy is at UNDO_DEAD_STACK */
};
extern struct undo_root undo_root;
void undo_alive(void); /* from time to time: it does not hang */
/* When it has used so many ns of the CPU from now on it dies, of that enum rs_defect. */
void undo_guard(uint64_t ns, uint32_t defect);
void undo_die(uint32_t fuse); /* here and now, once, as though it were killed; struct undo_death */

/*
 * RS's program is changed when this step is committed (servers/rs/swap.c): by kernel calls, made from a
 * second mapping of undo_swap_calls, since the text that they are made from goes.
 */
struct undo_swap_call {
    uint64_t number, argument[6]; /* as the kernel takes it */
};
#define UNDO_SWAP_CALLS 40
struct undo_swap {
    uint64_t runner; /* where undo_swap_calls is mapped, too */
    uint64_t calls;
    struct undo_swap_call call[UNDO_SWAP_CALLS];
};
extern char undo_swap_calls[];
/* `back`: done when it dies by its own fault, before anything is undone; until undo_root_keep(). Both stay
 * as they are until then. */
void undo_root_swap(const struct undo_swap *to, const struct undo_swap *back);
void undo_root_keep(void);

/* For a function whose stores are output to others, or may happen twice: not logged. What it stores to is
 * no memory that has a mirror, or is undo_apart. */
#define undo_unlogged __attribute__((no_instrument_function, noinline))
/* For a variable that has no right contents between two steps: a page of it has a mirror only if something
 * else in it is logged. */
#define undo_apart __attribute__((section("undo_apart")))

#define UNDO_SYSCALL "call undo_call"
#define UNDO_SYSCALL_MESSAGE "call undo_call_message"

#else

static inline __attribute__((noreturn)) void undo_refuse(const char *why)
{
    (void)why;
    __builtin_trap();
}

static inline uint64_t undo_input(uint64_t value)
{
    return value;
}

static inline void undo_input_bytes(void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline uint64_t undo_log_bytes(void)
{
    return 0;
}

static inline void undo_range(const void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline void undo_without_mirror(void)
{
}

static inline void undo_looks_through(uint64_t begin, uint64_t end)
{
    (void)begin;
    (void)end;
}

static inline void undo_written(const void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline void undo_verify(const void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline void undo_verify_word(const void *at)
{
    (void)at;
}

static inline void undo_vault(const void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline void undo_vault_zero(const void *at, size_t length)
{
    (void)at;
    (void)length;
}

static inline void undo_grant_table(const struct grant *table, size_t count)
{
    (void)table;
    (void)count;
}

static inline void undo_count_grants(int more)
{
    (void)more;
}

static inline uint64_t undo_refusals(void)
{
    return 0;
}

static inline bool undo_is_careful(void)
{
    return false;
}

static inline bool undo_first_kills(void)
{
    return false;
}

static inline bool undo_repeated(void)
{
    return false;
}

static inline void undo_done(void)
{
}

static inline void undo_else(endpoint_t to, const struct message *m)
{
    (void)to;
    (void)m;
}

#define undo_unlogged
#define undo_apart
#define UNDO_SYSCALL "syscall"
#define UNDO_SYSCALL_MESSAGE "syscall"

#endif
#endif
