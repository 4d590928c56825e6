/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/net_host/play.h"

#include <string.h>

#include "tests/net_host/host.h"

#define CONNECTIONS 24

uint32_t (*play_choose)(uint32_t n);

static struct {
    uint16_t from_port, to_port;
    uint32_t from, to; /* addresses, 0: usual */
    uint32_t sequence, acknowledged; /* the peer's next byte; what it has of ours */
    bool known; /* acknowledged is */
} connections[CONNECTIONS];
static uint8_t frame[1700], kept[32][1514], dhcp_id[4];
static size_t kept_length[32];

static uint32_t below(uint32_t n)
{
    return play_choose(n);
}

static uint32_t any_word(void)
{
    return play_choose(0);
}

static uint8_t any_byte(void)
{
    return (uint8_t)play_choose(256);
}

static bool one_in(uint32_t n)
{
    return below(n) == 0;
}

/* Small numbers and the edges of 16 bits are where mistakes are. */
static uint32_t odd_number(void)
{
    static const uint32_t some[] = {0, 1, 2, 3, 100, 535, 1459, 1460, 1461, 32767, 65534, 65535};

    return one_in(3) ? below(70000) : some[below(sizeof some / sizeof *some)];
}

static void ip_sum(uint8_t *f)
{
    uint16_t sum;

    f[24] = f[25] = 0;
    sum = (uint16_t)~frame_sum(f + 14, (size_t)(f[14] & 15) * 4, 0);
    f[24] = (uint8_t)(sum >> 8);
    f[25] = (uint8_t)sum;
}

/* The bytes [at, at + n) of the packet in `frame`, as a fragment. */
static void send_piece(size_t at, size_t n, bool more)
{
    uint8_t piece[1514];

    memcpy(piece, frame, 34);
    memcpy(piece + 34, frame + 34 + at, n);
    piece[16] = (uint8_t)((20 + n) >> 8);
    piece[17] = (uint8_t)(20 + n);
    piece[20] = (uint8_t)(at >> 11 | (more ? 0x20 : 0));
    piece[21] = (uint8_t)(at >> 3);
    ip_sum(piece);
    if (one_in(3))
        host_raw_packet(piece + 14, 20 + n);
    else
        host_queue_frame(0, piece, 34 + n);
}

/* Cut at eights, mostly; the last one first, or in order; it may be empty. */
static void send_pieces(size_t length)
{
    size_t body = length - 34, cuts[17], n = 1 + below(16);
    bool backwards = one_in(2);

    for (size_t i = 0; i < n; i++)
        cuts[i] = i * body / n / 8 * 8;
    cuts[n] = body;
    if (one_in(4))
        cuts[n - 1] = body / 8 * 8;
    for (size_t i = 0; i < n; i++) {
        size_t k = backwards ? n - 1 - i : i;

        if (!one_in(60))
            send_piece(cuts[k], cuts[k + 1] - cuts[k], k < n - 1);
    }
    host_turn();
}

static void send_frame(size_t length)
{
    unsigned n = below(32);

    if (length > 1514)
        length = 1514;
    if (length > 42 && frame[12] == 8 && frame[13] == 0 && one_in(25)) {
        send_pieces(length);
        return;
    }
    if (one_in(12)) /* as it is on a bad wire */
        for (unsigned i = below(4) + 1; i--;)
            frame[14 + below((uint32_t)length - 14)] = any_byte();
    if (one_in(60))
        length = below((uint32_t)length) + 1;
    memcpy(kept[n], frame, length);
    kept_length[n] = length;
    if (length > 34 && one_in(40)) /* past the guard of the wire */
        host_raw_packet(frame + 14, length - 14);
    else if (one_in(4))
        host_queue_frame(one_in(20), frame, length);
    else
        host_frame(one_in(20), frame, length);
}

/* ---- what net says ---- */

