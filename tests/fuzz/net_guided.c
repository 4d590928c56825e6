/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The network server under AFL++ (make fuzz-net-guided): the choices of tests/net_host/play.h are
 * taken from the input, so that what the fuzzer changes in it is a decision and not a checksum. A
 * run ends with its input. Each is a copy of the process in which net has just been started.
 *
 *     build/net_guided/net_guided <FILE     one input again
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/net_host/host.h"
#include "tests/net_host/play.h"

enum { INPUT_MAX = 1 << 16, AFTERWARDS_MS = 3000 /* timers get their turn */ };

static uint8_t input[INPUT_MAX];
static size_t length, at;
static bool is_chosen; /* by the input: not before net has started, nor when it is at its end */

/* As many bytes as the choice needs. (The step that finds the input at its end goes on to its own
 * end: it may be the driver's, in the midst of its frames.) */
static uint32_t choose(uint32_t n)
{
    unsigned bytes = n > 256 ? 2 : 1;
    uint32_t value = 0;

    if (n == 0 || n > 65536)
        bytes = 4;
    is_chosen = is_chosen && length - at >= bytes;
    if (n == 1 || !is_chosen)
        return 0;
    while (bytes--)
        value = value << 8 | input[at++];
    return n ? value % n : value;
}

int main(void)
{
    play_start(1, choose);
#ifdef __AFL_HAVE_MANUAL_CONTROL
    __AFL_INIT();
#endif
    for (ssize_t n; (n = read(STDIN_FILENO, input + length, sizeof input - length)) > 0;)
        length += (size_t)n;
    is_chosen = true;
    while (is_chosen)
        play_step();
    host_pass(AFTERWARDS_MS);
    _exit(0);
}
