/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/fs/report.h"

#include <errno.h>

#include "abi/proto/ds.h"
#include "lib/pci/class.h"
#include "lib/rt/defect.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"

enum { BATCH = 16 };

static const char *const state_names[] = {
    [RS_DOWN] = "down",           [RS_STARTING] = "starting",     [RS_UP] = "up",
    [RS_BACKOFF] = "backoff",     [RS_SCRIPT_DECIDES] = "policy", [RS_GIVEN_UP] = "given-up",
    [RS_NO_DEVICE] = "no-device", [RS_BROKEN] = "broken",         [RS_REFUSED] = "refused",
    [RS_HELD] = "held",
};
static const char *const ready_names[] = {
    [RS_READY_FRESH] = "fresh",
    [RS_READY_ADOPTED] = "adopted",
    [RS_READY_RESET] = "reset",
    [RS_READY_ROLLED_BACK] = "rolled-back",
};
static const char *const rung_names[RS_RUNGS] = {
    [RS_RUNG_ADOPT] = "adopt",
    [RS_RUNG_RESET] = "reset",
    [RS_RUNG_BUS_RESET] = "bus-reset",
};

static const char *name_of(const char *const *names, size_t count, uint32_t value)
{
    return value < count && names[value] ? names[value] : "?";
}
#define NAME_OF(names, value) name_of(names, sizeof(names) / sizeof((names)[0]), value)

/* RS, or DS, fills in up to `count` things of `size` bytes, from number *first on: how many. */
static long fetch_from(endpoint_t server, uint64_t request, uint64_t *first, void *out, size_t size,
                       unsigned count)
{
    struct message m;
    const struct rs_list_request *r =
        message_words(&m); /* and ds_list_request, and their replies */
    long grant = grant_make(server, out, count * size, GRANT_WRITE), result;

    if (grant < 0)
        return grant;
    m = message_of(request, (struct rs_list_request){
                                .first = *first, .grant = (uint64_t)grant, .count = count});
    result = ipc_call(server, &m);
    grant_revoke(grant);
    *first = r->first;
    return result > (long)count ? (long)count : result;
}

static long fetch(uint64_t request, uint64_t *first, void *out, size_t size, unsigned count)
{
    return fetch_from(service_info()->rs, request, first, out, size, count);
}

/* The line that was added last stays if there is room for it. */
static bool stays(struct text *t, size_t before, size_t room)
{
    if (t->length <= room)
        return true;
    t->length = before;
    return false;
}

/* ---- services ---- */

long services_from(uint64_t first, struct rs_service *out, unsigned count)
{
    long n = fetch(RS_LIST, &first, out, sizeof *out, count);

    for (long i = 0; i < n; i++)
        out[i].name[sizeof out[i].name - 1] = 0;
    return n;
}

static void add_service(struct text *t, const struct rs_service *s)
{
    uint64_t now = clock_now();
    uint64_t uptime =
        s->state == RS_UP && now > s->started_ns ? (now - s->started_ns) / 1000000u : 0;

    text_add(t, "%s %u %s %llu %u %s %u ", s->name, s->pid,
             s->slow ? "slow" : NAME_OF(state_names, s->state), (unsigned long long)uptime,
             s->restarts, defect_name(s->last_defect), s->last_detail);
    text_add(t, "%llu %llu %llu %llu %u %s %u %llu ",
             (unsigned long long)s->recovery_mean_ns / 1000,
             (unsigned long long)s->recovery_max_ns / 1000,
             (unsigned long long)s->cpu_ns / 1000000u, (unsigned long long)s->memory_bytes / 1024,
             s->failures, NAME_OF(rung_names, s->rung), s->place, (unsigned long long)s->messages);
    text_add(t, "%.8s %.15s %.64s\n", s->class_name[0] ? s->class_name : "-",
             s->program[0] ? s->program : "-", s->description);
}

long report_services(struct text *t, uint64_t *from, size_t room)
{
    struct rs_service s;
    long n;

    while ((n = services_from(*from, &s, 1)) > 0) {
        size_t before = t->length;

        add_service(t, &s);
        if (!stays(t, before, room))
            return 1;
        ++*from;
    }
    return n == -ENOENT ? 0 : n;
}

/* ---- devices ---- */

static void add_device(struct text *t, const struct rs_driven *d)
{
    const char *state = pci_class_needs_driver(d->class_code) ? "no-driver" : "unneeded";

    text_add(t, "%02x:%02x.%x %04x:%04x %06x %.15s %s %s\n", d->bus, d->device_function >> 3,
             d->device_function & 7, d->vendor, d->device, d->class_code,
             d->driver[0] ? d->driver : "-", d->driver[0] ? NAME_OF(state_names, d->state) : state,
             pci_class_name(d->class_code));
}

