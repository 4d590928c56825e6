/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/attend.h"
#include "lib/service/service.h"
#include "servers/audio/audio.h"

#define PATIENCE 2000000000ull /* ns, with a driver that is alive and does nothing */

struct card card;

/* What only we write, also once more for a fresh driver: the one before may have changed it. */
static void claim(void)
{
    struct sound_queue *q = card.queue;

    queue_publish(&q->written, card.written);
    queue_publish(&q->is_paused, card.is_paused);
    q->rate_asked = card.rate_asked;
    queue_publish(&q->asked, card.asked);
    mixer_tell_card();
    queue_claim(&q->header, SOUND_QUEUE_MAGIC);
    card.kick = true;
}

/* What we knew is what we left in the queue. */
static void take_queue(void)
{
    struct sound_queue *q = (struct sound_queue *)card.where.address;

    if (card.where.size < SOUND_QUEUE_BYTES) {
        log_info("the queue of %s is too small", card.where.driver);
        return;
    }
    card.queue = q;
    card.written = queue_read(&q->written);
    card.played = queue_read(&q->played);
    if (card.written - card.played > SOUND_RING)
        card.played = card.written;
    card.asked = queue_read(&q->asked);
    card.rate_asked = q->rate_asked;
    card.is_paused = queue_read(&q->is_paused);
    card.busy = queue_read(&q->told) != card.asked;
    stream_begin();
    claim();
}

void card_find(void)
{
    if (!card.queue && service_queue(0, &card.where))
        take_queue();
}

/* Its endpoint; -EAGAIN: it will be back; -ENXIO: it won't. */
static long find_driver(void)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);

    pack_text(r->name, card.where.driver, sizeof card.where.driver);
    return ipc_call(service_info()->rs, &m);
}

long card_ask_for_driver(void)
{
    return !card.queue || find_driver() == -ENXIO ? -ENODEV : 0;
}

/* ---- the driver ---- */

static void note_reintegrated(void)
{
    struct queue_header *h = &card.queue->header;

    if (!card.fresh)
        return;
    card.fresh = false;
    h->reintegrated_ns = clock_now();
    queue_publish(&h->reintegrated_incarnation, card.incarnation); /* last: it covers the time */
}

static void note_moved(void)
{
    card.patience = 0;
    card.queue->header.useful++;
    note_reintegrated();
}

static void note_driver(void)
{
    struct queue_header *h = &card.queue->header;
    uint32_t incarnation = queue_read(&h->incarnation);

    if (incarnation == card.incarnation)
        return;
    card.incarnation = incarnation;
    card.driver = h->driver;
    card.fresh = incarnation != h->reintegrated_incarnation;
    card.patience = 0;
    claim();
    if (card.fresh && !card_watch()) /* there is nothing to play, and so it is of no use yet */
        note_reintegrated();
}

static void note_played(void)
{
    uint32_t played = queue_read(&card.queue->played), n = played - card.played;

    if (n == 0)
        return;
    if (n > card.written - card.played) {
        log_info("driver %s has played more than there was", card.where.driver);
        queue_publish(&card.queue->played, card.played);
        service_complain(card.where.driver, card.driver, COMPLAINT_INDEX);
        return;
    }
    card.played = played;
    note_moved();
}

void card_look(void)
{
    if (!card.queue || attend_defers(card.where.number))
        return;
    note_played();
    if (card.busy && queue_read(&card.queue->told) == card.asked) {
        card.busy = false;
        note_played();
        note_moved();
    }
    note_driver();
}

bool card_watch(void)
{
    uint64_t now = clock_now();

    if (!card.queue || (!card.busy && (card.written == card.played || card.is_paused))) {
        card.patience = 0;
        return false;
    }
    if (card.patience == 0)
        card.patience = now + PATIENCE;
    if (now < card.patience)
        return true;
    card.patience = now + PATIENCE;
    if (card.driver && find_driver() == card.driver) {
        log_info("driver %s plays nothing any more", card.where.driver);
        service_complain(card.where.driver, card.driver, COMPLAINT_DEADLINE);
    }
    return true;
}

/* ---- what it is to do ---- */

void card_command(uint32_t rate)
{
    card.queue->rate_asked = card.rate_asked = rate;
    card.busy = true;
    queue_publish(&card.queue->asked, ++card.asked);
    card.kick = true;
}

void card_publish(uint32_t written)
{
    card.written = written;
    queue_publish(&card.queue->written, written);
    card.kick = true;
}

void card_pause(bool pause)
{
    card.is_paused = pause;
    queue_publish(&card.queue->is_paused, pause);
    card.kick = true;
}

void card_set_volume(uint32_t volume)
{
    if (!card.queue)
        return;
    queue_publish(&card.queue->volume, volume);
    card.kick = true;
}

uint64_t card_settle(bool waits)
{
    struct sound_queue *q = card.queue;
    bool more;

    if (!q)
        return 0;
    if (waits) {
        queue_publish(&q->client_waits, 1);
        /* the flag before the index: the driver does it the other way round */
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
    }
    if (card.kick && card.driver)
        ipc_notify(card.driver, NOTIFY_BIT(NOTIFY_BIT_QUEUE));
    card.kick = false;
    more = queue_read(&q->played) != card.played ||
           queue_read(&q->header.incarnation) != card.incarnation ||
           (card.busy && queue_read(&q->told) == card.asked);
    return more ? attend_more(card.where.number) : 0;
}
