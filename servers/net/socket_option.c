/* SPDX-License-Identifier: BSD-2-Clause */
/* getsockopt, setsockopt: socket(7), ip(7), tcp(7). */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/time.h>

#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>

#include "servers/net/socket.h"

#define RECEIVE_LIMIT_MIN 2304u /* as Linux's SOCK_MIN_RCVBUF and SOCK_MIN_SNDBUF */
#define RECEIVE_LIMIT_MAX (1u << 20)
#define SEND_LIMIT_MIN 4608u

union value {
    int number;
    struct timeval time;
    struct linger linger;
    struct tcp_info info;
    char name[IFNAMSIZ];
};

static bool has_option(const struct socket *s, u8_t option)
{
    return s->ip && ip_get_option(s->ip, option);
}

static void put_option(struct socket *s, u8_t option, bool on)
{
    if (s->ip && on)
        ip_set_option(s->ip, option);
    else if (s->ip)
        ip_reset_option(s->ip, option);
}

/* ---- SOL_SOCKET ---- */

static int take_error(struct socket *s)
{
    int error = s->error;

    s->error = 0;
    return error;
}

/* Options that are numbers: false, unknown. */
static bool get_number(struct socket *s, int name, int *v)
{
    switch (name) {
    case SO_ERROR:
        *v = take_error(s);
        return true;
    case SO_TYPE:
        *v = (int)s->type;
        return true;
    case SO_DOMAIN:
        *v = AF_INET;
        return true;
    case SO_PROTOCOL:
        *v = (int)s->protocol;
        return true;
    case SO_ACCEPTCONN:
        *v = s->state == STREAM_LISTENING;
        return true;
    case SO_REUSEADDR:
    case SO_REUSEPORT:
        *v = has_option(s, SOF_REUSEADDR);
        return true;
    case SO_KEEPALIVE:
        *v = has_option(s, SOF_KEEPALIVE);
        return true;
    case SO_BROADCAST:
        *v = has_option(s, SOF_BROADCAST);
        return true;
    case SO_RCVBUF:
        *v = (int)s->receive_limit;
        return true;
    case SO_SNDBUF:
        *v = (int)s->send_limit;
        return true;
    case SO_RCVLOWAT:
        *v = (int)s->low_water;
        return true;
    case SO_SNDLOWAT:
        *v = 1;
        return true;
    case SO_OOBINLINE:
    case SO_PRIORITY:
    case SO_TIMESTAMP:
        *v = 0;
        return true;
    default:
        return false;
    }
}

/* Size of the value; 0: unknown. */
static size_t get_socket(struct socket *s, int name, union value *v)
{
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
        v->time = timeout_to(name == SO_RCVTIMEO ? s->receive_timeout : s->send_timeout);
        return sizeof v->time;
    case SO_LINGER:
        v->linger = (struct linger){s->linger, (int)s->linger_seconds};
        return sizeof v->linger;
    default:
        return get_number(s, name, &v->number) ? sizeof v->number : 0;
    }
}

