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

/* A step that has killed so many of its own is given up: its caller gets EIO. */
#define POISON_DEATHS 2
/* So many alarms in a row whose step was given up, each 10 ms after the one before. */
#define ALARMS_LOST_MAX 20
#define ALARM_AGAIN_NS 10000000u

_Static_assert(REPLY_RECEIVE == KERNEL_CALL_BASE + KERNEL_REPLY_RECEIVE, "layout.h");
_Static_assert(offsetof(struct undo_entry, length) == 88, "entry.S");
_Static_assert(sizeof(struct undo_entry) == 96, "entry.S");

extern uint64_t undo_stack;
extern void (*undo_loop_at)(void);
extern char _start[];

void undo_return(void);
void undo_begin(void) __attribute__((noreturn)); /* calls undo_return() on a stack of its own */
void undo_loop_set(void (*loop)(void), uint64_t stack);
void undo_diverged_at(const struct undo_entry *entry, uint64_t key, uint64_t from)
    __attribute__((noreturn));

static uint64_t faults; /* deaths of this step by its own fault */
static uint64_t fuse_seed = 88172645463325252u;
static struct undo_output *const outbox = (struct undo_output *)UNDO_OUTBOX;
static uint64_t outputs;
uint64_t undo_write_grants;
static const struct grant *granted;
static size_t granted_count;
static bool given_up; /* the last step was refused */
static const char *refused; /* why the step is not to be repeated; NULL: it is */

