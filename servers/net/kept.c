/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/net/kept.h"

#include <string.h>

#include <lwip/inet_chksum.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/tcp.h>

#include "lib/rt/log.h"
#include "servers/net/interface.h"

static bool any_spoiled; /* of the connections */
static uint64_t turn; /* of the loop */

static uint16_t fold(uint64_t sum)
{
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return (uint16_t)sum;
}

/* Both kinds of zero are one. */
static bool is_same(uint16_t a, uint16_t b)
{
    return a == b || (a == 0 && b == 0xffff) || (a == 0xffff && b == 0);
}

static uint64_t word_of(const uint8_t *begin, uint32_t length, uint16_t sum)
{
    return (uint64_t)(uint16_t)(uintptr_t)begin << KEPT_BEGIN | (uint64_t)length << KEPT_LENGTH |
           (uint64_t)sum << KEPT_SUM | 1ull << KEPT_IS | turn << KEPT_TURN;
}

static uint8_t *begin_of(const struct pbuf *p)
{
    uint8_t *payload = p->payload;

    return payload - (uint16_t)((uint16_t)(uintptr_t)payload - (uint16_t)(p->kept >> KEPT_BEGIN));
}

/* ---- sums are made ---- */

void kept_make(struct pbuf *p)
{
    for (; p; p = p->next)
        p->kept = word_of(p->payload, p->len, checksum(p->payload, p->len));
}

void kept_segment(struct pbuf *p, const struct tcp_hdr *header, uint16_t option_bytes)
{
    uint64_t rest = ip_current_src_addr()->addr;

    if (p->tot_len == 0)
        return;
    if (p->next) {
        kept_make(p);
        return;
    }
    rest += ip_current_dest_addr()->addr;
    rest += lwip_htons(IP_PROTO_TCP);
    rest += lwip_htons((uint16_t)(TCP_HLEN + option_bytes + p->tot_len));
    rest += lwip_htons(header->src);
    rest += lwip_htons(header->dest);
    rest += lwip_htonl(header->seqno);
    rest += lwip_htonl(header->ackno);
    rest += header->_hdrlen_rsvd_flags;
    rest += lwip_htons(header->wnd);
    rest += header->chksum;
    rest += header->urgp;
    if (option_bytes)
        rest += checksum(header + 1, option_bytes);
    p->kept = word_of(p->payload, p->len, (uint16_t)~fold(rest)); /* all together is 0 */
}

static uint16_t at_odd(uint16_t sum, size_t offset)
{
    return offset % 2 ? (uint16_t)(sum << 8 | sum >> 8) : sum;
}

void kept_append(struct pbuf *p, uint16_t length)
{
    const uint8_t *begin = begin_of(p), *more = (const uint8_t *)p->payload + p->len;
    uint16_t sum = at_odd(checksum(more, length), (size_t)(more - begin));

    p->kept = word_of(begin, (uint32_t)(more - begin) + length,
                      fold((uint64_t)(uint16_t)(p->kept >> KEPT_SUM) + sum));
}

/* ---- and compared ---- */

/* Of `length` bytes at `begin`, of a pbuf that is a frame as it came: where they came from, which the driver
 * has lent us still. (Of what comes in nothing else is a pbuf of that kind.) */
static const uint8_t *second_copy(const struct pbuf *p, const uint8_t *begin, uint32_t length)
{
    const struct frame *f = (const struct frame *)(const void *)p;
    size_t buffer, offset;

    if (!(p->flags & PBUF_FLAG_IS_CUSTOM))
        return NULL;
    buffer = (size_t)(f - f->owner->frames);
    if (buffer >= NET_RING_SIZE)
        return NULL;
    offset = (size_t)(begin - f->owner->bytes[buffer]);
    if (offset > NET_BUFFER_ROOM || length > NET_BUFFER_ROOM - offset)
        return NULL;
    return receive_memory(&f->owner->receive, (unsigned)buffer) + offset;
}

