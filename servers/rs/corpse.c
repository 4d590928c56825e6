/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Corpses: what is kept of an incarnation that died, so that its death can be explained (docs/debugging.md).
 *
 * Of one that is replaced that is its address space itself: the kernel ends the process and leaves
 * the rest under a new endpoint (SLOT_KEEP), which costs less than to destroy it. One that keeps its
 * memory goes on in it, so of that the stack is copied before, and after a fault of its own the data,
 * too. No recovery waits for anything else: who talked to it is looked up 0.2 ms later, before
 * others have filled the trace; what the corpse shared with others is taken out of it later still.
 *
 * At most OF_ONE of a service, CORPSES in all, so much memory each and in all; none when memory is
 * short. Those of kills go first. What is held (RS_HELD) stays.
 */
#include "abi/proto/corpse.h"

#include <errno.h>
#include <string.h>

#include "lib/undo/undo.h"
#include "servers/rs/corpse.h"
#include "servers/rs/history.h"
#include "servers/rs/requests.h"

#define CORPSES 32
#define OF_ONE 4
#define SHARE_ALL 64 /* all together may have 1/64 of memory; */
#define SHARE_FREE                                                                                 \
    8 /* memory is short when less than 1/8 of it is free: more than what files leave to programs */
#define DOOMED 16
#define AREA_PAGES 32
#define IMAGE_END SERVICE_INFO /* below: the program; from there: what RS has mapped; then heap */
#define HEAP 0x740000000000ull /* servers/vm/vm.h, SERVICE_LOW */
#define HEAP_END 0x7f0000000000ull

static struct corpse corpses[CORPSES];
static uint32_t next_number = 1;
static endpoint_t doomed[DOOMED]; /* bodies that are nobody's any more */
static unsigned doomed_count;

static bool is_held(const struct corpse *c)
{
    return c->service->life.state == RS_HELD && c->told.incarnation == c->service->dead_incarnation;
}

/* ---- giving back ---- */

static void doom(endpoint_t body)
{
    if (!body)
        return;
    if (doomed_count == DOOMED)
        slot_destroy(body);
    else
        doomed[doomed_count++] = body;
}

static void destroy_doomed(void)
{
    while (doomed_count > 0)
        slot_destroy(doomed[--doomed_count]);
}

static void drop_body(struct corpse *c)
{
    doom(c->told.body);
    c->told.body = 0;
    c->told.memory = CORPSE_MEMORY_NONE;
    c->told.pages = 0;
    c->is_tidy = true;
}

static void drop(struct corpse *c)
{
    drop_body(c);
    c->service = NULL;
    c->told.number = 0;
}

/* Of those of s, or of all, that may go: kills first, then the oldest. NULL: none may. */
static struct corpse *least(const struct service *s)
{
    struct corpse *found = NULL;

    for (struct corpse *c = corpses; c < corpses + CORPSES; c++) {
        bool is_kill, was_kill;

        if (!c->service || (s && c->service != s) || is_held(c))
            continue;
        is_kill = c->told.defect == DEFECT_KILLED;
        was_kill = found && found->told.defect == DEFECT_KILLED;
        if (!found || is_kill > was_kill ||
            (is_kill == was_kill && c->told.died_ns < found->told.died_ns))
            found = c;
    }
    return found;
}

/* ---- a new one ---- */

static struct corpse *place_for(const struct service *s)
{
    struct corpse *unused = NULL, *old;
    unsigned count = 0;

    for (struct corpse *c = corpses; c < corpses + CORPSES; c++) {
        count += c->service == s;
        if (!c->service && !unused)
            unused = c;
    }
    old = count >= OF_ONE ? least(s) : NULL;
    if (!old && !unused)
        old = least(NULL);
    if (old)
        drop(old);
    return old ? old : unused;
}

void corpse_note(struct service *s)
{
    bool is_on_purpose = s->last_defect == DEFECT_KILLED && s->storm_every; /* nothing to explain */

    s->death.corpse = 0;
    s->death.is_wanted = s->last_defect != DEFECT_UPDATE && !is_on_purpose;
    if (!s->death.is_wanted)
        return;
    s->death.image = s->image;
    s->death.ns = s->record ? s->record->step_ns[STEP_DETECTED] : clock_now();
    s->death.started_ns = s->started;
    s->death.trace_end = undo_input(kernel_info()->trace_end);
    s->death.error = s->fault.error;
    s->death.address = s->fault.address;
    s->death.instruction = s->fault.instruction;
}

static void take_number(struct corpse *c)
{
    c->told.number = next_number;
    next_number = next_number < CORPSE_NUMBER_MAX ? next_number + 1 : 1;
}

static struct corpse *numbered(uint32_t number)
{
    for (struct corpse *c = corpses; number != 0 && c < corpses + CORPSES; c++)
        if (c->service && c->told.number == number)
            return c;
    return NULL;
}

/* By whoever first has something to keep of a death; the number in s->death leads the later ones to
 * the same corpse, or to none when that was given back. It is filled in as the death was noted:
 * what the service has now may be of another incarnation. */
