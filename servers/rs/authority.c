/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who may do what to whom, where the kernel cannot know it: names in DS, and complaints. All of it
 * is in the manifests (lib/manifest/authority.c); here is what needs the table of services.
 */
#include <errno.h>
#include <string.h>

#include "abi/proto/ds.h"
#include "lib/rt/defect.h"
#include "lib/rt/pack.h"
#include "servers/rs/requests.h"

static const struct manifest *manifest_named(const char *name)
{
    const struct service *s = service_named(name);

    return s ? s->manifest : NULL;
}

void authority_check(void)
{
    char error[160];

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (!s->manifest || manifest_downhill(s->manifest, manifest_named, error, sizeof error))
            continue;
        log_info("%s; not started", error);
        s->manifest = NULL;
    }
}

static struct record {
    bool refused; /* the log has a line about it */
    bool too_many; /* the same */
    struct window {
        uint32_t complaints;
        uint64_t since; /* its begin */
    } by, of; /* it complained; it was complained of */
} records[SERVICES_MAX];

static struct record *record_of(const struct service *s)
{
    return &records[s - services];
}

/* The first time that it asks for what it may not: one that asks again and again fills no log. */
static bool refused_first(const struct service *s)
{
    bool first = !record_of(s)->refused;

    record_of(s)->refused = true;
    return first;
}

long request_may_publish(struct message *m, struct service *caller)
{
    const struct rs_may_publish_request *r = message_words(m);
    const struct service *s = service_at((endpoint_t)r->endpoint);
    char key[DS_KEY_MAX];

    if (caller->id != SERVICE_DS)
        return -EPERM;
    if (!s || !s->manifest)
        return -ESRCH;
    unpack_text(key, r->key, sizeof key);
    if (manifest_may_publish(s->manifest, s->name, key))
        return 0;
    if (refused_first(s))
        log_info("%s may not be found as '%s' in DS: its manifest does not say 'publishes %s'",
                 s->name, key, key);
    return -EPERM;
}

/* ---- complaints ---- */

/* The client of a queue sees what its driver does; for everybody else the manifest must say so. */
static bool may_complain(const struct service *caller, const struct service *s)
{
    const struct manifest_names *of = &caller->manifest->complains_of;

    if (s->queue && s->queue->client == caller)
        return true;
    for (uint32_t i = 0; i < of->count; i++)
        if (strcmp(of->name[i], s->manifest->name) == 0)
            return true;
    return false;
}

#define ALWAYS_HEARD 3 /* complaints of one service in a window */

static uint32_t count_complaint(struct window *w, uint64_t length)
{
    uint64_t now = clock_now();

    if (w->since == 0 || now - w->since > length)
        *w = (struct window){.since = now};
    return ++w->complaints;
}

/*
 * A complaint costs the other its life. So in the time of that one's budget there are as many as
 * that has failures in it, and the one more that makes RS give up on it, whoever the complainer may
 * name else: a client that has gone mad restarts no crowd. But one driver that is ill for good must
 * not have the others of that client unheard: of each service the first few always count.
 */
static bool complains_too_much(const struct service *caller, const struct service *s)
{
    struct record *r = record_of(caller);
    uint64_t length = s->manifest->budget_window_s * SECOND;
    uint32_t by = count_complaint(&r->by, length), of = count_complaint(&record_of(s)->of, length);

    if (by == 1)
        r->too_many = false;
    if (by <= s->manifest->budget + 1 || of <= ALWAYS_HEARD)
        return false;
    if (!r->too_many)
        log_always("%s has complained %u times in %u s; more of it is ignored", caller->name,
                   by - 1, s->manifest->budget_window_s);
    r->too_many = true;
    return true;
}

/* Who may not is refused without a look at the reason; what is about the past has no effect and is
 * not counted. Only what would cost the driver its life uses up what its client may say. */
long request_complain(struct message *m, struct service *caller)
{
    const struct rs_complain_request *r = message_words(m);
    char name[SERVICE_NAME_MAX];
    struct service *s;
    const char *why;

    unpack_text(name, r->name, sizeof name);
    s = service_named(name);
    if (!s || !s->manifest)
        return -ESRCH;
    if (!caller->manifest || service_essential(s) || s == caller || !may_complain(caller, s)) {
        if (refused_first(caller))
            log_info(
                "%s may not complain of %s: it has no queue with it, and its manifest does not "
                "say 'complains-of %s'",
                caller->name, s->name, s->name);
        return -EPERM;
    }
    /* Whom it drives for a client reads in the queue, where the driver writes it: what was never
     * the driver's endpoint is one more thing that is wrong there. */
    if (!service_runs(s) || service_was_at(s, (endpoint_t)r->of))
        return 0; /* about an incarnation of the past */
    if (complains_too_much(caller, s))
        return -EAGAIN;
    why = complaint_name((uint32_t)r->why);
    if (why)
        log_always("%s complains of %s (%s)", caller->name, s->name, why);
    else
        log_always("%s complains of %s (%llu)", caller->name, s->name, (unsigned long long)r->why);
    recover_failed(s, DEFECT_COMPLAINT, (uint32_t)r->why);
    return 0;
}
