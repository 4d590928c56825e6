/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other program that a manifest may name: it has the same name, rights, device and queue, and
 * gets its turn when the first one has used up its budget, or climbed its ladder so far, or says
 * that the device is none that it can drive. 'service up', after both have failed, begins with the first again.
 */
#include "servers/rs/rs.h"

const char *alternate_program(const struct service *s)
{
    return s->image && s->image == s->alternate ? s->manifest->alternate : s->manifest->name;
}

/* (Not while an incarnation runs: what is made ready for the next one is of the old program.) */
static bool take(struct service *s, struct image *image, enum rung rung)
{
    if (!image || image == s->image)
        return false;
    spawn_unstock(s);
    s->image = image;
    s->config.entry = image->entry;
    stack_prepare(s);
    life_next(&s->life, &(struct life_event){.type = LIFE_OTHER_PROGRAM, .rung = rung});
    return true;
}

/* What the first one has left in the device is nothing to be adopted. */
bool alternate_try(struct service *s, const char *why)
{
    if (!take(s, s->alternate, RUNG_RESET))
        return false;
    policy_forgive(&s->policy);
    s->futile = (struct futile){0};
    log_always("%s: %s; from now on its alternate, %s, is tried", s->name, why,
               s->manifest->alternate);
    return true;
}

void alternate_forget(struct service *s)
{
    take(s, s->first, s->life.place.rung);
}

/* Only the client of a driver counts what is of use. But who was never ready was of none, whoever
 * it is: a start that waits for what does not come takes so long that no budget is used up by it. */
static bool is_futile(struct service *s, uint64_t now)
{
    uint64_t useful = s->ready ? watch_useful(s) : s->futile.useful;

    if (s->ready && useful == WATCH_UNCOUNTED) {
        s->futile = (struct futile){0};
        return false;
    }
    return futile_failure(&s->futile, now, now - (s->ready ? s->ready : s->started), useful);
}

static bool reached(const struct service *s, enum manifest_rung rung)
{
    return ladder_reached(&s->manifest->ladder, s->life.place.at, rung);
}

struct policy_verdict alternate_verdict(struct service *s)
{
    static const char *const why[] = {[REASON_BUDGET] = "its budget is used up",
                                      [REASON_FUTILE] = "it is of no use",
                                      [REASON_LADDER] = "its ladder has come to that"};
    uint64_t now = clock_now();
    struct policy_verdict v = policy_failure(&s->policy, now);
    bool is_over = v.give_up;

    if (is_futile(s, now))
        v.why = REASON_FUTILE;
    else if (!v.give_up && (reached(s, LADDER_ALTERNATE) || reached(s, LADDER_GIVE_UP)))
        v.why = REASON_LADDER;
    is_over |= v.why != REASON_BUDGET;
    v.give_up |= v.why == REASON_FUTILE || reached(s, LADDER_GIVE_UP);
    if (is_over && s->manifest->restart && alternate_try(s, why[v.why]))
        return (struct policy_verdict){.failures = v.failures};
    return v;
}
