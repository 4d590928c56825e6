/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/bardo and /proc/recovery: what RS and the kernel know. */
#include <stdlib.h>

#include "lib/pci/class.h"
#include "lib/rt/kernel.h"
#include "lib/rt/rings.h"
#include "lib/service/service.h"
#include "servers/fs/proc/files.h"

static const char *const state_names[] = {
    [RS_DOWN] = "down",           [RS_STARTING] = "starting",     [RS_UP] = "up",
    [RS_BACKOFF] = "backoff",     [RS_SCRIPT_DECIDES] = "policy", [RS_GIVEN_UP] = "given-up",
    [RS_NO_DEVICE] = "no-device", [RS_BROKEN] = "broken",         [RS_REFUSED] = "refused",
    [RS_HELD] = "held",
};
static const char *const defect_names[DEFECTS] = {
    [DEFECT_NONE] = "none",     [DEFECT_EXIT] = "exit",           [DEFECT_EXCEPTION] = "exception",
    [DEFECT_KILLED] = "killed", [DEFECT_HEARTBEAT] = "heartbeat", [DEFECT_COMPLAINT] = "complaint",
    [DEFECT_UPDATE] = "update", [DEFECT_BUDGET] = "budget",       [DEFECT_STORM] = "storm",
    [DEFECT_DMA] = "dma",
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

const char *defect_name(uint32_t defect)
{
    return NAME_OF(defect_names, defect);
}

/* name pid state uptime_ms restarts last_defect last_detail recovery_mean_us recovery_max_us cpu_ms
 * memory_kb failures rung messages class program description... */
void write_services(struct text *t, const struct process *p)
{
    uint64_t now = clock_now();
    struct rs_service s;

    (void)p;
    for (unsigned i = 0; service_at(i, &s) == 0; i++) {
        uint64_t uptime =
            s.state == RS_UP && now > s.started_ns ? (now - s.started_ns) / 1000000u : 0;

        text_add(t, "%s %u %s %llu %u %s %u ", s.name, s.pid,
                 s.slow ? "slow" : NAME_OF(state_names, s.state), (unsigned long long)uptime,
                 s.restarts, NAME_OF(defect_names, s.last_defect), s.last_detail);
        text_add(t, "%llu %llu %llu %llu %u %s %llu ",
                 (unsigned long long)s.recovery_mean_ns / 1000,
                 (unsigned long long)s.recovery_max_ns / 1000,
                 (unsigned long long)s.cpu_ns / 1000000u, (unsigned long long)s.memory_bytes / 1024,
                 s.failures, NAME_OF(rung_names, s.rung), (unsigned long long)s.messages);
        text_add(t, "%.8s %.15s %.64s\n", s.class_name[0] ? s.class_name : "-",
                 s.program[0] ? s.program : "-", s.description);
    }
}

/* address vendor:device class driver state class in words... (no driver: "-", and "no-driver", or
 * "unneeded" where none is wanted) */
void write_devices(struct text *t, const struct process *p)
{
    static struct rs_driven batch[16];
    uint64_t next = 0;

    (void)p;
    for (;;) {
        struct message m = {.type = RS_DEVICES, .w = {next, 0, sizeof batch / sizeof batch[0]}};
        long grant = grant_make(service_info()->rs, batch, sizeof batch, GRANT_WRITE), n;

        if (grant < 0)
            return;
        m.w[1] = (uint64_t)grant;
        n = ipc_call(service_info()->rs, &m);
        grant_revoke(grant);
        if (n <= 0 || n > (long)(sizeof batch / sizeof batch[0]))
            return;
        for (long i = 0; i < n; i++) {
            const struct rs_driven *d = &batch[i];
            const char *state = pci_class_needs_driver(d->class_code) ? "no-driver" : "unneeded";

            text_add(t, "%02x:%02x.%x %04x:%04x %06x %.15s %s %s\n", d->bus,
                     d->device_function >> 3, d->device_function & 7, d->vendor, d->device,
                     d->class_code, d->driver[0] ? d->driver : "-",
                     d->driver[0] ? NAME_OF(state_names, d->state) : state,
                     pci_class_name(d->class_code));
        }
        next += (uint64_t)n;
    }
}

/* Entries in use in all grant tables, but for the one with which this is asked. */
static uint64_t grants_used(void)
{
    struct rs_service s;
    uint64_t used = 0;

    for (unsigned i = 0; service_at(i, &s) == 0; i++)
        used += s.grants_used - (s.endpoint == service_info()->self);
    return used;
}

static void add_recovery(struct text *t, const struct rs_recovery *r)
{
    uint64_t start = r->step_ns[STEP_DETECTED];

    text_add(t, "%llu %.15s %s %u %u %u %u %s", (unsigned long long)r->number, r->name,
             NAME_OF(defect_names, r->defect), r->detail, r->incarnation, r->old_pid, r->new_pid,
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

/* A line each; steps as clock in ns (since boot), then as us since detected; "-": not
 * taken (yet). */
void write_recovery(struct text *t, const struct process *p)
{
    static struct rs_recovery batch[16];
    uint64_t next = 0;

    (void)p;
    text_add(t, "# number component defect detail incarnation old_pid new_pid how");
    text_add(t,
             " detected_ns policy_ns stopped_ns spawned_ns ready_ns published_ns reintegrated_ns");
    text_add(t, " policy_us stopped_us spawned_us ready_us published_us reintegrated_us\n");
    for (;;) {
        struct message m = {.type = RS_RECOVERIES, .w = {next, 0, sizeof batch / sizeof batch[0]}};
        long grant = grant_make(service_info()->rs, batch, sizeof batch, GRANT_WRITE), n;

        if (grant < 0)
            return;
        m.w[1] = (uint64_t)grant;
        n = ipc_call(service_info()->rs, &m);
        grant_revoke(grant);
        if (n <= 0 || n > (long)(sizeof batch / sizeof batch[0]) || m.w[0] + (uint64_t)n <= next)
            return;
        for (long i = 0; i < n; i++)
            add_recovery(t, &batch[i]);
        next = m.w[0] + (uint64_t)n;
    }
}

/* One "key value" a line. */
void write_kernel(struct text *t, const struct process *p)
{
    const struct kernel_info *k = kernel_info();

    (void)p;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"frames_total", k->frames_total},
        {"frames_free", k->frames_free},
        {"slots_total", ENDPOINT_SLOTS - 1},
        {"slots_used", k->slots_used},
        {"grants_used", grants_used()},
        {"unknown_calls", k->unknown_calls},
        {"last_unknown_call", k->last_unknown_call},
        {"context_switches", k->context_switches},
        {"interrupts", k->interrupts},
        {"cpus", k->cpus},
        {"tsc_hz", k->tsc_hz},
        {"clock_hz", kernel_page()->tsc_hz},
        {"archive_size", k->archive_size},
        {"log_end", k->log_end},
        {"trace_end", k->trace_end},
        {"busy_ns", busy_ns()},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        text_add(t, "%s %llu\n", rows[i].key, (unsigned long long)rows[i].value);
}

void write_log(struct text *t, const struct process *p)
{
    static char buffer[8192];
    uint64_t position = 0, first;
    long n;

    (void)p;
    while ((n = log_ring_read(position, buffer, sizeof buffer, &first)) > 0) {
        text_add_bytes(t, buffer, (size_t)n);
        position = first + (uint64_t)n;
    }
}

/* The trace has thousands of lines, and whoever reads it keeps everybody waiting while they are made:
 * printf takes ten times as long. */
static char *put_number(char *at, uint64_t n, unsigned base, char after)
{
    char digits[20];
    unsigned count = 0;

    do
        digits[count++] = "0123456789abcdef"[n % base];
    while (n /= base);
    while (count)
        *at++ = digits[--count];
    *at++ = after;
    return at;
}

static char *put_text(char *at, const char *text)
{
    while (*text)
        *at++ = *text++;
    return at;
}

static char *put_endpoint(char *at, endpoint_t ep)
{
    return put_number(put_number(at, endpoint_slot(ep), 10, '.'), endpoint_generation(ep), 10, ' ');
}

static const char *const trace_kinds[] = {
    [TRACE_NONE] = "none",           [TRACE_CALL] = "call",       [TRACE_REPLY] = "reply",
    [TRACE_FORWARD] = "forward",     [TRACE_NOTIFY] = "notify",   [TRACE_FAULT] = "fault",
    [TRACE_EXCEPTION] = "exception", [TRACE_IRQ] = "irq",         [TRACE_CREATE] = "create",
    [TRACE_DESTROY] = "destroy",     [TRACE_SYSCALL] = "syscall",
};

const char *trace_kind_name(uint32_t kind)
{
    return NAME_OF(trace_kinds, kind);
}

/* Oldest first: time in ns since boot, kind, from, to, type, detail. Endpoints
 * as slot.generation. */
void write_trace(struct text *t, const struct process *p)
{
    static struct trace_event batch[128];
    const struct kernel_page *clock = kernel_page();
    uint64_t position = 0, end = kernel_info()->trace_end, first;
    char line[160], *at; /* more than six numbers and a name */
    long n;

    (void)p;
    text_add(t, "# ns kind from to type detail\n");
    while (position < end &&
           (n = trace_ring_read(position, batch, sizeof batch / sizeof batch[0], &first)) > 0) {
        for (long i = 0; i < n; i++) {
            const struct trace_event *e = &batch[i];
            uint64_t ns = (uint64_t)((unsigned __int128)(e->tsc - clock->tsc_boot) * 1000000000u /
                                     clock->tsc_hz);

            at = put_number(line, ns, 10, ' ');
            at = put_text(at, trace_kind_name(e->kind));
            *at++ = ' ';
            at = put_endpoint(at, e->from);
            at = put_endpoint(at, e->to);
            at = put_number(put_text(at, "0x"), e->type, 16, ' ');
            at = put_number(put_text(at, "0x"), e->detail, 16, '\n');
            text_add_bytes(t, line, (size_t)(at - line));
        }
        position = first + (uint64_t)n;
    }
}
