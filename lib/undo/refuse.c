/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A step that is not done again: it has killed each time, or it did something else the second time. What
 * it has done is undone, and its caller gets -EIO. Nothing here is logged.
 */
#include <errno.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

/* A step that has killed so many of its own is given up: its caller gets EIO. */
#define POISON_DEATHS 2
/* So many alarms in a row whose step was given up, each 10 ms after the one before. */
#define ALARMS_LOST_MAX 20
#define AGAIN_NS 10000000u
#define AGAIN_MAX 8 /* of another notification, if nothing else is done meanwhile */
#define CAREFUL_STEPS 128 /* of notifications that could be done since the last that could not */

extern char _start[];

void undo_begin(void) __attribute__((noreturn)); /* calls undo_return() on a stack of its own */

undo_apart static uint64_t faults; /* deaths of this step by its own fault */
undo_apart static uint64_t refusals; /* so far */
undo_apart static const char *refused; /* why the step is not to be repeated; NULL: it is */

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
void undo_say(const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    char text[200], *at = text;

    at = add_text(at, service_info()->name);
    at = add_text(at, ": undo: ");
    at = add_text(at, what);
    at = add_number(add_number(add_number(at, a), b), c);
    *at++ = '\n';
    undo_raw_call(KERNEL_LOG, (long)text, at - text, 0, 0, 0);
}

/* result[3] and [4] are the second and third argument. */
static void take_back(const struct undo_entry *e)
{
    static const struct message nothing; /* whoever was seized goes on where it was */
    long result = (long)e->result[0];

    if ((e->key == KERNEL_CALL_BASE + KERNEL_SLOT_CREATE ||
         e->key == KERNEL_CALL_BASE + KERNEL_SLOT_DESTROY) && /* it was kept under a new name */
        result > 0)
        undo_raw_call(KERNEL_SLOT_DESTROY, result, 0, 0, 0, 0);
    if (e->key == KERNEL_CALL_BASE + KERNEL_MAP && result == 0)
        undo_raw_call(KERNEL_UNMAP, (long)e->argument, (long)e->result[3], (long)e->result[4], 0,
                      0);
    if (e->key == KERNEL_CALL_BASE + KERNEL_SLOT_CONTROL && e->result[3] == SLOT_CONTROL_SEIZE &&
        (result == SEIZED_RUNNING || result == SEIZED_FAULT))
        undo_later(KERNEL_CALL_BASE + KERNEL_REPLY, e->argument, &nothing, 0);
    if (e->key == UNDO_KEY_ELSE)
        undo_later(KERNEL_CALL_BASE + KERNEL_CALL, e->argument, (const struct message *)(e + 1), 0);
    if (e->key == SYS_mmap && (result >= 0 || result < -4095))
        undo_raw_call(SYS_munmap - KERNEL_CALL_BASE, result, (long)e->result[3], 0, 0, 0);
}

/* The step is given up: what it has made outside is taken back where that can be done. */
static void compensate(void)
{
    const struct undo_entry *end = (const struct undo_entry *)undo_journal_at;

    for (const struct undo_entry *e = (const struct undo_entry *)UNDO_JOURNAL; e < end;
         e = (const struct undo_entry *)undo_entry_end(e))
        take_back(e);
}

/* VFS waits for some of those that it hands on, and answers others no more: it knows. And the service
 * itself may have use for who is blocked on it. */
static bool give_back(void)
{
    static const struct message m = {.type = MESSAGE_REFUSED};

    if (undo_keeps_refused && undo_keeps_refused(&undo_message))
        return true;
    if (message_via(&undo_message) != service_info()->vfs || !message_via(&undo_message))
        return false;
    undo_later(KERNEL_CALL_BASE + KERNEL_FORWARD, (uint64_t)message_caller(&undo_message), &m,
               (uint64_t)(int64_t)service_info()->vfs);
    return true;
}

/* ---- notifications ---- */

/* What was to be done for a notification is not done, and nobody will notify again. So its bits are
 * kept, and come again with an alarm. */
undo_apart static uint64_t kept;
undo_apart static unsigned in_a_row; /* refused, of notifications, and none was done since */
undo_apart static unsigned careful; /* steps, still */
undo_apart static bool first_kills; /* one was refused although it did as little as can be */
undo_apart static bool was_refused; /* the last step, of whatever */

uint64_t undo_refusals(void)
{
    return refusals;
}

bool undo_is_careful(void)
{
    return careful > 0;
}

bool undo_first_kills(void)
{
    return first_kills;
}

static bool is_notification(void)
{
    return message_caller(&undo_message) == ENDPOINT_KERNEL && undo_message.type == MESSAGE_NOTIFY;
}

static bool is_alarm(void)
{
    return is_notification() && (undo_message.w[0] & NOTIFY_BIT(NOTIFY_BIT_ALARM));
}

