/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The same for RS, which nobody is above: the kernel lets it go on (KERNEL_GUARD), it maps its logs
 * itself, and finds out itself of what it died. Nothing here is logged.
 */
#include <signal.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/undo/internal.h"

/* bytes: all that it does before its first message is one step */
#define BOOT_LOG 0x180000
#define BOOT_JOURNAL 0x20000
#define ROOM_LEAST 0x4000 /* bytes that the next store, or entry, may want */
#define ROOM_KEPT 0x10000
#define HEARTBEAT (2 * 1000000000ull) /* of the CPU, from one word to the next */

extern char undo_enter_root[];

undo_apart struct undo_root undo_root;
/* As they were; written where a successor begins. */
undo_apart struct registers undo_root_registers;
/* Written where a successor begins, 1 more than what the kernel says; 0: it is dealt with. */
undo_apart uint64_t undo_root_why;

undo_apart static uint64_t log_room, journal_room; /* bytes that are mapped; log_room 0: not RS */
/* What it is when it has run for that long. */
undo_apart static enum rs_defect armed = DEFECT_HEARTBEAT;
undo_apart static bool dies; /* of its own will */
undo_apart static struct undo_root dying; /* what undo_root will be; died_tsc 0: it lives */
undo_apart static const struct undo_swap *swap, *swap_back; /* NULL: none */
undo_apart static bool swaps; /* just now */

static bool is_root(void)
{
    return service_info()->self == service_info()->rs;
}

static long map(uint64_t at, uint64_t bytes)
{
    return undo_raw_call(KERNEL_MAP, ENDPOINT_SELF, (long)at, (long)(bytes / PAGE_SIZE),
                         MAP_READ | MAP_WRITE, 0);
}

static void map_first(uint64_t at, uint64_t bytes)
{
    static const char too_little[] = "rs: too little memory for its logs\n";

    if (map(at, bytes) >= 0)
        return;
    undo_raw_call(KERNEL_LOG, (long)too_little, sizeof too_little - 1, 0, 0, 0);
    undo_raw_call(KERNEL_PANIC, RS_PANIC_STATUS, 0, 0, 0, 0);
}

void undo_root_start(void)
{
    if (!is_root() || log_room != 0)
        return;
    map_first(UNDO_LOG, BOOT_LOG);
    map_first(UNDO_JOURNAL, BOOT_JOURNAL);
    map_first(UNDO_OUTBOX, UNDO_WINDOW_FIRST);
    map_first(UNDO_DEAD_STACK, UNDO_DEAD_STACK_MAX);
    map_first(UNDO_MIRROR + undo_mirror_begin(), undo_mirror_bytes());
    map_first(UNDO_SECOND + undo_mirror_begin(), undo_mirror_bytes());
    journal_room = BOOT_JOURNAL;
    log_room = BOOT_LOG;
    undo_guard(HEARTBEAT, DEFECT_HEARTBEAT);
}

void undo_guard(uint64_t ns, uint32_t defect)
{
    armed = (enum rs_defect)defect;
    undo_raw_call(KERNEL_GUARD, (long)undo_enter_root, (long)ns, 0, 0, 0);
}

void undo_alive(void)
{
    if (armed == DEFECT_HEARTBEAT)
        undo_guard(HEARTBEAT, DEFECT_HEARTBEAT);
}

void undo_die(uint32_t fuse)
{
    if (undo_repeated())
        return;
    undo_done();
    undo_dead.fuse = fuse;
    dies = true;
    __asm__ volatile("ud2" : : : "memory");
}

/* Twice as much. False: there is no more. */
static bool more_room(uint64_t window, uint64_t *room)
{
    if (*room > UNDO_WINDOW_MAX / 2 || map(window + *room, *room) < 0)
        return false;
    *room *= 2;
    return true;
}

/* It was at the end of what is mapped, and there is more now: no defect. (If there is none the step
 * is given up, as any that kills.) */
static bool made_room(uint64_t log_end)
{
    uint64_t to = undo_root_registers.rdi; /* of a range that is being copied there */
    bool made = false;

    if (log_end - UNDO_LOG < UNDO_WINDOW_MAX && log_end + ROOM_LEAST > UNDO_LOG + log_room)
        made |= more_room(UNDO_LOG, &log_room);
    else if (to - UNDO_LOG < UNDO_WINDOW_MAX && to + 8 > UNDO_LOG + log_room)
        made |= more_room(UNDO_LOG, &log_room);
    if (undo_journal_at + ROOM_LEAST > UNDO_JOURNAL + journal_room)
        made |= more_room(UNDO_JOURNAL, &journal_room);
    return made;
}

