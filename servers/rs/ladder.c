/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/rs/ladder.h"

static const struct manifest_ladder by_default = {
    .count = 3, .rung = {LADDER_RESTART, LADDER_RESET, LADDER_BUS_RESET}};

static const struct manifest_ladder *given(const struct manifest_ladder *l)
{
    return l && l->count ? l : &by_default;
}

/* The hardest of those for the device, up to there. */
static enum rung device_at(const struct manifest_ladder *l, uint32_t at)
{
    if (manifest_has_rung(l, at, LADDER_BUS_RESET))
        return RUNG_BUS_RESET;
    return manifest_has_rung(l, at, LADDER_RESET) ? RUNG_RESET : RUNG_ADOPT;
}

/* The first rung, from `at` on, where that is done to the device; `at` if there is none. */
static uint32_t first_with(const struct manifest_ladder *l, uint32_t at, enum rung rung)
{
    for (uint32_t i = at; i < l->count; i++)
        if (device_at(l, i) >= rung)
            return i;
    return at;
}

static struct ladder_place place(const struct manifest_ladder *l, uint32_t at, enum rung least)
{
    enum rung rung = device_at(l, at);

    return (struct ladder_place){at, rung < least ? least : rung};
}

struct ladder_place ladder_next(const struct manifest_ladder *ladder, const struct ladder_death *d)
{
    const struct manifest_ladder *l = given(ladder);
    bool soon = !d->reached_ready || d->lived < LADDER_SOON;
    bool forgiven = d->was_silent && d->lived >= LADDER_SILENT_SOON;
    bool accused = (d->defect == DEFECT_COMPLAINT && !forgiven) || d->defect == DEFECT_DMA;
    enum rung least = accused ? RUNG_RESET : RUNG_ADOPT;
    uint32_t at;

    if (d->defect == DEFECT_KILLED || d->defect == DEFECT_UPDATE)
        return d->reached_ready ? place(l, 0, RUNG_ADOPT) : d->place;
    if (d->in_request && !accused)
        return place(l, 0, RUNG_ADOPT);
    if (!soon)
        return place(l, first_with(l, 0, least), least);
    /* what somebody has asked for beyond its rung has not helped either */
    at = first_with(l, d->place.at, d->place.rung);
    return place(l, at + 1 < l->count ? at + 1 : at, least);
}

bool ladder_reached(const struct manifest_ladder *ladder, uint32_t at, enum manifest_rung rung)
{
    return manifest_has_rung(given(ladder), at, rung);
}

bool ladder_asks_script(const struct manifest_ladder *ladder, uint32_t at)
{
    const struct manifest_ladder *l = given(ladder);

    return !manifest_has_rung(l, l->count, LADDER_SCRIPT) ||
           manifest_has_rung(l, at, LADDER_SCRIPT);
}
