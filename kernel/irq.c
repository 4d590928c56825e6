/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts become notifications. A level-triggered line is masked from its arrival until every
 * driver on it has acknowledged (PCI lines are shared). While nobody is bound it stays masked, so a
 * dead driver's device is quiet, and what it wants comes once the next incarnation is bound. MSIs
 * are edges: never masked, never shared.
 */
#include "kernel/kernel.h"

#define OWNERS 4

struct owner {
    struct slot *slot;
    uint8_t n; /* its interrupt n: bit NOTIFY_BIT_IRQ + n */
    bool unacknowledged;
};

static struct interrupt {
    uint32_t line; /* GSI, or IRQ_MSI */
    bool used;
    struct owner owner[OWNERS];
} table[ARCH_IRQ_VECTORS];

/* Has it an owner (who has not acknowledged it yet)? */
static bool owned(const struct interrupt *i, bool unacknowledged)
{
    for (unsigned o = 0; o < OWNERS; o++)
        if (i->owner[o].slot && (i->owner[o].unacknowledged || !unacknowledged))
            return true;
    return false;
}

static void unmask_when_done(struct interrupt *i)
{
    if (i->line != IRQ_MSI && owned(i, false) && !owned(i, true))
        arch_irq_unmask(i->line);
}

void kernel_interrupt(unsigned n)
{
    struct interrupt *i = &table[n];

    kernel_page.info.interrupts++;
    kernel_page.irq_count[arch_irq_vector(n)]++;
    trace(TRACE_IRQ, 0, 0, n, i->line);
    if (i->line != IRQ_MSI)
        arch_irq_mask(i->line);
    for (unsigned o = 0; o < OWNERS; o++)
        if (i->owner[o].slot) {
            i->owner[o].unacknowledged = true;
            ipc_notify(i->owner[o].slot, NOTIFY_BIT(NOTIFY_BIT_IRQ + i->owner[o].n));
        }
}

static struct interrupt *find(uint32_t line)
{
    struct interrupt *unused = NULL;

    for (unsigned n = 0; n < ARCH_IRQ_VECTORS; n++) {
        if (table[n].used && table[n].line == line && line != IRQ_MSI)
            return &table[n];
        if (!unused && (!table[n].used || (table[n].line == IRQ_MSI && !owned(&table[n], false))))
            unused = &table[n];
    }
    return unused;
}

long call_irq_bind(struct slot *s, const uint64_t *a)
{
    struct slot *target = slot_find((endpoint_t)a[0]);
    struct interrupt *i;
    struct owner *owner = NULL;
    unsigned n = (unsigned)a[2];

    (void)s;
    if (!target)
        return -EDEADSRCDST;
    if (a[2] >= 8 || target->irq[n] || (a[1] != IRQ_MSI && a[1] >= arch_irq_lines()))
        return -EINVAL;
    i = find((uint32_t)a[1]);
    for (unsigned o = 0; i && o < OWNERS && !owner; o++)
        if (!i->owner[o].slot)
            owner = &i->owner[o];
    if (!owner)
        return -ENOSPC;
    if (!i->used && a[1] != IRQ_MSI &&
        arch_irq_route((unsigned)a[1], (unsigned)(i - table), (unsigned)a[3]) < 0)
        return -EINVAL;
    i->used = true;
    i->line = (uint32_t)a[1];
    *owner = (struct owner){target, (uint8_t)n, false};
    target->irq[n] = (uint16_t)(i - table + 1);
    unmask_when_done(i);
    return arch_irq_vector((unsigned)(i - table));
}

static struct owner *owner_of(struct slot *s, unsigned n)
{
    struct interrupt *i = n < 8 && s->irq[n] ? &table[s->irq[n] - 1] : NULL;

    for (unsigned o = 0; i && o < OWNERS; o++)
        if (i->owner[o].slot == s && i->owner[o].n == n)
            return &i->owner[o];
    return NULL;
}

long call_irq_ack(struct slot *s, const uint64_t *a)
{
    struct owner *owner = a[0] < 8 ? owner_of(s, (unsigned)a[0]) : NULL;

    if (!owner)
        return -EINVAL;
    if (owner->unacknowledged) {
        owner->unacknowledged = false;
        unmask_when_done(&table[s->irq[a[0]] - 1]);
    }
    return 0;
}

void irq_release(struct slot *s)
{
    for (unsigned n = 0; n < 8; n++) {
        struct owner *owner = owner_of(s, n);
        struct interrupt *i;

        if (!owner)
            continue;
        i = &table[s->irq[n] - 1];
        *owner = (struct owner){0};
        if (i->line != IRQ_MSI && !owned(i, false))
            arch_irq_mask(i->line);
        unmask_when_done(i);
    }
}
