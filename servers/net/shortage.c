/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When something is short, it is taken back from the peer that holds most of it, so that who holds
 * little never has to give for those who hold much:
 *
 *     connections    beyond a number, to a listener and in all: the longest idle one ends
 *     out of order   segments that wait for what is missing: forgotten, the peer sends them again
 *     memory         connections that have not moved for a second and hold much are reset
 *
 * Our own connections to ourselves are not counted: programs' limits are for them.
 */
#include <lwip/memp.h>
#include <lwip/timeouts.h>

#include "servers/net/guard.h"
#include "servers/net/guard_tcp.h"
#include "servers/net/net.h"

#define PEERS 16384u /* twice as many as there can be, and more; a power of two */
#define PEERS_SHIFT 18 /* of 32 bits so many are left */
#define LOOK_MS 500
#define STALLED_LOOKS 2
#define MUCH (8u * TCP_MSS) /* what is held by a connection that is worth ending */
#define WORTH (512u * TCP_MSS) /* by all of them: less is not why memory is short */
#define ENDS_AT_ONCE 8
#define ORDER_LOOK 64 /* segments out of order between two counts of all */
#define IDLE_TICKS 10 /* of half a second: one of as many peers may be ended after it */

/* ---- who holds most ---- */

typedef uint32_t weigh_t(const struct tcp_pcb *pcb);

static struct peer {
    uint32_t address;
    uint32_t holds;
    uint32_t count; /* of counts; another one: the place is free */
} peers[PEERS];
static uint32_t counts; /* so far: what was counted before need not be cleared */

_Static_assert(PEERS >= 2 * MEMP_NUM_TCP_PCB && PEERS == 1u << (32 - PEERS_SHIFT),
               "there is a place for each peer, and it is found soon");

/* The place of an address is not for peers to know: they could choose theirs so that all fall
 * together. */
static struct peer *peer_of(uint32_t address)
{
    static uint32_t factor;
    uint32_t at;

    if (!factor)
        factor = random_next() | 1;
    at = address * factor >> PEERS_SHIFT;
    while (peers[at].count == counts && peers[at].address != address)
        at = (at + 1) % PEERS;
    if (peers[at].count != counts)
        peers[at] = (struct peer){.address = address, .count = counts};
    return &peers[at];
}

static bool from_wire(const struct tcp_pcb *pcb)
{
    return !ip_addr_isloopback(&pcb->remote_ip) && !ip_addr_eq(&pcb->remote_ip, &pcb->local_ip);
}

static uint32_t idle(const struct tcp_pcb *pcb)
{
    return tcp_ticks - pcb->tmr;
}

/* Of the peer that holds most: its heaviest, or among equals the longest idle; NULL: nobody holds
 * anything. *holds is what that peer has in all. */
static struct tcp_pcb *heaviest(weigh_t *weigh, uint32_t *holds)
{
    struct tcp_pcb *best = NULL;
    uint32_t best_weight = 0;

    *holds = 0;
    counts++;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (from_wire(pcb))
            peer_of(pcb->remote_ip.addr)->holds += weigh(pcb);
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        uint32_t weight = from_wire(pcb) ? weigh(pcb) : 0, all;

        if (weight == 0)
            continue;
        all = peer_of(pcb->remote_ip.addr)->holds;
        if (all < *holds || (all == *holds && weight < best_weight) ||
            (all == *holds && weight == best_weight && best && idle(pcb) < idle(best)))
            continue;
        best = pcb;
        *holds = all;
        best_weight = weight;
    }
    return best;
}

/* ---- connections ---- */

static struct {
    uint32_t count; /* of processes_counts; another one: it has none */
    uint32_t connections;
} served[ENDPOINT_SLOTS]; /* by that process */
static uint32_t processes_counts;
static unsigned ordinary; /* connections of a process, on the average */

static const struct tcp_pcb_listen *crowded; /* NULL: all of them */

static uint32_t is_one(const struct tcp_pcb *pcb)
{
    return pcb->listener && (!crowded || pcb->listener == crowded);
}

/* It costs a process, or a part of one; that of a process which has many is none of those. As counted last. */
static uint32_t costs_process(const struct tcp_pcb *pcb)
{
    unsigned slot = endpoint_slot(tcp_served_by(pcb));

    return is_one(pcb) && tcp_served_by(pcb) && served[slot].count == processes_counts &&
           served[slot].connections <= ordinary;
}

/* That serve these, and that will be needed for those which wait: where most have one of their own, each of them. */
static unsigned processes(const struct tcp_pcb_listen *listener)
{
    unsigned accepted = 0, waiting = 0, n = 0;

    crowded = listener;
    processes_counts++;
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
        endpoint_t process = tcp_served_by(pcb);
        unsigned slot = endpoint_slot(process);

        if (!from_wire(pcb) || !is_one(pcb))
            continue;
        if (!process) {
            waiting += pcb->state <= ESTABLISHED || pcb->state == CLOSE_WAIT;
            continue;
        }
        accepted++;
        if (served[slot].count != processes_counts) {
            served[slot].count = processes_counts;
            served[slot].connections = 0;
            n++;
        }
        served[slot].connections++;
    }
    ordinary = n ? (accepted + n - 1) / n : 0;
    return n * 2 > accepted ? n + waiting : n;
}

