/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request says about the program's memory: one buffer, a vector, or a message header with a vector and a name. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>

#include "servers/net/socket.h"

enum { SEGMENTS_MAX = 1024 };

static struct iovec segments[SEGMENTS_MAX]; /* of the request that is being tried */

static long fetch_segments(struct transfer *t, uint64_t address, uint64_t count)
{
    if (count > SEGMENTS_MAX)
        return -EINVAL;
    t->count = (unsigned)count;
    if (count && copy_from(t->program, address, segments, count * sizeof *segments) < 0)
        return -EFAULT;
    for (unsigned i = 0; i < count; i++) {
        if (segments[i].iov_len > INT64_MAX - t->length)
            return -EINVAL;
        t->length += segments[i].iov_len;
    }
    return 0;
}

static long fetch_header(struct transfer *t, const struct message *m, bool is_send)
{
    struct msghdr header;

    t->header = m->w[1];
    t->flags = (uint32_t)m->w[2];
    t->open_flags = (uint32_t)m->w[4];
    if (copy_from(t->program, m->w[1], &header, sizeof header) < 0)
        return -EFAULT;
    t->name = (uint64_t)header.msg_name;
    t->name_length = is_send ? header.msg_namelen : 0;
    return fetch_segments(t, (uint64_t)header.msg_iov, (uint32_t)header.msg_iovlen);
}

static long one(struct transfer *t, uint64_t address, uint64_t length)
{
    segments[0] = (struct iovec){(void *)address, length};
    t->count = 1;
    t->length = length;
    return length > INT64_MAX ? -EINVAL : 0;
}

long transfer_begin(struct transfer *t, const struct message *m)
{
    *t = (struct transfer){.program = message_caller(m), .iov = segments};
    switch (m->type) {
    case FILE_READ_VECTOR:
    case FILE_WRITE_VECTOR:
        t->open_flags = (uint32_t)m->w[4];
        return fetch_segments(t, m->w[1], m->w[2]);
    case SOCKET_SEND:
        t->flags = (uint32_t)m->w[3];
        t->open_flags = (uint32_t)m->w[4];
        t->name = m->w[5];
        t->name_length = m->w[4] >> 32;
        return one(t, m->w[1], m->w[2]);
    case SOCKET_RECEIVE_FROM:
        t->flags = (uint32_t)m->w[3];
        t->open_flags = (uint32_t)(m->w[3] >> 32);
        t->name = m->w[4];
        t->name_length = m->w[5];
        return one(t, m->w[1], m->w[2]);
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        return fetch_header(t, m, m->type == SOCKET_SEND_MESSAGE);
    default:
        t->flags = m->type == SOCKET_RECEIVE ? (uint32_t)m->w[3] : 0;
        t->open_flags = (uint32_t)m->w[4];
        return one(t, m->w[1], m->w[2]);
    }
}

static long move(struct transfer *t, char *bytes, size_t n, bool put)
{
    while (n) {
        struct iovec *v = &t->iov[t->segment];
        size_t part = v->iov_len - t->offset;
        uint64_t address = (uint64_t)v->iov_base + t->offset;
        long result;

        if (part == 0) {
            t->segment++;
            t->offset = 0;
            continue;
        }
        part = part < n ? part : n;
        result = put ? copy_to(t->program, address, bytes, part) : copy_from(t->program, address, bytes, part);
        if (result < 0)
            return result == -EDEADSRCDST ? result : -EFAULT;
        t->offset += part;
        t->at += part;
        bytes += part;
        n -= part;
    }
    return 0;
}

long transfer_put(struct transfer *t, const void *bytes, size_t n)
{
    return move(t, (char *)(uintptr_t)bytes, n, true);
}

long transfer_get(struct transfer *t, void *bytes, size_t n)
{
    return move(t, bytes, n, false);
}

void transfer_skip(struct transfer *t, size_t n)
{
    t->at += n;
    while (n) {
        size_t part = t->iov[t->segment].iov_len - t->offset;

        if (part > n) {
            t->offset += n;
            return;
        }
        n -= part;
        t->segment++;
        t->offset = 0;
    }
}

long transfer_finish(struct transfer *t, const struct sockaddr_in *from, int flags)
{
    struct msghdr header;

    if (!t->header)
        return t->name && from ? name_write(t->program, t->name, t->name_length, from) : 0;
    if (copy_from(t->program, t->header, &header, sizeof header) < 0)
        return -EFAULT;
    if (header.msg_name && from) {
        size_t n = header.msg_namelen < sizeof *from ? header.msg_namelen : sizeof *from;

        if (copy_to(t->program, (uint64_t)header.msg_name, from, n) < 0)
            return -EFAULT;
    }
    header.msg_namelen = from ? sizeof *from : 0;
    header.msg_controllen = 0;
    header.msg_flags = flags;
    return copy_to(t->program, t->header, &header, sizeof header) < 0 ? -EFAULT : 0;
}
