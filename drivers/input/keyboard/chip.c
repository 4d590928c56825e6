/* SPDX-License-Identifier: BSD-2-Clause */
/* The chip's half of the keyboard's driver. */
#include "drivers/input/keyboard/chip.h"

#include <errno.h>

#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"

enum {
    DRAIN_MAX = 32,
    EARLY_MAX = 16,
    LEDS_TRIES = 3,
};
#define PATIENCE 20000000ull /* ns: what controller and keyboard may take */
#define LEDS_PATIENCE 200000000ull /* ns for an answer; a keyboard has 20 ms by its data sheet */

enum leds_phase { LEDS_IDLE, LEDS_COMMAND_SENT, LEDS_STATE_SENT };

static struct {
    uint8_t early[EARLY_MAX]; /* keys that came while we waited for something else */
    uint32_t early_count, early_at;
    bool is_checked; /* the controller's settings are right */
    bool wants_receive;
    enum leds_phase phase;
    bool acked, again; /* the keyboard's answer */
    uint32_t leds_count, tries; /* bytes of the ring that this is about */
    uint64_t deadline; /* clock, of the answer */
} keyboard;

static struct keyboard_witness *witness_of(struct char_device *d)
{
    return (struct keyboard_witness *)(d->queue + 1);
}
_Static_assert(sizeof(struct char_queue) + sizeof(struct keyboard_witness) <= 0x10000,
               "the queue of the manifest has room for both");

/* ---- the controller ---- */

static uint8_t status(void)
{
    return pio_read8(STATUS);
}

/* Waits until the controller takes a byte, and gives it. */
static bool put(enum keyboard_port port, uint8_t value)
{
    struct driver_wait wait = {.patience = PATIENCE};

    while (status() & STATUS_INPUT)
        if (!driver_waits(&wait))
            return false;
    pio_write8(port, value);
    return true;
}

/* The next byte, or -1: none comes. */
static int get(void)
{
    struct driver_wait wait = {.patience = PATIENCE};

    while (!(status() & STATUS_OUTPUT))
        if (!driver_waits(&wait))
            return -1;
    return pio_read8(DATA);
}

/* With the keyboard disabled, so that the answer is no key. -1: there is none. */
static int read_config(struct char_device *d)
{
    int config;

    witness_of(d)->asked = 1; /* before: who comes after us must not take the answer for a key */
    config = put(COMMAND, COMMAND_READ_CONFIG) ? get() : -1;
    witness_of(d)->asked = 0;
    return config;
}

static uint8_t wanted(uint8_t config)
{
    config |= CONFIG_INTERRUPT | CONFIG_TRANSLATE | CONFIG_AUXILIARY_OFF;
    return config & (uint8_t) ~(CONFIG_INTERRUPT_AUXILIARY | CONFIG_KEYBOARD_OFF);
}

static void write_config(uint8_t config)
{
    if (put(COMMAND, COMMAND_WRITE_CONFIG))
        put(DATA, config);
}

/* That it answers at all says its status; its settings are looked at when no key is there. */
static bool keyboard_adopt(struct char_device *d)
{
    return status() != STATUS_NOBODY && witness_of(d)->magic == KEYBOARD_MAGIC &&
           witness_of(d)->asked == 0;
}

static void keep_early(uint8_t code)
{
    if (keyboard.early_count < EARLY_MAX)
        keyboard.early[keyboard.early_count++] = code;
}

/* The keyboard may have been told to be silent; one that is not plugged in does not answer. */
static void enable_scanning(void)
{
    int code = put(DATA, KEYBOARD_ENABLE) ? get() : -1;

    for (int i = 0; i < EARLY_MAX && code >= 0 && code != KEYBOARD_ACK; i++) {
        if (code != KEYBOARD_AGAIN)
            keep_early((uint8_t)code);
        code = get();
    }
}

static int keyboard_reset(struct char_device *d)
{
    struct keyboard_witness *w = witness_of(d);
    bool is_set_up = w->magic == KEYBOARD_MAGIC, is_key = is_set_up && w->asked == 0;
    bool was_asked = is_set_up && w->asked == 1; /* somebody died there: only the answer is lost */
    int config;

    if (status() == STATUS_NOBODY || !put(COMMAND, COMMAND_DISABLE_KEYBOARD) ||
        !put(COMMAND, COMMAND_DISABLE_AUXILIARY))
        return -ENODEV;
    for (int i = 0; i < DRAIN_MAX && (status() & STATUS_OUTPUT); i++) {
        uint8_t code = pio_read8(DATA);

        if (is_key)
            keep_early(code);
    }
    config = read_config(d);
    if (config < 0)
        return -ENODEV;
    write_config(wanted((uint8_t)config));
    put(COMMAND, COMMAND_ENABLE_KEYBOARD);
    if (!was_asked)
        enable_scanning();
    w->magic = KEYBOARD_MAGIC;
    keyboard.is_checked = true;
    return 0;
}