static bool end_one(const struct tcp_pcb_listen *listener, weigh_t *weigh)
{
    struct tcp_pcb *pcb;
    uint32_t holds;

    crowded = listener;
    pcb = heaviest(weigh, &holds);
    if (!pcb || (holds == 1 && idle(pcb) < IDLE_TICKS))
        return false;
    guard_count(GUARD_tcp_connection_ended);
    tcp_abort(pcb);
    return true;
}

bool shortage_of_connections(const struct tcp_pcb_listen *listener)
{
    unsigned all = 0, here = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (from_wire(pcb) && pcb->listener) {
            all++;
            here += pcb->listener == listener;
        }
    if (here >= PEERS_MAX)
        return end_one(listener, is_one);
    if (here >= PROCESSES_MAX && processes(listener) >= PROCESSES_MAX)
        return end_one(listener, costs_process);
    if (all >= PEERS_ALL)
        return end_one(NULL, is_one);
    return all < PROCESSES_ALL || processes(NULL) < PROCESSES_ALL || end_one(NULL, costs_process);
}

/* ---- out of order ---- */

static uint32_t out_of_order(const struct tcp_pcb *pcb)
{
    uint32_t n = 0;

    for (const struct tcp_seg *s = pcb->ooseq; s; s = s->next)
        n++;
    return n;
}

void shortage_of_order(void)
{
    static unsigned since;
    struct tcp_pcb *pcb;
    uint32_t all = 0, holds;

    if (++since < ORDER_LOOK)
        return;
    since = 0;
    for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        all += out_of_order(pcb);
    while (all > OUT_OF_ORDER_ALL && (pcb = heaviest(out_of_order, &holds))) {
        guard_count(GUARD_tcp_order_forgotten);
        all -= out_of_order(pcb);
        tcp_free_ooseq(pcb);
    }
}

/* ---- memory ---- */

/* What is kept with a connection: where it stood at the last look | looks since it moved << 32. */
static uint8_t stall_id(void)
{
    static uint8_t id_plus_one;

    if (!id_plus_one)
        id_plus_one = (uint8_t)(tcp_ext_arg_alloc_id() + 1);
    return (uint8_t)(id_plus_one - 1);
}

/* Each segment has a block of its own, however small it is. */
static uint32_t held(const struct tcp_pcb *pcb)
{
    return (pcb->snd_queuelen + out_of_order(pcb)) * TCP_MSS + tcp_unread(pcb);
}

/* Both directions in one number: what the peer has taken, and what the program has. */
static uint32_t position(const struct tcp_pcb *pcb)
{
    return pcb->lastack + pcb->rcv_nxt - tcp_unread(pcb);
}

static void look_at(struct tcp_pcb *pcb)
{
    uint64_t kept = (uintptr_t)tcp_ext_arg_get(pcb, stall_id()), looks = kept >> 32;
    uint32_t moved = position(pcb) - (uint32_t)kept;

    looks = moved > held(pcb) / 64 ? 0 : looks + 1;
    tcp_ext_arg_set(pcb, stall_id(), (void *)(uintptr_t)(position(pcb) | looks << 32));
}

static uint32_t stalled(const struct tcp_pcb *pcb)
{
    uint64_t looks = (uintptr_t)tcp_ext_arg_get(pcb, stall_id()) >> 32;
    uint32_t holds = held(pcb);

    return looks >= STALLED_LOOKS && holds >= MUCH ? holds : 0;
}

static bool all_hold(uint32_t bytes)
{
    uint32_t all = 0;

    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb && all < bytes; pcb = pcb->next)
        all += from_wire(pcb) ? stalled(pcb) : 0;
    return all >= bytes;
}

/* Each costs a look at all: some at a time (docs/bounds.md). */
static void end_stalled(void *unused)
{
    struct tcp_pcb *pcb;
    uint32_t holds;
    unsigned n = 0;

    (void)unused;
    while (memory_short() && all_hold(WORTH) && (pcb = heaviest(stalled, &holds))) {
        guard_count(GUARD_tcp_stalled_ended);
        tcp_abort(pcb);
        if (++n == ENDS_AT_ONCE) {
            sys_timeout(1, end_stalled, NULL);
            return;
        }
    }
}

static bool looking;

static void look(void *unused)
{
    (void)unused;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->state >= ESTABLISHED)
            look_at(pcb);
    sys_untimeout(end_stalled, NULL);
    end_stalled(NULL);
    looking = memory_short();
    if (looking)
        sys_timeout(LOOK_MS, look, NULL);
}

/* What was seen in an earlier shortage is of no use any more. */
void shortage_of_memory(void)
{
    if (looking || !memory_short())
        return;
    looking = true;
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        tcp_ext_arg_set(pcb, stall_id(), (void *)(uintptr_t)position(pcb));
    sys_timeout(LOOK_MS, look, NULL);
}

/* Pools are empty until somebody needs of them (lwipopts.h), and that may be when a user has all memory: the first page of each
 * is there from the beginning, so root can still open a connection. */
void shortage_begin(void)
{
    for (memp_t pool = 0; pool < MEMP_MAX; pool++)
        memp_free(pool, memp_malloc(pool));
}
