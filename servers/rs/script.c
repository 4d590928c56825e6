/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Policy scripts. RS runs none: it keeps a list of those to be run; the policy runner, a Linux
 * program, fetches them through fs/proc, or fs/dev. A script decides with `service restart`, `up` or `down`;
 * when it hangs, fails or nobody fetches it, the manifest decides. The runner ends it at its
 * deadline.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/proto/script.h"
#include "servers/rs/requests.h"

#define RUNNER_PATIENCE (500 * MS) /* a runner that is busy fetching comes back within that */

static uint32_t next_number = 1;
static struct ask {
    struct rs_script script; /* number 0: unused */
    bool fetched;
    bool is_end; /* it decides nothing: its component has been given up */
} asks[SERVICES_MAX]; /* one for each service */
static endpoint_t poller; /* who fetches on behalf of the runner: fs/proc or fs/dev */
static bool poller_waits; /* it has been told that there is nothing, and waits for a notification */
static uint64_t polled; /* clock, when it last asked */

static struct ask *ask_of(const struct service *s)
{
    return &asks[s - services];
}

static struct rs_script *ask(struct service *s, const char *path, uint32_t failures,
                             uint32_t deadline_ms)
{
    struct ask *a = ask_of(s);

    *a = (struct ask){.script = {.number = next_number++,
                                 .defect = s->last_defect,
                                 .failures = failures,
                                 .deadline_ms = deadline_ms}};
    snprintf(a->script.path, sizeof a->script.path, "%s", path);
    memcpy(a->script.component, s->name, sizeof a->script.component);
    s->script = a->script.number;
    if (!service_at(poller))
        return &a->script;
    poller_waits = false;
    polled = clock_now();
    ipc_notify(poller, NOTIFY_BIT(NOTIFY_BIT_SERVICES));
    return &a->script;
}

bool script_ask(struct service *s, uint32_t failures)
{
    const struct service *by = service_at(poller);
    struct rs_script *script;

    if (!by || by == s || (!poller_waits && clock_now() - polled > RUNNER_PATIENCE))
        return false;
    script = ask(s, s->manifest->policy, failures, s->manifest->deadline_ms);
    memcpy(script->parameters, s->manifest->policy_arguments, sizeof script->parameters);
    return true;
}

void script_ask_at_end(struct service *s, const char *path, uint32_t failures, uint32_t deadline_ms,
                       const char *why, const char *arguments)
{
    struct rs_script *script = ask(s, path, failures, deadline_ms);

    ask_of(s)->is_end = true;
    snprintf(script->parameters, sizeof script->parameters, "%s %s", why, arguments);
    s->script_deadline = clock_now() + deadline_ms * MS;
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
    const struct rs_grant_request *r = message_words(m);
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
    error = grant_to(message_caller(m), r->grant, 0, &oldest->script, sizeof oldest->script);
    oldest->fetched = !error;
    return error;
}

static const char *reason_of(uint64_t status)
{
    if (status == SCRIPT_MISSING)
        return "is not there: status";
    if (status == SCRIPT_TOO_LATE)
        return "did not end within its deadline: status";
    return status == SCRIPT_NOT_EXECUTABLE ? "is not executable: status" : "failed with status";
}

/* Of one that was to decide. */
static void has_decided(struct service *s, uint64_t status)
{
    if (status != 0)
        log_always("%s: policy script %s %s %llu; by manifest", s->name, s->manifest->policy,
                   reason_of(status), (unsigned long long)status);
    else
        log_always("%s: policy script %s decided against a restart", s->name, s->manifest->policy);
}

static void has_ended(const struct service *s, uint64_t status)
{
    if (status != 0)
        log_always("%s: the script at its end, %s, %s %llu", s->name, ask_of(s)->script.path,
                   reason_of(status), (unsigned long long)status);
}

void script_tell_late(const struct service *s)
{
    log_always("%s: the script at its end, %s, %s", s->name, ask_of(s)->script.path,
               script_fetched(s) ? "did not end within its deadline" : "is run by nobody");
}

long request_script_done(struct message *m, struct service *caller)
{
    const struct rs_script_done_request *r = message_words(m);

    if (!service_takes_orders(caller))
        return -EPERM;
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];

        if (r->number == 0 || s->script != r->number)
            continue;
        if (ask_of(s)->is_end)
            has_ended(s, r->status);
        else
            has_decided(s, r->status);
        event_raise(&(struct event){
            .service = s, .type = r->status != 0 ? LIFE_SCRIPT_FAILED : LIFE_SCRIPT_AGAINST});
        return 0;
    }
    return -ESRCH;
}
