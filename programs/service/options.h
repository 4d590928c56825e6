/* SPDX-License-Identifier: BSD-2-Clause */
/* The command line, taken apart. */
#ifndef SERVICE_OPTIONS_H
#define SERVICE_OPTIONS_H

#include <stdbool.h>

#define WORDS_MAX 100 /* RS has room for 96 services */

struct options {
    const char *json, *reset, *forget, *follow, *wait; /* not NULL: it was given */
    const char *delay, *every, *count, *top, *timeout, *core, *image,
        *number; /* what followed it; NULL: not given */
    const char *word[WORDS_MAX]; /* command, name, number; or command, names */
    int words;
};

/* orders.c; exit status */
int run_order(const struct options *o);
int run_kill(const struct options *o);

/* update.c; exit status */
int run_update(const struct options *o);

#endif
