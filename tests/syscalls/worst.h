/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that ask for as much as there is, and how long others must wait meanwhile: what worst.c and
 * its list of them share. */
#ifndef TESTS_SYSCALLS_WORST_H
#define TESTS_SYSCALLS_WORST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE 4096ul
#define MUCH (400ul << 20) /* memory that is there */
#define DESCRIPTORS 1000
#define DISK "/mnt" /* a file system on a disk, if there is one */

/* Makes a call that is measured; its name is the one of the system's table. */
#define TIMED(name, call)                                                                          \
    do {                                                                                           \
        timed_begin(SYS_##name);                                                                   \
        (void)!(call);                                                                             \
        timed_end();                                                                               \
    } while (0)

void timed_begin(int number);
void timed_end(void);

enum scenario_kind {
    ON_DISK = 1, /* its folder is below DISK */
    AS_ROOT = 2,
};
struct scenario {
    const char *name;
    void (*run)(void); /* in a process and a folder of its own */
    unsigned kind; /* enum scenario_kind */
};
#define SCENARIO(name, kind)                                                                       \
    {                                                                                              \
#name, name, kind                                                                          \
    }
struct scenarios {
    const struct scenario *list;
    unsigned count;
};
extern const struct scenarios scenarios_memory, scenarios_disk, scenarios_talk;

char *map_memory(size_t size);
char *touched(size_t size); /* the same, and it is there */
void many_regions(void);
int *many_descriptors(void); /* DESCRIPTORS ends of pipes, or as many as there may be */

#endif