static void on_sent(unsigned n, const uint8_t *f, size_t length)
{
    struct sent_segment s;

    if (f[12] == 8 && f[13] == 6 && f[21] == 1 && !one_in(10)) {
        uint8_t reply[64];
        uint32_t wanted = (uint32_t)f[38] << 24 | f[39] << 16 | f[40] << 8 | f[41];

        host_queue_frame(n, reply,
                         frame_arp(reply, 2, peer_mac, wanted, host_mac[n], HOST_ADDRESS));
    }
    if (length > 290 && f[23] == 17 && f[37] == 67)
        memcpy(dhcp_id, f + 46, sizeof dhcp_id);
    if (!sent_tcp(f, length, &s))
        return;
    for (unsigned i = 0; i < CONNECTIONS; i++)
        if (connections[i].from_port == s.to_port && connections[i].to_port == s.from_port) {
            connections[i].acknowledged =
                s.seq + s.length + (s.flags & TCP_S ? 1 : 0) + (s.flags & TCP_F ? 1 : 0);
            connections[i].known = true;
            if (one_in(2))
                connections[i].sequence = s.ack;
            return;
        }
    if (s.flags & TCP_S && !(s.flags & TCP_A)) { /* one of our programs calls */
        unsigned i = below(CONNECTIONS);

        connections[i].from_port = s.to_port;
        connections[i].to_port = s.from_port;
        connections[i].acknowledged = s.seq + 1;
        connections[i].known = true;
    }
}

/* ---- TCP ---- */

/* What has come out of order is near what was sent last. */
static uint8_t make_sack(uint8_t *o, uint32_t sent)
{
    uint8_t n = 2;

    o[0] = 5;
    for (unsigned blocks = 1 + below(3); blocks--;) {
        uint32_t right = sent - below(8) * 1460, left = right - (1 + below(8)) * 1460;

        for (int shift = 24; shift >= 0; shift -= 8, n++) {
            o[n] = (uint8_t)(left >> shift);
            o[n + 4] = (uint8_t)(right >> shift);
        }
        n = (uint8_t)(n + 4);
    }
    o[1] = n;
    return n;
}

static uint8_t make_options(uint8_t *o)
{
    uint8_t n = 0;

    while (n < 30 && !one_in(3)) {
        static const uint8_t kinds[] = {0, 1, 2, 3, 4, 5, 8, 30, 254};
        uint8_t kind = kinds[below(sizeof kinds)];
        static const uint8_t lengths[] = {[2] = 4, [3] = 3, [4] = 2, [5] = 10, [8] = 10};
        uint8_t length = kind < sizeof lengths ? lengths[kind] : 4;

        o[n++] = kind;
        if (length < 2)
            continue;
        o[n++] = one_in(10) ? any_byte() : length;
        for (uint8_t i = 2; i < length && n < 40; i++)
            o[n++] = one_in(2) ? 0 : any_byte();
    }
    return n > 40 ? 40 : n;
}

static uint16_t make_window(void)
{
    if (one_in(3))
        return (uint16_t)odd_number();
    return one_in(2) ? 0 : 65535;
}

static void tcp_new(unsigned i)
{
    static const uint16_t ports[] = {PORT_FILE, PORT_ECHO, PORT_SINK, PORT_DEAF};

    connections[i].from_port = (uint16_t)(1024 + below(60000));
    connections[i].to_port = one_in(20) ? (uint16_t)odd_number() : ports[below(4)];
    connections[i].from = one_in(8) ? 0x0a000200 + below(256) : 0;
    connections[i].sequence = one_in(4) ? 0xfffffff0 : any_word();
    connections[i].known = false;
}

static uint8_t make_flags(unsigned i)
{
    if (!connections[i].known)
        return one_in(20) ? (uint8_t)below(64) : TCP_S;
    if (one_in(15))
        return (uint8_t)below(64);
    return (uint8_t)(TCP_A | (one_in(3) ? TCP_P : 0) | (one_in(12) ? TCP_F : 0) |
                     (one_in(60) ? TCP_R : 0));
}

/* Of what a segment carries: mostly nothing. */
static uint32_t make_length(void)
{
    if (one_in(2))
        return 0;
    if (one_in(2))
        return 1;
    return one_in(2) ? 1400 : odd_number() % 1401;
}

static void tcp_frame(void)
{
    static uint8_t data[1460], options[64];
    unsigned i = below(CONNECTIONS);
    struct segment s;
    uint32_t length = make_length();

    if (!connections[i].from_port || one_in(40))
        tcp_new(i);
    s = (struct segment){.from = connections[i].from,
                         .from_port = connections[i].from_port,
                         .to_port = connections[i].to_port,
                         .seq = connections[i].sequence,
                         .ack = connections[i].acknowledged,
                         .flags = make_flags(i),
                         .window = make_window(),
                         .data = data,
                         .length = (uint16_t)length};
    if (one_in(4)) /* out of order, or once more */
        s.seq += one_in(2) ? odd_number() : -odd_number();
    else if (s.flags & TCP_A)
        connections[i].sequence += length + (s.flags & TCP_F ? 1 : 0);
    if (s.flags == TCP_S && one_in(2))
        s.length = 0;
    if (one_in(4))
        s.ack += one_in(2) ? odd_number() : -odd_number();
    s.options = options;
    s.option_bytes = one_in(3) || s.flags & TCP_S ? make_options(options) : 0;
    if (one_in(4) && !(s.flags & TCP_S))
        s.option_bytes = make_sack(options, connections[i].acknowledged);
    if (s.length > 1400 - s.option_bytes)
        s.length = 1400;
    send_frame(frame_tcp(frame, &s));
}

