/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * futex(2): WAIT, WAKE, REQUEUE and their BITSET forms. A futex is named by process and address:
 * one in memory shared between processes works among the threads of each only.
 */
#include <sys/syscall.h>

#include "servers/pm/pm.h"

/* Of the linux/futex.h interface (futex(2)). */
enum futex_operation {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10
};
#define FUTEX_CMD_MASK 127u /* without FUTEX_PRIVATE_FLAG */
#define FUTEX_CLOCK_REALTIME 256u

static bool same(const struct thread *t, const struct process *p, uint64_t address, uint32_t bits)
{
    undo_verify_word(&t->mask_saved); /* with what it waits for */
    if (t->waits != WAIT_FUTEX)
        return false;
    undo_verify(&t->on.futex, sizeof t->on.futex);
    return t->on.futex.space == p && t->on.futex.address == address && (t->on.futex.bits & bits);
}

long futex_wake(struct process *p, uint64_t address, uint32_t count, uint32_t bits)
{
    uint32_t woken = 0;

    for_threads (t)
        if (woken < count && same(t, p, address, bits)) {
            resume(t, 0);
            woken++;
        }
    return woken;
}

/* The word is read, and the thread is among those that wait, within one request: a wake is another
 * one, so it comes before both or after both, and none is missed. */
static long wait(struct thread *t, struct message *m, uint32_t bits, bool absolute, bool realtime)
{
    uint64_t ns = 0, now;
    int64_t time[2];
    uint32_t value;

    if (!bits || (m->w[0] & 3))
        return -EINVAL;
    if (m->w[3]) {
        if (read_user(t, m->w[3], time, sizeof time) < 0)
            return -EFAULT;
        if (time_of(time, NS_PER_SECOND, &ns))
            return -EINVAL;
        now = clock_now();
        if (absolute)
            ns = time_at(now, realtime ? realtime_now() : now, ns);
        else
            ns = time_after(now, ns);
    }
    if (read_user(t, m->w[0], &value, sizeof value) < 0)
        return -EFAULT;
    if (value != (uint32_t)m->w[2])
        return -EAGAIN;
    t->waits = WAIT_FUTEX;
    t->on.futex.address = m->w[0];
    t->on.futex.bits = bits;
    t->on.futex.space = t->process;
    t->deadline = ns;
    if (ns)
        timer_set();
    return SERVICE_NO_REPLY;
}

static long requeue(struct thread *caller, struct message *m, bool compare)
{
    struct process *p = caller->process;
    uint32_t value, moved = 0, limit = (uint32_t)m->w[3];
    long woken;

    if (compare) {
        if (read_user(caller, m->w[0], &value, sizeof value) < 0)
            return -EFAULT;
        if (value != (uint32_t)m->w[5])
            return -EAGAIN;
    }
    woken = futex_wake(p, m->w[0], (uint32_t)m->w[2], ~0u);
    for_threads (t)
        if (moved < limit && same(t, p, m->w[0], ~0u)) {
            t->on.futex.address = m->w[4];
            moved++;
        }
    return woken + moved;
}

static long sys_futex(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint32_t operation = (uint32_t)m->w[1];
    bool realtime = operation & FUTEX_CLOCK_REALTIME;

    switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
        return wait(t, m, ~0u, false, realtime);
    case FUTEX_WAIT_BITSET:
        return wait(t, m, (uint32_t)m->w[5], true, realtime);
    case FUTEX_WAKE:
        return futex_wake(t->process, m->w[0], (uint32_t)m->w[2], ~0u);
    case FUTEX_WAKE_BITSET:
        return m->w[5] ? futex_wake(t->process, m->w[0], (uint32_t)m->w[2], (uint32_t)m->w[5])
                       : -EINVAL;
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return requeue(t, m, (operation & FUTEX_CMD_MASK) == FUTEX_CMP_REQUEUE);
    default:
        return -ENOSYS;
    }
}

PM_TABLE(futex_calls, {SYS_futex, sys_futex})