/* Once after an adoption, when no key waits: to ask may cost one. */
static void check_config(struct char_device *d)
{
    int config;

    if (!put(COMMAND, COMMAND_DISABLE_KEYBOARD))
        return;
    if (!(status() & STATUS_OUTPUT)) { /* else a key came meanwhile: it goes first */
        config = read_config(d);
        if (config >= 0 && wanted((uint8_t)config) != (config & ~CONFIG_KEYBOARD_OFF))
            write_config(wanted((uint8_t)config));
        keyboard.is_checked = true;
    }
    put(COMMAND, COMMAND_ENABLE_KEYBOARD);
}

/* ---- keys ---- */

static bool is_answer(uint8_t code)
{
    bool expected = keyboard.phase != LEDS_IDLE && (code == KEYBOARD_ACK || code == KEYBOARD_AGAIN);

    if (expected) {
        keyboard.acked |= code == KEYBOARD_ACK;
        keyboard.again |= code == KEYBOARD_AGAIN;
    }
    return expected || code == KEYBOARD_ACK || code == KEYBOARD_AGAIN;
}

/* One at a time: it is counted before the next access to the controller, so that a death there
 * loses none. */
static uint32_t keyboard_receive(struct char_device *d, uint8_t *to, uint32_t room)
{
    if (room != 0 && keyboard.early_at < keyboard.early_count) {
        *to = keyboard.early[keyboard.early_at++];
        return 1;
    }
    for (int i = 0; room != 0 && i < DRAIN_MAX; i++) {
        uint8_t now = status(), code;

        if (now == STATUS_NOBODY || !(now & STATUS_OUTPUT))
            break;
        code = pio_read8(DATA);
        if ((now & STATUS_AUXILIARY) || is_answer(code))
            continue;
        *to = code;
        return 1;
    }
    if (!keyboard.is_checked)
        check_config(d);
    return 0;
}

/* ---- LEDs ---- */

static void ask_keyboard(enum leds_phase phase, uint8_t byte)
{
    if (!put(DATA, byte))
        return; /* it is asked again when the time is over */
    keyboard.phase = phase;
    keyboard.acked = keyboard.again = false;
}

static uint32_t leds_done(void)
{
    keyboard.phase = LEDS_IDLE;
    keyboard.tries = 0;
    return keyboard.leds_count;
}

static void leds_begin(void)
{
    keyboard.tries++;
    keyboard.deadline = clock_now() + LEDS_PATIENCE;
    keyboard.phase = LEDS_COMMAND_SENT;
    ask_keyboard(LEDS_COMMAND_SENT, KEYBOARD_LEDS);
    driver_wake_in(LEDS_PATIENCE);
}

/* In steps, since it is the keyboard that answers. A byte counts as sent when the LEDs show it, or
 * the keyboard does not answer. */
static uint32_t keyboard_send(struct char_device *d, const uint8_t *from, uint32_t count)
{
    bool failed =
        keyboard.again || (keyboard.phase != LEDS_IDLE && clock_now() >= keyboard.deadline);

    if (keyboard.phase == LEDS_IDLE) {
        keyboard.leds_count = count;
        leds_begin();
    } else if (keyboard.acked && keyboard.phase == LEDS_COMMAND_SENT) {
        ask_keyboard(LEDS_STATE_SENT, from[keyboard.leds_count - 1] & 7);
    } else if (keyboard.acked) {
        return leds_done();
    } else if (failed && keyboard.tries >= LEDS_TRIES) {
        d->queue->header.errors++;
        return leds_done();
    } else if (failed) {
        leds_begin();
    } else {
        driver_wake_in(LEDS_PATIENCE);
    }
    return 0;
}

static void keyboard_want(struct char_device *d, bool receive, bool send)
{
    (void)d;
    (void)send; /* answers come as keys do */
    keyboard.wants_receive = receive; /* (The controller's interrupt stays on: it is an edge.) */
}

static bool keyboard_pending(struct char_device *d)
{
    uint8_t now = status();

    (void)d;
    return keyboard.wants_receive && now != STATUS_NOBODY && (now & STATUS_OUTPUT);
}

const struct char_driver keyboard_driver = {
    .name = "keyboard",
    .class = "input",
    .adopt = keyboard_adopt,
    .reset = keyboard_reset,
    .receive = keyboard_receive,
    .send = keyboard_send,
    .want = keyboard_want,
    .pending = keyboard_pending,
};
