/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes what QEMU's devices do outside the processor happen at the same instruction each time. For
 * the host, not for the guest: tools/campaign_machine.py has it loaded into QEMU by LD_PRELOAD.
 *
 * With -icount the processor's time is its instructions. But a disk's request, a byte of a serial
 * line, a frame for a virtio queue are not finished by the processor's thread: that wakes QEMU's main
 * loop and goes on, and how many instructions later the interrupt comes is the host's business. So
 * here the processor's thread, when it has woken the main loop (by a write to a descriptor), waits
 * when it lets go of QEMU's big lock until the main loop has nothing more to do: it is in ppoll(),
 * and none of its descriptors is ready. All that it does meanwhile happens between two
 * instructions.
 *
 * What the host's clock alone would wake the main loop for is left out: in a machine whose clock is its
 * instructions nothing waits for that.
 *
 * It needs requests to disks that are finished when they have been submitted: "aio=native" of a file
 * in a tmpfs. A pool's thread would be one more that nobody waits for.
 *
 * Should the main loop not come to rest in PATIENCE, the processor goes on; that costs exactness, and
 * nothing else. It is said on QEMU's standard error.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { POLLED_MAX = 256, NAP_NS = 1000000, PATIENCE = 10000 /* naps */ };

#define INEXACT "steady: the processor goes on before the main loop has come to rest\n"

static struct {
    pthread_mutex_t *_Atomic lock; /* QEMU's big lock: what it lets go of before it polls */
    pthread_mutex_t *last; /* that it has let go of */
    atomic_bool rests; /* it polls, or waits for the processor */
    struct pollfd polled[POLLED_MAX];
    atomic_uint count;
    atomic_uint turn; /* how often it has begun to rest */
    atomic_uint waiters;
} main_loop;

static pthread_t main_thread;
static __thread bool woke; /* this thread has written to a descriptor */

static int (*real_unlock)(pthread_mutex_t *);
static int (*real_ppoll)(struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);
static int (*real_wait)(pthread_cond_t *, pthread_mutex_t *);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);

/* Other libraries may come here before it is this one's turn to be initialised. */
static void begin(void)
{
    if (real_write)
        return;
    main_thread = pthread_self();
    real_unlock = dlsym(RTLD_NEXT, "pthread_mutex_unlock");
    real_ppoll = dlsym(RTLD_NEXT, "ppoll");
    real_wait = dlvsym(RTLD_NEXT, "pthread_cond_wait", "GLIBC_2.3.2");
    real_writev = dlsym(RTLD_NEXT, "writev");
    real_write = dlsym(RTLD_NEXT, "write");
}

static bool is_main(void)
{
    return pthread_equal(pthread_self(), main_thread);
}

/* Nothing is left for the main loop. (A descriptor that is closed meanwhile is ready, by an error.
 * When it has been about meanwhile, it has other descriptors than were looked at.) */
static bool is_quiet(unsigned turn)
{
    struct pollfd copy[POLLED_MAX];
    unsigned count;

    if (!atomic_load(&main_loop.rests))
        return false;
    count = atomic_load(&main_loop.count);
    memcpy(copy, main_loop.polled, count * sizeof *copy);
    return poll(copy, count, 0) == 0 && atomic_load(&main_loop.rests) &&
           atomic_load(&main_loop.turn) == turn;
}

static void wait_for_quiet(void)
{
    const struct timespec nap = {.tv_nsec = NAP_NS};

    for (unsigned n = 0; n < PATIENCE; n++) {
        unsigned turn = atomic_load(&main_loop.turn);

        if (is_quiet(turn))
            return;
        atomic_fetch_add(&main_loop.waiters, 1);
        syscall(SYS_futex, &main_loop.turn, FUTEX_WAIT_PRIVATE, turn, &nap, NULL, 0);
        atomic_fetch_sub(&main_loop.waiters, 1);
    }
    real_write(STDERR_FILENO, INEXACT, sizeof INEXACT - 1);
}

/* The main loop has done all that it knew of. */
static void rest(bool rests)
{
    if (!rests) {
        atomic_store(&main_loop.rests, false);
        return;
    }
    atomic_fetch_add(&main_loop.turn, 1);
    atomic_store(&main_loop.rests, true);
    if (atomic_load(&main_loop.waiters))
        syscall(SYS_futex, &main_loop.turn, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

int pthread_mutex_unlock(pthread_mutex_t *lock)
{
    int error;

    begin();
    error = real_unlock(lock);

    if (is_main()) {
        main_loop.last = lock;
    } else if (lock == atomic_load(&main_loop.lock) && (woke || !atomic_load(&main_loop.rests))) {
        woke = false;
        wait_for_quiet();
    }
    return error;
}

/* Of the processor's thread: it halts, and the main loop moves the clock. Of the main loop: it waits
 * for the processor to stop. */
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
    int error;

    begin();
    if (!is_main())
        return real_wait(condition, lock);
    atomic_store(&main_loop.count, 0);
    rest(true);
    error = real_wait(condition, lock);
    rest(false);
    return error;
}

static ssize_t wrote(ssize_t n)
{
    if (!is_main())
        woke = true;
    return n;
}

ssize_t write(int fd, const void *bytes, size_t length)
{
    begin();
    return wrote(real_write(fd, bytes, length));
}

ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    begin();
    return wrote(real_writev(fd, pieces, count));
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    int ready;

    begin();
    if (!is_main() || count > POLLED_MAX)
        return real_ppoll(fds, count, timeout, mask);
    if (timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0)
        return real_ppoll(fds, count, timeout, mask);
    atomic_store(&main_loop.lock, main_loop.last);
    memcpy(main_loop.polled, fds, count * sizeof *fds);
    atomic_store(&main_loop.count, (unsigned)count);
    rest(true);
    ready = real_ppoll(fds, count, NULL, mask);
    rest(false);
    return ready;
}

int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask, size_t room)
{
    (void)room;
    return ppoll(fds, count, timeout, mask);
}
