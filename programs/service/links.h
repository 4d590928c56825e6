/* SPDX-License-Identifier: BSD-2-Clause */
/* Who stands on whom, by the manifests (manifest_links()). */
#ifndef SERVICE_LINKS_H
#define SERVICE_LINKS_H

#include <stdio.h>

#include "lib/manifest/manifest.h"
#include "programs/service/rows.h"

enum { LINK_KINDS = 3 };
extern const struct link_kind {
    unsigned bit;
    const char *word;
} link_kinds[LINK_KINDS];

/* Between rows->row[i], by their places; the manifests are read at the first call. What was made
 * before is forgotten. */
void links_make(const struct rows *rows);
unsigned char link_of(unsigned from, unsigned to); /* `from` stands on `to`: bits; 0: it does not */
unsigned links_to(unsigned to); /* how many stand on it */
/* An array of objects for each service: its name, its state, on whom it `stands_on`, whom it
 * `carries`. only: the place of one; -1: all. */
void links_json(FILE *out, const struct rows *rows, int only);

#endif
