/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The driver of the screen: a VGA's in text mode, or where there is one the picture that the boot loader
 * has set up. It paints what its queue says (abi/screen_queue.h) and knows nothing else: a fresh copy
 * paints everything once. What changes faster than anybody can read is painted a hundred times a second.
 */
#include "drivers/char/console/framebuffer.h"
#include "drivers/char/console/vga.h"
#include "font.h"
#include "lib/driver/driverloop.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

#include <errno.h>

#define PAINT_PERIOD 10000000ull /* ns from one painting to the next, at least */

struct console {
    struct vga vga;
    struct framebuffer picture; /* its memory NULL: there is none, it is the VGA */
    struct screen_queue *queue;
    uint32_t painted; /* as we have published it */
    bool has_painted;
    uint64_t painted_at; /* clock */
};

/* What is to be seen now, as well as it can be read while the client writes. */
static uint16_t compose(const struct screen_queue *q, uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS])
{
    const struct screen_memory *m = &q->screen[queue_read(&q->shown) % SCREENS];
    const struct screen_state *s = &m->state[queue_read(&m->valid) & 1];
    unsigned column = s->cursor_column, row = s->cursor_row;

    for (uint32_t y = 0; y < SCREEN_ROWS; y++) {
        const volatile uint16_t *line = m->cell[s->line[y] % SCREEN_LINES];

        for (uint32_t x = 0; x < SCREEN_COLUMNS; x++)
            cell[y][x] = line[x];
    }
    if (s->cursor_shown != 1 || column >= SCREEN_COLUMNS || row >= SCREEN_ROWS)
        return VGA_NO_CURSOR;
    return (uint16_t)(row * SCREEN_COLUMNS + column);
}

static unsigned paint(struct console *c)
{
    static uint16_t cell[SCREEN_ROWS][SCREEN_COLUMNS];
    uint32_t changed = queue_read(&c->queue->changed);
    uint16_t cursor = compose(c->queue, cell);

    if (c->picture.memory) {
        if (!framebuffer_paint(&c->picture, cell, cursor))
            return DRIVER_MOVED; /* that was a part of it */
    } else {
        vga_paint(&c->vga, cell, cursor);
    }
    c->painted = changed;
    c->has_painted = true;
    c->painted_at = clock_now();
    queue_publish(&c->queue->painted, changed);
    return DRIVER_MOVED | (char_ring_wake(&c->queue->client_waits) ? DRIVER_TELL : 0);
}

static bool is_due(const struct console *c)
{
    return queue_read(&c->queue->header.client_ready) &&
           (!c->has_painted || queue_read(&c->queue->changed) != c->painted);
}

static bool is_time(const struct console *c, uint64_t now)
{
    return !c->has_painted || now >= c->painted_at + PAINT_PERIOD;
}

static unsigned serve(void *device)
{
    struct console *c = device;

    return is_due(c) && is_time(c, clock_now()) ? paint(c) : 0;
}

/* (What is due and not yet to be painted the alarm tells.) */
static bool settle(void *device)
{
    struct console *c = device;

    char_ring_wait(&c->queue->driver_waits);
    return !is_due(c) || !is_time(c, clock_now());
}

static bool rest(void *device, struct driver_wake *w)
{
    const struct console *c = device;
    uint64_t now = clock_now();

    if (w->settled && is_due(c))
        w->alarm_ns = is_time(c, now) ? 1 : c->painted_at + PAINT_PERIOD - now;
    return true;
}

/* What it is that is painted on: *mismatch NULL: adopted; else why it was set up anew. */
static int open_vga(struct console *c, const struct service_info *info, const char **mismatch)
{
    int status;

    c->vga.queue = c->queue;
    c->vga.memory = device_registers(&info->device, VGA_APERTURE);
    *mismatch = info->adopt ? vga_mismatch(&c->vga) : "it was to be";
    status = *mismatch ? vga_reset(&c->vga) : 0;
    if (status == 0)
        vga_keep_font(&c->vga);
    return status;
}

static int open_picture(struct console *c, const struct service_info *info, const char **mismatch)
{
    const struct kernel_framebuffer *f = &kernel_info()->framebuffer;
    const char *bad =
        framebuffer_open(&c->picture, (volatile void *)info->device.bar[FRAMEBUFFER_BAR].address,
                         info->device.bar[FRAMEBUFFER_BAR].size, f, font);

    if (bad) {
        log_info("the boot loader has left %s (%u by %u, %u bits)", bad, f->width, f->height,
                 f->point);
        return -EOPNOTSUPP;
    }
    *mismatch = info->adopt ? NULL : "it was to be";
    return 0;
}

static int open(const void *driver, const struct service_info *info, struct driver_start *start)
{
    static struct console console;
    struct console *c = &console;
    struct queue_header *h;
    int status;

    (void)driver;
    c->queue = (struct screen_queue *)(uintptr_t)info->queue.address;
    if (!c->queue || info->queue.size < SCREEN_QUEUE_BYTES)
        panic("no queue, or too small a one (%lu bytes)", (unsigned long)info->queue.size);
    h = &c->queue->header;
    *start = (struct driver_start){.device = c, .header = h, .class = "screen"};
    status = (info->device.bar[FRAMEBUFFER_BAR].size ? open_picture : open_vga)(c, info,
                                                                                &start->mismatch);
    if (status < 0)
        return status;
    start->state = start->mismatch ? QUEUE_DRIVER_RESET : QUEUE_DRIVER_ADOPTED;
    if (start->mismatch)
        h->resets++;
    else
        h->adoptions++;
    return 0;
}

int main(void)
{
    static const struct driver_class class = {.turns = 1,
                                              .serves_first = true,
                                              .open = open,
                                              .serve = serve,
                                              .settle = settle,
                                              .rest = rest};

    driver_loop_run(&class, NULL);
}
