/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file server that lies: to VFS about names, nodes, sizes and results, to programs with what it
 * writes into them; it answers twice, hands on to whom it must not, lends and takes what is not lent,
 * and keeps callers for ever. A name is answered rightly often enough that programs get in.
 *
 *     parameters name=KEY     what it publishes: chr/242, fs/badtree
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "abi/proto/file.h"
#include "drivers/example/hostile/hostile.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

enum { KEPT = 24, DIE_ONE_IN = 3000 };

static struct message kept[KEPT];

/* Now and then to somebody else, and never of the right type. */
static void forward_wrongly(const struct message *of, struct message m)
{
    m.type = bits() & 1 ? FILE_BACK_RESULT : some_number();
    ipc_forward(bits() & 1 ? message_caller(of) : (endpoint_t)some_endpoint(),
                bits() & 1 ? service_info()->vfs : (endpoint_t)some_endpoint(), &m);
}

static uint64_t some_mode(void)
{
    static const uint32_t kinds[] = {S_IFDIR, S_IFREG, S_IFLNK,  S_IFCHR,
                                     S_IFBLK, S_IFIFO, S_IFSOCK, 0};
    uint64_t r = bits();

    return r & 7 ? (kinds[r >> 8 & 1] | 0777) : (kinds[r >> 8 & 7] | (r >> 16 & 07777));
}

static long some_result(const struct message *m)
{
    uint64_t r = bits();

    switch (r & 7) {
    case 0:
        return (long)some_number();
    case 1:
        return -(long)(r >> 8 & 1023);
    case 2:
        return (long)(m->w[2] + (r >> 8) % 3);
    case 3:
        return (long)(r >> 8 & 0xff);
    default:
        return 0;
    }
}

/* The words of a result: a node that is there, a size; or anything. */
static void some_words(struct message *m)
{
    uint64_t r = bits();

    m->w[1] = r & 3 ? 1 + (r >> 8) % 8 : some_number();
    m->w[2] = r & 12 ? some_mode() : some_number();
    m->w[3] = r & 48 ? (r >> 8 & 0xffff) : some_number();
    m->w[4] = r & 192 ? 0 : some_number();
    m->w[5] = r & 0x300 ? 0 : some_number();
    if (m->type == FILE_BACK_RESULT && !(r & 0x700))
        m->w[r >> 16 & 3] = some_number();
}

/* Into and out of the program's memory, and of whom it has no business with. */
static void copy_around(const struct message *m)
{
    uint64_t r = bits();
    endpoint_t whom = r & 7 ? message_caller(m) : (endpoint_t)some_endpoint();

    copy_to(whom, r & 8 ? m->w[1] : some_number(), scratch, r >> 16 & 0x1fff);
    copy_from(whom, r & 16 ? m->w[1] : some_number(), scratch, r >> 32 & 0x1fff);
    grant_from(service_info()->vfs, r & 32 ? m->w[1] : r >> 8 & 63, r & 64 ? 0 : some_number(),
               scratch, r & 128 ? m->w[2] & 0xfff : some_number());
    grant_to(service_info()->vfs, r & 32 ? m->w[1] : r >> 8 & 63, 0, scratch, r >> 48 & 0xff);
}

static void answer(const struct message *of)
{
    struct message m = *of;
    uint64_t r = bits();
    bool back = message_via(of) != 0;

    m.type = FILE_BACK_RESULT;
    some_words(&m);
    m.w[0] = (uint64_t)some_result(of);
    if (of->type == FILE_LOOKUP && r & 3) /* the whole path is there */
        m.w[0] = 0;
    if (back && r & 0x70)
        ipc_forward(message_caller(of), message_via(of), &m);
    else
        ipc_reply(message_caller(of), &m, some_result(of));
    if ((r & 0xf00) == 0) /* and once more */
        ipc_reply(message_caller(of), &m, (long)some_number());
    if ((r & 0xf000) == 0)
        forward_wrongly(of, m);
}

static void keep(const struct message *m)
{
    struct message *place = &kept[bits() % KEPT];

    if (place->source)
        answer(place);
    *place = *m;
}

/* That it may be mounted at all. */
static bool answer_root(const struct message *of)
{
    struct message m = {.type = FILE_BACK_RESULT, .w = {0, 1, bits() & 3}};

    if (of->type != FILE_ROOT || (bits() & 7) == 0)
        return false;
    if (message_via(of))
        ipc_forward(message_caller(of), message_via(of), &m);
    else
        ipc_reply(message_caller(of), &m, 0);
    return true;
}

/* Six nodes that are ready, whenever it is asked: whoever asks until there are no more asks for ever. */
static bool answer_events(const struct message *of)
{
    struct message m = {.w = {1, 2, 3, 4, 5, 6}};

    if (of->type != FILE_POLL_EVENTS || clock_now() >> 30 & 1)
        return false;
    ipc_reply(message_caller(of), &m, 0);
    return true;
}

static void serve(struct message *m)
{
    uint64_t r = bits();

    m->type &= FILE_TYPE_MASK;
    if (r % 4 == 0)
        copy_around(m);
    if (answer_root(m) || answer_events(m))
        return;
    if (m->type == FILE_CANCEL && r & 0x30) {
        ipc_reply(message_caller(m), m, (long)(r >> 8 & 3));
        return;
    }
    if (r >> 32 & 15)
        answer(m);
    else
        keep(m);
}

void attack_files(void)
{
    char key[32] = "";
    uint64_t end, requests = 0;

    strncpy(key, parameter("name"), sizeof key - 1);
    key[strcspn(key, " ")] = 0;
    end = clock_now() + attack_seconds(5);
    random_start();
    if (service_publish(key) < 0)
        log_info("may not be found as %s", key);
    for (; clock_now() < end; requests++) {
        struct message m = {0};

        if (requests % 8 == 0)
            ipc_notify(service_info()->vfs, NOTIFY_BIT(NOTIFY_BIT_POLL));
        if (ipc_receive(ENDPOINT_ANY, &m, 10000000) < 0)
            continue;
        if (m.type == MESSAGE_NOTIFY) {
            if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN))
                exit(0);
            continue;
        }
        serve(&m);
        if (bits() % DIE_ONE_IN == 0)
            __builtin_trap();
    }
    log_info("requests: %llu", (unsigned long long)requests);
}
