/* SPDX-License-Identifier: BSD-2-Clause */
/* mixer: volumes of the sound card. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "abi/sound.h"

static const char usage[] =
    "usage: mixer [vol|pcm [LEVEL[:RIGHT]]]\n"
    "\n"
    "Shows the volumes, or sets one. LEVEL: 0 (silence) to 100, of the right side too if RIGHT is "
    "not\n"
    "given.\n"
    "  vol  of the sound card\n"
    "  pcm  of what programs write to /dev/dsp, from then on\n";

static const struct {
    const char *name;
    unsigned device;
} controls[] = {{"vol", MIXER_VOLUME}, {"pcm", MIXER_PCM}};
enum { CONTROLS = sizeof controls / sizeof *controls };

static _Noreturn void refuse(void)
{
    fputs(usage, stderr);
    exit(2);
}

static _Noreturn void fail(void)
{
    bool absent = errno == ENODEV || errno == ENXIO;

    fprintf(stderr, "mixer: /dev/mixer: %s\n", absent ? "there is no sound card" : strerror(errno));
    exit(1);
}

/* Up to `end`; 0 to 100. */
static int level_of(const char *text, char end)
{
    char *rest;
    long value = strtol(text, &rest, 10);

    if (*text < '0' || *text > '9' || *rest != end || value > 100)
        refuse();
    return (int)value;
}

static int levels_of(const char *text)
{
    const char *colon = strchr(text, ':');
    int left = level_of(text, colon ? ':' : 0), right = colon ? level_of(colon + 1, 0) : left;

    return left | right << 8;
}

static void show(int fd, int i)
{
    int levels;

    if (ioctl(fd, (int)MIXER_GET(controls[i].device), &levels) < 0)
        fail();
    printf("%s %d:%d\n", controls[i].name, levels & 0xff, levels >> 8 & 0xff);
}

int main(int argc, char **argv)
{
    int fd, which = -1, levels = 0;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    for (int i = 0; i < CONTROLS && argc > 1; i++)
        if (strcmp(argv[1], controls[i].name) == 0)
            which = i;
    if (argc > 3 || (argc > 1 && which < 0))
        refuse();
    if (argc == 3)
        levels = levels_of(argv[2]);
    fd = open("/dev/mixer", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        fail();
    if (argc == 3 && ioctl(fd, (int)MIXER_SET(controls[which].device), &levels) < 0)
        fail();
    for (int i = 0; i < CONTROLS && argc != 3; i++)
        if (which < 0 || which == i)
            show(fd, i);
    close(fd);
    return 0;
}
