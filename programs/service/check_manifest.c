/* SPDX-License-Identifier: BSD-2-Clause */
/* A manifest: all that RS's parser finds wrong, and what it says of things that are not there. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "programs/service/check.h"
#include "programs/service/manifests.h"
#include "servers/rs/policy.h"

#define PROGRAMS_FOLDER "/lib/bardo"
#define SCRIPTS_FOLDER "/etc/bardo/policy/"

static struct manifest manifest;
static struct manifest_lines lines;

static const struct manifest *find(const char *name)
{
    return strcmp(name, manifest.name) == 0 ? &manifest : manifest_of(name);
}

/* The parser's own message has file and line. */
static void report(void *to, const char *message)
{
    struct check *c = to;

    c->errors++;
    fprintf(stderr, "%s\n", message);
}

static void check_name(struct check *c, unsigned line, const char *key, const char *name)
{
    const char *near;

    if (strchr(name, '/') || find(name)) /* a whole class is always right */
        return;
    near = manifest_suggested(name);
    if (near)
        check_error(c, line, "%s: there is no service '%s' (did you mean '%s'?)", key, name, near);
    else
        check_error(c, line, "%s: there is no service '%s'", key, name);
}

static void check_names(struct check *c)
{
    const struct {
        const char *key;
        const struct manifest_names *names;
    } lists[] = {
        {"calls", &manifest.calls},           {"calls-up", &manifest.calls_up},
        {"forwards", &manifest.forwards},     {"notifies", &manifest.notifies},
        {"dependents", &manifest.dependents}, {"complains-of", &manifest.complains_of},
    };

    for (unsigned i = 0; i < sizeof lists / sizeof *lists; i++)
        for (uint32_t n = 0; n < lists[i].names->count; n++)
            check_name(c, lists[i].names->line[n], lists[i].key, lists[i].names->name[n]);
    if (manifest.queue_size)
        check_name(c, manifest_line(&lines, "queue"), "queue", manifest.queue_client);
}

static void check_calls(struct check *c)
{
    char error[MANIFEST_ERROR_MAX];
    const char *place;
    unsigned line = 0;

    if (manifest_downhill(&manifest, find, error, sizeof error))
        return;
    place = strstr(error, ".svc:");
    if (place && sscanf(place, ".svc:%u", &line) == 1)
        place = strchr(place + 5, ':') + 2;
    check_error(c, line, "calls: %s", place ? place : error);
}

static bool has_program(const struct check *c, const char *name)
{
    char path[sizeof PROGRAMS_FOLDER + 1 + MANIFEST_NAME_MAX];

    if (c->top) /* each that is built has a manifest */
        return manifest_of(name) != NULL;
    snprintf(path, sizeof path, PROGRAMS_FOLDER "/%s", name);
    return access(path, R_OK) == 0;
}

static void check_programs(struct check *c)
{
    const char *alternate = manifest.alternate;
    unsigned line = manifest_line(&lines, "alternate");

    if (!c->top && strcmp(manifest.name, "rs") != 0 && !has_program(c, manifest.name))
        check_warning(c, 0, "there is no program " PROGRAMS_FOLDER "/%s yet", manifest.name);
    if (alternate[0] && !has_program(c, alternate))
        check_error(c, line, "alternate: there is no program " PROGRAMS_FOLDER "/%s", alternate);
}

static void check_script_of(struct check *c, const char *key, const char *path,
                            const char *arguments)
{
    unsigned line = manifest_line(&lines, key);
    size_t n = strlen(SCRIPTS_FOLDER);
    struct stat status;
    char place[4096];

    if (!path[0] || (c->top && strncmp(path, SCRIPTS_FOLDER, n) != 0))
        return;
    if (c->top && snprintf(place, sizeof place, "%s/policy/%s", c->top, path + n) < 4096)
        path = place;
    if (stat(path, &status) != 0)
        check_error(c, line, "%s: %s: %s", key, path, strerror(errno));
    else if (!S_ISREG(status.st_mode))
        check_error(c, line, "%s: %s: not a file", key, path);
    else if (!(status.st_mode & 0111))
        check_error(c, line, "%s: %s: not executable (chmod +x)", key, path);
    else
        check_arguments(c, line, key, path, arguments);
}

/* ---- what makes no sense ---- */

static bool is_given(const char *key)
{
    return manifest_line(&lines, key) != 0;
}

static bool is_later(const struct manifest *d)
{
    return d->start != manifest.start ? d->start > manifest.start
                                      : strcmp(d->name, manifest.name) > 0;
}

