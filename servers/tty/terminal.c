/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "lib/manifest/manifest.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/rt/random.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

#define BLAME_AGAIN_NS 1000000000u /* RS has not heard it, it seems */

struct terminal terminals[TERMINALS];

struct terminal *terminal_of(uint64_t node)
{
    return node >= NODE_FIRST && node < NODE_FIRST + TERMINALS ? &terminals[node - NODE_FIRST]
                                                               : NULL;
}

uint64_t terminal_node(const struct terminal *t)
{
    return NODE_FIRST + (uint64_t)(t - terminals);
}

/* ---- queues ---- */

/* The driver's name tells which terminal it is: "uart" the first, "uart.3" the fourth. NULL: of
 * none. */
static struct terminal *terminal_of_driver(const char *name)
{
    size_t base = strcspn(name, ".");
    unsigned n = 0;

    if (base != strlen(SERIAL_DRIVER) || strncmp(name, SERIAL_DRIVER, base) != 0)
        return NULL;
    if (name[base] == '.')
        n = name[base + 1] > '0' && name[base + 1] <= '9' && name[base + 2] == 0
                ? (unsigned)(name[base + 1] - '0')
                : SERIALS;
    return n < SERIALS ? &terminals[n] : NULL;
}

static bool is_driven(const struct char_queue *q)
{
    return q && queue_read(&q->header.incarnation) != 0;
}

bool terminal_exists(const struct terminal *t)
{
    return t == terminals || t->screen || is_driven(t->queue);
}

/* What only we write, also once more for a fresh driver: the one before may have changed it. */
static void claim(struct terminal *t)
{
    queue_publish(&t->queue->receive.taken, t->taken);
    queue_publish(&t->queue->transmit.written, t->written);
    peer_claim(&t->peer);
}

/* Our indices are what we left in the queue; the driver's are believed if they fit to them. */
static void take_queue(struct terminal *t, const struct service_queue *where)
{
    struct char_queue *q = (struct char_queue *)where->address;
    uint32_t written, told;

    if (t->queue == q)
        return;
    if (where->size < CHAR_QUEUE_BYTES) {
        log_info("the queue of %s is too small", where->driver);
        return;
    }
    t->queue = q;
    /* A predecessor may have died between its snapshot and the store that tells the driver. */
    if (!t->restored ||
        char_ring_filled(t->taken, queue_read(&q->receive.taken), CHAR_RECEIVE_SIZE) < 0 ||
        char_ring_filled(queue_read(&q->receive.written), t->taken, CHAR_RECEIVE_SIZE) < 0)
        t->taken = queue_read(&q->receive.taken);
    written = queue_read(&q->receive.written);
    told = queue_read(&q->receive.taken);
    if (!t->restored)
        blanks_fill(&t->blanks, q, t->taken);
    else if (char_ring_filled(written, told, CHAR_RECEIVE_SIZE) >= 0)
        blanks_cover(&t->blanks, q, told, t->taken); /* it had, but had not come to that */
    blanks_begin(&t->blanks, written, 0);
    t->restored = false;
    queue_publish(&q->receive.taken, t->taken);
    t->written = queue_read(&q->transmit.written);
    t->gone = queue_read(&q->transmit.taken);
    if (char_ring_filled(t->written, t->gone, CHAR_TRANSMIT_SIZE) < 0)
        t->gone = t->written;
    t->test.number = queue_read(&q->test.asked);
    peer_take(&t->peer, where, CHAR_QUEUE_MAGIC);
    claim(t);
}

static bool has_queue_of(const struct terminal *t, const char *name)
{
    return t->queue && strcmp(t->peer.where.driver, name) == 0;
}

/* A driver of another name is given the last port of which there is none: it is a terminal as any
 * other, and watched as any other. It keeps that, unless the port's own driver finds a chip. */
static struct terminal *terminal_for(const struct service_queue *where)
{
    const char *name = where->driver;
    struct terminal *t = terminal_of_driver(name);

    if (t)
        return has_queue_of(t, name) || !t->queue ||
                       (is_driven((struct char_queue *)where->address) && !terminal_exists(t))
                   ? t
                   : NULL;
    for (unsigned i = 0; i < SERIALS; i++)
        if (has_queue_of(&terminals[i], name))
            return &terminals[i];
    for (unsigned i = SERIALS; i-- > 1;)
        if (!terminal_exists(&terminals[i]))
            return &terminals[i];
    return NULL;
}

static void take(const struct service_queue *where)
{
    struct terminal *t = terminal_for(where);

    if (where->class == CLASS_SCREEN)
        consoles_take_screen(where);
    else if (where->class == CLASS_INPUT)
        consoles_take_keyboard(where);
    else if (t)
        take_queue(t, where);
}

void terminals_find_queues(void)
{
    struct service_queue where;

    for (uint32_t n = 0; service_queue(n, &where); n++)
        take(&where);
}

/* Its session ends, as when a line is hung up: SIGHUP for who leads it and for who is in the
 * foreground, end of file for who reads (POSIX, "Modem Disconnect"), EIO for who writes. What had
 * not been sent is lost. */
