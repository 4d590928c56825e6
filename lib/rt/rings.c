/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel goes on writing while a part of a ring is copied: afterwards one sees how much of that
 * has been overwritten meanwhile, and that much is thrown away.
 */
#include "lib/rt/rings.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"

struct view {
    const char *items;
    size_t size, item; /* how many there are, and how long each is */
    const uint64_t *end; /* changes by itself */
};

static uint64_t end_of(const struct view *ring)
{
    return undo_input(__atomic_load_n(ring->end, __ATOMIC_ACQUIRE));
}

static void copy(const struct view *ring, char *to, uint64_t position, size_t count)
{
    size_t at = position % ring->size, straight = count < ring->size - at ? count : ring->size - at;

    memcpy(to, ring->items + at * ring->item, straight * ring->item);
    memcpy(to + straight * ring->item, ring->items, (count - straight) * ring->item);
    undo_input_bytes(to, count * ring->item);
}

static long ring_view(const struct view *ring, uint64_t position, char *to, size_t room,
                      uint64_t *first)
{
    for (;;) {
        uint64_t end = end_of(ring), oldest = end > ring->size ? end - ring->size : 0, lost;
        size_t count;

        if (position > end)
            return -EINVAL;
        position = position > oldest ? position : oldest;
        count = end - position < room ? end - position : room;
        copy(ring, to, position, count);
        end = end_of(ring);
        lost = end - position > ring->size ? end - position - ring->size : 0;
        *first = position + lost;
        if (lost < count || count == 0) {
            memmove(to, to + lost * ring->item, (count - lost) * ring->item);
            return (long)(count - lost);
        }
    }
}

long log_ring_read(uint64_t position, void *bytes, size_t room, uint64_t *first)
{
    const struct view ring = {(const char *)KERNEL_LOG_RING, LOG_RING_SIZE, 1,
                              &kernel_info()->log_end};

    return ring_view(&ring, position, bytes, room, first);
}

long trace_ring_read(uint64_t position, struct trace_event *events, size_t room, uint64_t *first)
{
    const struct view ring = {(const char *)KERNEL_TRACE_RING, TRACE_RING_SIZE, sizeof *events,
                              &kernel_info()->trace_end};

    return ring_view(&ring, position, (char *)events, room, first);
}

static const char *const trace_kinds[] = {
    [TRACE_NONE] = "none",           [TRACE_CALL] = "call",       [TRACE_REPLY] = "reply",
    [TRACE_FORWARD] = "forward",     [TRACE_NOTIFY] = "notify",   [TRACE_FAULT] = "fault",
    [TRACE_EXCEPTION] = "exception", [TRACE_IRQ] = "irq",         [TRACE_CREATE] = "create",
    [TRACE_DESTROY] = "destroy",     [TRACE_SYSCALL] = "syscall",
};

const char *trace_kind_name(uint32_t kind)
{
    return kind < sizeof trace_kinds / sizeof trace_kinds[0] ? trace_kinds[kind] : "?";
}
