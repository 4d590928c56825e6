/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How many connections there are whose ends make the same number. lwIP finds a segment's connection by going through all
 * of them, the last used first: that is short for those in use, and long for what is of none. Where nothing makes its
 * number, it need not look: so forged segments cost no more when there are thousands of connections.
 */
#include <lwip/opt.h>

#include "servers/net/net.h"

/* Thrice as many as there can be connections: at least two of three strangers are known as such. */
#define PLACES 16384u
#define SHIFT 50 /* of 64 bits so many are left */

_Static_assert(PLACES >= 2 * MEMP_NUM_TCP_PCB && PLACES == 1ull << (64 - SHIFT),
               "most places are empty");

static uint16_t counts[PLACES];

/* Not for peers to know: they could choose their ends so that all make the same. */
static uint16_t *place(uint32_t remote, uint16_t remote_port, uint16_t local_port)
{
    static uint64_t factor;

    if (!factor)
        factor = (uint64_t)random_next() << 32 | random_next() | 1;
    return &counts[((uint64_t)remote << 32 | (uint32_t)remote_port << 16 | local_port) * factor >>
                   SHIFT];
}

void sieve_add(uint32_t remote, uint16_t remote_port, uint16_t local_port)
{
    ++*place(remote, remote_port, local_port);
}

void sieve_remove(uint32_t remote, uint16_t remote_port, uint16_t local_port)
{
    --*place(remote, remote_port, local_port);
}

bool sieve_has(uint32_t remote, uint16_t remote_port, uint16_t local_port)
{
    return *place(remote, remote_port, local_port) != 0;
}