void undo_ring(uint64_t ns_from_now)
{
    const struct kernel_page *k = kernel_page();
    uint64_t ticks = __builtin_ia32_rdtsc() - k->tsc_boot;

    undo_raw_call(KERNEL_ALARM, (long)(clock_ns(ticks, k->tsc_hz) + ns_from_now), 0, 0, 0, 0);
}

/*
 * The next alarm is not set, either: it would never look at its timers again. So that goes off once
 * more in any case. One that cannot do with any of its alarms what it must is of no use, though it
 * lives: that is a death that nothing helps against.
 */
static void keep_notification(uint64_t bits)
{
    bool alarm = bits & NOTIFY_BIT(NOTIFY_BIT_ALARM);

    first_kills = careful > 0;
    careful = CAREFUL_STEPS;
    in_a_row++;
    if (alarm && in_a_row >= ALARMS_LOST_MAX)
        __builtin_trap();
    if (in_a_row <= AGAIN_MAX)
        kept |= bits & ~NOTIFY_BIT(NOTIFY_BIT_ALARM);
    else
        undo_say("a notification that kills is dropped", bits, in_a_row, 0);
    undo_returning |= UNDO_CAREFUL;
    undo_ring(AGAIN_NS);
}

/* (Bits that are stored twice are the same.) */
void undo_bring_kept(void)
{
    if (!kept || !undo_in_step || !is_alarm())
        return;
    undo_message.w[0] |= kept;
    kept = 0;
}

bool undo_careful_step(void)
{
    if (was_refused)
        was_refused = false;
    else if (is_notification()) {
        in_a_row = 0;
        first_kills = false;
        careful -= careful > 0;
    }
    if (careful || kept)
        undo_returning |= UNDO_CAREFUL;
    return kept;
}

static void drop_step(const char *why)
{
    bool asked = !is_notification();

    undo_say(why, undo_message.source, undo_message.type, undo_message.w[0]);
    if ((void *)undo_loop_at == (void *)_start) /* there is no request yet: it cannot be started */
        __builtin_trap();
    compensate();
    refusals++;
    if (asked)
        undo_ring(0); /* the alarm may have been set to another time */
    else
        keep_notification(undo_message.w[0]);
    was_refused = true;
    undo_answer(asked && !give_back() ? message_caller(&undo_message) : 0, -EIO);
    undo_in_step = 0;
    undo_journal_at = UNDO_JOURNAL;
}

/* A call, or an input, that nobody else knows of: it may be left out, or be another. */
static bool is_private(const struct undo_entry *e)
{
    return e->key == KERNEL_CALL_BASE + KERNEL_LOG || e->key == UNDO_KEY_INPUT ||
           e->key == (KERNEL_COPY_FROM | UNDO_KEY_DATA);
}

/* What it did last before it died (it said why, for example) it need not do again. */
static void forget_last_words(void)
{
    uint64_t end = UNDO_JOURNAL;

    for (uint64_t at = UNDO_JOURNAL; at < undo_journal_at;) {
        const struct undo_entry *e = (const struct undo_entry *)at;

        at = undo_entry_end(e);
        if (!is_private(e))
            end = at;
    }
    undo_journal_at = end;
}

/* What killed it is found, and mended: it may try once more. */
static bool is_mended(void)
{
    uint64_t at = 0;
    unsigned mended = undo_mirror_mend(&at);

    if (!mended)
        return false;
    undo_say("mended: words, the first at", mended, at, undo_dead.rip);
    forget_last_words();
    faults = 0;
    return true;
}

static bool is_fault(uint32_t defect)
{
    return defect == DEFECT_EXIT || defect == DEFECT_EXCEPTION || defect == DEFECT_HEARTBEAT;
}

/* To look what it died of: of a hang at once, which is a long time already. */
static bool is_due(uint64_t deaths)
{
    return deaths >= POISON_DEATHS || undo_dead.defect == DEFECT_HEARTBEAT;
}

void undo_judge(bool by_itself)
{
    /* Between two steps there is no request to be refused; but a bit may have flipped. */
    if (!undo_in_step && is_fault(undo_dead.defect) && by_itself)
        is_mended();
    if (undo_in_step && is_fault(undo_dead.defect) && by_itself && is_due(++faults) &&
        !is_mended() && faults >= POISON_DEATHS)
        refused = "a request that kills is refused";
    if (undo_in_step && refused)
        drop_step(refused);
    refused = NULL;
}

void undo_step_is_done(void)
{
    faults = 0;
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
    undo_say("it did something else", entry->key, key, from);
    undo_refuse(diverged);
}

void undo_diverged(const char *how)
{
    undo_say(how, undo_replay_at, undo_journal_at, undo_message.type);
    undo_refuse(diverged);
}