static char *add_text(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

static char *add_number(char *at, uint64_t number)
{
    int shift = 60;

    *at++ = ' ';
    while (shift > 0 && number >> shift == 0)
        shift -= 4;
    for (; shift >= 0; shift -= 4)
        *at++ = "0123456789abcdef"[number >> shift & 15];
    return at;
}

/* (snprintf() is the service's own, so what it stores would be logged.) */
static void say(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    char text[200], *at = text;

    at = add_text(at, service_info()->name);
    at = add_text(at, ": undo: ");
    at = add_text(at, what);
    at = add_number(add_number(add_number(at, a), b), c);
    *at++ = '\n';
    undo_raw_call(KERNEL_LOG, (long)text, at - text, 0, 0, 0);
}

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

static uint64_t entry_end(const struct undo_entry *e)
{
    return (uint64_t)(e + 1) + ((e->length + 15) & ~15ull);
}

static struct undo_entry *entry_replayed(uint64_t key, uint64_t argument)
{
    struct undo_entry *e = (struct undo_entry *)undo_replay_at;

    if (e->key != key || e->argument != argument)
        undo_diverged_at(e, key, (uint64_t)__builtin_return_address(0));
    undo_replay_at = entry_end(e) < undo_journal_at ? entry_end(e) : 0;
    return e;
}

uint64_t undo_input(uint64_t value)
{
    struct undo_entry *e;

    if (undo_replay_at)
        return entry_replayed(UNDO_KEY_INPUT, 0)->result[0];
    e = entry_make(UNDO_KEY_INPUT, 0);
    e->result[0] = value;
    undo_journal_at = entry_end(e);
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
    undo_journal_at = entry_end(entry_make(UNDO_KEY_DONE, 0));
}

/* The data first, then its length, then it counts. */
static void keep_data(struct undo_entry *e, const void *from, size_t length)
{
    memcpy(e + 1, from, length);
    e->length = length;
    undo_journal_at = entry_end(e);
}

void undo_input_bytes(void *at, size_t length)
{
    if (undo_replay_at) {
        struct undo_entry *e = entry_replayed(UNDO_KEY_DATA, length);

        memcpy(at, e + 1, length);
    } else
        keep_data(entry_make(UNDO_KEY_DATA, length), at, length);
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
    undo_journal_at = entry_end(e);
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
    for (uint64_t at = UNDO_JOURNAL; at < undo_journal_at; at = entry_end(last))
        last = (const struct undo_entry *)at;
    if (last && last->key == KERNEL_CALL_BASE + KERNEL_CALL)
        keep_granted((endpoint_t)last->argument);
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
        undo_root_back(given_up);
        given_up = false;
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

void undo_receive_slow(void)
{
    if (undo_in_step)
        return;
    if (outputs)
        send_outputs();
    if (undo_returning & UNDO_RETURNED) {
        tell_rs();
        faults = 0;
    }
    if (undo_returning & UNDO_SWAP)
        undo_root_swap_now();
    undo_returning = undo_dead.fuse ? UNDO_FUSED : 0;
    if (!undo_dead.fuse && undo_log_begin == UNDO_LOG)
        return;
    set_fuse();
    log_reset();
}

/* ---- after a death ---- */

/* result[3] and [4] are the second and third argument. */
static void take_back(const struct undo_entry *e)
{
    long result = (long)e->result[0];

    if ((e->key == KERNEL_CALL_BASE + KERNEL_SLOT_CREATE ||
         e->key == KERNEL_CALL_BASE + KERNEL_SLOT_DESTROY) && /* it was kept under a new name */
        result > 0)
        undo_raw_call(KERNEL_SLOT_DESTROY, result, 0, 0, 0, 0);
    if (e->key == KERNEL_CALL_BASE + KERNEL_MAP && result == 0)
        undo_raw_call(KERNEL_UNMAP, (long)e->argument, (long)e->result[3], (long)e->result[4], 0,
                      0);
    if (e->key == SYS_mmap && (result >= 0 || result < -4095))
        undo_raw_call(SYS_munmap - KERNEL_CALL_BASE, result, (long)e->result[3], 0, 0, 0);
}

/* The step is given up: what it has made outside is taken back where that can be done. */
static void compensate(void)
{
    const struct undo_entry *end = (const struct undo_entry *)undo_journal_at;

    for (const struct undo_entry *e = (const struct undo_entry *)UNDO_JOURNAL; e < end;
         e = (const struct undo_entry *)entry_end(e))
        take_back(e);
}

/* VFS waits for some of those that it hands on, and answers others no more: it knows. */
static bool give_back(void)
{
    static const struct message m = {.type = MESSAGE_REFUSED};

    if (message_via(&undo_message) != service_info()->vfs || !message_via(&undo_message))
        return false;
    undo_later(KERNEL_CALL_BASE + KERNEL_FORWARD, (uint64_t)message_caller(&undo_message), &m,
               (uint64_t)(int64_t)service_info()->vfs);
    return true;
}

/*
 * What was to be done when its alarm went off is not done, and the next alarm not set: it would never
 * look at its timers again. So the alarm goes off once more. One that cannot do with any of them what
 * it must is of no use, though it lives: that is a death that nothing helps against.
 */
static void ring_again(void)
{
    static uint64_t last, in_a_row;
    uint64_t now = __builtin_ia32_rdtsc(), hz = kernel_page()->tsc_hz;

    in_a_row = now - last < hz ? in_a_row + 1 : 1;
    last = now;
    if (in_a_row >= ALARMS_LOST_MAX)
        __builtin_trap();
    undo_raw_call(KERNEL_ALARM,
                  (long)((unsigned __int128)(now - kernel_page()->tsc_boot) * 1000000000u / hz +
                         ALARM_AGAIN_NS),
                  0, 0, 0, 0);
}

static void drop_step(const char *why)
{
    bool asked = message_caller(&undo_message) != ENDPOINT_KERNEL;

    say(why, undo_message.source, undo_message.type, undo_message.w[0]);
    if ((void *)undo_loop_at == (void *)_start) /* there is no request yet: it cannot be started */
        __builtin_trap();
    compensate();
    if (!asked && undo_message.type == MESSAGE_NOTIFY &&
        (undo_message.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        ring_again();
    given_up = true;
    undo_answer(asked && !give_back() ? message_caller(&undo_message) : 0, -EIO);
    undo_in_step = 0;
    undo_journal_at = UNDO_JOURNAL;
}

/* What killed it is found, and mended: it may try once more. */
static bool audited(void)
{
    const char *what = "";
    unsigned mended = undo_audit ? undo_audit(&what) : 0;
    char text[80], *at = text;

    if (!mended)
        return false;
    at = add_text(at, "audit: mended in ");
    *add_text(at, what) = 0;
    say(text, mended, undo_message.type, undo_dead.rip);
    faults = 0;
    return true;
}

static bool is_fault(uint32_t defect)
{
    return defect == DEFECT_EXIT || defect == DEFECT_EXCEPTION || defect == DEFECT_HEARTBEAT;
}

/* The first that a successor does, on a stack of its own. r15 is as the dead has left it. */
void undo_return(void)
{
    uint64_t begin = undo_log_begin, end = begin + undo_log_bytes();

    undo_root_died(end);
    if (undo_in_step)
        keep_what_was_written();
    if (undo_in_step && end != UNDO_LOG) {
        if (end < begin || end > begin + UNDO_WINDOW_MAX) {
            __asm__ volatile("movabsq %0, %%r15" : : "i"(UNDO_LOG));
            say("the log is lost", end, begin, undo_dead.rip);
            __builtin_trap();
        }
        undo_log_play(begin, end);
    }
    __asm__ volatile("movabsq %0, %%r15"
                     :
                     : "i"(UNDO_LOG)); /* rolled back: from here on there is no log */
    undo_log_begin = UNDO_LOG;
    if (!undo_in_step)
        undo_journal_at = UNDO_JOURNAL;
    undo_returning |= UNDO_RETURNED;
    if (undo_in_step) {
        outputs = 0;
        undo_root_undone();
    }
    undo_replay_at = 0;
    if (undo_in_step && is_fault(undo_dead.defect) && begin == UNDO_LOG &&
        ++faults >= POISON_DEATHS && !audited())
        refused = "a request that kills is refused";
    if (undo_in_step && refused)
        drop_step(refused);
    refused = NULL;
    if (undo_journal_at > UNDO_JOURNAL)
        undo_replay_at = UNDO_JOURNAL;
}

/* ---- a step that is not the same the second time ---- */

/* Not a death of its own; but the same has to be done. */
void undo_refuse(const char *why)
{
    refused = why;
    undo_dead.defect = DEFECT_NONE;
    undo_begin();
}

static const char diverged[] = "a step that could not be repeated is refused";

void undo_diverged_at(const struct undo_entry *entry, uint64_t key, uint64_t from)
{
    say("it did something else", entry->key, key, from);
    undo_refuse(diverged);
}

void undo_diverged(const char *how)
{
    say(how, undo_replay_at, undo_journal_at, undo_message.type);
    undo_refuse(diverged);
}
