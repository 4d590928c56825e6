/* SPDX-License-Identifier: BSD-2-Clause */
/* service top: what it shows, a line each; top.c has the terminal. */
#ifndef SERVICE_TOP_H
#define SERVICE_TOP_H

#include <stdbool.h>
#include <stddef.h>

#define TOP_MAX 128

struct top {
    char key; /* by which it is sorted: n s p r d c m x */
    bool has_all; /* those that never ran, too: without a device, or not started */
    unsigned first, count; /* of those that are shown: the first line's, and how many there are */
};

/* Reads all; false: it could not, and what was read before stays. */
bool top_look(void);
/* Sorts, and keeps `first` so that `lines` lines are full if they can be. */
void top_prepare(struct top *top, unsigned lines);
void top_sort_by(struct top *top, char key); /* other keys do nothing */
void top_summary(char *text, size_t room);
void top_header(const struct top *top, char *text, size_t room);
void top_line(unsigned n, char *text, size_t room);

#endif