/* ---- the others ---- */

/* A piece of what may once have been a datagram, or a header with options. */
static void ip_frame(void)
{
    uint8_t body[1480];
    size_t length = below(1481);
    static const uint8_t protocols[] = {1, 6, 17, 2, 0, 255};

    for (size_t i = 0; i < length; i++)
        body[i] = any_byte();
    length = frame_ip(frame, one_in(10) ? any_word() : PEER, one_in(10) ? 0xffffffff : HOST_ADDRESS,
                      protocols[below(sizeof protocols)], body, length);
    if (one_in(4))
        frame[14] = (uint8_t)(0x40 | below(16));
    if (!one_in(3)) {
        uint16_t offset = (uint16_t)(one_in(2) ? below(8) : below(8192));

        frame[18] = 0;
        frame[19] = (uint8_t)below(3); /* few datagrams, many pieces */
        frame[20] = (uint8_t)(offset >> 8 | (one_in(2) ? 0x20 : 0));
        frame[21] = (uint8_t)offset;
    }
    if (one_in(5))
        frame[17] = any_byte();
    ip_sum(frame);
    send_frame(length);
}

static void icmp_frame(void)
{
    uint8_t body[600] = {0};
    size_t length = 8 + below(500);
    uint16_t sum;

    body[0] = one_in(2) ? 3 : (uint8_t)below(20);
    if (one_in(2))
        body[0] = 8;
    body[1] = (uint8_t)below(17);
    if (one_in(4)) { /* of a program that pings */
        body[0] = body[1] = 0;
        body[5] = PING_IDENT;
    }
    if (body[0] == 3) { /* about something that passed by */
        unsigned n = below(32);
        size_t some = kept_length[n] > 14 ? kept_length[n] - 14 : 0;

        memcpy(body + 8, kept[n] + 14, some < 500 ? some : 500);
    }
    sum = (uint16_t)~frame_sum(body, length, 0);
    body[2] = (uint8_t)(sum >> 8);
    body[3] = (uint8_t)sum;
    send_frame(frame_ip(frame, PEER, HOST_ADDRESS, 1, body, length));
}

static void arp_frame(void)
{
    uint8_t mac[6];

    for (int i = 0; i < 6; i++)
        mac[i] = one_in(3) ? any_byte() : peer_mac[i];
    send_frame(frame_arp(frame, (uint16_t)(1 + below(3)), mac,
                         one_in(4) ? any_word() : 0x0a000200 + below(256), host_mac[0],
                         one_in(3) ? any_word() : HOST_ADDRESS));
}

/* Offers and acknowledgements; a mask that is one; the rest by chance. */
static uint8_t dhcp_byte(uint8_t kind, uint8_t i)
{
    if (kind == 53)
        return one_in(2) ? 2 : 5;
    if (kind == 1)
        return i < 3 ? 255 : 0;
    return any_byte();
}

static size_t dhcp_options(uint8_t *o)
{
    size_t n = 0;

    while (n < 200 && !one_in(10)) {
        static const uint8_t kinds[] = {53, 53, 54, 51, 1, 3, 6, 52, 0, 12, 58, 59, 255};
        uint8_t kind = kinds[below(sizeof kinds)], length = kind == 53 ? 1 : 4;

        o[n++] = kind;
        if (kind == 0 || kind == 255)
            continue;
        o[n++] = one_in(12) ? any_byte() : length;
        for (uint8_t i = 0; i < length; i++)
            o[n++] = dhcp_byte(kind, i);
    }
    o[n++] = 255;
    return n;
}

static void dhcp_frame(void)
{
    uint8_t body[600] = {2, 1, 6, 0};
    size_t length;

    memcpy(body + 4, dhcp_id, 4);
    memcpy(body + 16, (uint8_t[]){10, 0, 3, 15}, 4);
    memcpy(body + 28, host_mac[1], 6);
    memcpy(body + 236, (uint8_t[]){0x63, 0x82, 0x53, 0x63}, 4);
    length = 240 + dhcp_options(body + 240);
    if (one_in(20))
        length = below((uint32_t)length) + 1;
    length = frame_udp(frame, 0x0a000302, 0xffffffff, 67, 68, body, length);
    memset(frame, 255, 6);
    host_frame(1, frame, length);
}

