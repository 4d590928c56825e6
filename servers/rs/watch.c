/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who is alive and ill. Every look at a service says how much of the CPU it has used and whether it
 * has come back to its loop; no service is asked (docs/decisions/0002). From that come the
 * heartbeat, the limit of a start, and the shares of the CPU: who has used up its share for
 * nothing runs at the lowest priority for a while, and a driver that goes on without being of any
 * use to its client is in a storm, of interrupts that it does not acknowledge, say, and is
 * replaced. So is one whose device raises MSIs without end, whatever it uses itself.
 *
 * Many who keep to their shares could still leave programs nothing, by what they use together, by
 * what they have servers do for them, and in lives too short to be looked at. So all who are of no
 * use have one more share together, from which all that is paid, also for the dead. When it is used
 * up those who have paid the most of it run last, and so do their fresh copies, until there is more.
 *
 * What is of use is what a queue's header says, in which the driver can write, and what a client
 * cannot tell from good work: sound frames that never came over any wire. So whoever is of use, all
 * of them together leave programs a tenth.
 */
#include <signal.h>

#include "abi/queue.h"
#include "servers/rs/rs.h"

#define SLOW_AGAIN (10 * SECOND) /* the log is not told more often that a service is slow */
#define CORE_START (60 * SECOND)

/* What many have together: all who are of no use; and all who have a share, whether they are of use
 * or only seem to be. */
static struct together {
    struct looks looks;
    uint64_t paid; /* ns of CPU */
    struct share share;
} all, busy;

static bool all_is_used_up(void)
{
    return all.share.low || busy.share.low;
}

static bool is_driver(const struct manifest *m)
{
    return m->class >= CLASS_NET; /* behind it in the list are drivers alone */
}

/* The next queue that a driver has with that client; NULL: the first, and the end. */
static const struct queue *queue_with(const struct service *client, const struct queue *q)
{
    while ((q = queue_next(q)))
        if (q->client == client && q->driver->queue == q && is_driver(q->driver->manifest))
            return q;
    return NULL;
}

static bool is_client(const struct service *s)
{
    return queue_with(s, NULL) != NULL;
}

/* Of the processor, per mille; 0: no limit. */
static uint32_t share_of(const struct service *s)
{
    return share_permille(s->manifest->cpu_permille, is_driver(s->manifest), is_client(s),
                          service_essential(s));
}

static uint64_t counted_in(const struct queue *q)
{
    return undo_input(
        __atomic_load_n(&((const struct queue_header *)q->memory)->useful, __ATOMIC_RELAXED));
}

uint64_t watch_useful(const struct service *s)
{
    return is_driver(s->manifest) && s->queue ? counted_in(s->queue) : WATCH_UNCOUNTED;
}

/* The same, of a client all that it has counted. */
static uint64_t useful_of(const struct service *s)
{
    const struct queue *q = NULL;
    uint64_t sum = 0;

    if (is_driver(s->manifest) || !is_client(s))
        return watch_useful(s);
    while ((q = queue_with(s, q)))
        sum += counted_in(q);
    return sum;
}

static uint64_t in_vain_in(const struct queue *q)
{
    return undo_input(
        __atomic_load_n(&((const struct queue_header *)q->memory)->in_vain_ns, __ATOMIC_RELAXED));
}

/* Of its client's time, what was spent on it in vain, in all; of a client, what it has spent so. */
static uint64_t in_vain_of(const struct service *s)
{
    const struct queue *q = NULL;
    uint64_t sum = 0;

    if (is_driver(s->manifest))
        return s->queue ? in_vain_in(s->queue) : 0;
    while ((q = queue_with(s, q)))
        sum += in_vain_in(q);
    return sum;
}

/* Since the last look. (A driver can write there: no more than a client can have done.) */
static uint64_t vain_since(struct service *s, uint64_t elapsed)
{
    uint64_t before = s->in_vain, vain;

    if (elapsed == 0)
        return 0;
    s->in_vain = in_vain_of(s);
    vain = s->in_vain > before ? s->in_vain - before : 0;
    return vain < elapsed ? vain : elapsed;
}

