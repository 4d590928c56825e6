/* SPDX-License-Identifier: BSD-2-Clause */
/* What the dead were at work on: poison.h says what for. */
#include "servers/rs/rs.h"

#define KIND 0xffffffffull /* as FILE_TYPE_MASK: above it are numbers that VFS gives */

static struct suspect suspects[POISON_SUSPECTS];

/* Only its own incarnation writes there, and that runs no more or hangs. */
static uint64_t word(const uint64_t *at)
{
    return undo_input(__atomic_load_n(at, __ATOMIC_RELAXED));
}

static struct message noted(const struct service *s)
{
    struct message m;

    m.source = word(&s->note->request.source);
    m.type = word(&s->note->request.type);
    for (unsigned i = 0; i < MESSAGE_WORDS; i++)
        m.w[i] = word(&s->note->request.w[i]);
    return m;
}

static uint64_t took(const struct service *s, uint64_t now)
{
    uint64_t began = clock_of(word(&s->note->began));

    return began < now ? now - began : 0;
}

/* By the next incarnation, which is not made yet. */
static void refuse(struct service *s, const struct suspect *of, uint64_t now)
{
    struct service_info *info = s->info;
    struct service_refused *r = info->refused;

    for (unsigned i = 1; i < SERVICE_REFUSED; i++) /* again, or in place of the oldest */
        if (r->sum != of->sum &&
            (info->refused[i].sum == of->sum || info->refused[i].until < r->until))
            r = &info->refused[i];
    *r = (struct service_refused){
        .sum = of->sum, .until = now + POISON_REFUSED, .cost = poison_cost(of)};
    info->refuses = 1;
}

bool poison_look(struct service *s, bool is_own_fault)
{
    uint64_t now = clock_now();
    const struct suspect *of;
    struct message m;

    s->poison.is_one = false;
    if (!s->note || !s->ready || !is_own_fault || !word(&s->note->serves))
        return false;
    m = noted(s);
    of = poison_suspect(suspects, s, service_sum(&m), took(s, now), now);
    if (of && of->deaths >= POISON_DEATHS)
        refuse(s, of, now);
    return poison_count(&s->poison, m.type & KIND, word(&s->note->served), now);
}
