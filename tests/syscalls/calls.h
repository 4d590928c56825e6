/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every system call that the system knows, by what kind of thing each argument is, and arguments of
 * these kinds by chance: for the programs that ask for too much (worst.c) and for anything
 * (fuzz.c).
 */
#ifndef TESTS_SYSCALLS_CALLS_H
#define TESTS_SYSCALLS_CALLS_H

#include <stdbool.h>
#include <stdint.h>

#define CALLS_MAX 512
#define ARENA_PAGES 64 /* memory that calls are given, and that is changed meanwhile */
#define FDS_MAX 32

struct call_kinds {
    const char *kinds; /* a letter for each argument (calls.c); NULL: there is no such call */
};
extern const struct call_kinds call_kinds[CALLS_MAX];
extern const char *const call_names[CALLS_MAX];

/* Who calls, and with what. */
struct caller {
    uint64_t random; /* the generator's state */
    bool root; /* may do a lot: what would end the test is left out */
    bool extreme; /* lengths and counts are mostly the largest there are */
    long largest; /* not 0: all of them are this */
    char *steady; /* structures whose contents make sense; nobody changes them */
    char *arena; /* ARENA_PAGES, of any protection or not there */
    int fds[FDS_MAX];
    int fd_count;
    int child; /* a process of ours; 0: none */
};

uint64_t chance(struct caller *c); /* the next random number */
static inline uint64_t below(struct caller *c, uint64_t n)
{
    return (chance(c) >> 16) % n;
}

/* Descriptors of each kind, in the present folder, which is the caller's own. */
void caller_open(struct caller *c);
void caller_fill(struct caller *c, char *place); /* contents that make sense */
/* A number that is in the table, or one that is not. */
int call_choose(struct caller *c);
void call_arguments(struct caller *c, int number, long *arguments);
/* Calls that a fuzzed process makes in a child, or not at all. */
bool call_forks(int number);
bool call_never(const struct caller *c, int number, const long *arguments);
/* A system call without the C library, which would take errors, or cancellation, for its own. */
long call_raw(int number, const long *arguments);

#endif
