/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A successor's beginning, and the journal's entries that are more than registers. Nothing here is
 * logged: what is stored here is either the same when it is stored again, or counts with one store.
 */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/syscall.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"
#include "lib/undo/layout.h"

_Static_assert(REPLY_RECEIVE == KERNEL_CALL_BASE + KERNEL_REPLY_RECEIVE, "layout.h");
_Static_assert(offsetof(struct undo_entry, length) == 88, "entry.S");
_Static_assert(sizeof(struct undo_death) == UNDO_DEATH_BYTES, "entry.S");
_Static_assert(sizeof(struct undo_entry) == 96, "entry.S");

extern uint64_t undo_stack;

void undo_return(void);
void undo_loop_set(void (*loop)(void), uint64_t stack);

undo_apart static uint64_t fuse_seed = 88172645463325252u;
static struct undo_output *const outbox = (struct undo_output *)UNDO_OUTBOX;
undo_apart static uint64_t outputs;
undo_apart uint64_t undo_write_grants;
undo_apart static const struct grant *granted;
undo_apart static size_t granted_count;

static void log_reset(void)
{
    __asm__ volatile("movq %0, %%r15" : : "r"(undo_log_begin));
}

/* ---- the journal ---- */

static struct undo_entry *entry_make(uint64_t key, uint64_t argument)
{
    struct undo_entry *e = (struct undo_entry *)undo_journal_at;

    e->key = key;
    e->argument = argument;
    e->length = 0;
    return e;
}

static struct undo_entry *entry_replayed(uint64_t key, uint64_t argument)
{
    struct undo_entry *e = (struct undo_entry *)undo_replay_at;

    if (e->key != key || e->argument != argument)
        undo_diverged_at(e, key, (uint64_t)__builtin_return_address(0));
    undo_replay_at = undo_entry_end(e) < undo_journal_at ? undo_entry_end(e) : 0;
    return e;
}

uint64_t undo_input(uint64_t value)
{
    struct undo_entry *e;

    if (undo_replay_at)
        return entry_replayed(UNDO_KEY_INPUT, 0)->result[0];
    e = entry_make(UNDO_KEY_INPUT, 0);
    e->result[0] = value;
    undo_journal_at = undo_entry_end(e);
    return value;
}

bool undo_repeated(void)
{
    if (!undo_replay_at)
        return false;
    entry_replayed(UNDO_KEY_DONE, 0);
    return true;
}

void undo_done(void)
{
    undo_journal_at = undo_entry_end(entry_make(UNDO_KEY_DONE, 0));
}

/* The data first, then its length, then it counts. */
static void keep_data(struct undo_entry *e, const void *from, size_t length)
{
    memcpy(e + 1, from, length);
    e->length = length;
    undo_journal_at = undo_entry_end(e);
}

void undo_input_bytes(void *at, size_t length)
{
    if (undo_replay_at) {
        struct undo_entry *e = entry_replayed(UNDO_KEY_DATA, length);

        memcpy(at, e + 1, length);
    } else
        keep_data(entry_make(UNDO_KEY_DATA, length), at, length);
}

void undo_else(endpoint_t to, const struct message *m)
{
    if (undo_replay_at)
        entry_replayed(UNDO_KEY_ELSE, (uint64_t)to);
    else
        keep_data(entry_make(UNDO_KEY_ELSE, (uint64_t)to), m, sizeof *m);
}

/* What it only reads may be read again: a death between the call and its being kept does no harm. */
long undo_read(long number, long a, long b, long c, long d, long e, void *to, size_t length)
{
    struct undo_entry *entry;

    undo_range(to, length);
    if (undo_replay_at) {
        entry = entry_replayed((uint64_t)number | UNDO_KEY_DATA, (uint64_t)a);
        memcpy(to, entry + 1, entry->length);
        return (long)entry->result[0];
    }
    entry = entry_make((uint64_t)number | UNDO_KEY_DATA, (uint64_t)a);
    entry->result[0] = (uint64_t)undo_raw_call(number, a, b, c, d, e);
    keep_data(entry, to, (long)entry->result[0] < 0 ? 0 : length);
    return (long)entry->result[0];
}

/* ---- what a callee has written ---- */

