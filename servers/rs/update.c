/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Live update: a service gets another program while the system runs. The new process is made beside
 * the old one, which works on meanwhile, and takes its place as a fresh copy does: a driver adopts
 * the device, and what is on its way is in the queue. For a while it is on probation: if it does not
 * get ready, or fails, the program before it comes back. One that keeps its memory gets the new
 * program at the end of a step (swap.c).
 *
 * The program comes in pieces (RS_PROGRAM) into memory that is given back when it has been made
 * ready. Each has a window of its own for that, which is given back when nobody can need it any
 * more.
 */
#include <errno.h>
#include <string.h>

#include "lib/rt/defect.h"
#include "lib/undo/undo.h"
#include "servers/rs/requests.h"

#define PROBATION (10 * SECOND)
#define STAGE_AT 0x1a0000000000ull /* in RS's space */
#define WINDOWS_AT 0x1b0000000000ull
#define WINDOW_SIZE (64ull << 20)
#define WINDOWS 32

static struct window {
    struct image image;
    bool is_used;
    uint64_t pages; /* taken of it, with a hole behind each part */
} windows[WINDOWS];
static struct window *filling;
static struct {
    uint64_t size, pages;
} stage;

/* ---- windows ---- */

static uint64_t window_address(const struct window *w)
{
    return WINDOWS_AT + (uint64_t)(w - windows) * WINDOW_SIZE;
}

static struct window *window_of(const struct image *image)
{
    for (struct window *w = windows; w < windows + WINDOWS; w++)
        if (&w->image == image)
            return w;
    return NULL;
}

static void *take_pages(uint64_t pages)
{
    uint64_t at = window_address(filling) + filling->pages * PAGE_SIZE;

    if ((filling->pages + pages + 1) * PAGE_SIZE > WINDOW_SIZE ||
        memory_map(ENDPOINT_SELF, at, pages, MAP_READ | MAP_WRITE, 0, 0) < 0)
        return NULL;
    filling->pages += pages + 1;
    return (void *)at;
}

/* By an instance, too, that has come since, and will be started again. */
static bool is_needed(const struct image *image)
{
    for (unsigned i = 0; i < service_count; i++)
        if (services[i].image == image || services[i].first == image ||
            services[i].update.old == image || services[i].update.next == image)
            return true;
    return false;
}

/* (Processes that run it have the frames as long as they need them. The description stays as it is
 * until the window's next turn, for the corpse of one.) */
static void window_end(struct window *w)
{
    if (w && is_needed(&w->image))
        return;
    if (w && w->pages)
        memory_unmap_own(window_address(w), w->pages);
    if (w) {
        w->pages = 0;
        w->is_used = false;
    }
}

/* One that is free since an earlier step. Those whose last instance is gone become free. */
static struct window *window_begin(void)
{
    static unsigned next;
    struct window *found = NULL;

    for (unsigned n = 0; n < WINDOWS; n++) {
        struct window *w = &windows[(next + n) % WINDOWS];

        if (w->is_used)
            window_end(w);
        else if (!found)
            found = w;
    }
    if (!found)
        return NULL;
    next = (unsigned)(found - windows) + 1;
    found->is_used = true;
    found->pages = 0;
    return found;
}

/* ---- the program comes ---- */

static void stage_end(void)
{
    if (stage.pages)
        memory_unmap_own(STAGE_AT, stage.pages);
    stage.size = stage.pages = 0;
}

static long stage_grow(uint64_t size)
{
    uint64_t pages = (size + PAGE_SIZE - 1) / PAGE_SIZE;
    long error = 0;

    if (pages > stage.pages)
        error = memory_map(ENDPOINT_SELF, STAGE_AT + stage.pages * PAGE_SIZE, pages - stage.pages,
                           MAP_READ | MAP_WRITE, 0, 0);
    if (error == 0 && pages > stage.pages)
        stage.pages = pages;
    return error;
}

/* (A piece may come twice: fs/proc has died when it was here.) */
long request_program(struct message *m, struct service *caller)
{
    const struct rs_program_request *r = message_words(m);
    uint64_t offset = r->offset, length = r->length;
    long error;

    if (!service_takes_orders(caller))
        return -EPERM;
    if (offset == 0)
        stage.size = 0; /* (its pages are taken again) */
    if (length == 0 || length > RS_PROGRAM_PIECE || offset > stage.size ||
        offset + length > RS_PROGRAM_MAX)
        return -EINVAL;
    error = stage_grow(offset + length);
    if (error == 0)
        error = grant_from(message_caller(m), r->grant, 0, (char *)STAGE_AT + offset, length);
    if (error == 0)
        stage.size = offset + length;
    return error;
}

