/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The log: records of the kernel and of all services, in a ring that the log server (and whoever
 * may) sees; also written to the debug console as they come, so that nothing is lost when the
 * system dies.
 */
#include "kernel/kernel.h"

char log_ring[LOG_RING_SIZE] __attribute__((aligned(PAGE_SIZE)));
static bool last_words, aloud; /* aloud: onto COM1, too */
static uint64_t last_record; /* where it begins */

static void number(char **at, char *end, uint64_t value, unsigned base, int width, bool zero,
                   bool negative)
{
    char digits[24];
    int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while ((value /= base));
    if (negative)
        digits[n++] = '-';
    for (; width > n; width--)
        if (*at < end)
            *(*at)++ = zero ? '0' : ' ';
    while (n)
        if (--n, *at < end)
            *(*at)++ = digits[n];
}

static void text(char **at, char *end, const char *s)
{
    for (; *s && *at < end; s++)
        *(*at)++ = *s;
}

int format_text(char *to, size_t room, const char *f, va_list arguments)
{
    char *at = to, *end = to + room - 1;

    for (; *f && at < end; f++) {
        bool zero, wide;
        int width = 0;
        int64_t value;

        if (*f != '%') {
            *at++ = *f;
            continue;
        }
        zero = *++f == '0';
        while (*f >= '0' && *f <= '9')
            width = width * 10 + *f++ - '0';
        wide = *f == 'l';
        f += wide;
        if (*f == 's')
            text(&at, end, va_arg(arguments, const char *));
        else if (*f == 'd' || *f == 'u' || *f == 'x') {
            if (wide)
                value = va_arg(arguments, int64_t);
            else
                value = *f == 'd' ? va_arg(arguments, int) : (int64_t)va_arg(arguments, unsigned);
            number(&at, end, *f == 'd' && value < 0 ? -(uint64_t)value : (uint64_t)value,
                   *f == 'x' ? 16 : 10, width, zero, *f == 'd' && value < 0);
        } else
            *at++ = *f;
    }
    *at = 0;
    return (int)(at - to);
}

static void put(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        log_ring[kernel_page.info.log_end++ % LOG_RING_SIZE] = bytes[i];
    (aloud ? arch_panic_write : arch_debug_write)(bytes, n);
}

static int stamp(char *to, size_t room, const char *format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = format_text(to, room, format, arguments);
    va_end(arguments);
    return n;
}

static void record(const char *bytes, size_t n)
{
    uint64_t now = arch_tsc_hz ? arch_now() : 0;
    char prefix[32];

    last_record = kernel_page.info.log_end;
    put(prefix, (size_t)stamp(prefix, sizeof prefix, "[%5lu.%06lu] ", now / 1000000000,
                              now / 1000 % 1000000));
    put(bytes, n);
    for (unsigned i = 1; !last_words && i < slots_top; i++)
        if (slots[i].state != SLOT_FREE && slots[i].service_id == SERVICE_ID_LOG)
            ipc_notify(&slots[i], NOTIFY_BIT(NOTIFY_BIT_KERNEL_LOG));
}

void kernel_log(const char *format, ...)
{
    char line[256];
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = format_text(line, sizeof line, format, arguments);
    va_end(arguments);
    record(line, (size_t)n);
}

/* The trace, and once more the record before it, which says why. The first line is for who reads
 * COM1 by a program (tools/guest). */
void log_last_words(void)
{
    char why[256 + 1] = "";
    uint64_t from = last_record;
    size_t n = kernel_page.info.log_end - from;

    n = n < sizeof why ? n : sizeof why - 1;
    for (size_t i = 0; i < n; i++)
        why[i] = log_ring[(from + i) % LOG_RING_SIZE];
    last_words = aloud = true;
    arch_screen_write(why);
    put("\n*** the system stops ***\n", 26);
    trace_dump(kernel_log);
    put(why, n);
}

void kernel_panic(const char *format, ...)
{
    static bool again;
    char line[256];
    va_list arguments;

    va_start(arguments, format);
    format_text(line, sizeof line, format, arguments);
    va_end(arguments);
    if (!again) {
        again = true;
        kernel_log("kernel panic: %s\n", line);
        log_last_words();
    }
    arch_stop(0x7e);
}

long call_log(struct slot *s, const uint64_t *a)
{
    char line[LOG_RECORD_MAX + 1];
    size_t n = a[1] < LOG_RECORD_MAX ? a[1] : LOG_RECORD_MAX;
    long error = copy_in(s, line, a[0], n);

    if (error)
        return error;
    if (!n || line[n - 1] != '\n')
        line[n++] = '\n';
    aloud = a[2] && s->rights.calls >> KERNEL_PANIC & 1;
    record(line, n);
    aloud = last_words;
    return 0;
}

long call_panic(struct slot *s, const uint64_t *a)
{
    log_last_words();
    kernel_log("the system stops: %s\n", s->name);
    arch_stop((uint8_t)a[0]);
}
