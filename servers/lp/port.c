/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/lp/lp.h"

struct port ports[PORTS];

/* "printer" is the first, "printer.2" the third; NULL: none. */
static struct port *port_of_driver(const char *name)
{
    size_t base = strlen(PRINTER_DRIVER);
    unsigned n = 0;

    if (strncmp(name, PRINTER_DRIVER, base) != 0)
        return NULL;
    if (name[base] == '.' && name[base + 1] && !name[base + 2])
        n = (unsigned)(uint8_t)name[base + 1] - '0';
    else if (name[base])
        n = PORTS;
    return n < PORTS ? &ports[n] : NULL;
}

/* What only we write, also once more for a fresh driver: the one before may have changed it. */
static void claim(struct port *p)
{
    queue_publish(&p->queue->transmit.written, p->written);
    queue_publish(&p->queue->taker, p->incarnation);
    queue_claim(&p->queue->header, CHAR_QUEUE_MAGIC);
    p->kick = true;
}

/* The indices and the driver that we knew are what we left in the queue. */
static void take_queue(struct port *p, const struct service_queue *where)
{
    struct char_queue *q = (struct char_queue *)where->address;

    p->where = *where;
    if (p->queue == q)
        return;
    if (where->size < CHAR_QUEUE_BYTES) {
        log_info("the queue of %s is too small", where->driver);
        return;
    }
    p->queue = q;
    p->written = queue_read(&q->transmit.written);
    p->gone = queue_read(&q->transmit.taken);
    if (char_ring_filled(p->written, p->gone, CHAR_TRANSMIT_SIZE) < 0)
        p->gone = p->written;
    p->incarnation = queue_read(&q->taker);
    p->driver = p->incarnation ? q->header.driver : 0;
    claim(p);
}

void ports_find(void)
{
    struct service_queue where;

    for (uint32_t n = 0; service_queue(n, &where); n++) {
        struct port *p = port_of_driver(where.driver);

        if (p)
            take_queue(p, &where);
    }
}

bool port_has_driver(const struct port *p)
{
    return p->queue && p->incarnation != 0 && !p->is_away;
}

static void note_moved(struct port *p)
{
    p->queue->header.useful++;
    if (!p->fresh)
        return;
    p->fresh = false;
    p->queue->header.reintegrated_ns = clock_now();
    queue_publish(&p->queue->header.reintegrated_incarnation, p->incarnation);
}

static void note_gone(struct port *p)
{
    uint32_t gone = queue_read(&p->queue->transmit.taken), n = gone - p->gone, others;

    if (n == 0)
        return;
    if (n > p->written - p->gone) {
        log_info("driver %s has taken more than there was", p->where.driver);
        service_complain(p->where.driver, p->driver, COMPLAINT_INDEX);
        queue_publish(&p->queue->transmit.taken, p->gone);
        return;
    }
    others = n < p->foreign ? n : p->foreign;
    p->foreign -= others;
    p->done += n - others;
    p->gone = gone;
    note_moved(p);
}

/* The driver is dead: what it had not taken is not printed. (It may have printed a few bytes more
 * than it has said.) */
static void take_back(struct port *p, bool busy)
{
    uint32_t lost = p->written - p->gone;

    if (p->node && (busy || lost > p->foreign))
        p->failed = true;
    if (lost)
        log_info("%s has died over %u bytes; %llu of this job are known to be printed",
                 p->where.driver, lost, (unsigned long long)p->done);
    p->written = p->gone;
    p->foreign = 0;
    queue_publish(&p->queue->transmit.written, p->written);
}

void port_look(struct port *p, bool busy)
{
    uint32_t incarnation;

    if (!p->queue || attend_defers(p->where.number))
        return;
    incarnation = queue_read(&p->queue->header.incarnation);
    note_gone(p);
    if (incarnation == p->incarnation)
        return;
    if (!p->is_away)
        take_back(p, busy);
    p->is_away = false;
    p->incarnation = incarnation;
    p->driver = p->queue->header.driver;
    p->fresh = incarnation != p->queue->header.reintegrated_incarnation;
    claim(p);
}

long port_ask_for_driver(struct port *p, bool busy)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);
    long result;

    if (!p->queue)
        return -ENXIO;
    pack_text(r->name, p->where.driver, sizeof p->where.driver);
    result = ipc_call(service_info()->rs, &m);
    /* (A fresh one that is not ready yet has another endpoint.) */
    if (p->incarnation && !p->is_away && result != p->driver &&
        queue_read(&p->queue->header.incarnation) == p->incarnation) {
        note_gone(p);
        take_back(p, busy);
        p->is_away = true;
    }
    if (result > 0)
        return p->is_away ? -EAGAIN : 0;
    return result == -EAGAIN ? -EAGAIN : -ENXIO;
}

uint32_t port_room(const struct port *p)
{
    uint32_t pending = p->written - p->gone;

    return port_has_driver(p) && pending < PORT_AHEAD ? PORT_AHEAD - pending : 0;
}

void port_put(struct port *p, const uint8_t *from, uint32_t count)
{
    while (count != 0) {
        uint32_t piece = char_ring_piece(p->written, count, CHAR_TRANSMIT_SIZE);

        memcpy(&p->queue->transmit_bytes[p->written % CHAR_TRANSMIT_SIZE], from, piece);
        p->written += piece;
        from += piece;
        count -= piece;
    }
    queue_publish(&p->queue->transmit.written, p->written);
    if (char_ring_wake(&p->queue->transmit.taker_waits))
        p->kick = true;
}

uint32_t port_ask_status(struct port *p)
{
    uint32_t asked = queue_read(&p->queue->status_asked) + 1;

    queue_publish(&p->queue->status_asked, asked);
    p->kick = true;
    return asked;
}

bool port_status(const struct port *p, uint32_t asked, int32_t *status)
{
    if ((int32_t)(queue_read(&p->queue->status_told) - asked) < 0)
        return false;
    *status = (int32_t)(p->queue->status & 0xff);
    return true;
}

uint64_t port_settle(struct port *p, bool waits)
{
    bool more;

    if (!p->queue)
        return 0;
    if (waits)
        char_ring_wait(&p->queue->transmit.writer_waits);
    if (p->kick && p->driver)
        ipc_notify(p->driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    p->kick = false;
    more = queue_read(&p->queue->transmit.taken) != p->gone ||
           queue_read(&p->queue->header.incarnation) != p->incarnation;
    return more ? attend_more(p->where.number) : 0;
}