/* Of its device; a pin's is masked until the driver acknowledges it. */
static uint64_t msis_of(const struct service *s)
{
    uint64_t vector = s->device ? s->device->msi_vector : 0;

    return vector ? undo_input(kernel_page()->irq_count[vector & 0xff]) : 0;
}

static void set_priority(struct service *s)
{
    s->runs_last = s->share.low || s->is_held;
    slot_control(s->endpoint, SLOT_CONTROL_PRIORITY,
                 s->runs_last ? PRIORITIES - 1 : s->config.priority);
}

void watch_begin(struct service *s)
{
    struct slot_status status = {0}; /* of a fresh process, which has its manifest's priority */
    bool goes_on = service_keeps_memory(s) && s->ready != 0;

    if (goes_on)
        slot_status(s->endpoint, &status);
    looks_begin(&s->looks, clock_now(), status.cpu_ns);
    s->paid = status.paid_ns;
    s->in_vain = in_vain_of(s);
    s->is_held &= all_is_used_up();
    pulse_begin(&s->pulse);
    share_begin(&s->share, useful_of(s));
    flood_begin(&s->flood, msis_of(s), useful_of(s));
    s->runs_last &= goes_on;
    if (s->runs_last != (s->share.low || s->is_held))
        set_priority(s);
}

void watch_ready(struct service *s)
{
    s->is_slow = false;
    pulse_begin(&s->pulse);
    share_ready(&s->share, share_of(s));
}

/* A first start is free: everybody waits for it. */
static bool pays(const struct service *s)
{
    return share_of(s) != 0 && (s->incarnation > 1 || s->life.state == RS_UP);
}

static bool is_of_no_use(const struct service *s)
{
    return s->manifest->cpu_permille != 0 || useful_of(s) == s->share.useful;
}

/* True: there is no more of it, and this one had much. */
static bool pay_from(struct together *t, uint64_t paid, uint64_t elapsed)
{
    t->paid += paid;
    return elapsed != 0 && t->share.low && paid > elapsed / 1000 * SHARE_SPARED;
}

/* What it has paid since the last time, and what its client has spent on it for nothing. That is a driver's, and
 * not its client's, as far as they are held back for it. */
static void pay(struct service *s, uint64_t paid_ns, uint64_t vain, uint64_t elapsed)
{
    uint64_t paid = paid_ns - s->paid, of_no_use = is_of_no_use(s) ? paid : 0;

    s->paid = paid_ns;
    if (!pays(s))
        return;
    s->is_held |= pay_from(&busy, paid, elapsed);
    of_no_use = is_driver(s->manifest) ? of_no_use + vain : less(of_no_use, vain);
    s->is_held |= pay_from(&all, of_no_use, elapsed);
}

void watch_end(struct service *s)
{
    uint64_t elapsed = clock_now() - s->looks.at;
    struct slot_status status;

    if (slot_status(s->endpoint, &status) == 0)
        pay(s, status.paid_ns, vain_since(s, elapsed), elapsed);
}

static void look_at_all(struct together *t, uint64_t now, uint64_t every, uint32_t permille)
{
    struct look look = looks_next(&t->looks, now, t->paid, every);

    share_check(&t->share, &look, permille, WATCH_UNCOUNTED, true);
}

/* True: it is in a storm, or above what its manifest allows. */
static bool look_at_share(struct service *s, struct look look, uint64_t vain)
{
    uint32_t permille = share_of(s);

    if (permille == 0)
        return false;
    if (is_driver(s->manifest))
        look.vain = vain;
    else
        look.used = less(look.used, vain); /* the others are of its drivers that are of use */
    share_check(&s->share, &look, permille, useful_of(s), s->manifest->cpu_permille != 0);
    s->is_held &= all_is_used_up();
    if (s->runs_last != (s->share.low || s->is_held))
        set_priority(s);
    if (s->life.state != RS_UP) /* its start has a limit of its own, and is of use */
        s->share.useless = s->share.vain = 0;
    if (s->life.state != RS_UP || service_essential(s))
        return false;
    if (is_driver(s->manifest) && s->queue && share_is_storm(&s->share)) {
        event_raise_failed(s, DEFECT_STORM, permille);
        return true;
    }
    if (s->manifest->cpu_permille && s->share.over >= SHARE_OVER) {
        event_raise_failed(s, DEFECT_BUDGET, permille);
        return true;
    }
    return false;
}