struct corpse *corpse_begin(struct service *s, endpoint_t was)
{
    struct corpse *c = numbered(s->death.corpse);
    struct rs_corpse *t;

    s->corpse = s->death.corpse; /* there may be more to be filled in */
    if (s->death.corpse)
        return c;
    c = place_for(s);
    if (!c)
        return NULL;
    t = &c->told;
    c->service = s;
    c->image = s->death.image;
    c->is_tidy = false;
    c->has_events = false;
    c->trace_end = s->death.trace_end;
    take_number(c);
    t->pid = s->dead_pid;
    t->incarnation = s->dead_incarnation;
    t->defect = s->last_defect;
    t->detail = s->last_detail;
    t->endpoint = was;
    t->body = 0;
    t->memory = CORPSE_MEMORY_NONE;
    t->has_registers = false;
    t->events = 0;
    t->events_lost = true;
    t->pages = 0;
    t->started_ns = s->death.started_ns;
    t->died_ns = s->death.ns;
    t->error = t->address = t->instruction = 0;
    if (t->defect == DEFECT_EXCEPTION) {
        t->error = s->death.error;
        t->address = s->death.address;
        t->instruction = s->death.instruction;
    }
    memcpy(t->name, s->name, sizeof t->name);
    memcpy(t->program,
           s->alternate && s->death.image == s->alternate ? s->manifest->alternate
                                                          : s->manifest->name,
           sizeof t->program);
    s->corpse = s->death.corpse = t->number;
    return c;
}

bool corpse_lay(struct service *s)
{
    struct corpse *c;
    endpoint_t body;

    if (!s->death.is_wanted)
        return false;
    s->death.is_wanted = false;
    c = corpse_begin(s, s->remains);
    body = c ? slot_keep(s->remains) : 0;
    if (body <= 0)
        return false; /* with what is known of it; its memory is not kept */
    c->told.body = body;
    c->told.memory = CORPSE_MEMORY_ALL;
    c->is_tidy = false;
    return true;
}

/* ---- who talked to it ---- */

static uint64_t time_of(uint64_t tsc)
{
    const struct kernel_page *k = kernel_page();

    return clock_ns(tsc - k->tsc_boot, k->tsc_hz);
}

/* The latest first, so they stand at the end of `event`. Nobody else looks at it before its number is told,
 * and filling it again does no harm. */
undo_unlogged static void add_event(const struct trace_event *e, void *to_corpse)
{
    struct rs_corpse *t = to_corpse;
    struct rs_corpse_event *to = &t->event[CORPSE_EVENTS - ++t->events];
    const struct service *other = service_at(e->from == t->endpoint ? e->to : e->from);
    const char *name = other ? other->name : "";

    to->ns = time_of(e->tsc);
    to->kind = e->kind;
    to->from = e->from;
    to->to = e->to;
    to->type = e->type;
    to->detail = e->detail;
    for (unsigned i = 0; i < sizeof to->other; i++) {
        to->other[i] = *name;
        name += *name != 0;
    }
}

undo_unlogged static void fill_events(struct corpse *c)
{
    struct rs_corpse *t = &c->told;
    uint64_t missed = history_missed(c->trace_end), first;

    t->events = 0;
    history_of(c->service, t->endpoint, c->trace_end, CORPSE_EVENTS, add_event, t);
    first = t->events == CORPSE_EVENTS ? t->event[0].ns : t->started_ns;
    t->events_lost = missed && time_of(missed) > first;
}

void corpse_fill(struct service *s)
{
    struct corpse *c = numbered(s->corpse);

    s->corpse = 0;
    if (!c)
        return;
    if (!c->has_events) {
        undo_range(&c->told, sizeof c->told); /* what fill_events() stores is kept as well */
        fill_events(c);
    }
    c->has_events = true;
    if (c->told.body && !c->told.has_registers)
        c->told.has_registers = registers_get(c->told.body, &c->told.registers) == 0;
}

/* ---- how much there is ---- */

static uint64_t pages_of(endpoint_t body)
{
    struct slot_status status;

    return slot_status(body, &status) < 0 ? 0 : status.pages;
}

/* What it shared with others, its program among it, and device memory. */
static void unmap_shared(const struct corpse *c)
{
    for (uint32_t i = 0; i < c->image->mappings; i++)
        if (c->image->mapping[i].flags & MAP_SHARE)
            memory_unmap(c->told.body, c->image->mapping[i].address, c->image->mapping[i].pages);
    memory_unmap(c->told.body, IMAGE_END, (HEAP - IMAGE_END) / PAGE_SIZE);
}