static void hang_up(struct terminal *t)
{
    t->hung = true;
    log_info("driver %s will not be back: hung up", t->peer.where.driver);
    terminal_discard_input(t);
    if (t->session > 0)
        process_signal(t->session, SIGHUP);
    group_signal(t->group, SIGHUP);
    group_signal(t->group, SIGCONT);
    terminal_give(t, 0, 0);
}

void terminals_hang_up(void)
{
    for (unsigned i = 0; i < SERIALS; i++) {
        struct terminal *t = &terminals[i];
        struct message m = {.type = RS_LOOKUP};
        struct rs_name_request *r = message_words(&m);

        if (!t->queue || t->hung || queue_read(&t->queue->header.incarnation) == 0)
            continue;
        pack_text(r->name, t->peer.where.driver, sizeof t->peer.where.driver);
        if (ipc_call(service_info()->rs, &m) != -ENXIO)
            continue;
        if (peer_is_new(&t->peer))
            claim(t);
        hang_up(t);
    }
}

void terminals_begin(void)
{
    for (unsigned i = 0; i < TERMINALS; i++) {
        line_reset(&terminals[i].line);
        terminals[i].size =
            (struct winsize){.ws_row = i < SERIALS ? 24 : SCREEN_ROWS, .ws_col = 80};
        terminals[i].blanks.key = i < SERIALS ? (uint32_t)random_word() : 0;
    }
    snapshots_restore();
    terminals_find_queues();
    terminals_hang_up();
}

/* The driver broke the rules: RS replaces it; what it wrote into the queue is put right for the
 * next one. */
static void driver_is_bad(struct terminal *t)
{
    struct char_queue *q = t->queue;

    peer_bad(&t->peer, COMPLAINT_INDEX);
    q->receive.written = t->taken;
    q->transmit.taken = t->gone;
}

static void complain(struct terminal *t, const char *text, enum rs_complaint why)
{
    log_info("driver %s %s", t->peer.where.driver, text);
    service_complain(t->peer.where.driver, t->peer.driver, why);
}

/* Bytes that wait in the receive ring. */
static uint32_t received(struct terminal *t)
{
    int64_t filled =
        char_ring_filled(queue_read(&t->queue->receive.written), t->taken, CHAR_RECEIVE_SIZE);

    if (filled < 0)
        driver_is_bad(t);
    return filled < 0 ? 0 : (uint32_t)filled;
}

/* What the driver has taken of our output. */
static void note_gone(struct terminal *t)
{
    uint32_t gone = queue_read(&t->queue->transmit.taken);

    if (gone == t->gone)
        return;
    if (gone - t->gone > t->written - t->gone) {
        driver_is_bad(t);
        return;
    }
    t->gone = gone;
    peer_moved(&t->peer);
}

/* ---- output ---- */

uint32_t terminal_pending(const struct terminal *t)
{
    return t->queue ? t->written - t->gone : 0;
}

/* In the ring, beside what a test of the device puts behind all else. */
static uint32_t room_to_send(const struct terminal *t)
{
    uint32_t used = terminal_pending(t) + SELFTEST_BYTES + SELFTEST_BEYOND;

    return t->queue && used < CHAR_TRANSMIT_SIZE ? CHAR_TRANSMIT_SIZE - used : 0;
}

uint32_t terminal_room(const struct terminal *t)
{
    uint32_t room = room_to_send(t);

    if (t->screen)
        room = CHAR_TRANSMIT_SIZE; /* it is memory: whoever paints it is never waited for */
    return room >= LINE_EXPANSION && !t->line.stopped && !t->test.held_at ? room : 0;
}

/* Raw bytes into the ring, which has the room. */
static void transmit(struct terminal *t, const uint8_t *from, uint32_t count)
{
    if (t->screen) {
        console_write(t, from, count);
        return;
    }
    while (count != 0) {
        uint32_t piece = char_ring_piece(t->written, count, CHAR_TRANSMIT_SIZE);

        memcpy(&t->queue->transmit_bytes[t->written % CHAR_TRANSMIT_SIZE], from, piece);
        t->written += piece;
        from += piece;
        count -= piece;
    }
    queue_publish(&t->queue->transmit.written, t->written);
    if (char_ring_wake(&t->queue->transmit.taker_waits))
        t->peer.kick = true;
}

uint32_t terminal_put(struct terminal *t, const uint8_t *from, uint32_t count)
{
    static uint8_t bytes[4096];
    uint32_t done = 0, made, taken;

    do {
        uint32_t room = terminal_room(t);

        taken = line_output(&t->line, from + done, count - done, bytes,
                            room < sizeof bytes ? room : sizeof bytes, &made);
        if (made)
            transmit(t, bytes, made);
        done += taken;
    } while (taken != 0 && done < count);
    return done;
}

/* What the terminal shall show of what is typed. There is no waiting for room: then it is not
 * shown, as in Linux. */
