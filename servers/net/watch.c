/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches over the drivers' progress (progress.h says what that is): looks at each interface, asks
 * the gateway, complains to RS with the reason. RS replaces the driver and has the device reset.
 */
#include <string.h>

#include <lwip/etharp.h>
#include <lwip/inet_chksum.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ethernet.h>
#include <lwip/stats.h>
#include <lwip/timeouts.h>

#include "lib/rt/log.h"
#include "servers/net/interface.h"

#define CHANGES_MOST                                                                               \
    4 /* of the incarnation, in so many ms, before RS is asked whether that is so */
#define CHANGES_WINDOW 4000

static uint64_t armed_for; /* ms; 0: not */
static struct progress_clock counted;

static uint64_t now_ms(void)
{
    return clock_now() / 1000000;
}

static uint64_t counted_ms(void)
{
    return progress_now(&counted, now_ms());
}

/* Of one that the other end has yet to end. */
static bool is_open(const struct tcp_pcb *pcb)
{
    return pcb->state >= SYN_SENT && pcb->state <= FIN_WAIT_2;
}

static bool talks(const struct netif *netif)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (is_open(pcb) && ip4_route(ip_2_ip4(&pcb->remote_ip)) == netif)
            return true;
    return false;
}

/* One that has sent again what it had sent again already. */
static bool stalls(const struct netif *netif)
{
    for (const struct tcp_pcb *pcb = tcp_active_pcbs; pcb; pcb = pcb->next)
        if (pcb->nrtx >= 2 && ip4_route(ip_2_ip4(&pcb->remote_ip)) == netif)
            return true;
    return false;
}

static struct progress_view view_of(const struct interface *i)
{
    const struct netif *n = &i->netif;

    return (struct progress_view){
        .now = counted_ms(),
        .posted = i->transmit.published,
        .completed = i->transmit.done,
        .heard = i->heard,
        .gateway = i->gateway,
        .good = i->statistics.received_frames,
        .bad = i->receive.bad,
        .wakes = i->wakes,
        .idle_wakes = i->idle_wakes,
        .flaps = i->flaps,
        .garbled = i->garbled,
        .echoes = i->echo.answers + i->echo.unsent,
        .echoes_best = i->echo.best,
        .can_echo = echo_is_possible(&i->echo, n),
        .link = netif_is_link_up(n),
        .can_probe = netif_is_link_up(n) && !ip4_addr_isany_val(*netif_ip4_gw(n)) &&
                     !ip4_addr_isany_val(*netif_ip4_addr(n)),
    };
}

static bool is_watched(const struct interface *i)
{
    return i && i->incarnation != 0 && !i->given_up;
}

static void complain(struct interface *i, enum progress_verdict verdict)
{
    static const struct {
        const char *text;
        enum rs_complaint why;
    } reasons[] = {
        [PROGRESS_IS_STUCK] = {"completes no frame to send any more", COMPLAINT_DEADLINE},
        [PROGRESS_IS_SILENT] = {"hears nothing, not even the gateway", COMPLAINT_SILENCE},
        [PROGRESS_IS_DEAF] = {"hears nothing, not even an answer about an address",
                              COMPLAINT_SILENCE},
        [PROGRESS_IS_UNHEARD] = {"does not send what it is given", COMPLAINT_DATA},
        [PROGRESS_IS_DARK] = {"has no link any more", COMPLAINT_SILENCE},
        [PROGRESS_IS_USELESS] = {"is busy, but of no use", COMPLAINT_USELESS},
        [PROGRESS_IS_NO_OTHER] = {"says again and again that it is a fresh copy",
                                  COMPLAINT_PROTOCOL},
    };

    log_info("%s: driver %s %s", i->name, i->place.driver, reasons[verdict].text);
    if (verdict == PROGRESS_IS_SILENT && i->progress.complaints == PROGRESS_COMPLAINTS)
        log_always(
            "%s: the gateway does not answer: either the driver is ill in every copy, or the "
            "cable may be cut; no fresh driver is tried for it before it has answered",
            i->name);
    ring_repair(&i->receive, &i->transmit);
    ring_claim(&i->receive, &i->transmit);
    service_complain(i->place.driver, i->driver, reasons[verdict].why); /* its successor may run */
}

static void note_change(struct interface *i, uint64_t now)
{
    if (i->changes <= CHANGES_MOST && now - i->changed_at >= CHANGES_WINDOW)
        i->changes = 0;
    if (i->changes++ == 0)
        i->changed_at = now;
}

/* Each makes its progress begin anew, so that it would never be found out. (They come one after the other as
 * fast as that when somebody kills them: so RS is asked, who counts them.) */
static bool is_no_other(struct interface *i)
{
    uint64_t changes = i->changes;
    struct rs_service s;

    if (changes == 0 || counted_ms() - i->changed_at < CHANGES_WINDOW)
        return false;
    i->changes = 0;
    return changes > CHANGES_MOST && service_status(i->place.driver, &s) &&
           s.incarnation < i->incarnation;
}

