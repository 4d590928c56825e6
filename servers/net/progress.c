/* SPDX-License-Identifier: BSD-2-Clause */
/* What progress means; see progress.h. */
#include "servers/net/progress.h"

/* What is known of the wire and the peers outlives a driver: how slow answers are, and how often it
 * was complained of for the same silence. Forgotten, a cut cable would cost one driver after the
 * other its life. */
void progress_begin(struct progress *p, const struct progress_view *v, bool was_reset)
{
    uint32_t complaints = p->complaints;
    uint64_t slowest = p->slowest, garbled_until = p->garbled_until;
    uint32_t dark = p->dark;
    bool was_lit = p->was_lit;
    uint32_t unheard = p->unheard;

    *p = (struct progress){.begun = v->now,
                           .begun_good = v->good,
                           .completed = v->completed,
                           .heard = v->heard,
                           .gateway = v->gateway,
                           .sent = v->completed,
                           .complaints = complaints,
                           .slowest = slowest,
                           .garbled_until = garbled_until,
                           .dark = dark,
                           .was_lit = was_lit,
                           .unheard = unheard,
                           .echo_sent = v->completed,
                           .echo_idle = PROGRESS_IDLE_FIRST,
                           .echo_at = v->echoes_best != 0 ? v->now + PROGRESS_IDLE_FIRST : v->now,
                           .idle = PROGRESS_IDLE_FIRST,
                           .ask_at = v->now + PROGRESS_IDLE_FIRST,
                           .window = *v};
    if (was_reset) {
        p->quiet_until = v->now + PROGRESS_GRACE;
        p->ask_at = p->quiet_until;
    }
}

static bool is_stuck(struct progress *p, const struct progress_view *v)
{
    if (v->posted == v->completed || v->completed != p->completed) {
        p->completed = v->completed;
        p->stuck = 0;
        return false;
    }
    return ++p->stuck > PROGRESS_STUCK_LOOKS;
}

static bool is_useless(struct progress *p, const struct progress_view *v)
{
    const struct progress_view w = p->window;
    uint64_t bad = v->bad - w.bad, idle = v->idle_wakes - w.idle_wakes;

    if (v->now - w.now < PROGRESS_WINDOW)
        return false;
    p->window = *v;
    if (v->now - w.now >
        4 * PROGRESS_WINDOW) /* while nothing was expected we looked seldom: that is no rate */
        return false;
    return (bad >= PROGRESS_BAD && bad > 4 * (v->good - w.good)) ||
           (idle >= PROGRESS_WAKES && idle > 4 * (v->wakes - w.wakes - idle)) ||
           v->flaps - w.flaps >= PROGRESS_FLAPS;
}

static bool is_garbled(struct progress *p, const struct progress_view *v)
{
    if (v->garbled < PROGRESS_GARBLED || v->now < p->garbled_until)
        return false;
    p->garbled_until = v->now + PROGRESS_GARBLED_AGAIN;
    return true;
}

/* How long the other end takes. What is there at the next look was there at once; what a device
 * lets in that was deaf after its reset says nothing. */
static void learn_slowest(struct progress *p, const struct progress_view *v)
{
    uint64_t since = p->asked_at != 0 ? p->asked_at : p->sent_at;
    uint64_t took = since != 0 && v->now - since > PROGRESS_LOOK ? v->now - since : 0;
    uint64_t less = p->slowest / (since != 0 ? 8 : 64) + 1;

    p->slowest -= less < p->slowest ? less : p->slowest;
    if (v->now < p->quiet_until)
        return;
    if (took > p->slowest)
        p->slowest = took < PROGRESS_SLOWEST ? took : PROGRESS_SLOWEST;
}

/* An answer to a probe lengthens the interval to the next, since nobody else seems to need it; any
 * other frame shortens it. */
static void hear(struct progress *p, const struct progress_view *v)
{
    learn_slowest(p, v);
    if (p->unanswered == 0)
        p->idle = v->talks ? PROGRESS_QUIET : PROGRESS_IDLE_FIRST;
    else if (p->idle < PROGRESS_IDLE_LAST)
        p->idle *= 2;
    if (v->gateway != p->gateway)
        p->complaints = 0;
    p->heard = v->heard;
    p->gateway = v->gateway;
    p->sent = v->completed;
    p->sent_at = p->asked_at = 0;
    p->quiet_until = 0; /* it is not deaf */
    p->unanswered = 0;
    p->ask_at = v->now + p->idle;
}

/* Frames come again after a complaint. Was it right, and the gateway is there? */
static bool is_doubtful(struct progress *p, const struct progress_view *v)
{
    if (p->complaints == 0 || !v->can_probe || v->now < p->doubt_at)
        return false;
    p->doubt_at = v->now + PROGRESS_DOUBT;
    return true;
}

/* One who is known to have answered is believed to be there; of others we know little, and a fresh
 * driver is tried once; where nobody at all was heard, later. */
static bool may_complain(const struct progress *p, const struct progress_view *v)
{
    if (v->gateway != 0)
        return p->complaints < PROGRESS_COMPLAINTS;
    return p->complaints == 0 && (v->heard != 0 || v->now - p->begun > PROGRESS_NEVER);
}

static enum progress_verdict ask(struct progress *p, const struct progress_view *v)
{
    p->unanswered++;
    if (p->asked_at == 0)
        p->asked_at = v->now;
    p->ask_at = v->now + PROGRESS_LOOK + p->slowest;
    return PROGRESS_PROBE;
}

/* Without an address nobody can be asked but for one, and that there is no answer is no news. But of
 * a device that brings nothing at all, not even what others say to all, a fresh driver is tried
 * once. */
