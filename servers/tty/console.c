/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The consoles of the person at the machine: the screen's driver shows one of them, what is typed
 * is typed into that one. Nobody waits for either driver: what is written is carried out in memory,
 * and keys wait in their ring.
 */
#include <signal.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

enum { LEDS_UNKNOWN = 0xff, INIT = 1 };

static struct {
    struct peer peer;
    struct screen_queue *queue;
    struct screen screen[SCREENS];
    uint32_t changed, painted; /* as we have last written, and last believed */
} display;

static struct {
    struct peer peer;
    struct char_queue *queue;
    struct keyboard_kept kept;
    bool restored; /* kept comes from a predecessor */
    uint32_t written, gone; /* of the transmit ring: states of the LEDs */
    uint8_t leds; /* as last sent */
} keyboard = {.leds = LEDS_UNKNOWN};

struct terminal *console_at(uint32_t n)
{
    return &terminals[SERIALS + n % SCREENS];
}

struct terminal *console_shown(void)
{
    return console_at(keyboard.kept.shown);
}

struct keyboard_kept consoles_keep(void)
{
    keyboard.kept.version++;
    return keyboard.kept;
}

void consoles_take_over(const struct keyboard_kept *kept)
{
    if (kept->shown >= SCREENS ||
        (keyboard.restored && (int32_t)(kept->version - keyboard.kept.version) < 0))
        return;
    keyboard.kept = *kept;
    keyboard.restored = true;
}

/* ---- the screen ---- */

static void note_changed(void)
{
    if (!display.queue)
        return;
    queue_publish(&display.queue->changed, ++display.changed);
    if (char_ring_wake(&display.queue->driver_waits))
        display.peer.kick = true;
}

/* What only we write, also once more for a fresh driver: the one before may have changed it. */
static void claim_screen(void)
{
    queue_publish(&display.queue->shown, keyboard.kept.shown);
    queue_publish(&display.queue->changed, display.changed);
    peer_claim(&display.peer);
}

/* The first driver is there: now there are terminals. */
static void begin_terminals(void)
{
    for (uint32_t n = 0; n < SCREENS; n++)
        console_at(n)->screen = &display.screen[n];
}

void consoles_take_screen(const struct service_queue *where)
{
    struct screen_queue *q = (struct screen_queue *)where->address;

    if (display.queue)
        return;
    if (where->size < SCREEN_QUEUE_BYTES) {
        log_info("the queue of %s is too small", where->driver);
        return;
    }
    display.queue = q;
    display.changed = queue_read(&q->changed);
    display.painted = queue_read(&q->painted);
    if (display.changed - display.painted > INT32_MAX)
        display.painted = display.changed;
    for (uint32_t n = 0; n < SCREENS; n++)
        screen_open(&display.screen[n], &q->screen[n]);
    peer_take(&display.peer, where, SCREEN_QUEUE_MAGIC);
    claim_screen();
    note_changed(); /* a predecessor may have died between a change and the count of it */
}

void console_show(uint32_t n)
{
    if (n >= SCREENS || !display.queue || n == keyboard.kept.shown)
        return;
    keyboard.kept.shown = n;
    queue_publish(&display.queue->shown, n);
    note_changed();
}

void console_write(struct terminal *t, const uint8_t *bytes, uint32_t count)
{
    screen_write(t->screen, bytes, count);
    if (t == console_shown())
        note_changed();
}

static void serve_screen(void)
{
    uint32_t painted;

    if (!display.queue)
        return;
    if (peer_is_new(&display.peer)) {
        claim_screen();
        begin_terminals();
        if (queue_read(&display.queue->painted) == display.changed)
            peer_moved(&display.peer); /* it has painted what there was before it said so */
    }
    painted = queue_read(&display.queue->painted);
    if (painted == display.painted)
        return;
    if (painted - display.painted > display.changed - display.painted) {
        display.queue->painted = display.painted;
        peer_bad(&display.peer, COMPLAINT_INDEX);
        return;
    }
    display.painted = painted;
    peer_moved(&display.peer);
}

/* What programs have asked their screens comes as though it were typed. */
static void type_answers(void)
{
    for (uint32_t n = 0; n < SCREENS; n++) {
        struct screen *s = &display.screen[n];

        for (uint32_t i = 0; i < s->answers; i++)
            terminal_type(console_at(n), s->answer[i]);
        s->answers = 0;
    }
}

/* ---- the keyboard ---- */

static void claim_keyboard(void)
{
    queue_publish(&keyboard.queue->receive.taken, keyboard.kept.taken);
    queue_publish(&keyboard.queue->transmit.written, keyboard.written);
    peer_claim(&keyboard.peer);
}

void consoles_take_keyboard(const struct service_queue *where)
{
    struct char_queue *q = (struct char_queue *)where->address;
    uint32_t taken = queue_read(&q->receive.taken);

    if (keyboard.queue)
        return;
    if (where->size < CHAR_QUEUE_BYTES) {
        log_info("the queue of %s is too small", where->driver);
        return;
    }
    keyboard.queue = q;
    /* A predecessor may have died between its snapshot and the store that tells the driver. */
    if (!keyboard.restored || char_ring_filled(keyboard.kept.taken, taken, CHAR_RECEIVE_SIZE) < 0 ||
        char_ring_filled(queue_read(&q->receive.written), keyboard.kept.taken, CHAR_RECEIVE_SIZE) <
            0)
        keyboard.kept.taken = taken;
    keyboard.written = keyboard.gone = queue_read(&q->transmit.taken);
    peer_take(&keyboard.peer, where, CHAR_QUEUE_MAGIC);
    claim_keyboard();
}