void undo_grant_table(const struct grant *table, size_t count)
{
    granted = table;
    granted_count = count;
}

static bool is_written_by(const struct grant *g, endpoint_t callee)
{
    return g->to == callee && (g->flags & GRANT_WRITE);
}

static void keep_granted(endpoint_t callee)
{
    struct undo_entry *e = entry_make(UNDO_KEY_GRANTED, (uint64_t)callee);
    char *to = (char *)(e + 1);

    for (const struct grant *g = granted; g < granted + granted_count; g++)
        if (is_written_by(g, callee))
            to = (char *)memcpy(to, (const void *)g->address, g->length) + g->length;
    e->length = (uint64_t)(to - (char *)(e + 1));
    undo_journal_at = undo_entry_end(e);
}

void undo_granted(endpoint_t callee)
{
    const char *from;

    if (!undo_replay_at) {
        keep_granted(callee);
        return;
    }
    from = (const char *)(entry_replayed(UNDO_KEY_GRANTED, (uint64_t)callee) + 1);
    for (const struct grant *g = granted; g < granted + granted_count; g++)
        if (is_written_by(g, callee)) {
            memcpy((void *)g->address, from, g->length);
            from += g->length;
        }
}

/* The step has died between its call's answer and undo_granted(). */
static void keep_what_was_written(void)
{
    const struct undo_entry *last = NULL;

    if (undo_replay_at || !undo_write_grants)
        return;
    for (uint64_t at = UNDO_JOURNAL; at < undo_journal_at; at = undo_entry_end(last))
        last = (const struct undo_entry *)at;
    if (last && last->key == KERNEL_CALL_BASE + KERNEL_CALL)
        keep_granted((endpoint_t)last->argument);
}

void undo_granted_leave_out(void)
{
    for (const struct grant *g = granted; g < granted + granted_count; g++)
        if (g->to && (g->flags & GRANT_WRITE))
            undo_mirror_same((const void *)g->address, g->length);
}

bool undo_granted_leaves_out(uint64_t at)
{
    for (const struct grant *g = granted; g < granted + granted_count; g++)
        if (g->to && (g->flags & GRANT_WRITE) && at + sizeof(uint64_t) > g->address &&
            at < g->address + g->length)
            return true;
    return false;
}

long undo_again(long number, long a, long b, long c, long d)
{
    return undo_raw_call(number, a, b, c, d, 0);
}

/* ---- the loop ---- */

void undo_loop_set(void (*loop)(void), uint64_t stack)
{
    undo_range(&undo_stack, sizeof undo_stack);
    undo_range(&undo_loop_at, sizeof undo_loop_at);
    undo_stack = stack;
    undo_loop_at = loop;
    undo_mirror_start();
    undo_commit();
    undo_root_trim();
}

/* Some steps of some successors are to die at a store: see layout.h. */
static void set_fuse(void)
{
    if (undo_dead.fuse == 0) {
        undo_log_begin = UNDO_LOG;
        return;
    }
    fuse_seed ^= fuse_seed << 13, fuse_seed ^= fuse_seed >> 7, fuse_seed ^= fuse_seed << 17;
    undo_log_begin = UNDO_FUSE + UNDO_WINDOW_FIRST - 16 * (1 + fuse_seed % undo_dead.fuse);
}

static long raw_message(const struct undo_output *o)
{
    const struct message *m = &o->message;
    register uint64_t r10 __asm__("r10") = m->w[1];
    register uint64_t r8 __asm__("r8") = m->w[2];
    register uint64_t r9 __asm__("r9") = m->w[3];
    register uint64_t r12 __asm__("r12") = m->w[4];
    register uint64_t r13 __asm__("r13") = m->w[5];
    register uint64_t r14 __asm__("r14") = o->forward_to;
    uint64_t rax = o->call, rdi = o->to, rsi = m->type, rdx = m->w[0];

    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10), "+r"(r8), "+r"(r9),
                       "+r"(r12), "+r"(r13), "+r"(r14)
                     :
                     : "rcx", "r11", "memory");
    return (long)rax;
}

/* Whom it was for is dead: the caller comes back to us, as though that one had died a moment later.
 * (When the caller is dead itself, or no more ours, the kernel refuses this, too.) */