/* ---- answers of DNS, to programs that wait for such ---- */

static size_t put_word(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
    return 2;
}

/* Labels, or a pointer to earlier ones: into the header, to itself, ahead, into nowhere. */
static size_t dns_name(uint8_t *o, size_t at)
{
    size_t n = 0;

    while (n < 60 && !one_in(3)) {
        uint8_t length = one_in(20) ? any_byte() : (uint8_t)(1 + below(8));

        o[n++] = length;
        for (uint8_t i = 0; i < length % 16; i++)
            o[n++] = (uint8_t)('a' + below(26));
    }
    if (one_in(2))
        return n + put_word(o + n, 0xc000 | (one_in(2) ? 12 : below((uint32_t)at + 20)));
    if (!one_in(20))
        o[n++] = 0;
    return n;
}

static size_t dns_record(uint8_t *o, size_t at)
{
    static const uint16_t kinds[] = {1, 2, 5, 6, 12, 15, 16, 28, 33, 41, 255};
    size_t n = dns_name(o, at);
    uint16_t length = one_in(2) ? 4 : (uint16_t)below(40);

    n += put_word(o + n, kinds[below(sizeof kinds / sizeof *kinds)]);
    n += put_word(o + n, one_in(20) ? any_word() : 1);
    n += put_word(o + n, any_word());
    n += put_word(o + n, any_word());
    n += put_word(o + n, one_in(10) ? odd_number() : length);
    for (uint16_t i = 0; i < length; i++)
        o[n++] = any_byte();
    return n;
}

static size_t dns_answer(uint8_t *o)
{
    uint32_t questions = one_in(10) ? below(4) : 1, records = below(6);
    size_t n = 0;

    n += put_word(o + n, below(4)); /* few numbers, so that some are right */
    n += put_word(o + n, one_in(4) ? any_word() : 0x8180);
    n += put_word(o + n, questions);
    n += put_word(o + n, one_in(10) ? odd_number() : records);
    n += put_word(o + n, one_in(10) ? odd_number() : 0);
    n += put_word(o + n, one_in(10) ? odd_number() : 0);
    while (questions--) {
        n += dns_name(o + n, n);
        n += put_word(o + n, 1);
        n += put_word(o + n, 1);
    }
    while (records--)
        n += dns_record(o + n, n);
    return one_in(8) ? below((uint32_t)n) : n; /* the last record is cut short */
}

static void dns_frame(void)
{
    uint8_t body[1400];

    if (one_in(2000))
        host_datagrams_open();
    send_frame(frame_udp(frame, one_in(10) ? any_word() : PEER, HOST_ADDRESS,
                         one_in(10) ? (uint16_t)odd_number() : 53,
                         (uint16_t)(PORT_RESOLVER + below(DATAGRAM_SOCKETS)), body,
                         dns_answer(body)));
}

static void udp_frame(void)
{
    uint8_t body[1400] = {0};
    bool to_all = one_in(3);

    send_frame(frame_udp(frame, PEER, to_all ? 0x0a0002ff : HOST_ADDRESS,
                         one_in(2) ? 53 : (uint16_t)below(65536),
                         to_all ? PORT_SHARED : (uint16_t)odd_number(), body, below(1400)));
}

static void again(void)
{
    unsigned n = below(32);

    if (kept_length[n] < 15)
        return;
    memcpy(frame, kept[n], kept_length[n]);
    send_frame(kept_length[n]);
}

void play_step(void)
{
    static void (*const others[])(void) = {ip_frame,  icmp_frame, arp_frame, dhcp_frame,
                                           udp_frame, dns_frame,  again};

    if (one_in(4))
        others[below(sizeof others / sizeof *others)]();
    else
        tcp_frame();
    if (one_in(50))
        host_pass(one_in(10) ? below(20000) : below(300));
    if (one_in(6))
        calls_step();
    if (one_in(300))
        host_connect(one_in(4) ? HOST_ADDRESS : PEER, (uint16_t)(1 + below(65535)));
}

void play_start(uint64_t seed, uint32_t (*choose)(uint32_t n))
{
    play_choose = choose;
    host_sent = on_sent;
    host_start(seed, "e0=10.0.2.15/24,10.0.2.2");
    host_datagrams_open();
    host_copies_open();
}