/* Only what was its own is left, and not too much of that. */
static void tidy(struct corpse *c)
{
    struct rs_corpse *t = &c->told;

    c->is_tidy = true;
    if (t->memory == CORPSE_MEMORY_ALL)
        unmap_shared(c);
    if (t->memory == CORPSE_MEMORY_ALL && pages_of(t->body) > PAGES_MAX) {
        memory_unmap(t->body, HEAP, (HEAP_END - HEAP) / PAGE_SIZE);
        t->memory = CORPSE_MEMORY_LESS;
    }
    if (t->memory == CORPSE_MEMORY_LESS && pages_of(t->body) > PAGES_MAX) {
        memory_unmap(t->body, PAGE_SIZE, (IMAGE_END - PAGE_SIZE) / PAGE_SIZE);
        t->memory = CORPSE_MEMORY_STACK;
    }
    t->pages = pages_of(t->body);
}

static bool is_short(void)
{
    const struct kernel_info *k = kernel_info();

    return undo_input(k->frames_free) < k->frames_total / SHARE_FREE;
}

static bool are_too_large(void)
{
    uint64_t pages = 0;

    for (struct corpse *c = corpses; c < corpses + CORPSES; c++)
        if (c->service && !is_held(c))
            pages += c->told.pages;
    return pages > kernel_info()->frames_total / SHARE_ALL;
}

/* One that has a body and may lose it. */
static struct corpse *least_with_body(void)
{
    struct corpse *found = NULL;

    for (struct corpse *c = corpses; c < corpses + CORPSES; c++)
        if (c->service && c->told.body && !is_held(c) &&
            (!found || c->told.died_ns < found->told.died_ns))
            found = c;
    return found;
}

void corpses_tidy(void)
{
    struct corpse *c;

    destroy_doomed();
    for (c = corpses; c < corpses + CORPSES; c++)
        if (c->service && c->told.body && !c->is_tidy)
            tidy(c);
    while (are_too_large() && (c = least_with_body()))
        drop_body(c);
    destroy_doomed();
}

bool corpses_drop(void)
{
    unsigned dropped = 0;

    for (struct corpse *c; (c = least_with_body()); dropped++) {
        if (!c->told.has_registers)
            c->told.has_registers = registers_get(c->told.body, &c->told.registers) == 0;
        drop_body(c);
    }
    dropped += doomed_count;
    destroy_doomed();
    return dropped > 0;
}

void corpses_look(void)
{
    if (least_with_body() && is_short() && corpses_drop())
        log_always("memory is short: what was kept of the dead is given back");
}

/* ---- requests ---- */

long corpses_forget(struct service *s)
{
    long result = -ENOENT;

    for (struct corpse *c = corpses; c < corpses + CORPSES; c++)
        if (c->service == s && !is_held(c)) {
            drop(c);
            result = 0;
        }
    destroy_doomed();
    return result;
}

long request_corpse(struct message *m, struct service *caller)
{
    const struct rs_corpse_request *r = message_words(m);
    struct corpse *found = NULL;

    if (!service_takes_orders(caller))
        return -EPERM;
    for (struct corpse *c = corpses; c < corpses + CORPSES; c++)
        if (c->service && c->told.number >= r->number &&
            (!found || c->told.number < found->told.number))
            found = c;
    if (!found)
        return -ENOENT;
    if (found->told.number == found->service->corpse)
        corpse_fill(found->service);
    if (found->told.body && !found->is_tidy)
        tidy(found);
    found->told.held = is_held(found);
    return grant_to(message_caller(m), r->grant, 0, &found->told, sizeof found->told);
}

/* The first page that is there, at `at` or behind; 0: none is. */
static uint64_t next_page(endpoint_t body, uint64_t at)
{
    uint64_t flags;

    while (memory_query(body, at, &flags) == -EFAULT) {
        if (flags <= at || flags >= USER_END) /* where there may be something again */
            return 0;
        at = flags;
    }
    return at;
}

long request_corpse_area(struct message *m, struct service *caller)
{
    const struct rs_corpse_area_request *r = message_words(m);
    struct rs_corpse_area_reply *reply = message_words(m);
    struct corpse *c = numbered((uint32_t)r->number);
    uint64_t flags, first, pages = 0;

    if (!service_takes_orders(caller))
        return -EPERM;
    if (!c || !c->told.body || r->address >= USER_END)
        return -ENOENT;
    first = next_page(c->told.body, r->address & ~(PAGE_SIZE - 1));
    if (!first)
        return -ENOENT;
    while (pages < AREA_PAGES && memory_query(c->told.body, first + pages * PAGE_SIZE, &flags) >= 0)
        pages++;
    reply->address = first;
    reply->pages = pages;
    return 0;
}

long request_corpse_memory(struct message *m, struct service *caller)
{
    const struct rs_corpse_memory_request *r = message_words(m);
    const struct corpse *c = numbered((uint32_t)r->number);
    static char part[PAGE_SIZE];
    uint64_t bytes = r->length;

    if (!service_takes_orders(caller))
        return -EPERM;
    if (bytes == 0 || bytes > sizeof part)
        return -EINVAL;
    if (!c || !c->told.body)
        return -ENOENT;
    if (copy_from(c->told.body, r->address, part, bytes) < 0)
        return -EFAULT;
    return grant_to(message_caller(m), r->grant, 0, part, bytes);
}
