/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/rt/kernel.h"

static void log_record(const char *format, va_list arguments)
{
    char text[LOG_RECORD_MAX];
    int n = snprintf(text, sizeof text, "%s: ", service_info()->name);
    int m = vsnprintf(text + n, sizeof text - n - 1, format, arguments);

    n = m < 0 ? n : n + m;
    if (n > LOG_RECORD_MAX - 2)
        n = LOG_RECORD_MAX - 2;
    text[n++] = '\n';
    kernel_log(text, n);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_record(format, arguments);
    va_end(arguments);
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_record(format, arguments);
    va_end(arguments);
    _Exit(1);
}
