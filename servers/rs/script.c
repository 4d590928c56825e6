/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy scripts. RS runs none: it keeps a list of those to be run; the policy runner, a Linux
 * program, fetches them through fs/proc, or fs/dev. A script decides with `service restart`, `up` or `down`;
 * when it hangs, fails or nobody fetches it, the manifest decides. The runner ends it at its
 * deadline.
 */
#include <errno.h>
#include <string.h>

#include "abi/proto/script.h"
#include "servers/rs/rs.h"

#define RUNNER_PATIENCE (500 * MS) /* a runner that is busy fetching comes back within that */

static uint32_t next_number = 1;
static struct ask {
    struct rs_script script; /* number 0: unused */
    bool fetched;
} asks[SERVICES_MAX]; /* one for each service */
static endpoint_t poller; /* who fetches on behalf of the runner: fs/proc or fs/dev */
static bool poller_waits; /* it has been told that there is nothing, and waits for a notification */
static uint64_t polled; /* clock, when it last asked */

static struct ask *ask_of(const struct service *s)
{
    return &asks[s - services];
}

bool script_ask(struct service *s, uint32_t failures)
{
    struct ask *a = ask_of(s);
    const struct service *by = service_at(poller);

    if (!by || by == s || (!poller_waits && clock_now() - polled > RUNNER_PATIENCE))
        return false;
    *a = (struct ask){.script = {.number = next_number++,
                                 .defect = s->last_defect,
                                 .failures = failures,
                                 .deadline_ms = s->manifest->deadline_ms}};
    memcpy(a->script.path, s->manifest->policy, sizeof a->script.path);
    memcpy(a->script.component, s->name, sizeof a->script.component);
    memcpy(a->script.parameters, s->manifest->policy_arguments, sizeof a->script.parameters);
    s->script = a->script.number;
    poller_waits = false;
    polled = clock_now();
    ipc_notify(poller, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
    return true;
}

void script_forget(struct service *s)
{
    ask_of(s)->script.number = 0;
    s->script = 0;
}

bool script_fetched(const struct service *s)
{
    return asks[s - services].fetched;
}

long request_script(struct message *m, struct service *caller)
{
    struct ask *oldest = NULL;
    long error;

    if (!service_takes_orders(caller))
        return -EPERM;
    poller = caller->endpoint;
    polled = clock_now();
    for (unsigned i = 0; i < SERVICES_MAX; i++)
        if (asks[i].script.number && !asks[i].fetched &&
            (!oldest || asks[i].script.number < oldest->script.number))
            oldest = &asks[i];
    poller_waits = !oldest;
    if (!oldest)
        return -ENOENT;
    error = grant_to(message_caller(m), m->w[0], 0, &oldest->script, sizeof oldest->script);
    oldest->fetched = !error;
    return error;
}

static const char *reason_of(uint64_t status)
{
    if (status == SCRIPT_MISSING)
        return "is not there: status";
    return status == SCRIPT_NOT_EXECUTABLE ? "is not executable: status" : "failed with status";
}

long request_script_done(struct message *m, struct service *caller)
{
    if (!service_takes_orders(caller))
        return -EPERM;
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (m->w[0] == 0 || s->script != m->w[0])
            continue;
        if (m->w[1] != 0) {
            log_always("%s: policy script %s %s %llu; by manifest", s->name, s->manifest->policy,
                       reason_of(m->w[1]), (unsigned long long)m->w[1]);
            event_raise(&(struct event){.service = s, .type = LIFE_SCRIPT_FAILED});
            return 0;
        }
        log_always("%s: policy script %s decided against a restart", s->name, s->manifest->policy);
        event_raise(&(struct event){.service = s, .type = LIFE_SCRIPT_AGAINST});
        return 0;
    }
    return -ESRCH;
}
