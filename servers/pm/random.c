/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system's pool of randomness: getrandom(), and what other services begin with. PM has it since
 * it keeps its memory: what has once gone in is in it until the machine stops. fs/dev brings what a
 * device has given (servers/fs/dev/entropy.c), and what programs write to /dev/random.
 */
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>

#include "lib/random/pool.h"
#include "servers/pm/pm.h"

#define AT_ONCE 1024u /* bytes that are made and copied together */
#define MOST 0x10000u /* bytes of one call: programs that want more call again, as with Linux */

/* It has pages of its own: no copy of a key that has been used is to be in the mirror. */
static undo_apart union {
    struct random_pool pool;
    char page[PAGE_SIZE];
} secret __attribute__((aligned(PAGE_SIZE)));

static long sys_getrandom(struct message *m)
{
    const uint64_t known = GRND_NONBLOCK | GRND_RANDOM | 4 /* GRND_INSECURE */;
    struct thread *t = thread_caller(m);
    uint64_t length = m->w[1] < MOST ? m->w[1] : MOST, flags = (uint32_t)m->w[2], done = 0;
    uint8_t bytes[AT_ONCE];

    if (flags & ~known || (flags & (GRND_RANDOM | 4)) == (GRND_RANDOM | 4))
        return -EINVAL;
    random_pool_stir(&secret.pool, clock_now());
    while (done < length) {
        uint64_t n = length - done < sizeof bytes ? length - done : sizeof bytes;

        random_pool_take(&secret.pool, bytes, n);
        if (write_user(t, m->w[0] + done, bytes, n) < 0)
            return done ? (long)done : -EFAULT;
        done += n;
    }
    return (long)done;
}

static long pm_random(struct message *m)
{
    if (thread_of(message_caller(m)))
        return -EPERM;
    random_pool_stir(&secret.pool, clock_now());
    random_pool_add(&secret.pool, m->w, RANDOM_KEY_BYTES);
    random_pool_take(&secret.pool, m->w, RANDOM_KEY_BYTES);
    m->w[4] = m->w[5] = 0;
    return 0;
}

PM_TABLE(random_calls, {SYS_getrandom, sys_getrandom}, {PM_RANDOM, pm_random})
