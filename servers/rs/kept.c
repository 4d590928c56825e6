/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The corpses of those that keep their memory: they go on in it, so it is copied before they do.
 *
 * A kill explains itself: of that only what tells where it was, and what it was doing. So that it
 * goes on at once, these few bytes are put aside, at the same place in their pages as there, and
 * become a corpse when it is back. After a fault of its own there is time for its data, too.
 */
#include <string.h>

#include "lib/undo/undo.h"
#include "servers/rs/corpse.h"

#define STACK_PAGES_MAX 16 /* that are copied of one that goes on; */
#define STACK_PAGES_OTHER 4 /* of a stack that is not where the first one is (lib/coro) */
#define OFFSET(address) ((address) & (PAGE_SIZE - 1))
#define REQUEST_BYTES 128 /* lib/undo/entry.S: in one page */

static _Alignas(PAGE_SIZE) char kept_stack[2 * PAGE_SIZE], kept_request[PAGE_SIZE];
static struct {
    struct service *service; /* NULL: there is nothing here */
    uint64_t stack, request; /* pages */
    bool has_stack;
    struct registers registers;
} kept;

/* A process that is nothing but memory; 0: there is no room for one. */
static endpoint_t make_body(const struct service *s)
{
    struct slot_config config = {.service_id = SERVICE_ID_PROGRAM, .priority = PRIORITIES - 1};
    endpoint_t body;

    memcpy(config.name, s->name, sizeof config.name);
    body = slot_create(&config);
    return body > 0 ? body : 0;
}

static bool copy_pages(endpoint_t to, uint64_t address, uint64_t pages, endpoint_t from,
                       uint64_t source)
{
    return memory_map(to, address, pages, MAP_READ | MAP_WRITE | MAP_COPY, from, source) == 0;
}

static bool is_first_stack(uint64_t stack_pointer)
{
    return stack_pointer < SERVICE_STACK_TOP &&
           SERVICE_STACK_TOP - stack_pointer <= STACK_PAGES_MAX * PAGE_SIZE;
}

/* From the stack pointer up; of a stack of another kind some pages, as far as they go. */
static void copy_stack(endpoint_t body, endpoint_t of, uint64_t stack_pointer)
{
    uint64_t at = stack_pointer - OFFSET(stack_pointer);

    if (is_first_stack(stack_pointer))
        copy_pages(body, at, (SERVICE_STACK_TOP - at) / PAGE_SIZE, of, at);
    else
        for (int i = 0; i < STACK_PAGES_OTHER && copy_pages(body, at, 1, of, at); i++)
            at += PAGE_SIZE;
}

/* All that it has not from VM, as far as there is room. */
static void copy_data(endpoint_t body, const struct service *s)
{
    uint64_t pages = 0;

    for (uint32_t i = 0; i < s->image->mappings; i++) {
        const struct mapping *m = &s->image->mapping[i];

        if ((m->flags & MAP_WRITE) && pages + m->pages <= PAGES_MAX &&
            copy_pages(body, m->address, m->pages, s->endpoint, m->address))
            pages += m->pages;
    }
}

static struct corpse *begin(struct service *s, const struct registers *r, enum corpse_memory memory)
{
    struct corpse *c = corpse_begin(s, s->endpoint);

    if (!c)
        return NULL;
    c->told.registers = *r;
    c->told.has_registers = true;
    c->told.body = make_body(s);
    if (c->told.body)
        c->told.memory = memory;
    return c->told.body ? c : NULL;
}

static void keep(struct service *s, const struct registers *r)
{
    uint64_t at = r->rsp, length = sizeof kept_stack - OFFSET(at), request = s->image->undo.death;

    if (!is_first_stack(at))
        length = PAGE_SIZE - OFFSET(at);
    else if (length > SERVICE_STACK_TOP - at)
        length = SERVICE_STACK_TOP - at;
    kept.service = s;
    kept.registers = *r;
    kept.stack = at - OFFSET(at);
    kept.request = request - OFFSET(request);
    kept.has_stack = copy_from(s->endpoint, at, kept_stack + OFFSET(at), length) == 0;
    copy_from(s->endpoint, request, kept_request + OFFSET(request), REQUEST_BYTES);
}

undo_unlogged static void wipe(char *begin, uint64_t length)
{
    char *at = begin;
    uint64_t left = length;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(left) : "a"(0) : "memory");
    undo_written(begin, length);
}

/* Others have nothing there. */
static void kept_becomes_corpse(struct service *s)
{
    struct corpse *c;

    if (kept.service != s)
        return;
    kept.service = NULL;
    c = begin(s, &kept.registers, CORPSE_MEMORY_STACK);
    if (c && kept.has_stack)
        copy_pages(c->told.body, kept.stack, kept.stack + PAGE_SIZE == SERVICE_STACK_TOP ? 1 : 2,
                   ENDPOINT_SELF, (uint64_t)kept_stack);
    if (c)
        copy_pages(c->told.body, kept.request, 1, ENDPOINT_SELF, (uint64_t)kept_request);
    wipe(kept_stack, sizeof kept_stack);
    wipe(kept_request, sizeof kept_request);
}

void corpse_catch(struct service *s)
{
    corpse_fill(s); /* of the one before, which died in its start */
    if (kept.service == s)
        corpse_begin(s, s->endpoint);
    else if (s->death.is_wanted)
        corpse_begin(s, s->remains);
    corpse_fill(s);
}

void corpse_complete(struct service *s)
{
    kept_becomes_corpse(s);
    corpse_fill(s);
}

void corpse_copy(struct service *s, const struct registers *r)
{
    struct corpse *c;

    if (kept.service) /* nobody has had time for it yet */
        kept_becomes_corpse(kept.service);
    corpse_note(s);
    if (!s->death.is_wanted)
        return;
    s->death.is_wanted = false;
    if (s->last_defect == DEFECT_KILLED) {
        keep(s, r);
        return;
    }
    c = begin(s, r, CORPSE_MEMORY_DATA);
    if (!c)
        return;
    copy_stack(c->told.body, s->endpoint, r->rsp);
    copy_data(c->told.body, s);
}

void corpse_copy_self(struct service *s, const struct registers *r, uint64_t stack, uint64_t pages)
{
    struct corpse *c;

    corpse_note(s);
    s->death.is_wanted = false;
    c = begin(s, r, CORPSE_MEMORY_STACK);
    if (c && pages)
        copy_pages(c->told.body, stack, pages, ENDPOINT_SELF, UNDO_DEAD_STACK);
    corpse_fill(s);
}