/* ---- it takes over ---- */

static void install(struct service *s, struct image *image)
{
    s->image = s->first = image;
    if (service_is_self(s))
        return;
    spawn_unstock(s);
    s->config.entry = image->entry;
    stack_prepare(s);
}

static long make(const char *name, struct image **image)
{
    struct window *w = window_begin();
    long error;

    if (!w)
        return -ENOSPC;
    filling = w;
    error = image_make(&w->image, name, (const char *)STAGE_AT, stage.size, take_pages);
    if (error < 0)
        window_end(w);
    *image = &w->image;
    return error;
}

/* It is on probation now. */
static void put_on_probation(struct service *s, struct image *image)
{
    struct image *before = s->first;

    if (!s->update.old) /* what was proven stays what it goes back to */
        s->update.old = before;
    s->update.until = clock_now() + PROBATION;
    s->update.went_back = false;
    install(s, image);
    window_end(window_of(before)); /* what was on probation goes */
}

/* It takes its place when a step is over. */
static long wait_for_step(struct service *s, struct image *image)
{
    if (!swap_fits(image, s->image)) {
        window_end(window_of(image));
        return -ENOTSUP;
    }
    s->update.next = image;
    s->update.error = 0;
    s->update.went_back = false;
    timer_chores(clock_now());
    return 1;
}

long update_begin(struct service *s, uint64_t size)
{
    struct image *image;
    long error;

    if (service_is_self(s) && swap_prepare_self(s) < 0)
        return -ENOTSUP;
    if (s->life.state != RS_UP)
        return -ENXIO;
    if (stage.size == 0 && (s->update.old || s->update.next) && size == s->update.size)
        return 1;
    if (stage.size == 0 || size != stage.size)
        return -EINVAL;
    if (s->update.next)
        return -EBUSY;
    error = make(s->name, &image);
    stage_end();
    if (error < 0)
        return error;
    s->update.size = size;
    s->holds = false;
    if (service_keeps_memory(s))
        return wait_for_step(s, image);
    s->update.is_due = true;
    put_on_probation(s, image);
    spawn_stock(s); /* beside the one that works */
    return 0;
}

bool updates_try(void)
{
    bool is_done = true;

    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        struct image *image = s->update.next;
        long error = image ? swap_try(s, image) : -EAGAIN;

        is_done &= !image || error != -EAGAIN;
        if (error == -EAGAIN)
            continue;
        s->update.next = NULL;
        s->update.error = (int)error;
        if (error == 0)
            put_on_probation(s, image);
        else
            window_end(window_of(image));
    }
    return is_done;
}

long update_state(const struct service *s)
{
    if (s->update.next)
        return -EBUSY;
    if (s->update.error)
        return s->update.error;
    if (s->update.went_back)
        return -ECANCELED;
    if (!s->update.old)
        return 0;
    return s->life.state == RS_UP ? -EAGAIN : -EBUSY;
}

/* ---- probation ---- */

bool update_goes_back(struct service *s, enum rs_defect defect, uint32_t detail)
{
    struct image *failed = s->image;

    if (!s->update.old || defect == DEFECT_KILLED || defect == DEFECT_UPDATE)
        return false;
    if (service_keeps_memory(s) && !service_is_self(s) && !swap_back(s, s->update.old))
        log_always("%s: too little memory for the program before it", s->name);
    install(s, s->update.old);
    s->update.old = NULL;
    s->update.went_back = true;
    window_end(window_of(failed));
    log_always("%s: its update has failed (%s): the program before it is back", s->name,
               defect_text(defect, detail));
    return true;
}

/* RS has died of it, and has seen to it itself. */
static void look_at_self(struct service *s)
{
    static uint64_t seen;

    if (undo_root.swaps_back == seen)
        return;
    seen = undo_root.swaps_back;
    update_goes_back(s, (enum rs_defect)undo_root.defect, undo_root.detail);
}

void updates_look(uint64_t now)
{
    for (unsigned i = 0; i < service_count; i++) {
        struct service *s = &services[i];
        struct image *old;

        if (service_is_self(s))
            look_at_self(s);
        old = s->update.old;
        if (!old || now < s->update.until || s->life.state != RS_UP || watch_waits(s))
            continue;
        s->update.old = NULL;
        if (service_is_self(s))
            undo_root_keep();
        window_end(window_of(old));
        log_always("%s: its update stands", s->name);
    }
}
