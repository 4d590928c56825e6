/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ladder: what is tried, rung by rung, of a service that dies again soon after each start. Pure
 * logic, as policy.h.
 */
#ifndef RS_LADDER_H
#define RS_LADDER_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/proto/rs.h"
#include "lib/manifest/manifest.h"

/* What the next incarnation does with its device. */
enum rung {
    RUNG_ADOPT = RS_RUNG_ADOPT,
    RUNG_RESET = RS_RUNG_RESET,
    RUNG_BUS_RESET = RS_RUNG_BUS_RESET
};
#define LADDER_SOON 1000000000ull /* ns */
#define LADDER_SILENT_SOON                                                                         \
    90000000000ull /* the same for one that is silent, which takes long to find */

struct ladder_place {
    uint32_t at; /* on which rung of its ladder, the first is 0 */
    enum rung rung;
};

struct ladder_death {
    struct ladder_place place; /* at which this incarnation was started */
    enum rs_defect defect;
    bool reached_ready;
    uint64_t lived; /* since it was ready */
    /* Of one that was complained of: it has only not answered, and what it leaves is looked at before it is
     * gone on with. */
    bool was_silent;
    bool
        in_request; /* it was at work on what a program had asked for (poison.h), and not useless */
};

/*
 * The place for the next incarnation. A kill by a user, or a restart on request, says nothing about
 * the device; any other death soon after the start does, and a complaint, or DMA to what is not
 * its memory, always: then the device is reset at least, whatever the ladder has. Not so when it was
 * silent alone, the first time; nor when it died of a request: what is reset is what others have.
 */
struct ladder_place ladder_next(const struct manifest_ladder *ladder,
                                const struct ladder_death *death);

/* Has it come to that rung? */
bool ladder_reached(const struct manifest_ladder *ladder, uint32_t at, enum manifest_rung rung);

/* Of one that has a rung for its script: it decides from there on; else at each failure. */
bool ladder_asks_script(const struct manifest_ladder *ladder, uint32_t at);

#endif
