/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The smallest correct driver: it has no device and swallows what it is told. It shows what every
 * driver has: a start that finds out where the predecessor was, RS_READY, a name in DS, a loop, a
 * shutdown. docs/writing-a-driver.md walks through it.
 */
#include <stdint.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

/* All that must survive us. A driver of a class has it in its queue; this one has no client, so it
 * is kept in DS. */
static struct null_state {
    uint32_t magic;
    uint32_t incarnations;
    uint64_t swallowed; /* notifications */
} state;
#define NULL_MAGIC 0x6c6c756eu

/* First start and restart are one path: what is found is checked, and what does not check out is
 * set up anew. */
static enum rs_ready adopt_or_reset(void)
{
    if (service_info()->adopt && service_restore("state", &state, sizeof state) == sizeof state &&
        state.magic == NULL_MAGIC)
        return RS_READY_ADOPTED;
    state = (struct null_state){.magic = NULL_MAGIC};
    return RS_READY_RESET;
}

/* Notifications, all that are pending at once. */
static void swallow(uint64_t bits)
{
    state.swallowed += (uint64_t)__builtin_popcountll(bits);
    service_save("state", &state, sizeof state);
}

static void finish(void)
{
    log_info("incarnation %u swallowed %lu notifications", state.incarnations, state.swallowed);
}

int main(void)
{
    enum rs_ready how = adopt_or_reset();

    state.incarnations++;
    service_ready(how);
    service_save("state", &state, sizeof state); /* after the ready: it lengthens no recovery */
    service_publish("null");
    service_set_integer("null/incarnations",
                        state.incarnations); /* for everybody: `service store` */
    service_run(&(struct service_table){.notified = swallow, .shutdown = finish});
}
