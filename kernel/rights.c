/* SPDX-License-Identifier: BSD-2-Clause */
/* Who may do what: as RS granted it when the process was made, from its manifest. What is not
 * listed is refused. */
#include "kernel/kernel.h"

static long port_check(const struct slot *s, uint64_t port, uint64_t width)
{
    if (port > 0xffff || (width != 1 && width != 2 && width != 4))
        return -EINVAL;
    for (unsigned i = 0; i < sizeof s->rights.ports / sizeof s->rights.ports[0]; i++)
        if (s->rights.ports[i].last && port >= s->rights.ports[i].first &&
            port + width - 1 <= s->rights.ports[i].last)
            return 0;
    return -EPERM;
}

long call_port_in(struct slot *s, const uint64_t *a)
{
    long error = port_check(s, a[0], a[1]);

    return error ? error : (long)arch_port_in((unsigned)a[0], (unsigned)a[1]);
}

long call_port_out(struct slot *s, const uint64_t *a)
{
    long error = port_check(s, a[0], a[1]);

    if (!error)
        arch_port_out((unsigned)a[0], (unsigned)a[1], (uint32_t)a[2]);
    return error;
}

long call_port_out_bytes(struct slot *s, const uint64_t *a)
{
    long error = port_check(s, a[0], 1);
    uint8_t bytes[64];
    size_t n = a[2] < sizeof bytes ? a[2] : sizeof bytes;

    if (!error)
        error = copy_in(s, bytes, a[1], n);
    if (error)
        return error;
    arch_port_out_bytes((unsigned)a[0], bytes, n);
    s->registers.rsi += n;
    s->registers.rdx -= n;
    return s->registers.rdx ? call_again(s) : 0;
}
