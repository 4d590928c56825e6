/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Logging: one record to the kernel's log, prefixed with the service's name. Never blocks, needs no
 * server, so even a dying process can say why. The log server reads it from there. Who has much to
 * say is heard in part only (lib/rt/log_budget.h), and says how much was left out.
 */
#ifndef RT_LOG_H
#define RT_LOG_H

#include <stdbool.h>

/* RS: what is logged is written to COM1, too, as long as no driver runs whose line that is: for a
 * system that nobody could ask what is wrong with it. */
extern bool log_is_aloud;

/* printf-like; a newline is added; at most LOG_RECORD_MAX bytes. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, never left out: for what must not be lost, and cannot come often. A death, giving up.
 */
void log_always(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same, then exit(1): for a state of one's own that is broken ("crash, don't limp"). RS
 * restarts us. */
void panic(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* The same of an essential server, when to do it again would be of no use: RS stops the system. */
void panic_hopeless(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

#endif