static bool is_deaf(struct progress *p, const struct progress_view *v)
{
    if (!v->link || p->sent_at == 0 || v->good != p->begun_good || p->complaints != 0 ||
        v->now - p->begun <= PROGRESS_NEVER)
        return false;
    p->complaints++;
    return true;
}

static enum progress_verdict is_silent(struct progress *p, const struct progress_view *v)
{
    if (v->heard != p->heard) {
        hear(p, v);
        return is_doubtful(p, v) ? PROGRESS_PROBE : PROGRESS_FINE;
    }
    if (p->sent_at == 0 && v->completed != p->sent) {
        p->sent_at = v->now;
        if (v->now + PROGRESS_QUIET < p->ask_at)
            p->ask_at = v->now + PROGRESS_QUIET;
        if (p->ask_at < p->quiet_until)
            p->ask_at = p->quiet_until;
    }
    if (!v->can_probe)
        return is_deaf(p, v) ? PROGRESS_IS_DEAF : PROGRESS_FINE;
    if (v->now < p->ask_at)
        return PROGRESS_FINE;
    if (p->unanswered < PROGRESS_PROBES)
        return ask(p, v);
    p->unanswered = 0; /* from here on at growing intervals */
    p->idle = p->idle < PROGRESS_IDLE_LAST ? 2 * p->idle : PROGRESS_IDLE_LAST;
    p->ask_at = v->now + p->idle;
    if (!may_complain(p, v))
        return PROGRESS_FINE; /* there may be no gateway, or no wire */
    p->complaints++;
    return PROGRESS_IS_SILENT;
}

/* A connection that gets no further is a reason to ask at once, each time that one begins to. */
static void note_stall(struct progress *p, const struct progress_view *v)
{
    if (v->stalls && !p->stalled && p->echo_asked == 0) {
        p->echo_idle = PROGRESS_IDLE_FIRST;
        p->echo_at = v->now;
    }
    p->stalled = v->stalls;
}

static bool ask_echo(struct progress *p, const struct progress_view *v)
{
    if (p->echo_asked == PROGRESS_ECHOES || !v->can_probe || !v->can_echo || v->gateway == 0 ||
        v->now < p->quiet_until || (v->completed == p->echo_sent && p->echo_score == 0))
        return false;
    if (p->echo_asked++ == 0)
        p->echo_heard = v->heard;
    if (p->echo_asked == PROGRESS_ECHOES)
        p->echo_at = v->now + PROGRESS_ECHO + p->slowest;
    return true;
}

static void ask_later(struct progress *p, const struct progress_view *v)
{
    p->echo_at = v->now + p->echo_idle;
    if (p->echo_idle < PROGRESS_IDLE_LAST)
        p->echo_idle *= 2;
}

/* The next one follows a bad one at once, as long as that is of use, and else at growing intervals.
 * When nothing has come at all, that is silence. */
static bool judge_echo(struct progress *p, const struct progress_view *v)
{
    bool good = 4 * v->echoes >= 3 * v->echoes_best || v->heard == p->echo_heard;

    p->echo_asked = 0;
    p->echo_sent = v->completed;
    if (!good) {
        if (p->unheard >= PROGRESS_COMPLAINTS)
            ask_later(p, v);
        else
            p->echo_score += PROGRESS_ECHO_BAD;
        return p->echo_score >= PROGRESS_ECHO_MOST;
    }
    if (p->echo_score == 0 && v->echoes != 0)
        p->unheard = 0;
    p->echo_score -= p->echo_score < PROGRESS_ECHO_GOOD ? p->echo_score : PROGRESS_ECHO_GOOD;
    ask_later(p, v);
    return false;
}

static enum progress_verdict is_unheard(struct progress *p, const struct progress_view *v)
{
    note_stall(p, v);
    if (v->now < p->echo_at)
        return PROGRESS_FINE;
    if (ask_echo(p, v))
        return PROGRESS_ASK_ECHO;
    if (p->echo_asked != PROGRESS_ECHOES || !judge_echo(p, v))
        return PROGRESS_FINE;
    p->unheard++;
    p->echo_score = 0;
    return PROGRESS_IS_UNHEARD;
}

static bool is_dark(struct progress *p, const struct progress_view *v)
{
    if (v->link) {
        p->was_lit = true;
        p->dark = 0;
    }
    if (!p->was_lit || v->link || p->dark > PROGRESS_DARK_LAST)
        return false;
    p->dark++;
    return p->dark == PROGRESS_DARK_LOOKS || p->dark == PROGRESS_DARK_LAST;
}

enum progress_verdict progress_check(struct progress *p, const struct progress_view *v)
{
    enum progress_verdict verdict;

    if (is_stuck(p, v))
        return PROGRESS_IS_STUCK;
    if (is_useless(p, v) || is_garbled(p, v))
        return PROGRESS_IS_USELESS;
    if (is_dark(p, v))
        return PROGRESS_IS_DARK;
    verdict = is_silent(p, v);
    return verdict == PROGRESS_FINE ? is_unheard(p, v) : verdict;
}

uint32_t progress_next(const struct progress *p, const struct progress_view *v)
{
    uint64_t next = p->echo_asked != 0 && p->echo_at < p->ask_at ? p->echo_at : p->ask_at;
    uint64_t wait = next > v->now ? next - v->now : PROGRESS_LOOK;

    if (v->posted != v->completed || v->completed != p->sent || v->heard != p->heard ||
        wait < PROGRESS_LOOK || v->bad != p->window.bad || v->idle_wakes != p->window.idle_wakes ||
        v->flaps != p->window.flaps || (p->was_lit && !v->link && p->dark <= PROGRESS_DARK_LAST))
        return PROGRESS_LOOK;
    return (uint32_t)wait;
}