static uint32_t codes_received(void)
{
    int64_t filled = char_ring_filled(queue_read(&keyboard.queue->receive.written),
                                      keyboard.kept.taken, CHAR_RECEIVE_SIZE);

    if (filled >= 0)
        return (uint32_t)filled;
    keyboard.queue->receive.written = keyboard.kept.taken;
    peer_bad(&keyboard.peer, COMPLAINT_INDEX);
    return 0;
}

static void note_leds_gone(void)
{
    uint32_t gone = queue_read(&keyboard.queue->transmit.taken);

    if (gone == keyboard.gone)
        return;
    if (gone - keyboard.gone > keyboard.written - keyboard.gone) {
        keyboard.queue->transmit.taken = keyboard.gone;
        peer_bad(&keyboard.peer, COMPLAINT_INDEX);
        return;
    }
    keyboard.gone = gone;
    peer_moved(&keyboard.peer);
}

static void send_leds(void)
{
    struct char_queue *q = keyboard.queue;

    if (keyboard.leds == keyboard.kept.map.locks ||
        keyboard.written - keyboard.gone == CHAR_TRANSMIT_SIZE)
        return;
    keyboard.leds = keyboard.kept.map.locks;
    q->transmit_bytes[keyboard.written++ % CHAR_TRANSMIT_SIZE] = keyboard.leds;
    queue_publish(&q->transmit.written, keyboard.written);
    if (char_ring_wake(&q->transmit.taker_waits))
        keyboard.peer.kick = true;
}

/* Another console: what has been typed so far is that of before, and must be saved with it. */
static void switch_to(uint32_t n, bool *typed)
{
    if (*typed)
        terminal_save(console_shown());
    *typed = false;
    console_show(n);
}

static void take_code(uint8_t code, bool *typed)
{
    struct terminal *t = console_shown();
    uint32_t shown = keyboard.kept.shown;
    struct keymap_result key =
        keymap_feed(&keyboard.kept.map, code, t->screen && t->screen->kept.cursor_keys);

    keyboard.kept.taken++;
    if (key.event == KEY_CONSOLE)
        switch_to(key.console, typed);
    else if (key.event == KEY_CONSOLE_NEXT)
        switch_to((shown + 1) % SCREENS, typed);
    else if (key.event == KEY_CONSOLE_PREVIOUS)
        switch_to((shown + SCREENS - 1) % SCREENS, typed);
    else if (key.event == KEY_RESTART)
        process_signal(INIT, SIGINT);
    for (uint32_t i = 0; key.event == KEY_TEXT && t->screen && i < key.count; i++) {
        terminal_type(t, key.text[i]); /* full: it is lost, as in Linux, but ^C never is */
        *typed = true;
    }
}

/* The driver learns that codes are taken only when what has become of them is saved: should we die
 * in between, our successor finds them saved or takes them once more, and none is lost. */
static void serve_keyboard(void)
{
    struct char_queue *q = keyboard.queue;
    uint32_t begin = keyboard.kept.taken;
    bool typed = false;

    if (!q)
        return;
    if (peer_is_new(&keyboard.peer)) {
        claim_keyboard();
        keyboard.leds = LEDS_UNKNOWN;
        if (q->header.driver_state == QUEUE_DRIVER_RESET &&
            keyboard.kept.incarnation != keyboard.peer.incarnation)
            keymap_release(&keyboard.kept.map); /* what was released may be among what is lost */
        keyboard.kept.incarnation = keyboard.peer.incarnation;
    }
    note_leds_gone();
    for (uint32_t count = codes_received(); count != 0; count--)
        take_code(q->receive_bytes[keyboard.kept.taken % CHAR_RECEIVE_SIZE], &typed);
    if (keyboard.peer.incarnation != 0)
        send_leds();
    if (keyboard.kept.taken == begin)
        return;
    if (typed)
        terminal_save(console_shown());
    else
        keyboard_save();
    queue_publish(&q->receive.taken, keyboard.kept.taken);
    if (char_ring_wake(&q->receive.writer_waits))
        keyboard.peer.kick = true;
    peer_moved(&keyboard.peer);
}

/* ---- both ---- */

void consoles_serve(void)
{
    serve_screen();
    serve_keyboard();
    type_answers();
}

uint64_t consoles_settle(void)
{
    uint64_t again = 0;
    bool more;

    if (keyboard.queue) {
        char_ring_wait(&keyboard.queue->receive.taker_waits);
        more = codes_received() != 0;
        more |= queue_read(&keyboard.queue->transmit.taken) != keyboard.gone;
        again |= peer_settle(&keyboard.peer, more);
    }
    if (display.queue) {
        if (display.peer.fresh)
            char_ring_wait(&display.queue->client_waits);
        more = queue_read(&display.queue->painted) != display.painted;
        again |= peer_settle(&display.peer, more);
    }
    return again;
}

uint64_t consoles_watch(void)
{
    uint64_t screen = 0, keys = 0;

    if (display.queue)
        screen = peer_watch(&display.peer, display.changed - display.painted, display.painted);
    if (keyboard.queue)
        keys = peer_watch(&keyboard.peer, keyboard.written - keyboard.gone, keyboard.gone);
    return !keys || (screen && screen < keys) ? screen : keys;
}