static long set_number(struct socket *s, int name, int v)
{
    switch (name) {
    case SO_REUSEADDR:
    case SO_REUSEPORT:
        put_option(s, SOF_REUSEADDR, v);
        return 0;
    case SO_KEEPALIVE:
        put_option(s, SOF_KEEPALIVE, v);
        return 0;
    case SO_BROADCAST:
        put_option(s, SOF_BROADCAST, v);
        return 0;
    case SO_RCVBUF:
        s->receive_limit = buffer_limit(v, RECEIVE_LIMIT_MIN, RECEIVE_LIMIT_MAX);
        return 0;
    case SO_SNDBUF:
        s->send_limit = buffer_limit(v, SEND_LIMIT_MIN, TCP_SND_BUF);
        return 0;
    case SO_RCVLOWAT:
        s->low_water = low_water_limit(v, s->receive_limit / 2);
        socket_dirty(s);
        return 0;
    case SO_OOBINLINE: /* urgent data is not told apart; */
    case SO_PRIORITY: /* one queue; */
    case SO_DONTROUTE: /* every other host is reached the same way */
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static long set_linger(struct socket *s, const struct linger *l)
{
    const uint32_t longest = 86400;

    s->linger = l->l_onoff;
    s->linger_seconds = (uint32_t)l->l_linger < longest ? (uint32_t)l->l_linger : longest;
    return 0;
}

/* SO_BINDTODEVICE; an empty name: any. */
static long set_device(struct socket *s, const char *name)
{
    const struct netif *netif = *name ? netif_named(name) : NULL;

    if (*name && !netif)
        return -ENODEV;
    if (s->ip)
        s->ip->netif_idx = netif ? netif_get_index(netif) : NETIF_NO_INDEX;
    return 0;
}

static long set_socket(struct socket *s, int name, const union value *v, size_t length)
{
    switch (name) {
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
        if (length < sizeof v->time)
            return -EINVAL;
        if (!timeout_from(&v->time, name == SO_RCVTIMEO ? &s->receive_timeout : &s->send_timeout))
            return -EDOM;
        return 0;
    case SO_LINGER:
        return length < sizeof v->linger ? -EINVAL : set_linger(s, &v->linger);
    default:
        return length < sizeof v->number ? -EINVAL : set_number(s, name, v->number);
    }
}

/* ---- IPPROTO_TCP ---- */

static struct tcp_pcb *connection(const struct socket *s)
{
    return s->state == STREAM_LISTENING ? NULL : s->tcp;
}

static void fill_info(const struct socket *s, struct tcp_info *info)
{
    static const uint8_t states[] = {
        /* lwIP's enum tcp_state -> Linux's */
        [CLOSED] = 7,      [LISTEN] = 10,    [SYN_SENT] = 2,   [SYN_RCVD] = 3,
        [ESTABLISHED] = 1, [FIN_WAIT_1] = 4, [FIN_WAIT_2] = 5, [CLOSE_WAIT] = 8,
        [CLOSING] = 11,    [LAST_ACK] = 9,   [TIME_WAIT] = 6};
    const struct tcp_pcb *pcb = connection(s);

    *info = (struct tcp_info){.tcpi_state = s->state == STREAM_LISTENING ? 10 : 7};
    if (!pcb)
        return;
    info->tcpi_state = states[pcb->state];
    info->tcpi_retransmits = pcb->nrtx;
    info->tcpi_rto = (uint32_t)pcb->rto * TCP_SLOW_INTERVAL * 1000;
    info->tcpi_rtt = (uint32_t)(pcb->sa > 0 ? pcb->sa >> 3 : 0) * TCP_SLOW_INTERVAL * 1000;
    info->tcpi_snd_mss = info->tcpi_rcv_mss = info->tcpi_advmss = pcb->mss;
    info->tcpi_snd_cwnd = pcb->mss ? pcb->cwnd / pcb->mss : 0;
    info->tcpi_snd_ssthresh = pcb->mss ? pcb->ssthresh / pcb->mss : 0;
    info->tcpi_rcv_space = pcb->rcv_wnd;
    info->tcpi_unacked = pcb->snd_queuelen;
}

static size_t get_tcp(struct socket *s, int name, union value *v)
{
    const struct tcp_pcb *pcb = connection(s);

    switch (name) {
    case TCP_INFO:
        fill_info(s, &v->info);
        return sizeof v->info;
    case TCP_NODELAY:
        v->number = pcb && tcp_nagle_disabled(pcb);
        break;
    case TCP_MAXSEG:
        v->number = pcb ? pcb->mss : TCP_MSS;
        break;
    case TCP_KEEPIDLE:
        v->number = pcb ? (int)(pcb->keep_idle / 1000) : 0;
        break;
    case TCP_KEEPINTVL:
        v->number = pcb ? (int)(pcb->keep_intvl / 1000) : 0;
        break;
    case TCP_KEEPCNT:
        v->number = pcb ? (int)pcb->keep_cnt : 0;
        break;
    case TCP_CORK:
    case TCP_DEFER_ACCEPT:
    case TCP_USER_TIMEOUT:
        v->number = 0;
        break;
    case TCP_QUICKACK:
        v->number = 1;
        break;
    default:
        return 0;
    }
    return sizeof v->number;
}

static long set_keepalive(struct tcp_pcb *pcb, int name, int value)
{
    if (value < 1 || value > (name == TCP_KEEPCNT ? 127 : 32767))
        return -EINVAL;
    if (!pcb)
        return 0;
    if (name == TCP_KEEPIDLE)
        pcb->keep_idle = (u32_t)value * 1000;
    else if (name == TCP_KEEPINTVL)
        pcb->keep_intvl = (u32_t)value * 1000;
    else
        pcb->keep_cnt = (u32_t)value;
    return 0;
}

static long set_tcp(struct socket *s, int name, int value)
{
    struct tcp_pcb *pcb = connection(s);

    switch (name) {
    case TCP_NODELAY:
        if (pcb && value) {
            tcp_nagle_disable(pcb);
            tcp_output(pcb); /* what has waited */
            net_output_pending();
        } else if (pcb) {
            tcp_nagle_enable(pcb);
        }
        return 0;
    case TCP_KEEPIDLE:
    case TCP_KEEPINTVL:
    case TCP_KEEPCNT:
        return set_keepalive(pcb, name, value);
    case TCP_MAXSEG:
        if (value < 88 || value > 32767)
            return -EINVAL;
        if (pcb && s->state == STREAM_FRESH && value < TCP_MSS)
            pcb->mss = (u16_t)value;
        return 0;
    case TCP_CORK: /* hints */
    case TCP_QUICKACK:
    case TCP_DEFER_ACCEPT:
    case TCP_USER_TIMEOUT:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* ---- IPPROTO_IP ---- */

static size_t get_ip(struct socket *s, int name, int *value)
{
    switch (name) {
    case IP_TOS:
        *value = s->ip ? s->ip->tos : 0;
        break;
    case IP_TTL:
        *value = s->ip ? s->ip->ttl : 0;
        break;
    case IP_HDRINCL:
        if (s->kind != KIND_RAW)
            return 0;
        *value = raw_is_flag_set(s->raw, RAW_FLAGS_HDRINCL);
        break;
    default:
        return 0;
    }
    return sizeof *value;
}

static long set_ip(struct socket *s, int name, int value)
{
    switch (name) {
    case IP_TOS:
        if (s->ip)
            s->ip->tos = (u8_t)value;
        return 0;
    case IP_TTL:
        if (value == -1)
            value = s->kind == KIND_TCP ? TCP_TTL : UDP_TTL;
        if (value < 1 || value > 255)
            return -EINVAL;
        if (s->ip)
            s->ip->ttl = (u8_t)value;
        return 0;
    case IP_HDRINCL:
        if (s->kind != KIND_RAW)
            return -ENOPROTOOPT;
        if (value)
            raw_set_flags(s->raw, RAW_FLAGS_HDRINCL);
        else
            raw_clear_flags(s->raw, RAW_FLAGS_HDRINCL);
        return 0;
    case IP_MTU_DISCOVER: /* lwIP never sets DF, and reports no path MTU */
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

/* ---- the calls ---- */

long option_get(struct socket *s, struct message *m)
{
    const struct socket_get_option_request *r = message_words(m);

    union value v;
    int name = (int)r->name;
    int32_t room;
    uint32_t size = 0;
    endpoint_t who = message_caller(m);
    long result = copy_from(who, r->length, &room, sizeof room);

    if (result < 0)
        return copy_error(result);
    if (room < 0)
        return -EINVAL;
    if (r->level == SOL_SOCKET)
        size = (uint32_t)get_socket(s, name, &v);
    else if (r->level == IPPROTO_TCP && s->kind == KIND_TCP)
        size = (uint32_t)get_tcp(s, name, &v);
    else if (r->level == IPPROTO_IP)
        size = (uint32_t)get_ip(s, name, &v.number);
    if (!size)
        return -ENOPROTOOPT;
    size = size < (uint32_t)room ? size : (uint32_t)room;
    result = size ? copy_to(who, r->value, &v, size) : 0;
    if (result >= 0)
        result = copy_to(who, r->length, &size, sizeof size);
    return copy_error(result);
}

/* IP options may be given as one byte. */
static bool long_enough(const struct message *m, size_t length)
{
    const struct socket_get_option_request *r = message_words(m);

    if (r->level == SOL_SOCKET)
        return length > 0 || r->name == SO_BINDTODEVICE;
    return length >= sizeof(int) || (r->level == IPPROTO_IP && length == 1);
}

long option_set(struct socket *s, struct message *m)
{
    const struct socket_get_option_request *r = message_words(m);

    union value v = {0};
    size_t length = r->length < sizeof v ? r->length : sizeof v;
    int name = (int)r->name;
    long result;

    if ((int32_t)r->length < 0 || !long_enough(m, length))
        return -EINVAL;
    result = length ? copy_from(message_caller(m), r->value, &v, length) : 0;
    if (result < 0)
        return copy_error(result);
    if (r->level == SOL_SOCKET && name == SO_BINDTODEVICE) {
        v.name[length < IFNAMSIZ ? length : IFNAMSIZ - 1] = 0;
        return set_device(s, v.name);
    }
    if (r->level == SOL_SOCKET)
        return set_socket(s, name, &v, length);
    if (r->level == IPPROTO_TCP && s->kind == KIND_TCP)
        return set_tcp(s, name, v.number);
    return r->level == IPPROTO_IP ? set_ip(s, name, v.number) : -ENOPROTOOPT;
}
