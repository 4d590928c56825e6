/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of manifests, for manifest.c alone. */
#ifndef MANIFEST_KEYS_H
#define MANIFEST_KEYS_H

#include "lib/manifest/manifest.h"
#include "lib/manifest/reader.h"

struct manifest_key {
    const char *name;
    void (*read)(struct reader *r, struct manifest *m); /* the words behind it; one at least */
    bool repeats; /* may be given more than once */
    const char *value; /* what is expected, for messages */
};

extern const struct manifest_key manifest_keys[];
extern const unsigned manifest_key_count; /* at most MANIFEST_KEY_KINDS */

#endif
