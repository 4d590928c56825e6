/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service wait: until a service is up. RS wakes nobody for that, so its state is looked at again and
 * again: a hundred times a second at first, then ten times.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "programs/service/rows.h"
#include "programs/service/service.h"

#define SOON_MS 10
#define LATER_MS 100
#define EAGER_MS 1000 /* for so long it is looked at soon again */
#define BLIND_MS 10000 /* so long fs/proc may be away; it is replaced in a fraction of that */

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_up(const char *state)
{
    return strcmp(state, "up") == 0 || strcmp(state, "slow") == 0;
}

/* Why nothing in the system will bring it up; NULL: something will, or may. */
static const char *reason_against(struct rows *rows, const struct row *row)
{
    static const struct {
        const char *state, *why;
    } reasons[] = {
        {"given-up", "it is given up: 'service up' starts it again"},
        {"refused", "it has refused its device, or that is not there: 'service up' tries again"},
        {"broken", "its manifest or program is broken; see 'service log rs'"},
        {"down", "it is down: 'service up' starts it"},
        {"held", "it is held for inspection: 'service restart', or 'up', goes on"},
    };
    const struct row *pci = rows_find(rows, "pci");

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (strcmp(row->value[STATE], reasons[i].state) == 0)
            return reasons[i].why;
    if (strcmp(row->value[STATE], "no-device") == 0 && pci && is_up(pci->value[STATE]))
        return "its device is not in this machine"; /* pci is up when it has found all */
    return NULL;
}

static int fail(const char *name, const char *why, const char *state)
{
    fprintf(stderr, state ? "service: wait %s: %s (%s)\n" : "service: wait %s: %s\n", name, why,
            state);
    return EXIT_ERROR;
}

/* No table is no news: fs/proc may just be replaced. That there is no such service is believed only
 * when the table was read; and a state that is good counts even when the time is up. */
int wait_for_service(const char *name, long ms)
{
    long start = now_ms(), seen = start, now;
    static struct rows rows;
    char state[32] = "/proc cannot be read";

    for (;;) {
        bool is_read = rows_read(&rows);
        const struct row *row = is_read ? rows_find(&rows, name) : NULL;
        const char *why = row ? reason_against(&rows, row) : NULL;
        bool is_done = row && is_up(row->value[STATE]);

        if (row)
            snprintf(state, sizeof state, "%s", row->value[STATE]);
        rows_free(&rows);
        if (is_done)
            return EXIT_OK;
        if (is_read && !row)
            return fail(name, "there is no such service", NULL);
        if (why)
            return fail(name, why, NULL);
        now = now_ms();
        seen = is_read ? now : seen;
        if (ms >= 0 && now - start >= ms)
            return fail(name, "it is not up in time", state);
        if (now - seen > BLIND_MS)
            return fail(name, "its state cannot be read: " SERVICES_FILE, strerror(errno));
        usleep(1000 * (now - start < EAGER_MS ? SOON_MS : LATER_MS));
    }
}
