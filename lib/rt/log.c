/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log_budget.h"

bool log_is_aloud;

static void log_record(const char *format, va_list arguments)
{
    char text[LOG_RECORD_MAX];
    int n = snprintf(text, sizeof text, "%s: ", service_info()->name);
    int m = vsnprintf(text + n, sizeof text - n - 1, format, arguments);

    n = m < 0 ? n : n + m;
    if (n > LOG_RECORD_MAX - 2)
        n = LOG_RECORD_MAX - 2;
    text[n++] = '\n';
    kernel_log(text, n, log_is_aloud);
}

void log_always(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_record(format, arguments);
    va_end(arguments);
}

void log_info(const char *format, ...)
{
    static struct log_budget budget;
    uint64_t left_out;
    va_list arguments;

    if (!log_budget_take(&budget, clock_now(), &left_out))
        return;
    if (left_out)
        log_always("%llu lines left out", (unsigned long long)left_out);
    va_start(arguments, format);
    log_record(format, arguments);
    va_end(arguments);
}

static __attribute__((noreturn)) void end(int status, const char *format, va_list arguments)
{
    log_record(format, arguments);
    _Exit(status);
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    end(1, format, arguments);
}

void panic_hopeless(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    end(RS_EXIT_HOPELESS, format, arguments);
}
