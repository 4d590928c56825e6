/* SPDX-License-Identifier: BSD-2-Clause */
/* What a request says about the program's memory: one buffer, a vector, or a message header with a
 * vector and a name. Nothing of it is believed twice: each attempt reads it anew. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>

#include "servers/net/socket.h"

enum { SEGMENTS_MAX = 1024 };

struct program_header { /* struct msghdr as the kernel's interface has it */
    uint64_t name;
    uint32_t name_length, pad;
    uint64_t segments, count, control, control_length;
    uint32_t flags, pad2;
};

static struct iovec segments[SEGMENTS_MAX]; /* of the request that is being tried */

long copy_error(long result)
{
    if (result >= 0)
        return 0;
    return result == -EDEADSRCDST ? result : -EFAULT;
}

/* ---- what the request wants ---- */

static long fetch_segments(struct transfer *t, uint64_t address, uint64_t count)
{
    long result;

    if (count > SEGMENTS_MAX)
        return t->header ? -EMSGSIZE : -EINVAL;
    t->count = (unsigned)count;
    result = count ? copy_from(t->program, address, segments, count * sizeof *segments) : 0;
    for (unsigned i = 0; result >= 0 && i < count; i++) {
        if (segments[i].iov_len > INT64_MAX - t->length)
            return -EINVAL;
        t->length += segments[i].iov_len;
    }
    return copy_error(result);
}

static long fetch_header(struct transfer *t, const struct message *m)
{
    const struct socket_send_message_request *r = message_words(m);
    struct program_header header;
    long result = copy_from(t->program, r->header, &header, sizeof header);

    if (result < 0)
        return copy_error(result);
    t->header = r->header;
    t->name = header.name;
    t->name_length = header.name_length;
    return fetch_segments(t, header.segments, header.count);
}

static long one_segment(struct transfer *t, uint64_t address, uint64_t length)
{
    segments[0] = (struct iovec){(void *)address, length};
    t->count = 1;
    t->length = length;
    return length > INT64_MAX ? -EINVAL : 0;
}

/* Where each request carries its flags. */
static void read_flags(const struct message *m, uint32_t *flags, uint32_t *open_flags)
{
    const struct file_transfer_request *r = message_words(m);
    const struct socket_send_request *send = message_words(m);
    const struct socket_receive_from_request *from = message_words(m);
    const struct socket_send_message_request *header = message_words(m);

    *flags = 0;
    *open_flags = (uint32_t)r->flags;
    switch (m->type) {
    case SOCKET_RECEIVE_FROM:
        *flags = from->flags;
        *open_flags = from->open_flags;
        break;
    case SOCKET_SEND:
    case SOCKET_RECEIVE:
        *flags = (uint32_t)send->flags;
        break;
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        *flags = (uint32_t)header->flags;
        break;
    default:
        break;
    }
}

bool transfer_may_wait(const struct message *m)
{
    uint32_t flags, open_flags;

    read_flags(m, &flags, &open_flags);
    return !(open_flags & O_NONBLOCK) && !(flags & MSG_DONTWAIT);
}

long transfer_begin(struct transfer *t, const struct message *m)
{
    const struct file_transfer_request *r = message_words(m);
    const struct socket_send_request *send = message_words(m);
    const struct socket_receive_from_request *from = message_words(m);

    *t = (struct transfer){.program = message_caller(m)};
    read_flags(m, &t->flags, &t->open_flags);
    switch (m->type) {
    case FILE_READ_VECTOR:
    case FILE_WRITE_VECTOR:
        return fetch_segments(t, r->address, r->length);
    case SOCKET_SEND:
        t->name = send->name;
        t->name_length = send->name_length;
        return one_segment(t, r->address, r->length);
    case SOCKET_RECEIVE_FROM:
        t->name = from->name;
        t->name_length = from->name_length;
        return one_segment(t, r->address, r->length);
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        return fetch_header(t, m);
    default:
        return one_segment(t, r->address, r->length);
    }
}

/* ---- moving bytes ---- */

static void advance(struct transfer *t, size_t n)
{
    t->at += n;
    t->offset += n;
    while (t->segment < t->count && t->offset >= segments[t->segment].iov_len) {
        t->offset -= segments[t->segment].iov_len;
        t->segment++;
    }
}

void transfer_skip(struct transfer *t, size_t n)
{
    advance(t, n);
}

static long move(struct transfer *t, char *bytes, size_t n, bool put)
{
    while (n && t->segment < t->count) {
        const struct iovec *v = &segments[t->segment];
        size_t left = v->iov_len - t->offset, part = left < n ? left : n;
        uint64_t address = (uint64_t)v->iov_base + t->offset;
        long result = 0;

        if (part)
            result = put ? copy_to(t->program, address, bytes, part)
                         : copy_from(t->program, address, bytes, part);
        if (result < 0)
            return copy_error(result);
        advance(t, part);
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

static long finish_header(struct transfer *t, const struct sockaddr_in *from, int flags)
{
    struct program_header header;
    long result = copy_from(t->program, t->header, &header, sizeof header);

    if (result >= 0 && header.name && from) {
        size_t n = header.name_length < sizeof *from ? header.name_length : sizeof *from;

        result = n ? copy_to(t->program, header.name, from, n) : 0;
    }
    if (result < 0)
        return copy_error(result);
    if (header.name)
        header.name_length = from ? sizeof *from : 0;
    header.control_length = 0;
    header.flags = (uint32_t)flags;
    return copy_error(copy_to(t->program, t->header, &header, sizeof header));
}

long transfer_finish(struct transfer *t, const struct sockaddr_in *from, int flags)
{
    if (t->header)
        return finish_header(t, from, flags);
    if (!t->name)
        return 0;
    return name_write(t->program, t->name, t->name_length, from, from ? sizeof *from : 0);
}

/* ---- addresses ---- */

long name_read(endpoint_t program, uint64_t address, uint64_t length, struct sockaddr_in *name)
{
    long result;

    *name = (struct sockaddr_in){.sin_family = AF_INET};
    if (length < sizeof name->sin_family || length > sizeof(struct sockaddr_storage))
        return -EINVAL;
    result =
        copy_from(program, address, name, length < sizeof *name ? (size_t)length : sizeof *name);
    if (result < 0)
        return copy_error(result);
    if (name->sin_family != AF_INET)
        return -EAFNOSUPPORT;
    return length < sizeof *name ? -EINVAL : 0;
}

long name_write(endpoint_t program, uint64_t address, uint64_t address_of_length,
                const struct sockaddr_in *name, uint32_t size)
{
    int32_t room;
    uint32_t part;
    long result = copy_from(program, address_of_length, &room, sizeof room);

    if (result < 0)
        return copy_error(result);
    if (room < 0)
        return -EINVAL;
    part = (uint32_t)room < size ? (uint32_t)room : size;
    result = part ? copy_to(program, address, name, part) : 0;
    if (result >= 0)
        result = copy_to(program, address_of_length, &size, sizeof size);
    return copy_error(result);
}