static void send_echo(struct terminal *t)
{
    uint32_t room = t->screen ? CHAR_TRANSMIT_SIZE : room_to_send(t), count = t->line.echo_count;

    if (count != 0 && (t->queue || t->screen))
        transmit(t, t->line.echo, count < room ? count : room);
    t->line.echo_count = 0;
}

/* ---- input ---- */

/* What lies between the two indices has been dealt with. The snapshot comes first: a successor would
 * take once more what is covered. */
static void give_back(struct terminal *t, uint32_t from)
{
    terminal_save(t);
    if (!t->queue)
        return;
    blanks_cover(&t->blanks, t->queue, from, t->taken);
    queue_publish(&t->queue->receive.taken, t->taken);
    if (char_ring_wake(&t->queue->receive.writer_waits))
        t->peer.kick = true;
}

void terminal_discard_input(struct terminal *t)
{
    uint32_t from = t->taken;

    line_flush(&t->line);
    t->taken += t->queue ? received(t) : 0;
    give_back(t, from);
}

void terminal_type(struct terminal *t, uint8_t c)
{
    int signal = line_input(&t->line, c);

    send_echo(t);
    if (signal)
        group_signal(t->group, signal);
}

static void blame(struct terminal *t, const char *what)
{
    uint64_t now = clock_now();

    if (t->blamed_at && now - t->blamed_at < BLAME_AGAIN_NS)
        return;
    t->blamed_at = now;
    complain(t, what, COMPLAINT_DATA);
}

/* A byte counts as taken only when all that follows from it has been done. */
void terminal_input(struct terminal *t)
{
    uint32_t count, begin = t->taken;
    bool found = false;

    if (!t->queue)
        return;
    if (peer_is_new(&t->peer)) {
        claim(t);
        t->hung = false;
        t->blamed_at = 0;
        blanks_begin(&t->blanks, queue_read(&t->queue->receive.written), received(t));
        selftest_begin(&t->test, clock_now());
    }
    note_gone(t);
    if (received(t) != 0 && blanks_look_around(&t->blanks, t->queue, t->taken))
        blame(t, "stores elsewhere what has come");
    for (count = received(t); count != 0 && line_accepts(&t->line); count--) {
        uint8_t c = t->queue->receive_bytes[t->taken % CHAR_RECEIVE_SIZE];

        if (blanks_has_come(&t->blanks, t->taken, c, &found))
            terminal_type(t, c);
        t->taken++;
    }
    if (found)
        blame(t, "hands on what has not come");
    if (t->taken == begin)
        return;
    give_back(t, begin);
    peer_moved(&t->peer);
}

static void complain_of_test(struct terminal *t)
{
    static const struct {
        const char *text;
        enum rs_complaint why;
    } reasons[] = {
        [SELFTEST_BUSY] = {"is never done with what it sends", COMPLAINT_DEADLINE},
        [SELFTEST_WRONG] = {"gets other bytes from its device than it gives it", COMPLAINT_DATA},
        [SELFTEST_LOST] = {"gets no bytes from its device", COMPLAINT_SILENCE},
        [SELFTEST_LATE] = {"does not answer", COMPLAINT_DEADLINE},
        [SELFTEST_UNSENT] = {"does not send what it is given", COMPLAINT_DEADLINE},
    };

    complain(t, reasons[t->test.answer].text, reasons[t->test.answer].why);
}

/* When to look again, 0: not. */
static uint64_t watch_test(struct terminal *t)
{
    struct char_queue *q = t->queue;
    struct selftest_view v = {.now = clock_now(),
                              .heard = queue_read(&q->receive.written),
                              .sent = queue_read(&q->transmit.taken),
                              .dry = queue_read(&q->test.dry),
                              .answer = selftest_judge(&t->test, &q->test)};
    bool held = t->test.held_at != 0;
    enum selftest_step step;

    if (t->peer.incarnation == 0 || !queue_read(&q->test.can_test))
        return 0;
    v.has_taken = v.heard == t->taken;
    v.has_sent = v.sent == t->written;
    step = selftest_look(&t->test, &v);
    if (step == SELFTEST_COMPLAIN)
        complain_of_test(t);
    if (step == SELFTEST_ASK) {
        selftest_fill(&t->test, q, t->written);
        if (!peer_tell(&t->peer))
            selftest_give_up(&t->test, v.now);
    }
    return held && !t->test.held_at ? v.now : t->test.look_at; /* now: who waits can go on */
}

uint64_t terminal_watch(struct terminal *t)
{
    uint64_t progress, test;

    if (!t->queue)
        return 0;
    progress = peer_watch(&t->peer, terminal_pending(t), t->gone);
    test = watch_test(t);
    return !progress || (test && test < progress) ? test : progress;
}

uint64_t terminal_settle(struct terminal *t, bool wants_room)
{
    bool more;

    if (!t->queue)
        return 0;
    char_ring_wait(&t->queue->receive.taker_waits);
    if (wants_room)
        char_ring_wait(&t->queue->transmit.writer_waits);
    more = (received(t) != 0 && line_accepts(&t->line)) ||
           queue_read(&t->queue->transmit.taken) != t->gone;
    return peer_settle(&t->peer, more);
}
