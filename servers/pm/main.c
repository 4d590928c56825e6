/* SPDX-License-Identifier: BSD-2-Clause */
/* PM runs, with the tables of its files. */
#include "servers/pm/pm.h"

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)) {
        refused_look();
        timer_alarm();
    }
    if (bits & NOTIFY_BIT(NOTIFY_BIT_MEMORY))
        memory_short();
}

int main(void)
{
#define TABLE(name) name,
    static const struct service_entry *const tables[] = {PM_CALLS(TABLE) NULL};

    timer_set();
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){.more = tables, .notified = notified});
}
