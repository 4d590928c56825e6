/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the client's ring to the card's, and what becomes of both when a driver dies.
 *
 * The card goes on by itself: it may overtake what it was given. So frames are put before it only
 * while it is far from them (MARGIN), or stands still: then what it has played of them and what not
 * is never in doubt.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "drivers/audio/es1370/chip.h"
#include "lib/rt/log.h"

/* Frames: more than the card reads at once. QEMU's reads as many as its own buffer has room for, of
 * 1024 frames as a rule. */
#define MARGIN 1024u
/* Frames of silence behind the last one, so that what the card has read comes out of it, too. */
#define TAIL (2 * MARGIN)

static struct sound_frame *chip_at(struct sound_device *d, uint32_t index)
{
    return &d->queue->chip[index % SOUND_CHIP_RING];
}

static void silence(struct sound_device *d, uint32_t from, uint32_t to)
{
    while (from != to)
        *chip_at(d, from++) = (struct sound_frame){0, 0};
}

static void publish_taken(struct sound_device *d, uint32_t taken)
{
    d->taken = taken;
    queue_publish(&d->queue->taken, taken);
}

static void advance(struct sound_device *d, uint32_t to, uint64_t now)
{
    struct sound_queue *q = d->queue;

    if (to == d->played)
        return;
    silence(d, d->played, to);
    d->played = to;
    q->played_ns = now;
    queue_publish(&q->played, to);
    /* the index before the flag: the client does it the other way round */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (queue_read(&q->client_waits)) {
        q->client_waits = 0;
        d->has_news = true;
    }
}

/* How far it is behind `played`. */
static uint32_t card_ahead(const struct sound_device *d)
{
    return (es1370_position(&d->chip) - d->played) % SOUND_CHIP_RING;
}

/* It is ahead of all that it had, in the silence behind. */
static void stop_dry(struct sound_device *d)
{
    es1370_stop(&d->chip);
    d->plays = false;
    es1370_set_position(&d->chip, d->taken % SOUND_CHIP_RING);
    if (queue_read(&d->queue->written) != d->taken)
        d->queue->header.errors++;
}

static void look(struct sound_device *d, uint64_t now)
{
    uint32_t ahead = card_ahead(d), had = d->taken - d->played;

    if (ahead < had) {
        advance(d, d->played + ahead, now);
        return;
    }
    d->has_news |= had != 0;
    advance(d, d->taken, now);
    if (ahead - had >= TAIL)
        stop_dry(d);
}

void sound_halt(struct sound_device *d, uint64_t now)
{
    es1370_stop(&d->chip);
    look(d, now);
    if (d->plays && d->taken == d->played)
        stop_dry(d);
    d->plays = false;
}

/* ---- a predecessor's ---- */

/* How many frames behind `taken` the card has, and so has played, up to `most`. */
static uint32_t count_copied(struct sound_device *d, uint32_t most)
{
    const struct sound_queue *q = d->queue;
    uint32_t there = queue_read(&q->written) - d->taken, n = 0;

    while (n < most && n < there &&
           memcmp(chip_at(d, d->taken + n), &q->ring[(d->taken + n) % SOUND_RING],
                  sizeof(struct sound_frame)) == 0)
        n++;
    return n;
}

/* Where has the card got to? One that has played for so long that it may have gone round has played
 * all that it had. */
static void find_position(struct sound_device *d, uint64_t now)
{
    uint32_t ahead = card_ahead(d), had = d->taken - d->played;
    bool went_round =
        d->plays && now - d->queue->played_ns > SOUND_CHIP_RING * 3 / 4 * NS / d->rate;

    if (!went_round && (ahead <= had || queue_read(&d->queue->written) == d->taken)) {
        advance(d, d->played + (ahead < had ? ahead : had), now);
        return;
    }
    es1370_stop(&d->chip);
    d->plays = false;
    publish_taken(d, d->taken + count_copied(d, went_round ? SOUND_RING : ahead - had));
    d->queue->header.errors++;
    advance(d, d->taken, now);
    silence(d, d->taken, d->taken + SOUND_CHIP_RING);
    es1370_set_position(&d->chip, d->taken % SOUND_CHIP_RING);
}

