/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service top: the services on a full screen, again each second: on a serial terminal, or on the
 * console of a VGA. Only lines that have changed are written. When its output is no terminal it
 * writes the table once for each look, as plain text.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "programs/service/service.h"
#include "programs/service/top.h"

#define EVERY_MS 1000
#define HEAD 3 /* lines above those of the services */
#define WIDTH 80 /* of a terminal that does not say how large it is */
#define HEIGHT 24
#define HEIGHT_MAX 100
#define WIDTH_MAX 200

static struct termios before;
static bool is_terminal;
static volatile sig_atomic_t is_over, is_resized;
static unsigned width = WIDTH, height = HEIGHT;
static char shown[HEIGHT_MAX][WIDTH_MAX + 1]; /* as the screen has it; "\1": nobody knows */
static struct top top = {.key = 'c'};

/* ---- the terminal ---- */

static void note_signal(int signal)
{
    if (signal == SIGWINCH)
        is_resized = 1;
    else
        is_over = 1;
}

static void forget_screen(void)
{
    for (unsigned y = 0; y < HEIGHT_MAX; y++)
        strcpy(shown[y], "\1");
    fputs("\033[2J", stdout);
}

static void take_size(void)
{
    struct winsize size;

    width = WIDTH;
    height = HEIGHT;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 && size.ws_row > HEAD) {
        width = size.ws_col < WIDTH_MAX ? size.ws_col : WIDTH_MAX;
        height = size.ws_row < HEIGHT_MAX ? size.ws_row : HEIGHT_MAX;
    }
    is_resized = 0;
}

static bool begin_terminal(void)
{
    struct sigaction act = {.sa_handler = note_signal};
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &before) != 0)
        return false;
    raw = before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    sigaction(SIGHUP, &act, NULL);
    sigaction(SIGWINCH, &act, NULL);
    tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    fputs("\033[?25l", stdout); /* no cursor */
    take_size();
    forget_screen();
    return true;
}

static void end_terminal(void)
{
    printf("\033[0m\033[%u;1H\n\033[?25h", height);
    fflush(stdout);
    tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

/* Without the last place of a line: behind that one terminals differ. */
static void put_line(unsigned y, const char *text, bool is_reverse)
{
    char line[WIDTH_MAX + 1];

    snprintf(line, width < sizeof line ? width : sizeof line, "%-*s", is_reverse ? (int)width : 0,
             text);
    if (!is_terminal)
        puts(text);
    if (!is_terminal || y >= height || strcmp(shown[y], line) == 0)
        return;
    strcpy(shown[y], line);
    printf("\033[%u;1H%s%s%s\033[K", y + 1, is_reverse ? "\033[7m" : "", line,
           is_reverse ? "\033[0m" : "");
}

/* ---- what is shown ---- */

static void show(void)
{
    char line[WIDTH_MAX + 1];
    unsigned room = is_terminal ? height - HEAD : TOP_MAX, y = 0;

    top_prepare(&top, room);
    top_summary(line, sizeof line);
    put_line(y++, line, false);
    if (is_terminal)
        put_line(y++,
                 "n)ame s)tate p)id r)estarts d)efect c)pu m)emory x) messages  a)ll  j k  q)uit",
                 false);
    top_header(&top, line, sizeof line);
    put_line(y++, line, true);
    for (unsigned i = 0; i < room && top.first + i < top.count; i++) {
        top_line(top.first + i, line, sizeof line);
        put_line(y++, line, false);
    }
    while (is_terminal && y < height)
        put_line(y++, "", false);
    fflush(stdout);
}

/* ---- keys ---- */

static void scroll(long by)
{
    unsigned room = height - HEAD;
    long first;

    top_prepare(&top, room);
    first = (long)top.first + by;
    top.first = first > 0 ? (unsigned)first : 0;
    top_prepare(&top, room); /* not beyond the end */
}

/* How many bytes a key is that means nothing here and begins with an escape: up to its last one,
 * a letter or '~', and no key that follows. */
static size_t length_unknown(const char *keys, size_t n)
{
    size_t at = 1;

    while (at < n && (keys[at] == '[' || keys[at] == 'O')) /* the console's F1 to F5 have two */
        at++;
    if (at == 1)
        return 1; /* the key Escape itself */
    while (at < n && keys[at] >= ' ' && keys[at] < '@')
        at++;
    return at < n ? at + 1 : n;
}

/* The first of the keys, which may be more than one byte; how many it was. */
static size_t take_key(const char *keys, size_t n)
{
    long page = (long)(height - HEAD);
    const struct {
        const char *keys;
        long by; /* lines */
    } scrolls[] = {{"\033[A", -1}, {"\033[B", 1}, {"\033[5~", -page}, {"\033[6~", page},
                   {"k", -1},      {"j", 1},      {"-", -page},       {" ", page}};

    for (unsigned i = 0; i < sizeof scrolls / sizeof *scrolls; i++) {
        size_t length = strlen(scrolls[i].keys);

        if (n >= length && memcmp(keys, scrolls[i].keys, length) == 0) {
            scroll(scrolls[i].by);
            return length;
        }
    }
    if (*keys == '\033')
        return length_unknown(keys, n);
    if (*keys == 'q')
        is_over = 1;
    else if (*keys == 'a')
        top.has_all = !top.has_all;
    else if (*keys == '\f')
        is_resized = 1;
    else
        top_sort_by(&top, *keys);
    return 1;
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Until then, keys are taken as they come. */
static void wait_until(long end)
{
    while (!is_over) {
        struct pollfd in = {.fd = is_terminal ? STDIN_FILENO : -1, .events = POLLIN};
        long left = end - now_ms();
        char keys[16];
        ssize_t n;

        if (is_resized) {
            take_size();
            forget_screen();
            show();
        }
        if (left <= 0)
            return;
        if (poll(&in, 1, (int)left) <= 0 || !in.revents)
            continue;
        n = read(STDIN_FILENO, keys, sizeof keys);
        if (n <= 0 && !(n < 0 && errno == EINTR))
            is_over = 1; /* nobody is there any more */
        if (n > 0) {
            for (size_t at = 0; at < (size_t)n;)
                at += take_key(keys + at, (size_t)n - at);
            show();
        }
    }
}

int show_top(long every_ms, long count)
{
    long next = now_ms(), every = every_ms ? every_ms : EVERY_MS;

    is_terminal = isatty(STDOUT_FILENO) && isatty(STDIN_FILENO);
    if (is_terminal && !begin_terminal())
        return EXIT_ERROR;
    for (long n = 0; !is_over && (count == 0 || n < count); n++) {
        if (n)
            wait_until(next += every);
        if (is_over)
            break;
        if (top_look())
            show();
        if (!is_terminal && ferror(stdout))
            return EXIT_ERROR;
    }
    if (is_terminal)
        end_terminal();
    return EXIT_OK;
}
