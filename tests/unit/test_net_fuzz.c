/* SPDX-License-Identifier: BSD-2-Clause */
// library: net_host
/*
 * The whole network server under ASan, and frames made by chance but with sense
 * (tests/net_host/play.h). Each seed is a process of its own with its own server.
 *
 *     make test                             some fixed seeds: a million frames
 *     make fuzz-net SECONDS=60 SEED=1       seeds from 1 on, for so long
 *     FUZZ_SEED=17 build/unit/test_net_fuzz one seed again
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/net_host/host.h"
#include "tests/net_host/play.h"

#define FRAMES 12000 /* a seed */
#define SEEDS 84 /* in make test */

static uint32_t choose(uint32_t n)
{
    return n ? host_random() % n : host_random();
}

static void run(unsigned seed)
{
    play_start(seed, choose);
    for (unsigned i = 0; i < FRAMES; i++)
        play_step();
    host_pass(300000);
    if (host_datagrams() < FRAMES / 1000)
        printf("seed %u: programs have read %llu datagrams\n", seed,
               (unsigned long long)host_datagrams());
    fflush(NULL);
    _exit(host_datagrams() < FRAMES / 1000);
}

/* ---- */

/* False: net died of this seed. */
static bool survives(unsigned seed)
{
    int status;
    pid_t child;

    fflush(NULL);
    child = fork();
    if (child == 0)
        run(seed);
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (status == 0)
        return true;
    printf("net died of seed %u: FUZZ_SEED=%u build/unit/test_net_fuzz repeats it\n", seed, seed);
    return false;
}

int main(void)
{
    const char *one = getenv("FUZZ_SEED"), *seconds = getenv("FUZZ_SECONDS"),
               *from = getenv("FUZZ_FROM");
    unsigned seed = from ? (unsigned)strtoul(from, NULL, 10) : 1, first = seed, bad = 0;
    time_t end = seconds ? time(NULL) + atol(seconds) : 0;

    if (one)
        run((unsigned)strtoul(one, NULL, 10));
    while (seconds ? time(NULL) < end : seed < first + SEEDS)
        bad += survives(seed++) ? 0 : 1;
    printf("%u seeds from %u, %u frames: %u deaths. [  %s  ] 1 test(s).\n", seed - first, first,
           (seed - first) * FRAMES, bad, bad ? "FAILED" : "PASSED");
    return bad != 0;
}
