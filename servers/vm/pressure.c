/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * When memory gets short. A part of it (the reserve) is not for ordinary programs: root finds the
 * upper half of it when it wants to look what is wrong, services the whole of it, so that a driver
 * that dies can still be replaced. Who would go below has the greediest program killed (by PM), and
 * waits until its memory has come back. Services are never killed for memory.
 *
 * How much is free only the kernel knows, and asking is not cheap: it is asked again when what has
 * been given since is half of what was left, so the estimate errs by a part of what there is.
 */
#include "lib/service/service.h"
#include "servers/vm/vm.h"

#define RESERVE_SHARE 32 /* of all memory */
#define RESERVE_LEAST (512u << 10)
#define STORE_SHARE 32 /* of all memory: what files in memory leave to programs */
#define TRUST_LEAST 64 /* pages */
#define TRUST_MOST 1024
#define SMALL_SHARE 64 /* a program that has less is not what fills it */
#define VICTIM_NS 500000000ull /* by then it should be gone */
#define RETURN_NS 100000000ull /* and its memory be free so long after that */

static struct {
    uint64_t all, free; /* pages; free: at the last asking */
    uint64_t given, trust; /* since then; how much may be before the next */
} memory;
static struct space *victim;
static endpoint_t victim_thread;
static uint64_t victim_until;

static uint64_t reserve(void)
{
    uint64_t pages = memory.all / RESERVE_SHARE;

    return pages > RESERVE_LEAST / PAGE_SIZE ? pages : RESERVE_LEAST / PAGE_SIZE;
}

static void look_again(void)
{
    uint64_t above;

    memory.all = kernel_info()->frames_total;
    memory.free = undo_input(kernel_info()->frames_free);
    memory.given = 0;
    above = memory.free > reserve() ? (memory.free - reserve()) / 2 : 0;
    memory.trust = above < TRUST_MOST ? above : TRUST_MOST;
    if (memory.trust < TRUST_LEAST)
        memory.trust = TRUST_LEAST;
}

/* How much must stay free for the others. */
static uint64_t floor_of(const struct space *s, enum memory_use use)
{
    if (s->service && use == MEMORY_STORED && s->limit / PAGE_SIZE <= memory.all / 2)
        return reserve();
    if (s->service) /* one that may have most of it keeps what others tell it to: fs/ram */
        return s->limit / PAGE_SIZE > memory.all / 2 ? reserve() + memory.all / STORE_SHARE : 0;
    if (s->root)
        return use == MEMORY_TOUCHED ? reserve() / 2 : reserve() / 4;
    return use == MEMORY_TOUCHED ? reserve() : reserve() / 4 * 3;
}

/* Services cannot wait, so a copy to memory that is not there would fail: what is small is let go
 * further. */
static bool small(endpoint_t ep)
{
    struct slot_status status;

    return slot_status(ep, &status) == 0 && status.pages < memory.all / SMALL_SHARE;
}

static bool enough(const struct space *s, uint64_t pages, enum memory_use use)
{
    uint64_t least = floor_of(s, use), left = memory.free - memory.given;

    if (memory.free < memory.given + pages)
        return false;
    return left >= pages + least ||
           (use == MEMORY_COPIED_TO && left >= pages + least / 2 && small(s->endpoint));
}

bool memory_for(const struct space *s, uint64_t pages, enum memory_use use)
{
    if (memory.given + pages > memory.trust || !enough(s, pages, use))
        look_again();
    while (!enough(s, pages, use) && memory_reap() > 0) /* of those that have just ended */
        look_again();
    if (!enough(s, pages, use))
        return false;
    memory.given += pages;
    if (s->service && memory.free < memory.given + reserve())
        memory_relieve(s); /* it had to take of the reserve */
    return true;
}

/* Ordinary programs, and root's when it is root who is short of memory: a service has the reserve. */
static endpoint_t greediest(bool for_root)
{
    endpoint_t found = 0;
    uint64_t most = 0;

    for (unsigned i = 0; i < ENDPOINT_SLOTS; i++) {
        struct slot_status status;
        endpoint_t ep = space_at(i);
        const struct space *s = space_of(ep);
        uint64_t weight;

        if (!s || s->service || s->named || (s->root && !for_root) || slot_status(ep, &status) < 0)
            continue;
        weight = s->root ? status.pages / 4 : status.pages;
        if (weight > most) {
            most = weight;
            found = ep;
        }
    }
    return found;
}

bool memory_relieve(const struct space *for_whom)
{
    if (victim && space_of(victim_thread) != victim) { /* gone */
        victim = NULL;
        victim_until = clock_now() + RETURN_NS;
    }
    if (clock_now() < victim_until)
        return true;
    victim_thread = greediest(for_whom->root);
    victim = space_of(victim_thread);
    if (!victim)
        return false;
    victim->named = true;
    victim_until = clock_now() + VICTIM_NS;
    ipc_notify(service_info()->pm, NOTIFY_BIT(NOTIFY_BIT_MEMORY));
    return true;
}

/* From PM: whom to kill. */
long vm_victim(struct message *m)
{
    struct vm_victim_reply *reply = message_words(m);
    struct slot_status status = {0};

    if (message_caller(m) != service_info()->pm)
        return -EPERM;
    if (!victim || space_of(victim_thread) != victim || slot_status(victim_thread, &status) < 0)
        return -ENOENT;
    reply->thread = (uint64_t)victim_thread;
    reply->bytes = status.pages * PAGE_SIZE;
    return 0;
}

/* ---- limits ---- */

static uint64_t bytes_of(const struct space *s, bool data)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < s->regions->count; i++) {
        const struct region *r = &s->regions->r[i];

        if (!data || region_is_data(r))
            sum += r->end - r->start;
    }
    return sum;
}

/* As in Linux, whatever is replaced is taken off the data, too. */
static bool is_within(uint64_t limit, uint64_t used, uint64_t bytes, uint64_t replaced)
{
    uint64_t sum = used + bytes; /* no more than two address spaces */

    return limit == LIMIT_NONE || sum <= replaced || sum - replaced <= limit;
}

bool limits_allow(const struct space *s, uint64_t bytes, uint64_t replaced, bool data)
{
    return is_within(s->address_limit, bytes_of(s, false), bytes, replaced) &&
           (!data || is_within(s->data_limit, bytes_of(s, true), bytes, replaced));
}

/* From PM. */
long vm_rules(struct message *m)
{
    const struct vm_rules_request *r = message_words(m);
    struct space *s = space_of((endpoint_t)r->thread);

    if (message_caller(m) != service_info()->pm)
        return -EPERM;
    if (!s)
        return -ESRCH;
    s->root = r->is_root;
    s->address_limit = r->address_limit;
    s->data_limit = r->data_limit;
    s->stack_limit = r->stack_limit < VM_STACK_LIMIT ? r->stack_limit : VM_STACK_LIMIT;
    return 0;
}
