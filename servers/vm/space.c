/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoint to address space: by slot, and good for one generation of it. */
#include <string.h>

#include "lib/rt/pack.h"
#include "lib/service/service.h"
#include "servers/vm/vm.h"

#define SPACES 600
#ifndef POOL /* (on the host another place) */
#define POOL 0x100000000ull /* where VM maps its own tables: below everything of its own */
#endif
#define REGIONS_BYTES ((sizeof(struct regions) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1))

static struct space spaces[SPACES];
static struct {
    endpoint_t ep;
    struct space *space;
} by_slot[ENDPOINT_SLOTS];

struct space *space_of(endpoint_t ep)
{
    unsigned i = endpoint_slot(ep);

    return ep > 0 && by_slot[i].ep == ep ? by_slot[i].space : NULL;
}

/* Region tables are made when first needed and kept for the next user of that entry. */
static struct regions *regions_get(struct space *s)
{
    uint64_t address = POOL + (uint64_t)(s - spaces) * REGIONS_BYTES;

    if (!s->regions && memory_map(ENDPOINT_SELF, address, REGIONS_BYTES / PAGE_SIZE,
                                  MAP_READ | MAP_WRITE, 0, 0) == 0) {
        s->regions = (struct regions *)address;
        undo_looks_through(POOL, address + REGIONS_BYTES); /* the first without is the next */
    }
    return s->regions;
}

static void bind(endpoint_t ep, struct space *space)
{
    unsigned i = endpoint_slot(ep);

    if (by_slot[i].space)
        space_leave(by_slot[i].ep); /* its slot has been used again: it is dead */
    by_slot[i].ep = ep;
    by_slot[i].space = space;
}

/* Services end without anybody telling us: theirs are free again when their slots are dead. */
static void sweep(void)
{
    struct slot_status status;

    for (unsigned i = 0; i < ENDPOINT_SLOTS; i++)
        if (by_slot[i].space && by_slot[i].space->service &&
            slot_status(by_slot[i].ep, &status) < 0)
            space_leave(by_slot[i].ep);
}

endpoint_t space_at(unsigned slot)
{
    return by_slot[slot].space ? by_slot[slot].ep : 0;
}

static struct space *space_free(bool has_table)
{
    for (unsigned i = 0; i < SPACES; i++)
        if (!spaces[i].users && (spaces[i].regions || !has_table))
            return &spaces[i];
    return NULL;
}

struct space *space_new(endpoint_t ep)
{
    struct space *s = space_free(true);
    struct regions *regions;

    if (!s) {
        sweep();
        s = space_free(true);
    }
    if (!s)
        s = space_free(false);
    regions = s ? regions_get(s) : NULL;
    if (!regions)
        return NULL;
    bind(ep, s);
    *s = (struct space){.users = 1,
                        .endpoint = ep,
                        .regions = regions,
                        .address_limit = LIMIT_NONE,
                        .data_limit = LIMIT_NONE,
                        .stack_limit = VM_STACK_LIMIT};
    regions->count = 0;
    return s;
}

int space_join(endpoint_t ep, struct space *space)
{
    bind(ep, space);
    space->users++;
    return 0;
}

void space_leave(endpoint_t ep)
{
    struct space *s = space_of(ep);

    if (!s)
        return;
    by_slot[endpoint_slot(ep)].ep = 0;
    by_slot[endpoint_slot(ep)].space = NULL;
    s->users--;
}

struct space *space_for_caller(endpoint_t ep)
{
    struct space *s = space_of(ep);
    struct message m = message_of(RS_WHO, (struct rs_endpoint_request){.endpoint = (uint64_t)ep});
    const struct rs_who_reply *who = message_words(&m);

    if (s || ipc_call(service_info()->rs, &m) < 0)
        return s;
    s = space_new(ep);
    if (s) {
        s->service = true;
        s->limit = who->memory;
        unpack_text(s->name, who->name, sizeof s->name);
        s->brk_start = s->brk = SERVICE_LOW - 0x10000000000ull;
    }
    return s;
}
