/* SPDX-License-Identifier: BSD-2-Clause */
/* Recovery records: a ring of the latest, each with the clock at every step. A reader asks for
 * numbers; older ones are gone. */
#include <errno.h>
#include <string.h>

#include "servers/rs/requests.h"

#define RECORDS 256
#define BATCH 16

static struct rs_recovery ring[RECORDS];
static struct service *owner[RECORDS];
static uint64_t next_number = 1;

static struct rs_recovery *record(uint64_t number)
{
    return &ring[number % RECORDS];
}

/* When the client of a driver's queue moved the first frame after the restart: the client wrote it
 * into the queue. */
static void take_reintegrated(struct rs_recovery *r)
{
    const struct service *s = owner[r->number % RECORDS];
    uint64_t at;

    if (!s || !s->queue || r->step_ns[STEP_READY] == 0 || r->step_ns[STEP_REINTEGRATED] != 0)
        return;
    at = queue_reintegrated(s->queue, r->incarnation);
    if (at >= r->step_ns[STEP_DETECTED])
        r->step_ns[STEP_REINTEGRATED] = at;
}

void record_begin(struct service *s, enum rs_defect defect, uint32_t detail)
{
    struct rs_recovery *r = record(next_number);

    if (s->last_record != 0 && s->last_record + RECORDS > next_number)
        take_reintegrated(record(s->last_record)); /* before the next incarnation overwrites it */
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].record == r)
            services[i].record = NULL; /* it is overtaken by 256 others */
    *r = (struct rs_recovery){.number = next_number,
                              .defect = defect,
                              .detail = detail,
                              .old_pid = s->pid,
                              .incarnation = s->incarnation + 1};
    memcpy(r->name, s->name, sizeof r->name);
    r->step_ns[STEP_DETECTED] = clock_now();
    owner[next_number % RECORDS] = s;
    s->record = r;
    s->last_record = next_number++;
}

void record_step(struct service *s, enum rs_step step)
{
    if (s->record && s->record->step_ns[step] == 0)
        s->record->step_ns[step] = clock_now();
    if (step == STEP_PUBLISHED)
        s->record = NULL; /* complete, but for what the client adds */
}

void record_ready(struct service *s, enum rs_ready how)
{
    struct rs_recovery *r = s->record;
    uint64_t took;

    if (!r)
        return;
    s->restarts++;
    r->ready = how;
    r->incarnation = s->incarnation;
    r->new_pid = s->pid;
    r->step_ns[STEP_READY] = s->ready;
    took = s->ready - r->step_ns[STEP_DETECTED];
    s->recoveries++;
    s->recovery_total += took;
    if (took > s->recovery_max)
        s->recovery_max = took;
}

void record_back(struct service *s, uint64_t when)
{
    uint64_t started = s->ready;

    s->ready = when;
    record_ready(s, RS_READY_ROLLED_BACK);
    s->ready = started;
}

long request_recoveries(struct message *m, struct service *caller)
{
    const struct rs_list_request *request = message_words(m);
    struct rs_recoveries_reply *reply = message_words(m);
    uint64_t first = request->first, fit = request->count,
             oldest = next_number > RECORDS ? next_number - RECORDS : 1, n = 0;

    (void)caller;
    if (first < oldest)
        first = oldest;
    for (; n < fit && n < BATCH && first + n < next_number; n++) {
        struct rs_recovery *r = record(first + n);
        long error;

        take_reintegrated(r);
        error = grant_to(message_caller(m), request->grant, n * sizeof *r, r, sizeof *r);
        if (error < 0)
            return error;
    }
    reply->first = first;
    return (long)n;
}