long report_devices(struct text *t, uint64_t *from, size_t room)
{
    static struct rs_driven batch[BATCH];

    for (;;) {
        uint64_t first = *from;
        long n = fetch(RS_DEVICES, &first, batch, sizeof *batch, BATCH);

        if (n <= 0)
            return n == -ENOENT ? 0 : n;
        for (long i = 0; i < n; i++) {
            size_t before = t->length;

            add_device(t, &batch[i]);
            if (!stays(t, before, room))
                return 1;
            ++*from;
        }
    }
}

/* ---- deaths ---- */

static void add_heading(struct text *t)
{
    text_add(t, "# number component defect detail incarnation old_pid new_pid how");
    text_add(t,
             " detected_ns policy_ns stopped_ns spawned_ns ready_ns published_ns reintegrated_ns");
    text_add(t, " policy_us stopped_us spawned_us ready_us published_us reintegrated_us\n");
}

static void add_recovery(struct text *t, const struct rs_recovery *r)
{
    uint64_t start = r->step_ns[STEP_DETECTED];

    text_add(t, "%llu %.15s %s %u %u %u %u %s", (unsigned long long)r->number, r->name,
             defect_name(r->defect), r->detail, r->incarnation, r->old_pid, r->new_pid,
             r->step_ns[STEP_READY] ? NAME_OF(ready_names, r->ready) : "-");
    for (int i = 0; i < STEPS; i++) {
        if (r->step_ns[i])
            text_add(t, " %llu", (unsigned long long)r->step_ns[i]);
        else
            text_add(t, " -");
    }
    for (int i = 1; i < STEPS; i++) {
        uint64_t ns = r->step_ns[i] > start ? r->step_ns[i] - start : 0;

        if (r->step_ns[i])
            text_add(t, " %llu.%llu", (unsigned long long)ns / 1000,
                     (unsigned long long)ns / 100 % 10);
        else
            text_add(t, " -");
    }
    text_add(t, "\n");
}

/* The heading is line 0, the death with number n is line n + 1; the oldest may be forgotten. */
long report_recoveries(struct text *t, uint64_t *from, size_t room)
{
    static struct rs_recovery batch[BATCH];
    size_t before = t->length;

    if (*from == 0) {
        add_heading(t);
        if (!stays(t, before, room))
            return 1;
        *from = 1;
    }
    for (;;) {
        uint64_t first = *from - 1;
        long n = fetch(RS_RECOVERIES, &first, batch, sizeof *batch, BATCH);

        if (n <= 0 || first + (uint64_t)n < *from)
            return n == -ENOENT || n > 0 ? 0 : n;
        for (long i = 0; i < n; i++) {
            before = t->length;
            add_recovery(t, &batch[i]);
            if (!stays(t, before, room))
                return 1;
            *from = first + (uint64_t)i + 2;
        }
    }
}

/* ---- the data store ---- */

static const char *const type_names[] = {
    [DS_ENDPOINT] = "name", [DS_INTEGER] = "integer",  [DS_TEXT] = "text",
    [DS_BYTES] = "bytes",   [DS_PRIVATE] = "snapshot",
};

/* Whatever is in it, the line stays one: what cannot be printed is \xNN, as is the backslash. */
static void add_value(struct text *t, const struct ds_value *v)
{
    uint32_t length = v->length < DS_VALUE_MAX ? v->length : DS_VALUE_MAX;

    if (v->type == DS_INTEGER || v->type == DS_ENDPOINT)
        text_add(t, " %lld", (long long)v->integer);
    else if (v->type != DS_PRIVATE)
        text_add(t, " ");
    for (uint32_t i = 0; v->type == DS_TEXT && i < length; i++)
        text_add(t,
                 v->bytes[i] < ' ' || v->bytes[i] > '~' || v->bytes[i] == '\\' ? "\\x%02x" : "%c",
                 v->bytes[i]);
    for (uint32_t i = 0; v->type == DS_BYTES && i < length; i++)
        text_add(t, "%02x", v->bytes[i]);
}

static void add_entry(struct text *t, const struct ds_entry *e)
{
    text_add(t, "%.31s %.15s %s %u", e->key, e->owner[0] ? e->owner : "-",
             NAME_OF(type_names, e->value.type), e->value.length);
    add_value(t, &e->value);
    text_add(t, "\n");
}

/* One by one: what *from becomes is where DS goes on, not a count. */
long report_store(struct text *t, uint64_t *from, size_t room)
{
    for (;;) {
        struct ds_entry e;
        uint64_t next = *from;
        size_t before = t->length;
        long n = fetch_from(service_info()->ds, DS_LIST, &next, &e, sizeof e, 1);

        if (n <= 0)
            return n;
        add_entry(t, &e);
        if (!stays(t, before, room))
            return 1;
        *from = next;
    }
}