static void bounce(const struct undo_output *o)
{
    struct undo_output back = *o;

    back.message = (struct message){.type = MESSAGE_BOUNCED, .w = {o->forward_to}};
    back.forward_to = (uint64_t)(int64_t)service_info()->self;
    raw_message(&back);
}

/* (Not with ipc_call(): no journal is to know of it.) */
static void tell_rs(void)
{
    register uint64_t r14 __asm__("r14") = 0;
    uint64_t rdi = (uint64_t)service_info()->rs, rsi = RS_READY, rdx = RS_READY_ROLLED_BACK;
    long rax = KERNEL_CALL_BASE + KERNEL_CALL;

    if (service_info()->self == service_info()->rs) {
        undo_root_back();
        return;
    }
    __asm__ volatile("syscall"
                     : "+a"(rax), "+D"(rdi), "+S"(rsi), "+d"(rdx)
                     : "r"(r14)
                     : "rcx", "r11", "r10", "r8", "r9", "r12", "r13", "memory");
}

void undo_later(uint64_t call, uint64_t to, const struct message *m, uint64_t forward_to)
{
    outbox[outputs] = (struct undo_output){call, to, *m, forward_to};
    outputs++;
    undo_returning |= UNDO_OUTPUT;
}

static void send_outputs(void)
{
    for (uint64_t i = 0; i < outputs; i++)
        if (outbox[i].call < KERNEL_CALL_BASE)
            undo_raw_call((long)outbox[i].call - KERNEL_CALL_BASE, (long)outbox[i].to,
                          (long)outbox[i].message.type, 0, 0, 0);
        else if (raw_message(&outbox[i]) == -EDEADSRCDST &&
                 outbox[i].call == KERNEL_CALL_BASE + KERNEL_FORWARD)
            bounce(&outbox[i]);
    outputs = 0;
    undo_returning &= ~(uint64_t)UNDO_OUTPUT;
}

static void receive_kept(void)
{
    __asm__ volatile("call undo_receive_message"
                     :
                     :
                     : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
                       "r14", "memory");
    undo_bring_kept();
}

void undo_receive_slow(void)
{
    bool is_kept;

    if (undo_in_step)
        return;
    if (outputs)
        send_outputs();
    if (undo_returning & UNDO_RETURNED) {
        tell_rs();
        undo_step_is_done();
    }
    if (undo_returning & UNDO_SWAP)
        undo_root_swap_now();
    undo_returning = undo_dead.fuse ? UNDO_FUSED : 0;
    is_kept = undo_careful_step();
    if (undo_dead.fuse || undo_log_begin != UNDO_LOG) {
        set_fuse();
        log_reset();
    }
    if (is_kept)
        receive_kept();
}

/* ---- after a death ---- */

/* The first that a successor does, on a stack of its own. r15 is as the dead has left it. */
void undo_return(void)
{
    uint64_t begin = undo_log_begin, end = begin + undo_log_bytes();

    undo_root_died(end);
    if (undo_in_step)
        keep_what_was_written();
    else
        undo_mirror_again(end);
    if (undo_in_step && end != UNDO_LOG) {
        if (end < begin || end > begin + UNDO_WINDOW_MAX) {
            __asm__ volatile("movabsq %0, %%r15" : : "i"(UNDO_LOG));
            undo_say("the log is lost", end, begin, undo_dead.rip);
            __builtin_trap();
        }
        undo_log_play(begin, end);
    }
    __asm__ volatile("movabsq %0, %%r15"
                     :
                     : "i"(UNDO_LOG)); /* rolled back: from here on there is no log */
    undo_log_begin = UNDO_LOG;
    if (!undo_in_step) {
        undo_journal_at = UNDO_JOURNAL;
        undo_root_trim(); /* and not before: what was committed is in the mirrors only now */
    }
    undo_returning |= UNDO_RETURNED;
    if (undo_in_step) {
        outputs = 0;
        undo_root_undone();
    }
    undo_replay_at = 0;
    if (undo_dead.fuse)
        undo_mirror_check();
    undo_judge(begin == UNDO_LOG);
    undo_bring_kept();
    if (undo_journal_at > UNDO_JOURNAL)
        undo_replay_at = UNDO_JOURNAL;
}
