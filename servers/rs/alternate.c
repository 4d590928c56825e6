/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The other program that a manifest may name: it has the same name, rights, device and queue, and
 * gets its turn when the first one has used up its budget, or says that the device is none that it
 * can drive. 'service up', after both have failed, begins with the first again.
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
    take(s, s->first, s->life.rung);
}

/* Only the client of a driver counts what is of use. */
static bool is_futile(struct service *s, uint64_t now)
{
    uint64_t useful = watch_useful(s), lived = s->ready ? now - s->ready : 0;

    return useful != WATCH_UNCOUNTED && futile_failure(&s->futile, now, lived, useful);
}

struct policy_verdict alternate_verdict(struct service *s)
{
    uint64_t now = clock_now();
    struct policy_verdict v = policy_failure(&s->policy, now);

    v.is_futile = is_futile(s, now);
    v.give_up |= v.is_futile;
    if (v.give_up && s->manifest->restart &&
        alternate_try(s, v.is_futile ? "it is of no use" : "its budget is used up"))
        return (struct policy_verdict){.failures = v.failures};
    return v;
}
