/* SPDX-License-Identifier: BSD-2-Clause */
/* PM: collects the tables of its files and runs. */
#include "servers/pm/pm.h"

#define ENTRIES 192

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
    static struct service_entry entries[ENTRIES];
    size_t count = 0;

#define ADD(name)                                                                                  \
    for (size_t i = 0; i < name##_count && count < ENTRIES; i++)                                   \
        entries[count++] = name[i];
    PM_CALLS(ADD)
    timer_set();
    service_ready(RS_READY_FRESH);
    service_run(&(struct service_table){.entries = entries, .count = count, .notified = notified});
}
