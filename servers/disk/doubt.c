/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether bad news is believed; see doubt.h. */
#include "servers/disk/doubt.h"

enum doubt_verdict doubt_check(struct doubt *d, uint64_t now, uint32_t incarnation, bool again)
{
    bool is_asked = d->of == incarnation;

    if (now < d->rests_until)
        return DOUBT_BELIEVE;
    if (again || (is_asked && now - d->since > DOUBT_PATIENCE)) {
        d->rests_until = now + DOUBT_REST;
        return DOUBT_BELIEVE;
    }
    if (is_asked)
        return DOUBT_WAIT;
    d->of = incarnation;
    d->since = now;
    return DOUBT_COMPLAIN;
}
