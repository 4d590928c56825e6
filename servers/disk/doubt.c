/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether bad news is believed; see doubt.h. */
#include "servers/disk/doubt.h"

enum doubt_verdict doubt_check(struct doubt *d, uint64_t now, uint32_t incarnation, bool is_true)
{
    if (now < d->rests_until)
        return DOUBT_BELIEVE;
    if (is_true) {
        d->rests_until = now + DOUBT_REST;
        return DOUBT_BELIEVE;
    }
    if (d->of == incarnation)
        return DOUBT_WAIT;
    d->of = incarnation;
    d->since = now;
    return DOUBT_COMPLAIN;
}

bool doubt_is_late(const struct doubt *d, uint64_t now, uint32_t incarnation)
{
    return d->of == incarnation && now - d->since > DOUBT_PATIENCE;
}