/* True: its device is in a storm. */
static bool look_at_interrupts(struct service *s, const struct look *look)
{
    if (!flood_check(&s->flood, look, msis_of(s), useful_of(s)) || s->life.state != RS_UP ||
        service_essential(s))
        return false;
    event_raise_failed(s, DEFECT_STORM, 0);
    return true;
}

/* Is whom it waits for, in the end, one that was not let run (or we ourselves, who will get to it)?
 * Then it is not its fault that it does not come back. */
static bool waits_for_starved(const struct slot_status *status)
{
    struct slot_status at = *status;

    for (unsigned hops = 0; at.state == SLOT_CALLING_STATE && hops < SERVICES_MAX; hops++) {
        const struct service *peer = service_at(at.peer);

        if (!peer || slot_status(peer->endpoint, &at) < 0)
            return false;
        if (at.state != SLOT_CALLING_STATE)
            return peer->id == SERVICE_RS || (at.state == SLOT_READY && peer->is_starved);
    }
    return false;
}

static void look_at_start(struct service *s, const struct slot_status *status,
                          const struct look *look)
{
    uint64_t least = PULSE_PATIENCE * s->heartbeat.high; /* many wait for others at first */

    if (service_essential(s)) {
        s->pulse.silent += look->elapsed;
        if (s->incarnation == 1 && s->pulse.silent > CORE_START)
            essential_lost(s->name, "did not get ready");
    } else if (least && pulse_start_over(&s->pulse, status, look, least))
        event_raise_failed(s, DEFECT_HEARTBEAT, 0);
}

/* It is late, but may come back yet. */
static void look_at_slowness(struct service *s, uint64_t now, bool is_slow)
{
    bool was_slow = s->is_slow;

    s->is_slow = is_slow;
    if (!is_slow || was_slow || (s->slow_told != 0 && now - s->slow_told < SLOW_AGAIN))
        return;
    s->slow_told = now;
    log_always("%s: slow: it has not come back to its loop for %llu ms", s->name,
               (unsigned long long)((s->pulse.busy + s->pulse.silent) / MS));
}

static void look_at(struct service *s, uint64_t now, uint64_t every)
{
    enum pulse_verdict pulse;
    struct slot_status status;
    struct look look;
    uint64_t vain;

    if (slot_status(s->endpoint, &status) < 0) { /* our step that was to replace it was refused */
        event_raise_failed(s, DEFECT_KILLED, SIGKILL);
        return;
    }
    if (status.state == SLOT_STOPPED && s->life.state == RS_UP && s->life.wait != WAIT_CALL)
        slot_control(s->endpoint, SLOT_CONTROL_START, 0); /* the same, that was to let it go on */
    look = looks_next(&s->looks, now, status.cpu_ns, every);
    vain = vain_since(s, look.elapsed);
    if (s->looks.at == now)
        pay(s, status.paid_ns, vain, look.elapsed);
    s->is_starved = look.elapsed != 0 && look.used == 0;
    if (look_at_share(s, look, vain) || look_at_interrupts(s, &look))
        return;
    if (waits_for_starved(&status))
        look.elapsed = 0;
    if (s->life.state == RS_STARTING)
        look_at_start(s, &status, &look);
    if (s->life.state == RS_STARTING || s->heartbeat.low == 0)
        return;
    pulse = pulse_check(&s->pulse, &status, &look, &s->heartbeat);
    look_at_slowness(s, now, pulse == PULSE_SLOW);
    if (pulse == PULSE_STUCK)
        event_raise_failed(s, DEFECT_HEARTBEAT, status.state);
}

bool watch_waits(const struct service *s)
{
    return s->pulse.busy + s->pulse.silent != 0;
}

void watch_look(uint64_t now, uint64_t every)
{
    timer_history(now + MS / 4); /* a step of its own */
    for (unsigned i = 0; i < service_count; i++)
        if (service_is_watched(&services[i]))
            look_at(&services[i], now, every);
    look_at_all(&all, now, every, SHARE_TOGETHER);
    look_at_all(&busy, now, every, SHARE_MOST);
}
