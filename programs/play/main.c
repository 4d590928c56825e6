/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/play/play.h"

static const char usage[] =
    "usage: play [-q] [-d DEVICE] [-w SECONDS] FILE...\n"
    "\n"
    "Plays WAV files: PCM of 8 or 16 bits, mono or stereo, 4000 to 48000 Hz. FILE -: standard "
    "input.\n"
    "  -q  say nothing but errors\n"
    "  -d  the sound device (/dev/dsp)\n"
    "  -w  how long the device may be away, when its driver has failed, before it is an error "
    "(10)\n"
    "\n"
    "Status 0: all was played. 1: not all, and why. 2: wrong words.\n"
    "A driver or server that dies and comes back is waited for: what was not played yet is played\n"
    "then, and nothing is repeated.\n";

static struct device device = {.name = "/dev/dsp", .patience = 10};
static uint8_t piece[16384];

_Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "play: %s: %s\n", what, why);
    exit(1);
}

static void stop(int number)
{
    device_stop(&device);
    signal(number, SIG_DFL);
    raise(number);
}

/* Whole frames, as many as fit and are there; `done`: bytes so far. */
static size_t read_piece(int fd, const char *name, const struct wav *wav, uint64_t done)
{
    size_t frame = wav->channels * wav->bits / 8;
    uint64_t left = wav->bytes - done;
    ptrdiff_t n = read_all(fd, piece, left < sizeof piece ? (size_t)left : sizeof piece);

    if (n < 0)
        fail(name, strerror(errno));
    return (size_t)n - (size_t)n % frame;
}

/* What is there of a file that ends early is played to its end, and then said to be too little; a
 * size that the header does not know cannot be missed. */
static bool play(const char *name, bool quiet)
{
    const char *shown = strcmp(name, "-") == 0 ? "standard input" : name;
    int fd = strcmp(name, "-") == 0 ? STDIN_FILENO : open(name, O_RDONLY | O_CLOEXEC);
    const char *why = fd < 0 ? strerror(errno) : NULL;
    struct wav wav;
    uint64_t done = 0;
    size_t n;

    if (!why)
        why = wav_begin(fd, &wav);
    if (why) {
        fprintf(stderr, "play: %s: %s\n", shown, why);
        if (fd > STDIN_FILENO)
            close(fd);
        return false;
    }
    device_set(&device, shown, &wav);
    if (!quiet)
        printf("%s: %u Hz, %u bits, %s\n", shown, wav.rate, wav.bits,
               wav.channels == 2 ? "stereo" : "mono");
    fflush(stdout);
    while ((n = read_piece(fd, shown, &wav, done)) != 0) {
        device_play(&device, piece, n);
        done += n;
    }
    device_finish(&device);
    if (fd > STDIN_FILENO)
        close(fd);
    if (wav.bytes != UINT64_MAX && done + wav.channels * wav.bits / 8 <= wav.bytes) {
        fprintf(stderr, "play: %s: the file ends early: %llu of %llu bytes of sound are there\n",
                shown, (unsigned long long)done, (unsigned long long)wav.bytes);
        return false;
    }
    return true;
}

/* 1 to 3600; else the usage. */
static unsigned seconds_of(const char *text)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || value > 3600) {
        fprintf(stderr, "play: -w %s: not a number of seconds up to 3600\n", text);
        exit(2);
    }
    return (unsigned)value;
}

int main(int argc, char **argv)
{
    bool quiet = false, good = true;
    int option;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "qd:w:")) != -1) {
        if (option == 'q')
            quiet = true;
        else if (option == 'd')
            device.name = optarg;
        else if (option == 'w')
            device.patience = seconds_of(optarg);
        else
            break;
    }
    if (option != -1 || optind == argc) {
        fputs(usage, stderr);
        return 2;
    }
    device_open(&device);
    signal(SIGINT, stop);
    signal(SIGTERM, stop);
    for (; optind < argc; optind++)
        good &= play(argv[optind], quiet);
    if (device.interruptions && !quiet)
        printf("interrupted %u times, and gone on with\n", device.interruptions);
    close(device.fd);
    return good ? 0 : 1;
}
