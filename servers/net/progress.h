/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a driver of any use? Pure logic, without a kernel call or a clock of its own (watch.c has
 * both). A driver that comes back to its loop is alive for RS; whether frames move only its client
 * can see:
 *
 *   stuck    frames to send are posted, and none is completed any more
 *   silent   we have sent, and from nobody comes an answer, not even from the gateway to a question
 *            that it has answered before
 *   unheard  frames come, but too few answers to questions that are like no others (echo.h), of a
 *            gateway that has answered more: what we give it is not what it sends. Asked when a
 *            connection gets no further, and once in a while as long as we send
 *   dark     it says that there is no link, and there was one: pulled, or misread
 *   useless  things move, but for nothing: damaged frames, notifications about nothing, a link that
 *            goes up and down; or what it hands on as good frames are not those that were sent: one
 *            long frame after the other has a wrong sum or length. A peer can send such, too, so
 *            that costs a driver its place only once in a while
 *
 * What counts is how often we looked, not how much time has passed between: a machine that stood
 * still for a second proves nothing about a driver, so the time by which a look came late is not in
 * `now`. In ms.
 *
 * During traffic the first two are found within 240 ms of the defect: when nothing comes for
 * PROGRESS_QUIET after something was sent, or while a connection is open, PROGRESS_PROBES questions
 * follow one another with each look. A conversation that pauses is asked after at intervals that
 * double: a defect in a pause is found when that has become about twice as long, or 240 ms after we
 * send again.
 */
#ifndef NET_PROGRESS_H
#define NET_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "servers/net/echo.h"

enum {
    PROGRESS_LOOK = 40, /* between two looks while anything is expected */
    PROGRESS_STUCK_LOOKS = 4, /* in which nothing was completed */
    PROGRESS_QUIET = 40, /* without what is expected: ask the gateway */
    PROGRESS_PROBES = 4, /* without an answer: silent */
    PROGRESS_SLOWEST = 5000, /* answer that is waited for */
    PROGRESS_DOUBT = 1000, /* after a complaint: does the gateway answer at all? */
    PROGRESS_GRACE = 2000, /* for a device that was reset, until its silence means anything */
    PROGRESS_NEVER =
        20000, /* from the driver's start on, without hearing anything at all: also when
                               nobody has an address yet whom a gateway could answer */
    PROGRESS_COMPLAINTS = 2, /* of one and the same silence: the wire may be cut */
    PROGRESS_ECHO = 250, /* to answer the last of a series, and what the slowest answer took */
    PROGRESS_ECHOES = ECHO_SERIES, /* in a series, one with each look */
    PROGRESS_ECHO_BAD = 2, /* each series that gets less than three quarters of the answers; */
    PROGRESS_ECHO_GOOD = 1, /* each other takes so much away; */
    PROGRESS_ECHO_MOST = 4, /* so much: unheard */
    PROGRESS_IDLE_FIRST = 1000, /* between probes when nobody waits for anything: doubles */
    PROGRESS_IDLE_LAST = 64000,
    PROGRESS_WINDOW = 200, /* in which useless work is counted */
    PROGRESS_BAD = 64, /* damaged frames in it, four for each good one */
    PROGRESS_WAKES = 2000, /* notifications about nothing in it, four for each with a meaning */
    PROGRESS_FLAPS = 4, /* changes of the link in it */
    PROGRESS_GARBLED = 4, /* long frames in a row that are not what was sent */
    PROGRESS_GARBLED_AGAIN = 60000, /* until the next complaint of that */
    PROGRESS_DARK_LOOKS = 25, /* without a link, until a fresh driver looks */
    PROGRESS_DARK_LAST = 250, /* and the last time: it is believed from then on */
};

enum progress_verdict {
    PROGRESS_FINE,
    PROGRESS_PROBE,
    PROGRESS_ASK_ECHO,
    PROGRESS_IS_STUCK,
    PROGRESS_IS_SILENT,
    PROGRESS_IS_DEAF,
    PROGRESS_IS_UNHEARD,
    PROGRESS_IS_DARK,
    PROGRESS_IS_USELESS,
    PROGRESS_IS_NO_OTHER /* by watch.c: it says again and again that it is a fresh copy */
};

struct progress_view { /* counters run freely */
    uint64_t now; /* ms in which we looked, see above */
    uint32_t posted, completed; /* of the transmit ring */
    uint64_t heard; /* good frames that were for us alone */
    uint64_t gateway; /* of them, the gateway's answers to our questions */
    uint64_t good, bad, wakes, idle_wakes, flaps; /* idle_wakes: notifications about nothing */
    uint32_t garbled; /* long frames in a row, up to now, with wrong sums or lengths */
    uint32_t echoes, echoes_best; /* answers to the latest series, and to any at most */
    bool can_echo; /* the gateway answers them, or it is not known */
    bool stalls; /* a connection has sent the same more than once, and got no further */
    bool link;
    bool can_probe; /* link, address, gateway */
    bool talks; /* a connection is open: something may come, soon or never */
};

struct progress {
    uint32_t completed, stuck; /* as last seen; looks since it moved */
    uint64_t heard, gateway; /* as last seen */
    uint64_t sent_at; /* first time since something was heard; 0: nothing was sent */
    uint32_t sent; /* completed when something was heard */
    uint32_t unanswered; /* probes */
    uint64_t asked_at; /* the first one since something was heard; 0: nothing was asked */
    uint32_t complaints; /* since the gateway has answered */
    uint64_t begun, begun_good; /* when this driver began; good frames until then */
    uint64_t doubt_at; /* when it is asked for their sake */
    uint64_t garbled_until; /* no complaint of garbled frames before; 0: there was none */
    bool was_lit; /* there has been a link */
    uint32_t dark; /* looks without one since */
    uint64_t ask_at; /* the next probe, or what follows the last */
    uint64_t idle; /* interval between probes */
    uint64_t slowest; /* answer, of late: no answer is expected sooner */
    uint32_t echo_asked; /* of a series; 0: none is on its way */
    uint32_t echo_sent; /* completed when the last one was judged */
    uint64_t echo_heard; /* heard when it was sent */
    uint32_t echo_score; /* see PROGRESS_ECHO_MOST */
    uint64_t echo_at; /* the next one, or when this one is judged */
    uint64_t echo_idle; /* interval between them */
    uint32_t unheard; /* complaints since a series was good */
    bool stalled; /* as last seen */
    uint64_t quiet_until; /* silence means nothing until then */
    struct progress_view window; /* at its beginning */
};

/* The clock of `now`. It never goes back: a driver that began when a look was already late would have begun
 * in the future, when that look comes, and have been silent since ever. (It is ahead of the clock itself only
 * when a bit of it has flipped, and would stand still then.) */
struct progress_clock {
    uint64_t lost, latest; /* ms: by which looks came late, in all; as last told */
};

static inline uint64_t progress_now(struct progress_clock *c, uint64_t now)
{
    if (now - c->lost > c->latest || c->latest > now)
        c->latest = now - c->lost;
    return c->latest;
}

/* A fresh driver; was_reset: its device may be deaf for a while. */
void progress_begin(struct progress *p, const struct progress_view *v, bool was_reset);
enum progress_verdict progress_check(struct progress *p, const struct progress_view *v);
/* ms until the next look. */
uint32_t progress_next(const struct progress *p, const struct progress_view *v);

#endif
