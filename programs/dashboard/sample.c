/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>
#include <string.h>

#include "programs/dashboard/dashboard.h"
#include "programs/service/service.h"

#define SAMPLES_MAX 480u /* two minutes */

static struct sample {
    uint64_t ms, received, sent, read, written;
} samples[SAMPLES_MAX]; /* number n is at n % SAMPLES_MAX */
static uint64_t next; /* number of the next one */

/* The fields of a line from the `first` on, which are numbers; false: it has fewer than `count`. */
static bool fields(const char *line, unsigned first, uint64_t *out, unsigned count)
{
    for (unsigned n = 0; n < first + count; n++) {
        line += strspn(line, " ");
        if (!*line)
            return false;
        if (n >= first)
            out[n - first] = strtoull(line, NULL, 10);
        line += strcspn(line, " ");
    }
    return true;
}

/* "  e0: received packets ... sent ...", as proc(5) has it; all but the loopback */
static bool read_network(struct sample *s)
{
    char *text = file_text("/proc/net/dev"), *rest, *line;
    bool is_there = text != NULL;

    for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        char *colon = strchr(line, ':');
        uint64_t n[9];

        line += strspn(line, " ");
        if (!colon || strncmp(line, "lo:", 3) == 0 || !fields(colon + 1, 0, n, 9))
            continue;
        s->received += n[0];
        s->sent += n[8];
    }
    free(text);
    return is_there;
}

/* "8 0 sda reads merged sectors ms writes merged sectors ..." */
static bool read_disks(struct sample *s)
{
    char *text = file_text("/proc/diskstats"), *rest, *line;
    bool is_there = text != NULL;

    for (line = text ? strtok_r(text, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest)) {
        uint64_t n[7];

        if (!fields(line, 3, n, 7))
            continue;
        s->read += n[2] * 512;
        s->written += n[6] * 512;
    }
    free(text);
    return is_there;
}

/* What is not to be had (fs/proc, net or disk is being replaced) is as it was: counters only grow. */
void sample_take(void)
{
    struct sample *s = &samples[next % SAMPLES_MAX];
    static struct sample last;

    *s = (struct sample){.ms = now_ms()};
    if (!read_network(s) || s->received < last.received || s->sent < last.sent) {
        s->received = last.received;
        s->sent = last.sent;
    }
    if (!read_disks(s) || s->read < last.read || s->written < last.written) {
        s->read = last.read;
        s->written = last.written;
    }
    last = *s;
    next++;
}

uint64_t samples_write(FILE *out, uint64_t from)
{
    uint64_t first = next > SAMPLES_MAX ? next - SAMPLES_MAX : 0;

    if (from < first)
        from = first;
    putc('[', out);
    for (uint64_t n = from; n < next; n++) {
        const struct sample *s = &samples[n % SAMPLES_MAX];

        fprintf(out, "%s[%llu,%llu,%llu,%llu,%llu,%llu]", n > from ? "," : "",
                (unsigned long long)n, (unsigned long long)s->ms, (unsigned long long)s->received,
                (unsigned long long)s->sent, (unsigned long long)s->read,
                (unsigned long long)s->written);
    }
    putc(']', out);
    return next;
}
