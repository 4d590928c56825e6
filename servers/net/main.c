/* SPDX-License-Identifier: BSD-2-Clause */
/* The network server's start and the hooks of its loop; see net.h. */
#include <lwip/init.h>
#include <lwip/timeouts.h>

#include "servers/net/interface.h"

#define TURNS 8 /* of serving frames, before messages have their turn again */

uint32_t sys_now(void)
{
    return (uint32_t)(clock_now() / 1000000);
}

/* ---- lwIP's timers ---- */

static bool is_armed;
static uint32_t armed; /* ms */

static void arm_timer(void)
{
    uint32_t delay = sys_timeouts_sleeptime(), when = sys_now() + delay;

    if (delay == SYS_TIMEOUTS_SLEEPTIME_INFINITE || (is_armed && armed == when && delay != 0))
        return;
    is_armed = true;
    armed = when;
    clock_alarm(clock_now() + (delay ? delay * 1000000ull : 1));
}

/* ---- packets to ourselves ---- */

static bool loop_pending(void)
{
    const struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif->loop_first)
            return true;
    }
    return false;
}

/* Until all is quiet: what goes round is bounded by TCP's windows, as long as no program runs. */
static void serve_loops(void)
{
    while (loop_pending()) {
        netif_poll_all();
        acknowledge();
    }
}

/* ---- the loop's hooks ---- */

/* Of several cards one at a time, while it is not known which of them has brought what kills. */
static void serve(uint64_t bits)
{
    for (unsigned n = 0; n < INTERFACES_MAX; n++) {
        uint64_t bit = NOTIFY_BIT(NOTIFY_BIT_PEER + n), others = interfaces_bits() & ~(2 * bit - 1);

        if (!(bits & bit) || !interfaces[n])
            continue;
        interface_serve(interfaces[n]);
        if (undo_is_careful() && bits & others) {
            ipc_notify(service_info()->self, bits & others);
            return;
        }
    }
}

static void notified(uint64_t bits)
{
    serve(bits);
    if (bits & NOTIFY_BIT(NOTIFY_BIT_SERVICES))
        recover_services();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)) {
        is_armed = false; /* it need not be the one that we have set (undo_is_careful()) */
        sys_check_timeouts();
    }
}

static void idle(void)
{
    unsigned turn = 0;

    do { /* frames go out before programs get theirs: peers wait for acknowledgements */
        serve_loops();
        interfaces_settle();
        sockets_idle();
    } while ((interfaces_pending() || loop_pending()) && ++turn < TURNS);
    if (turn == TURNS) /* there are frames still: come back after the messages that wait */
        ipc_notify(service_info()->self, interfaces_bits());
    shortage_of_memory();
    arm_timer();
}

int main(void)
{
    struct service_table table = {.entries = socket_entries,
                                  .count = socket_entry_count,
                                  .notified = notified,
                                  .idle = idle,
                                  .publish = interfaces_publish};

    undo_without_mirror();
    lwip_init();
    shortage_begin();
    service_publish("net");
    recover_services();
    service_ready(RS_READY_FRESH);
    service_run(&table);
}