/* The card gets all that is not played once more. */
static void reset(struct sound_device *d)
{
    es1370_abandon(&d->chip);
    d->plays = false;
    publish_taken(d, d->played);
    silence(d, d->taken, d->taken + SOUND_CHIP_RING);
    es1370_set_up(&d->chip, d->rate, d->played % SOUND_CHIP_RING, d->scratch);
}

void sound_open(struct sound_device *d, unsigned ports, void *queue, uint64_t size,
                uint64_t physical)
{
    struct sound_queue *q = queue;

    if (!q || size < SOUND_QUEUE_BYTES)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)size);
    *d = (struct sound_device){
        .chip = {ports, (uint32_t)(physical + offsetof(struct sound_queue, chip))},
        .queue = q,
        .scratch = (uint32_t)(physical + offsetof(struct sound_queue, scratch)),
        .taken = queue_read(&q->taken),
        .played = queue_read(&q->played),
        .volume = UINT32_MAX,
    };
    d->rate = q->rate =
        es1370_rate(q->rate ? q->rate : 44100); /* a client may have written there */
    if (d->taken - d->played > SOUND_RING)
        publish_taken(d, d->played);
}

int sound_start(struct sound_device *d, bool may_adopt, uint64_t now,
                enum queue_driver_state *state)
{
    bool adopts;

    if (!d->chip.ports || !es1370_answers(&d->chip))
        return -ENODEV;
    d->plays = es1370_plays(&d->chip);
    adopts = may_adopt && es1370_is_set_up(&d->chip, d->rate);
    if (!adopts)
        es1370_stop(&d->chip); /* first: so that its position is the last */
    if (es1370_reads_ours(&d->chip))
        find_position(d, now);
    if (adopts) {
        *state = QUEUE_DRIVER_ADOPTED;
        d->queue->header.adoptions++;
    } else {
        reset(d);
        *state = QUEUE_DRIVER_RESET;
        d->queue->header.resets++;
    }
    return 0;
}

/* ---- the client's ---- */

static void drop_all(struct sound_device *d, uint32_t asked, uint64_t now)
{
    struct sound_queue *q = d->queue;
    uint32_t written = queue_read(&q->written);

    es1370_stop(&d->chip);
    d->plays = false;
    silence(d, d->played, d->played + SOUND_CHIP_RING);
    d->rate = q->rate = es1370_rate(q->rate_asked);
    es1370_set_rate(&d->chip, d->rate);
    es1370_set_position(&d->chip, written % SOUND_CHIP_RING);
    publish_taken(d, written);
    d->played = written;
    q->played_ns = now;
    queue_publish(&q->played, written);
    queue_publish(&q->told, asked);
    d->has_news = true;
}

static void take(struct sound_device *d, uint64_t now)
{
    const struct sound_queue *q = d->queue;
    uint32_t written = queue_read(&q->written);

    if (written == d->taken)
        return;
    if (written - d->taken > SOUND_RING || written - d->played > SOUND_RING)
        panic("the client broke the ring");
    if (d->plays && d->taken - d->played < MARGIN)
        sound_halt(d, now);
    for (uint32_t k = d->taken; k != written; k++)
        *chip_at(d, k) = q->ring[k % SOUND_RING];
    publish_taken(d, written);
}

void sound_serve(struct sound_device *d, uint64_t now)
{
    struct sound_queue *q = d->queue;
    uint32_t asked = queue_read(&q->asked), volume = queue_read(&q->volume);

    if (!queue_read(&q->header.client_ready))
        return;
    if (asked != q->told)
        drop_all(d, asked, now);
    if (volume != d->volume)
        es1370_set_volume(&d->chip, d->volume = volume);
    if (d->plays)
        look(d, now);
    take(d, now);
    if (queue_read(&q->is_paused)) {
        if (d->plays)
            sound_halt(d, now);
    } else if (!d->plays && d->taken != d->played) {
        q->played_ns = now; /* it was there, and stood still */
        es1370_start(&d->chip, d->rate);
        d->plays = true;
    }
}
