/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/epoll.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "servers/vfs/poll_set.h"

enum {
    LINKS_MAX = 4, /* sets in sets, one in the other */
    LOOKS_MAX = 1024, /* items in one step */
};
#define EVENT_BITS 0xffffu

#define CONTAINER(pointer, type, member)                                                           \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static uint64_t walks;

/* ---- lists ---- */

static void list_init(struct epoll_link *l)
{
    l->next = l->previous = l;
}

static bool list_is_empty(const struct epoll_link *l)
{
    return list_at(l->next) == l;
}

static void list_add(struct epoll_link *list, struct epoll_link *l) /* at the end */
{
    l->next = list;
    l->previous = list_at(list->previous);
    l->previous->next = l;
    list->previous = l;
}

static void list_remove(struct epoll_link *l)
{
    list_at(l->previous)->next = list_at(l->next);
    l->next->previous = l->previous;
    list_init(l);
}

/* ---- what happens to items ---- */

/* A set that is in sets passes the news on, once each. */
static void item_woken(struct waiter *w)
{
    static unsigned depth;
    struct epoll_item *i = CONTAINER(w, struct epoll_item, waiter);

    if (!(i->events & EVENT_BITS))
        return;
    if (list_is_empty(&i->candidate))
        list_add(&i->set->candidates, &i->candidate);
    if (depth == 0)
        walks++;
    else if (i->set->visit == walks)
        return;
    i->set->visit = walks;
    depth++;
    wake_all(&i->set->file->pollers);
    depth--;
}

static bool is_edge(const struct epoll_item *i)
{
    return i->events & EPOLLET;
}

static bool is_remote(const struct file *f)
{
    return f->server && !S_ISFIFO(f->mode);
}

static bool remembers(const struct epoll_item *i)
{
    return is_edge(i) && is_remote(i->file) && S_ISSOCK(i->file->mode);
}

/* What is ready and to be reported. When that is nothing, the item will be woken. */
static uint32_t look(struct epoll_item *i)
{
    uint32_t wanted = i->events & EVENT_BITS, ready;

    if (!wanted)
        return 0;
    if (!remembers(i))
        return file_poll(i->file, wanted, true) & wanted;
    ready = file_poll(i->file, wanted, false) & wanted;
    i->reported &= ready;
    wanted &= ~i->reported;
    return ready & wanted ? ready & wanted : file_poll(i->file, wanted, true) & wanted;
}

/* After a report. */
static void reported(struct epoll_item *i, uint32_t ready)
{
    i->reported |= ready;
    if (i->events & EPOLLONESHOT)
        i->events &= ~EVENT_BITS;
    else if (!is_edge(i) || is_remote(i->file))
        list_add(&i->set->candidates, &i->candidate);
}

/* Those to be looked at are taken off first: what is woken by the looks, or goes back after a
 * report, comes behind them and is not looked at twice in a step. One that is ready leaves them
 * only when the program has it: where its memory fails nothing is lost. */
long epoll_take(struct client *c, struct epoll_set *e, uint64_t address, unsigned room)
{
    struct epoll_link todo;
    long n = 0, result = 0;

    list_init(&todo);
    /* what is reported goes to the end, behind all that was there: everybody has a turn */
    for (unsigned looks = 0; looks < LOOKS_MAX && !list_is_empty(&e->candidates); looks++) {
        struct epoll_link *l = e->candidates.next;

        list_remove(l);
        list_add(&todo, l);
    }
    while (!list_is_empty(&todo) && n < (long)room && result == 0) {
        struct epoll_item *i = CONTAINER(todo.next, struct epoll_item, candidate);
        struct epoll_event event = {.events = look(i), .data.u64 = i->data};

        if (event.events)
            result = user_write(c, address + (uint64_t)n * sizeof event, &event, sizeof event);
        if (result)
            break;
        list_remove(&i->candidate);
        if (event.events) {
            reported(i, event.events);
            n++;
        }
    }
    while (!list_is_empty(&todo)) { /* the others before those that were reported */
        struct epoll_link *l = list_at(todo.previous);

        list_remove(l);
        list_add(e->candidates.next, l);
    }
    if (n == 0 && result == 0 && !list_is_empty(&e->candidates))
        return EPOLL_MORE;
    return n ? n : result;
}

void epoll_file_used(struct file *f, uint32_t events)
{
    for (struct waiter *w = list_at(f->pollers.first); w; w = list_at(w->next)) {
        struct epoll_item *i = CONTAINER(w, struct epoll_item, waiter);

        if (w->woken != item_woken || !remembers(i) || !(i->reported & events))
            continue;
        i->reported &= ~events;
        item_woken(w);
    }
}

/* ---- the set as a file ---- */

