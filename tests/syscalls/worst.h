/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that ask for as much as there is, and how long others must wait meanwhile: what worst.c and
 * its list of them share. */
#ifndef TESTS_SYSCALLS_WORST_H
#define TESTS_SYSCALLS_WORST_H

#include <stdbool.h>
#include <stdint.h>

/* Makes a call that is measured. */
#define TIMED(call)                                                                                \
    do {                                                                                           \
        timed_begin();                                                                             \
        (void)!(call);                                                                             \
        timed_end();                                                                               \
    } while (0)

void timed_begin(void);
void timed_end(void);

struct scenario {
    const char *name;
    void (*run)(void); /* in a process and a folder of its own */
};
extern const struct scenario scenarios[];
extern const unsigned scenario_count;

#endif