static bool restarts_somebody(enum manifest_strategy strategy)
{
    const struct manifest *d;

    for (unsigned i = 0; (d = manifest_at(i)) != NULL; i++)
        if (manifest_restarts(manifest.name, &manifest, strategy, d->name, d, is_later(d)))
            return true;
    return false;
}

static void check_kept(struct check *c)
{
    const struct manifest_names *names = &manifest.dependents;

    for (uint32_t n = 0; n < names->count; n++) {
        const struct manifest *d = find(names->name[n]);

        if (d && d->rolled_back)
            check_warning(
                c, names->line[n],
                "dependents: %s keeps its memory: it is told, and never restarted for another",
                names->name[n]);
    }
}

static void check_group(struct check *c)
{
    enum manifest_strategy strategy = manifest_strategy(&manifest);
    bool climbs = manifest_has_rung(&manifest.ladder, manifest.ladder.count, LADDER_DEPENDENTS);

    check_kept(c);
    if (climbs && strategy != STRATEGY_ONE)
        check_warning(c, manifest_line(&lines, "ladder"),
                      "ladder: dependents are restarted each time, by 'strategy %s'",
                      manifest_strategy_name(strategy));
    else if (climbs && !restarts_somebody(STRATEGY_ALL))
        check_warning(c, manifest_line(&lines, "ladder"), "ladder: it has no dependents");
    if (is_given("strategy") && strategy != STRATEGY_ONE && !restarts_somebody(strategy))
        check_warning(c, manifest_line(&lines, "strategy"), "strategy: it has no dependents%s",
                      strategy == STRATEGY_REST ? " that are started after it" : "");
    if (is_given("dependents") && strategy == STRATEGY_ONE && !climbs)
        check_warning(c, manifest_line(&lines, "dependents"),
                      "dependents: none is restarted, by 'strategy one'");
}

static void check_end(struct check *c)
{
    static const char *const never[] = {"ladder", "at-end"};

    for (unsigned i = 0; manifest.hold && i < sizeof never / sizeof *never; i++)
        if (is_given(never[i]))
            check_warning(c, manifest_line(&lines, never[i]),
                          "%s: it is held at its first failure, by 'hold yes'", never[i]);
    if (manifest.at_end == END_REBOOT && manifest.end_uptime_s == 0)
        check_warning(c, manifest_line(&lines, "at-end"),
                      "at-end: one that fails after each start has the machine start for ever");
}

static void check_sense(struct check *c)
{
    static const char *const restarts[] = {"budget",   "backoff", "policy", "alternate",
                                           "deadline", "ladder",  "at-end"};
    const struct manifest *m = &manifest;
    struct policy_limits limits = {m->budget, m->budget_window_s * SECOND, m->backoff_free,
                                   m->backoff_first_ms * MS, m->backoff_max_ms * MS};
    struct heartbeat heartbeat = {m->heartbeat_ms * MS, m->heartbeat_high_ms * MS};

    for (unsigned i = 0; !m->restart && i < sizeof restarts / sizeof *restarts; i++)
        if (is_given(restarts[i]))
            check_warning(c, manifest_line(&lines, restarts[i]),
                          "%s: no fresh copy follows it, by '%s'", restarts[i],
                          m->essential ? "essential yes" : "restart no");
    if (!m->restart)
        return;
    check_end(c);
    if (is_given("deadline") && !m->policy[0] && m->at_end != END_SCRIPT)
        check_warning(c, manifest_line(&lines, "deadline"),
                      "deadline: there is no policy script that it could be for");
    if (is_given("backoff") && m->backoff_free >= m->budget && m->budget)
        check_warning(c, manifest_line(&lines, "backoff"),
                      "backoff: its delays never come: the budget of %u ends first", m->budget);
    if (policy_lasts(&limits, policy_useless_life(&heartbeat)) == ~0ull)
        check_warning(c, manifest_line(&lines, "budget"),
                      "budget: one that hangs again and again never uses up %u failures in %u s",
                      m->budget, m->budget_window_s);
}

void check_manifest(struct check *c, const char *text, size_t size)
{
    struct manifest_listener all = {report, c};
    char error[MANIFEST_ERROR_MAX];

    manifests_load(c->top);
    if (manifest_parse_all(text, size, c->file, &manifest, &lines, &all, error, sizeof error) < 0)
        return;
    check_names(c);
    check_calls(c);
    check_programs(c);
    check_script_of(c, "policy", manifest.policy, manifest.policy_arguments);
    check_script_of(c, "at-end", manifest.end_script, manifest.end_arguments);
    check_group(c);
    check_sense(c);
}