/* Done again from its beginning when it dies in it: what is unmapped may be unmapped. */
static void trim(uint64_t window, uint64_t *room)
{
    if (*room <= ROOM_KEPT)
        return;
    undo_raw_call(KERNEL_UNMAP, ENDPOINT_SELF, (long)(window + ROOM_KEPT),
                  (long)((*room - ROOM_KEPT) / PAGE_SIZE), 0, 0);
    *room = ROOM_KEPT;
}

void undo_root_trim(void)
{
    trim(UNDO_LOG, &log_room);
    trim(UNDO_JOURNAL, &journal_room);
}

/* ---- another program ---- */

void undo_root_swap(const struct undo_swap *to, const struct undo_swap *back)
{
    swap = to;
    swap_back = back;
    undo_returning |= UNDO_SWAP;
}

void undo_root_keep(void)
{
    swap_back = NULL;
}

/* It has not been done, and the step is done again. */
void undo_root_undone(void)
{
    if (undo_returning & UNDO_SWAP)
        swap_back = NULL;
    undo_returning &= ~(uint64_t)UNDO_SWAP;
}

/* r15, the log's end, stays as it is: of one that has died nothing is undone yet. */
static __attribute__((noreturn)) void put_in(const struct undo_swap *s)
{
    void (*calls)(const struct undo_swap_call *, const struct undo_swap_call *) =
        (void (*)(const struct undo_swap_call *, const struct undo_swap_call *))s->runner;

    calls(s->call, s->call + s->calls);
    __builtin_unreachable();
}

void undo_root_swap_now(void)
{
    undo_returning &= ~(uint64_t)UNDO_SWAP;
    undo_dead.defect = DEFECT_NONE;
    swaps = true;
    dying.died_tsc = 0;
    undo_root.swapped_tsc = tsc_read();
    undo_guard(HEARTBEAT, DEFECT_HEARTBEAT); /* so that no strike is due in the midst of it */
    put_in(swap);
}

/* Of its own fault, on probation. */
static void go_back(void)
{
    const struct undo_swap *back = swap_back;

    if (!back || (undo_dead.defect != DEFECT_EXIT && undo_dead.defect != DEFECT_EXCEPTION &&
                  undo_dead.defect != DEFECT_HEARTBEAT))
        return;
    swap_back = NULL;
    undo_root.swaps_back++;
    put_in(back);
}

/* ---- its death ---- */

static enum rs_defect defect_of(uint64_t why)
{
    dying.detail = why == GUARD_TIME && armed != DEFECT_KILLED ? 0 : SIGKILL;
    if (why == GUARD_TIME)
        return armed;
    if (dies)
        return DEFECT_KILLED;
    dying.detail = why == GUARD_END ? 1 : (uint32_t)why;
    return why == GUARD_END ? DEFECT_EXIT : DEFECT_EXCEPTION;
}

/* What of its stack was in use, page by page, before the successor uses it. */
static void keep_stack(void)
{
    uint64_t from = dying.registers.rsp & ~(PAGE_SIZE - 1), length = SERVICE_STACK_TOP - from;
    void *to = (void *)UNDO_DEAD_STACK;

    dying.stack = from;
    dying.stack_pages = 0;
    if (length > UNDO_DEAD_STACK_MAX) /* it is another stack, or has overflowed */
        return;
    dying.stack_pages = length / PAGE_SIZE;
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

void undo_root_died(uint64_t log_end)
{
    if (!is_root() || undo_root_why == 0)
        return;
    if (dying.died_tsc == 0) {
        dying.died_tsc = tsc_read();
        dying.registers = undo_root_registers;
        keep_stack();
    }
    dying.instruction = undo_dead.rip;
    undo_dead.registers = undo_root_registers;
    undo_dead.registers.rcx = undo_dead.registers.r11 = 0;
    undo_dead.defect = defect_of(undo_root_why - 1);
    if (undo_dead.defect == DEFECT_EXCEPTION && made_room(log_end))
        undo_dead.defect = DEFECT_NONE;
    armed = DEFECT_HEARTBEAT;
    dies = false;
    undo_root_why = 0;
    if (!(undo_returning & UNDO_SWAP))
        go_back();
}

void undo_root_back(void)
{
    if (undo_dead.defect != DEFECT_NONE) {
        undo_root.defect = undo_dead.defect;
        undo_root.detail = dying.detail;
        undo_root.instruction = dying.instruction;
        undo_root.registers = dying.registers;
        undo_root.stack = dying.stack;
        undo_root.stack_pages = dying.stack_pages;
        undo_root.died_tsc = dying.died_tsc;
        undo_root.back_tsc = tsc_read();
        undo_root.returns++;
    }
    if (swaps) {
        undo_root.swaps++;
        undo_root.back_tsc = tsc_read();
        swaps = false;
    }
    dying.died_tsc = 0;
    undo_root_trim();
    undo_guard(HEARTBEAT, DEFECT_HEARTBEAT);
}
