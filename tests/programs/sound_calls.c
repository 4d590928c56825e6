/* SPDX-License-Identifier: BSD-2-Clause */
/* What OSS has for players, on /dev/dsp and /dev/mixer: what comes of each is printed, errors as -errno. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../../abi/sound.h"

/* Of Linux, and not here. */
#define GETISPACE 0x8010500du
#define SETDUPLEX 0x5016u
#define SETSYNCRO 0x5015u
#define AC3 0x400
#define READ_CD 8

static int fd;
static char sound[400000];

static long outcome(long result)
{
    return result < 0 ? -errno : result;
}

static long call(unsigned request, long argument)
{
    int value = (int)argument;
    long result = outcome(ioctl(fd, (int)request, &value));

    return result < 0 ? result : value;
}

static long plain(unsigned request)
{
    return outcome(ioctl(fd, (int)request, NULL));
}

static struct dsp_space space(void)
{
    struct dsp_space info = {0};

    if (ioctl(fd, (int)DSP_GETOSPACE, &info) < 0)
        info.bytes = -errno;
    return info;
}

/* One after the other, which the arguments of a call are not. */
#define SHOW(value) printf(" %ld", (long)(value))

static void show_settings(const char *what)
{
    struct dsp_space s = space();

    printf("%s:", what);
    SHOW(call(DSP_READ_RATE, 0));
    SHOW(call(DSP_READ_BITS, 0));
    SHOW(call(DSP_READ_CHANNELS, 0));
    printf("; %d of %d fragments of %d, %d bytes\n", s.fragments, s.fragments_total,
           s.fragment_size, s.bytes);
}

static void settings(void)
{
    show_settings("opened");
    printf("formats");
    SHOW(call(DSP_SETFMT, DSP_QUERY));
    SHOW(call(DSP_SETFMT, DSP_S16_LE));
    SHOW(call(DSP_SETFMT, AC3));
    SHOW(call(DSP_GETFMTS, 0));
    printf("\nchannels");
    SHOW(call(DSP_STEREO, 1));
    SHOW(call(DSP_CHANNELS, 1));
    SHOW(call(DSP_CHANNELS, -1));
    SHOW(call(DSP_CHANNELS, 6));
    printf("\nrates");
    SHOW(call(DSP_SPEED, 96000));
    SHOW(call(DSP_SPEED, 5));
    SHOW(call(DSP_SPEED, 44100));
    SHOW(call(DSP_SPEED, 0));
    printf("\n");
    show_settings("set");
    printf("fragments");
    SHOW(call(DSP_SETFRAGMENT, 3));
    SHOW(call(DSP_SETFRAGMENT, 8 << 16 | 12));
    SHOW(call(DSP_GETBLKSIZE, 0));
    printf("\n");
    show_settings("fragments");
    printf("subdivided");
    SHOW(call(DSP_SUBDIVIDE, 3));
    SHOW(call(DSP_SUBDIVIDE, 2));
    printf("\n");
    show_settings("subdivided");
    printf("caps %#lx version %#lx\n", call(DSP_GETCAPS, 0), call(SOUND_GET_VERSION, 0));
}

static void refusals(void)
{
    printf("refused");
    SHOW(call(GETISPACE, 0));
    SHOW(plain(SETDUPLEX));
    SHOW(call(SETSYNCRO, 0));
    SHOW(plain(0x5401));
    SHOW(outcome(read(fd, sound, 1)));
    SHOW(mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    printf("\nfaults");
    SHOW(outcome(ioctl(fd, (int)DSP_SPEED, 1)));
    SHOW(outcome(ioctl(fd, (int)DSP_GETOSPACE, 1)));
    SHOW(outcome(write(fd, (void *)1, 4)));
    printf("\n");
}

/* 100 ms of it, in pieces; the card stands still until it is let go. */
static void playing(void)
{
    struct iovec pieces[] = {{sound, 3}, {sound + 3, 17637}};
    struct dsp_position at;
    int trigger = 0, before = space().bytes;

    ioctl(fd, (int)DSP_SETTRIGGER, &trigger);
    printf("written");
    SHOW(outcome(write(fd, sound, 1)));
    SHOW(outcome(write(fd, sound, 3)));
    SHOW(outcome(writev(fd, pieces, 2)));
    printf("\ndelay");
    SHOW(call(DSP_GETODELAY, 0));
    SHOW(before - space().bytes);
    SHOW(call(DSP_GETTRIGGER, 0));
    usleep(200000);
    SHOW(call(DSP_GETODELAY, 0));
    trigger = DSP_TRIGGER_OUTPUT;
    ioctl(fd, (int)DSP_SETTRIGGER, &trigger);
    printf("\nsync");
    SHOW(plain(DSP_SYNC));
    for (int i = 0; i < 2; i++) {
        ioctl(fd, (int)DSP_GETOPTR, &at);
        printf("; played %d blocks %d at %d", at.bytes, at.blocks, at.offset);
    }
    printf("\nreset");
    SHOW(plain(DSP_RESET));
    ioctl(fd, (int)DSP_GETOPTR, &at);
    SHOW(at.bytes);
    printf("\n");
}

static void nonblocking(void)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    long size = space().bytes, n;

    printf("ready");
    SHOW(poll(&p, 1, 0) == 1 && p.revents == POLLOUT);
    SHOW(plain(DSP_NONBLOCK));
    n = outcome(write(fd, sound, sizeof sound));
    SHOW(n >= size && n < size * 2);
    do
        n = outcome(write(fd, sound, sizeof sound));
    while (n > 0);
    SHOW(n);
    SHOW(poll(&p, 1, 5000));
    SHOW(write(fd, sound, 2048) == 2048);
    SHOW(plain(DSP_RESET));
    SHOW(space().bytes == size);
    printf("\n");
}

static void mixer(void)
{
    struct sound_mixer_info info;
    int other = open("/dev/mixer", O_RDWR);

    printf("mixer by dsp %#lx\n", call(MIXER_GET(MIXER_DEVICES), 0));
    close(fd);
    fd = other;
    printf("masks");
    SHOW(call(MIXER_GET(MIXER_DEVICES), 0));
    SHOW(call(MIXER_GET(MIXER_STEREO_DEVICES), 0));
    SHOW(call(MIXER_GET(MIXER_RECORD_MASK), 1));
    SHOW(call(MIXER_GET(MIXER_RECORD_SOURCE), 1));
    SHOW(call(MIXER_GET(MIXER_CAPABILITIES), 1));
    printf("\nvolume");
    SHOW(call(MIXER_SET(MIXER_VOLUME), 0x1ff30));
    SHOW(call(MIXER_GET(MIXER_VOLUME), 0));
    SHOW(call(MIXER_GET(MIXER_PCM), 0));
    SHOW(call(MIXER_SET(MIXER_VOLUME), 0x6464));
    printf("\nrefused");
    SHOW(call(MIXER_GET(READ_CD), 0));
    SHOW(call(DSP_SPEED, 8000));
    SHOW(outcome(write(fd, sound, 1)));
    SHOW(outcome(ioctl(fd, (int)MIXER_ABOUT, &info)));
    printf(" %s\n", info.name);
}

int main(void)
{
    fd = open("/dev/dsp", O_WRONLY);
    printf("opened %d", fd >= 0);
    SHOW(outcome(open("/dev/dsp", O_WRONLY)));
    SHOW(outcome(open("/dev/dsp", O_RDONLY)));
    printf("\n");
    settings();
    refusals();
    playing();
    nonblocking();
    mixer();
    return 0;
}
