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
    bool has_events; /* who talked to it has been looked up */
    uint64_t trace_end;
    struct rs_corpse told; /* event, events, events_lost: not logged when they are filled in */
};

/* That of the death that corpse_note() has noted, begun at the first call; its endpoint was `was`.
 * NULL: no room, or it has been given back. */
struct corpse *corpse_begin(struct service *s, endpoint_t was);

/* Who talked to it, as far as that is not known yet; its registers. */
void corpse_fill(struct service *s);

#endif
