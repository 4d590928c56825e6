/* SPDX-License-Identifier: BSD-2-Clause */
/* Values on the command line: behind an option, or as a command's number. */
#ifndef SERVICE_VALUES_H
#define SERVICE_VALUES_H

#include <stdbool.h>

/* What one must be. */
struct value {
    const char *needs; /* in words; NULL: there is none */
    enum kind { TEXT, NUMBER, SECONDS } kind;
    unsigned long least, most; /* of a number */
    bool or_zero;
};

/* What `of` needs, and what is wrong with the text, NULL when it was not given. NULL: nothing is.
 * The next answer overwrites it. */
const char *value_fault(const char *of, const struct value *v, const char *text);

/* Seconds, three places of decimals at most, as ms; -1: that is none. */
long milliseconds(const char *text);

#endif