/* A frame that is still lent by its driver has a second copy: where the two are not the same and that has
 * the sum, it is taken; where they are the same, it was the sum. */
static bool mend(struct pbuf *p, uint8_t *begin, uint16_t length, uint16_t sum)
{
    const uint8_t *copy = second_copy(p, begin, length);

    if (!copy)
        return false;
    if (memcmp(begin, copy, length) == 0) {
        p->kept = word_of(begin, length, checksum(begin, length));
        return true;
    }
    if (!is_same(checksum(copy, length), sum))
        return false;
    memcpy(begin, copy, length);
    return is_same(checksum(begin, length), sum); /* the driver may write there */
}

static bool changed(const struct pbuf *p)
{
    log_info("%u bytes that waited for a program have changed by themselves", p->len);
    return false;
}

/* A whole frame that came in this turn was right a moment ago, and is not looked at again. (Of what goes round
 * inside that costs next to nothing beside the rest of its way.) */
static bool is_fresh(const struct pbuf *p)
{
    return p->kept >> KEPT_TURN == turn && (p->flags & PBUF_FLAG_IS_CUSTOM);
}

bool kept_holds(struct pbuf *p, uint16_t n, uint64_t *rest)
{
    uint16_t length = (uint16_t)(p->kept >> KEPT_LENGTH), sum = (uint16_t)(p->kept >> KEPT_SUM);
    uint8_t *begin = begin_of(p), *next = (uint8_t *)p->payload + n, *end = begin + length;
    uint16_t front, back = 0;

    *rest = p->kept;
    if (p->kept == 0 || (n == p->len && is_fresh(p)))
        return true;
    if (next > end || (uint8_t *)p->payload + p->len > end)
        return changed(p);
    front = checksum(begin, (int)(next - begin));
    if (next < end)
        back = checksum(next, (int)(end - next));
    if (!is_same(fold((uint64_t)front + at_odd(back, (size_t)(next - begin))), sum)) {
        if (!mend(p, begin, length, sum))
            return changed(p);
        back = checksum(next, (int)(end - next));
        log_info("mended, a bit of %u bytes that waited for a program had flipped", p->len);
    }
    if (next < end)
        *rest = word_of(next, (uint32_t)(end - next), back);
    return true;
}

bool kept_all_hold(struct pbuf *p)
{
    uint64_t rest;

    for (; p; p = p->next)
        if (!kept_holds(p, p->len, &rest))
            return false;
    return true;
}

/* ---- what is sent ---- */

/* Of the data of a segment, wherever lwIP has left the payload of its first pbuf. */
static uint16_t sum_of_data(const struct tcp_seg *seg)
{
    size_t skip = (size_t)((const uint8_t *)seg->tcphdr - (const uint8_t *)seg->p->payload) +
                  TCPH_HDRLEN_BYTES(seg->tcphdr),
           offset = 0;
    uint64_t sum = 0;

    for (const struct pbuf *p = seg->p; p; p = p->next) {
        size_t left = p->len > skip ? p->len - skip : 0;

        sum += at_odd(checksum((const uint8_t *)p->payload + p->len - left, (int)left), offset);
        offset += left;
        skip -= p->len - left;
    }
    return fold(sum);
}

bool kept_may_be_sent(struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
    if (is_same(sum_of_data(seg), at_odd(seg->chksum, seg->chksum_swapped)))
        return true;
    /* It has gone out with a sum that is not its own, and would again: nobody takes it. */
    if (!pcb->resend.spoiled)
        log_info("%u bytes that a program has sent have changed by themselves: the connection ends",
                 seg->len);
    pcb->resend.spoiled = any_spoiled = true;
    return false;
}

void kept_settle(void)
{
    turn = (turn + 1) & (UINT64_MAX >> KEPT_TURN);
    while (any_spoiled) {
        struct tcp_pcb *pcb = tcp_active_pcbs;

        while (pcb && !pcb->resend.spoiled)
            pcb = pcb->next;
        any_spoiled = pcb != NULL;
        if (pcb)
            tcp_abort(pcb);
    }
}
