/* SPDX-License-Identifier: BSD-2-Clause */
/* What corpse.c and kept.c share. */
#ifndef RS_CORPSE_H
#define RS_CORPSE_H

#include "abi/proto/corpse.h"
#include "servers/rs/rs.h"

#define PAGES_MAX                                                                                  \
    512u /* of one; beyond, what it had from VM is given back, then all but its stack */

struct corpse {
    struct service *service; /* NULL: unused */
    const struct image *image;
    bool is_tidy; /* only what is its own is still mapped, and counted */
    uint64_t trace_end;
    struct rs_corpse told; /* event, events, events_lost: not logged when they are filled in */
};

/* A new one, of the death that corpse_note() has noted; its endpoint was `was`. NULL: no room. */
struct corpse *corpse_begin(struct service *s, endpoint_t was);

/* Of what may wait until its successor is at work: who talked to it, its registers. */
void corpse_fill(struct service *s);

#endif
