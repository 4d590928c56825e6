/* SPDX-License-Identifier: BSD-2-Clause */
/* /proc/bardo and /proc/recovery: what RS and the kernel know. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/fs/corpse.h"
#include "lib/fs/report.h"
#include "lib/rt/kernel.h"
#include "lib/rt/rings.h"
#include "lib/service/service.h"
#include "servers/fs/proc/files.h"

void write_services(struct text *t, const struct process *p)
{
    uint64_t from = 0;

    (void)p;
    report_services(t, &from, SIZE_MAX);
}

void write_devices(struct text *t, const struct process *p)
{
    uint64_t from = 0;

    (void)p;
    report_devices(t, &from, SIZE_MAX);
}

void write_recovery(struct text *t, const struct process *p)
{
    uint64_t from = 0;

    (void)p;
    report_recoveries(t, &from, SIZE_MAX);
}

struct sums { /* of all services */
    uint64_t grants_used; /* but for the one with which this is asked */
    uint64_t mirror_pages;
};

static struct sums sums_of_services(void)
{
    struct rs_service s;
    struct sums sums = {0};

    for (unsigned i = 0; services_from(i, &s, 1) > 0; i++) {
        sums.grants_used += s.grants_used - (s.endpoint == service_info()->self);
        sums.mirror_pages += s.mirror_pages;
    }
    return sums;
}

/* One "key value" a line. */
void write_kernel(struct text *t, const struct process *p)
{
    const struct kernel_info *k = kernel_info();
    const struct sums sums = sums_of_services();

    (void)p;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"frames_total", k->frames_total},
        {"frames_free", k->frames_free},
        {"frames_mirror", sums.mirror_pages},
        {"slots_total", ENDPOINT_SLOTS - 1},
        {"slots_used", k->slots_used},
        {"grants_used", sums.grants_used},
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
            uint64_t ns = clock_ns(e->tsc - clock->tsc_boot, clock->tsc_hz);

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

/* ---- the dead ---- */

static bool name_program(endpoint_t endpoint, char *out, size_t room)
{
    int pid = process_of(endpoint, NULL);
    struct process p;

    if (pid <= 0 || process_find(pid, false, &p) < 0)
        return false;
    snprintf(out, room, "%.15s[%d]", p.p.name, pid);
    return true;
}

void write_corpse(struct text *t, const struct process *p)
{
    corpse_write(t, p->p.pid, name_program);
}