static uint32_t set_poll(struct file *f, uint32_t events, bool tell)
{
    struct epoll_set *e = f->local;

    (void)tell;
    for (unsigned looks = 0; !list_is_empty(&e->candidates); looks++) {
        struct epoll_item *i = CONTAINER(e->candidates.next, struct epoll_item, candidate);

        if (looks == LOOKS_MAX || look(i)) /* so many: the others are looked at by who takes */
            return events & (POLLIN | POLLRDNORM);
        list_remove(&i->candidate);
    }
    return 0;
}

static void set_close(struct client *c, struct file *f)
{
    struct epoll_set *e = f->local;

    (void)c;
    while (!list_is_empty(&e->items))
        epoll_remove(CONTAINER(e->items.next, struct epoll_item, of_set));
    free(e);
}

static const struct file_operations set_operations = {
    .name = "anon_inode:[eventpoll]", .poll = set_poll, .is_ours = true, .close = set_close};

struct file *epoll_new(void)
{
    struct epoll_set *e = calloc(1, sizeof *e);
    struct file *f = e ? file_new(&set_operations, O_RDWR, 0600) : NULL;

    if (!f) {
        free(e);
        return NULL;
    }
    list_init(&e->items);
    list_init(&e->candidates);
    e->file = f;
    f->local = e;
    f->lock_node = file_number();
    return f;
}

struct epoll_set *epoll_of(const struct file *f)
{
    return f->operations == &set_operations ? f->local : NULL;
}

/* ---- items ---- */

/* How many sets are in e one in the other, at most; more than LINKS_MAX when one of them is
 * `unwanted`. */
static unsigned height_below(struct epoll_set *e, const struct epoll_set *unwanted)
{
    unsigned most = 0;

    if (e == unwanted)
        return LINKS_MAX + 1;
    if (e->visit == walks)
        return e->height;
    for (struct epoll_link *l = list_at(e->items.next); l != &e->items; l = list_at(l->next)) {
        struct epoll_set *in = epoll_of(CONTAINER(l, struct epoll_item, of_set)->file);
        unsigned h = in ? 1 + height_below(in, unwanted) : 0;

        most = h > most ? h : most;
    }
    e->visit = walks;
    e->height = most;
    return most;
}

/* The same of sets that it is in. */
static unsigned height_above(struct epoll_set *e)
{
    unsigned most = 0;

    if (e->visit == walks)
        return e->height;
    for (struct waiter *w = list_at(e->file->pollers.first); w; w = list_at(w->next)) {
        unsigned h = w->woken == item_woken
                         ? 1 + height_above(CONTAINER(w, struct epoll_item, waiter)->set)
                         : 0;

        most = h > most ? h : most;
    }
    e->visit = walks;
    e->height = most;
    return most;
}

static bool too_deep(struct epoll_set *e, struct epoll_set *in)
{
    unsigned above, below;

    walks++;
    below = height_below(in, e);
    walks++;
    above = height_above(e);
    return above + 1 + below > LINKS_MAX;
}

struct epoll_item *epoll_find(struct epoll_set *e, const struct file *f, int fd)
{
    for (struct waiter *w = list_at(f->pollers.first); w; w = list_at(w->next)) {
        struct epoll_item *i = CONTAINER(w, struct epoll_item, waiter);

        if (w->woken == item_woken && i->set == e && i->fd == fd)
            return i;
    }
    return NULL;
}

/* Events that are there already are news. */
static void begin(struct epoll_item *i)
{
    if (look(i))
        item_woken(&i->waiter);
}

long epoll_add(struct epoll_set *e, struct file *f, int fd, uint32_t events, uint64_t data)
{
    struct share *share;
    struct epoll_item *i;

    if (epoll_of(f) && too_deep(e, epoll_of(f)))
        return -ELOOP;
    share = share_mine();
    if (!share_take(share, SHARE_ITEMS, 1))
        return -ENOSPC;
    i = calloc(1, sizeof *i);
    if (!i) {
        share_give(share, SHARE_ITEMS, 1);
        return -ENOMEM;
    }
    i->share = share;
    i->set = e;
    i->file = f;
    i->fd = fd;
    i->events = events | EPOLLERR | EPOLLHUP;
    i->data = data;
    list_init(&i->candidate);
    list_add(&e->items, &i->of_set);
    wait_enter_with(&i->waiter, item_woken, &f->pollers);
    begin(i);
    return 0;
}

void epoll_change(struct epoll_item *i, uint32_t events, uint64_t data)
{
    i->events = events | EPOLLERR | EPOLLHUP;
    i->data = data;
    i->reported = 0;
    list_remove(&i->candidate);
    begin(i);
}

void epoll_remove(struct epoll_item *i)
{
    wait_leave(&i->waiter);
    list_remove(&i->of_set);
    list_remove(&i->candidate);
    share_give(i->share, SHARE_ITEMS, 1);
    free(i);
}

void epoll_file_gone(struct file *f)
{
    for (struct waiter *w = list_at(f->pollers.first), *next; w; w = next) {
        next = list_at(w->next);
        if (w->woken == item_woken)
            epoll_remove(CONTAINER(w, struct epoll_item, waiter));
    }
}