static void look(struct interface *i)
{
    struct progress_view v;
    enum progress_verdict verdict;

    if (transmit_reap(&i->transmit) < 0) {
        interface_violated(i, "transmit", -ERANGE);
        return;
    }
    v = view_of(i);
    v.talks = talks(&i->netif);
    v.stalls = stalls(&i->netif);
    verdict = is_no_other(i) ? PROGRESS_IS_NO_OTHER : progress_check(&i->progress, &v);
    if (v.garbled >= PROGRESS_GARBLED)
        i->garbled = 0;
    if (verdict == PROGRESS_FINE)
        return;
    if (verdict == PROGRESS_PROBE) {
        etharp_request(&i->netif, netif_ip4_gw(&i->netif));
        return;
    }
    if (verdict == PROGRESS_ASK_ECHO) {
        echo_ask(&i->echo, &i->netif, i->progress.echo_asked - 1);
        return;
    }
    complain(i, verdict);
    progress_begin(&i->progress, &v, true); /* for its successor, should it not even come up */
}

static void look_at_all(void *unused);

/* A look, soon enough for everybody; one that comes sooner stays. */
static void arm(void)
{
    uint64_t now = now_ms(), soonest = UINT64_MAX;

    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (is_watched(interfaces[n])) {
            struct progress_view v = view_of(interfaces[n]);
            uint64_t when = now + progress_next(&interfaces[n]->progress, &v);

            soonest = when < soonest ? when : soonest;
        }
    if (soonest == UINT64_MAX || (armed_for != 0 && armed_for <= soonest))
        return;
    armed_for = soonest;
    sys_untimeout(look_at_all, NULL);
    sys_timeout((uint32_t)(soonest - now), look_at_all, NULL);
}

static void look_at_all(void *unused)
{
    uint64_t now = now_ms();

    (void)unused;
    counted.lost += now > armed_for ? now - armed_for : 0;
    armed_for = 0;
    for (unsigned n = 0; n < INTERFACES_MAX; n++)
        if (is_watched(interfaces[n]))
            look(interfaces[n]);
    arm();
}

void watch_begin(struct interface *i, bool was_reset)
{
    struct progress_view v;

    i->garbled = 0;
    v = view_of(i);
    note_change(i, v.now);
    progress_begin(&i->progress, &v, was_reset);
    arm();
}

void watch_frame(struct interface *i, const uint8_t *frame, uint32_t length)
{
    static const uint8_t answer[] = {8, 6, 0, 1, 8, 0, 6, 4, 0, 2}; /* ARP, of Ethernet and IPv4 */
    const uint8_t *sender = frame + SIZEOF_ETH_HDR + 14;

    if (frame[0] & 1)
        return; /* a broadcast */
    i->heard++;
    echo_frame(&i->echo, frame, length);
    i->gateway += length >= SIZEOF_ETH_HDR + 28 && memcmp(frame + 12, answer, sizeof answer) == 0 &&
                  memcmp(sender, netif_ip4_gw(&i->netif), 4) == 0;
}

/* By their lengths and sums, in all. */
static uint32_t refused(void)
{
    return lwip_stats.ip.chkerr + lwip_stats.ip.lenerr + lwip_stats.tcp.chkerr +
           lwip_stats.tcp.lenerr + lwip_stats.udp.chkerr + lwip_stats.udp.lenerr;
}

static size_t stated_length(const uint8_t *ip)
{
    return (size_t)ip[2] << 8 | ip[3];
}

/* A frame of IP that is long, by what it says itself. */
static const uint8_t *long_packet(const struct pbuf *p)
{
    enum { LONG = 128, TYPE = 12 };
    const uint8_t *frame = p->payload, *ip = frame + SIZEOF_ETH_HDR;

    if (p->len < SIZEOF_ETH_HDR + IP_HLEN || frame[TYPE] != ETHTYPE_IP >> 8 ||
        frame[TYPE + 1] != (ETHTYPE_IP & 255))
        return NULL;
    return stated_length(ip) >= LONG ? ip : NULL;
}

/* lwIP looks at the sums of requests only, and hands answers on as they are. */
static bool is_bad_icmp(const uint8_t *ip, size_t length)
{
    size_t header = (size_t)(ip[0] & 15) * 4, bytes = stated_length(ip);
    bool is_fragment = (ip[6] & 0x3f) != 0 || ip[7] != 0;

    return ip[9] == IP_PROTO_ICMP && !is_fragment && bytes > header && bytes <= length &&
           inet_chksum(ip + header, (uint16_t)(bytes - header)) != 0;
}

bool watch_input(struct interface *i, struct pbuf *p)
{
    const uint8_t *ip = long_packet(p);
    uint32_t before = refused();

    if (ip && is_bad_icmp(ip, p->len - SIZEOF_ETH_HDR)) {
        i->garbled++;
        return false;
    }
    if (i->netif.input(p, &i->netif) != ERR_OK)
        return false;
    if (ip && refused() != before)
        i->garbled++;
    else if (ip && i->garbled < PROGRESS_GARBLED) /* enough of them wait for the next look */
        i->garbled = 0;
    return true;
}

void watch_expect(void)
{
    if (armed_for == 0 || armed_for > now_ms() + PROGRESS_LOOK)
        arm();
}
