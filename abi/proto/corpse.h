/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What RS keeps of an incarnation that died: RS_CORPSE and RS_CORPSE_AREA of abi/proto/rs.h hand it
 * out to fs/proc, which makes a core file of it (servers/fs/proc/corpse.c).
 */
#ifndef ABI_PROTO_CORPSE_H
#define ABI_PROTO_CORPSE_H

#include "abi/kernel.h"

#define CORPSE_EVENTS 32
#define CORPSE_NUMBER_MAX 0x7fffffu

enum corpse_memory {
    CORPSE_MEMORY_NONE, /* there is none any more */
    CORPSE_MEMORY_STACK, /* of one that goes on: what of its stack was in use, as it was then */
    CORPSE_MEMORY_DATA, /* the same, and its data */
    CORPSE_MEMORY_LESS, /* all but what it had from VM, which was too much to be kept */
    CORPSE_MEMORY_ALL, /* all that was its own */
};

struct rs_corpse_event {
    uint64_t ns; /* clock */
    uint32_t kind; /* enum trace_kind */
    endpoint_t from, to; /* one of them is the dead */
    uint32_t type;
    uint64_t detail;
    char other[16]; /* the service that the other one is; "": none, or it is gone itself */
};

struct rs_corpse {
    uint32_t number; /* 1.. CORPSE_NUMBER_MAX, then from 1 on again */
    uint32_t pid, incarnation;
    uint32_t defect, detail; /* enum rs_defect; signal, vector, exit status or complaint */
    uint32_t held; /* 1: its service is held for it to be looked at */
    uint32_t memory; /* enum corpse_memory */
    endpoint_t endpoint; /* that it had */
    endpoint_t body; /* whom to copy its memory from; 0: there is none any more */
    uint32_t events; /* how many of `event`, oldest first */
    uint32_t events_lost; /* 1: there may have been others since the first, or in its life */
    uint32_t has_registers;
    uint64_t pages; /* kept for it alone */
    uint64_t started_ns, died_ns; /* clock */
    uint64_t error, address, instruction; /* of an exception */
    char name[16], program[16]; /* the service; what it ran, of /lib/bardo */
    struct registers registers;
    struct rs_corpse_event event[CORPSE_EVENTS];
};

#endif
