/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is a driver of any use? Pure logic, without a kernel call or a clock of its own (watch.c has
 * both). A driver that comes back to its loop is alive for RS; whether frames move only its client
 * can see:
 *
 *   stuck    frames to send are posted, and none is completed any more
 *   silent   we have sent, and from nobody comes an answer, not even from the gateway to a question
 *            that it has answered before
 *   dark     it says that there is no link, and there was one: pulled, or misread
 *   useless  things move, but for nothing: damaged frames, notifications about nothing, a link that
 *            goes up and down
 *
 * What counts is how often we looked, not how much time has passed between: a machine that stood
 * still for a second proves nothing about a driver. In ms.
 */
#ifndef NET_PROGRESS_H
#define NET_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PROGRESS_LOOK = 50, /* between two looks while anything is expected */
    PROGRESS_STUCK_LOOKS = 4, /* in which nothing was completed */
    PROGRESS_QUIET = 150, /* after something was sent, without an answer: ask the gateway */
    PROGRESS_PROBES = 3, /* without an answer: silent */
    PROGRESS_SLOWEST = 5000, /* answer that is waited for */
    PROGRESS_GRACE = 2000, /* for a device that was reset, until its silence means anything */
    PROGRESS_COMPLAINTS = 2, /* of one and the same silence: the wire may be cut */
    PROGRESS_IDLE_FIRST = 1000, /* between probes when nobody needs the network: doubles */
    PROGRESS_IDLE_LAST = 64000,
    PROGRESS_WINDOW = 200, /* in which useless work is counted */
    PROGRESS_BAD = 64, /* damaged frames in it, four for each good one */
    PROGRESS_WAKES = 2000, /* notifications about nothing in it, four for each with a meaning */
    PROGRESS_FLAPS = 4, /* changes of the link in it */
    PROGRESS_DARK_LOOKS = 20, /* without a link, until a fresh driver looks */
    PROGRESS_DARK_LAST = 200, /* and the last time: it is believed from then on */
};

enum progress_verdict {
    PROGRESS_FINE,
    PROGRESS_PROBE,
    PROGRESS_IS_STUCK,
    PROGRESS_IS_SILENT,
    PROGRESS_IS_DARK,
    PROGRESS_IS_USELESS
};

struct progress_view { /* counters run freely */
    uint64_t now;
    uint32_t posted, completed; /* of the transmit ring */
    uint64_t heard; /* good frames that were for us alone */
    uint64_t good, bad, wakes, idle_wakes, flaps; /* idle_wakes: notifications about nothing */
    bool link;
    bool can_probe; /* link, address, gateway */
};

struct progress {
    uint32_t completed, stuck; /* as last seen; looks since it moved */
    uint64_t heard, heard_at, sent_at; /* sent_at: first time since then; 0: nothing was sent */
    uint32_t sent; /* completed at heard_at */
    uint32_t unanswered; /* probes */
    uint32_t complaints;
    bool was_lit; /* there has been a link */
    uint32_t dark; /* looks without one since */
    uint64_t ask_at; /* the next probe, or what follows the last */
    uint64_t idle; /* interval between probes */
    uint64_t slowest; /* answer, of late: no answer is expected sooner */
    uint64_t quiet_until; /* silence means nothing until then */
    struct progress_view window; /* at its beginning */
};

/* A fresh driver; was_reset: its device may be deaf for a while. */
void progress_begin(struct progress *p, const struct progress_view *v, bool was_reset);
enum progress_verdict progress_check(struct progress *p, const struct progress_view *v);
/* ms until the next look. */
uint32_t progress_next(const struct progress *p, const struct progress_view *v);

#endif
