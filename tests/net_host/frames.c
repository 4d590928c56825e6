/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames are built, and taken apart. */
#include <arpa/inet.h>
#include <string.h>

#include "tests/net_host/host.h"

static void put16(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
    put16(at, value >> 16);
    put16(at + 2, value);
}

static uint32_t get16(const uint8_t *at)
{
    return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return get16(at) << 16 | get16(at + 2);
}

uint16_t frame_sum(const void *bytes, size_t length, uint32_t sum)
{
    const uint8_t *at = bytes;

    for (; length > 1; at += 2, length -= 2)
        sum += get16(at);
    if (length)
        sum += (uint32_t)at[0] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

size_t frame_ethernet(uint8_t *frame, const uint8_t to[6], uint16_t type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, peer_mac, 6);
    put16(frame + 12, type);
    return 14;
}

size_t frame_ip(uint8_t *frame, uint32_t from, uint32_t to, uint8_t protocol, const void *body,
                size_t length)
{
    static uint16_t ident;
    uint8_t *ip = frame + frame_ethernet(frame, host_mac[0], 0x800);

    memset(ip, 0, 20);
    ip[0] = 0x45;
    put16(ip + 2, (uint32_t)(20 + length));
    put16(ip + 4, ++ident);
    ip[8] = 64;
    ip[9] = protocol;
    put32(ip + 12, from);
    put32(ip + 16, to);
    put16(ip + 10, (uint16_t)~frame_sum(ip, 20, 0));
    memmove(ip + 20, body, length);
    return 14 + 20 + length;
}

static uint32_t pseudo(uint32_t from, uint32_t to, uint8_t protocol, size_t length)
{
    return (from >> 16) + (from & 0xffff) + (to >> 16) + (to & 0xffff) + protocol +
           (uint32_t)length;
}

size_t frame_udp(uint8_t *frame, uint32_t from, uint32_t to, uint16_t from_port, uint16_t to_port,
                 const void *data, size_t length)
{
    uint8_t body[1600];

    put16(body, from_port);
    put16(body + 2, to_port);
    put16(body + 4, (uint32_t)(8 + length));
    put16(body + 6, 0);
    memcpy(body + 8, data, length);
    put16(body + 6, (uint16_t)~frame_sum(body, 8 + length, pseudo(from, to, 17, 8 + length)));
    return frame_ip(frame, from, to, 17, body, 8 + length);
}

size_t frame_tcp(uint8_t *frame, const struct segment *s)
{
    uint8_t body[1600] = {0};
    uint32_t from = s->from ? s->from : PEER, to = s->to ? s->to : HOST_ADDRESS;
    size_t header = 20 + (s->option_bytes + 3u) / 4 * 4, all = header + s->length;

    put16(body, s->from_port);
    put16(body + 2, s->to_port);
    put32(body + 4, s->seq);
    put32(body + 8, s->ack);
    body[12] = (uint8_t)(header / 4 << 4);
    body[13] = s->flags;
    put16(body + 14, s->window);
    if (s->option_bytes)
        memcpy(body + 20, s->options, s->option_bytes);
    if (s->length)
        memcpy(body + header, s->data, s->length);
    put16(body + 16, (uint16_t)~frame_sum(body, all, pseudo(from, to, 6, all)));
    return frame_ip(frame, from, to, 6, body, all);
}

size_t frame_arp(uint8_t *frame, uint16_t operation, const uint8_t from_mac[6], uint32_t from,
                 const uint8_t to_mac[6], uint32_t to)
{
    static const uint8_t start[6] = {0, 1, 8, 0, 6, 4}, broadcast[6] = "\xff\xff\xff\xff\xff\xff";
    uint8_t *arp = frame + frame_ethernet(frame, broadcast, 0x806);

    memcpy(arp, start, sizeof start);
    put16(arp + 6, operation);
    memcpy(arp + 8, from_mac, 6);
    put32(arp + 14, from);
    memcpy(arp + 18, to_mac, 6);
    put32(arp + 24, to);
    return 14 + 28;
}

void send_tcp(const struct segment *s)
{
    uint8_t frame[1700];

    host_frame(0, frame, frame_tcp(frame, s));
}

bool sent_tcp(const uint8_t *frame, size_t length, struct sent_segment *s)
{
    const uint8_t *ip = frame + 14, *tcp = ip + 20;
    size_t header;

    if (length < 54 || get16(frame + 12) != 0x800 || ip[0] != 0x45 || ip[9] != 6)
        return false;
    header = (size_t)(tcp[12] >> 4) * 4;
    *s = (struct sent_segment){.from = get32(ip + 12),
                               .to = get32(ip + 16),
                               .seq = get32(tcp + 4),
                               .ack = get32(tcp + 8),
                               .from_port = (uint16_t)get16(tcp),
                               .to_port = (uint16_t)get16(tcp + 2),
                               .window = (uint16_t)get16(tcp + 14),
                               .length = (uint16_t)(get16(ip + 2) - 20 - header),
                               .flags = tcp[13] & 0x3f,
                               .option_bytes = (uint8_t)(header - 20),
                               .options = tcp + 20,
                               .data = tcp + header};
    return true;
}
