/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/inject/flip.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"

enum { SPANS_MAX = 512, TRIES = 2000 };

static struct span { /* pages that the victim can write itself, one behind the other */
    uint64_t address, pages;
} spans[SPANS_MAX];
static unsigned span_count;
static uint64_t all_pages;

static struct {
    enum { NOTHING, WAITING, FLIPPED } state;
    endpoint_t victim;
    uint64_t seed, due, when;
    uint64_t address; /* of the word */
    unsigned bit; /* of it */
    uint64_t word; /* as the flip has left it */
    long error;
    bool live, shared, back;
} flip;

static uint64_t next_random(void)
{
    flip.seed ^= flip.seed << 13, flip.seed ^= flip.seed >> 7, flip.seed ^= flip.seed << 17;
    return flip.seed * 0x2545f4914f6cdd1dull >> 16;
}

/* What is there is listed once for each flip: memory comes and goes. */
static void add_page(uint64_t at)
{
    struct span *last = span_count ? &spans[span_count - 1] : NULL;

    if (last && last->address + last->pages * PAGE_SIZE == at)
        last->pages++;
    else if (span_count < SPANS_MAX)
        spans[span_count++] = (struct span){at, 1};
    else
        return;
    all_pages++;
}

/* `own`: not what somebody else has mapped, too (RS has all queues mapped). */
static void list_pages(uint64_t from, uint64_t to, bool own)
{
    uint64_t flags;

    span_count = 0;
    all_pages = 0;
    while (from < to) {
        long frame = memory_query(flip.victim, from, &flags);

        if (frame < 0) {
            from = frame == -EFAULT && flags > from ? flags : to;
            continue;
        }
        if ((flags & MAP_WRITE) && !(flags & MAP_VAULT) && !(own && flags >> 32 > 1))
            add_page(from);
        from += PAGE_SIZE;
    }
}

static uint64_t page_number(uint64_t n)
{
    const struct span *s = spans;

    while (n >= s->pages)
        n -= s++->pages;
    return s->address + n * PAGE_SIZE;
}

static long choose_place(uint64_t *word)
{
    unsigned tries = flip.live ? TRIES : 1;
    uint64_t flags = 0;
    long error;

    do {
        flip.address = page_number(next_random() % all_pages) + next_random() % (PAGE_SIZE / 8) * 8;
        error = copy_from(flip.victim, flip.address, word, sizeof *word);
    } while (error == 0 && *word == 0 && --tries);
    flip.bit = next_random() & 63;
    memory_query(flip.victim, flip.address, &flags);
    flip.shared = (flags >> 32) > 1;
    return error;
}

void flip_now(void)
{
    uint64_t word;

    flip.state = FLIPPED;
    flip.when = clock_now();
    if (all_pages == 0) {
        flip.error = -EFAULT;
        return;
    }
    flip.error = choose_place(&word);
    flip.word = word ^ 1ull << flip.bit;
    if (flip.error == 0)
        flip.error = copy_to(flip.victim, flip.address, &flip.word, sizeof flip.word);
    log_always("flip %#llx bit %u", (unsigned long long)flip.address, flip.bit);
}

static long flip_later(char *rest)
{
    char *name = strtok_r(rest, " \n", &rest), *seed = strtok_r(NULL, " \n", &rest),
         *delay = strtok_r(NULL, " \n", &rest), *live = strtok_r(NULL, " \n", &rest);
    bool box;

    if (!delay)
        return -EINVAL;
    box = strncmp(name, "ext4", 4) == 0;
    memset(&flip, 0, sizeof flip);
    flip.victim = victim_find(name);
    if (flip.victim < 0)
        return flip.victim;
    flip.live = live != NULL;
    flip.seed = (strtoull(seed, NULL, 0) + 1) * 0x9e3779b97f4a7c15ull;
    next_random();
    list_pages(box ? QUEUE_WINDOW : 0, box ? DEVICE_WINDOW : USER_END, strcmp(name, "rs") == 0);
    flip.due = clock_now() + strtoull(delay, NULL, 0);
    flip.state = WAITING;
    return 0;
}

static long flip_back(void)
{
    uint64_t word;

    if (flip.state != FLIPPED || flip.error < 0)
        return -EINVAL;
    flip.back = copy_from(flip.victim, flip.address, &word, sizeof word) == 0 && word == flip.word;
    if (!flip.back)
        return 0;
    word ^= 1ull << flip.bit;
    return copy_to(flip.victim, flip.address, &word, sizeof word);
}

long flip_command(char *line)
{
    if (strncmp(line, "flip ", 5) == 0)
        return flip_later(line + 5);
    return strcmp(line, "unflip\n") == 0 ? flip_back() : -EINVAL;
}

int flip_state(char *text, size_t room)
{
    if (flip.state != FLIPPED)
        return snprintf(text, room, "%s\n", flip.state == WAITING ? "waiting" : "none");
    return snprintf(text, room, "flipped %llu %ld %#llx %u %d %d\n", (unsigned long long)flip.when,
                    flip.error, (unsigned long long)flip.address, flip.bit, flip.shared, flip.back);
}

uint64_t flip_due(void)
{
    return flip.state == WAITING ? flip.due : 0;
}
