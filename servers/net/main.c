/* SPDX-License-Identifier: BSD-2-Clause */
/* The network server's start and the hooks of its loop; see net.h. */
#include <lwip/init.h>
#include <lwip/timeouts.h>

#include "servers/net/interface.h"
#include "servers/net/kept.h"

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

/* ---- who has to wait ---- */

/*
 * A driver that keeps us busy for nothing is looked at less often: what looks at its queue take is paid from
 * its account (lib/service/attend.h), and while that is overdrawn we leave the queue alone, for
 * ACCOUNT_PAUSE at a time. We are woken all the same, by its notifications, but that is all. What is to be
 * sent over it waits as long.
 */
static bool is_resuming;

static void resume(void *unused);

static void resume_later(void)
{
    if (!is_resuming)
        sys_timeout(ACCOUNT_PAUSE / 1000000, resume, NULL);
    is_resuming = true;
}

/* (Its notifications may have been switched off meanwhile: it is looked at in any case.) */
static void resume(void *unused)
{
    bool more = false;

    (void)unused;
    is_resuming = false;
    for (unsigned n = 0; n < INTERFACES_MAX; n++) {
        struct interface *i = interfaces[n];

        if (!i || !i->attended.account.is_deferred)
            continue;
        if (attended_resume(&i->attended, clock_now()))
            interface_serve(i, false);
        else
            more = true;
    }
    if (more)
        resume_later();
}

static uint64_t turn_began; /* TSC; 0: it is not for drivers alone, or it is over */
static uint64_t whole; /* ns that the last turn took; 0: it was not for drivers alone */

static void turn_end(void)
{
    if (interface_looks.in_vain && turn_began)
        whole = clock_now() - clock_of(turn_began);
    turn_began = 0;
}

/* Of a turn of which nothing came at all, all that it took is paid, by those equally for which it was done;
 * else only the looks themselves. */
static void pay_all(void)
{
    uint64_t now = clock_now(), each = interface_looks.of_use ? 0 : whole, count = 0;

    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        count += interfaces[n] && interfaces[n]->in_vain;
    for (unsigned n = 0; n < INTERFACES_MAX; n++) {
        struct interface *i = interfaces[n];

        if (!i || !i->in_vain)
            continue;
        i->in_vain = false;
        if (attended_pay(&i->attended, each ? each / count : i->took, now))
            resume_later();
    }
}

static void turn_begin(bool for_drivers)
{
    uint64_t begun = tsc_read();

    if (interface_looks.in_vain)
        pay_all();
    interface_looks = (struct interface_looks){false, false};
    whole = 0;
    turn_began = for_drivers ? begun : 0;
}

/* ---- the loop's hooks ---- */

static bool is_own; /* idle() has notified us of all interfaces */

/* Of several cards one at a time, while it is not known which of them has brought what kills. */
static void serve(uint64_t bits)
{
    bool own = is_own;

    is_own = false;
    for (unsigned n = 0; n < INTERFACES_MAX; n++) {
        uint64_t bit = NOTIFY_BIT(NOTIFY_BIT_PEER + n), others = interfaces_bits() & ~(2 * bit - 1);

        if (!(bits & bit) || !interfaces[n])
            continue;
        interface_serve(interfaces[n], own);
        if (undo_is_careful() && bits & others) {
            ipc_notify(service_info()->self, bits & others);
            return;
        }
    }
}

static void notified(uint64_t bits)
{
    turn_begin(!is_own && !(bits & ~interfaces_bits()));
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
    if (turn == TURNS) { /* there are frames still: come back after the messages that wait */
        is_own = true;
        ipc_notify(service_info()->self, interfaces_bits());
    }
    kept_settle();
    shortage_of_memory();
    arm_timer();
}

static void publish(void)
{
    interfaces_publish();
    turn_end();
}

int main(void)
{
    struct service_table table = {.entries = socket_entries,
                                  .count = socket_entry_count,
                                  .notified = notified,
                                  .idle = idle,
                                  .publish = publish};

    undo_without_mirror();
    lwip_init();
    shortage_begin();
    service_publish("net");
    recover_services();
    service_ready(RS_READY_FRESH);
    service_run(&table);
}
