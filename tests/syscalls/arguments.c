/* SPDX-License-Identifier: BSD-2-Clause */
/* Arguments of each kind: what makes sense, what nearly does, and the largest there are. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <netinet/in.h>
#include <unistd.h>

#include "tests/syscalls/calls.h"

#define PAGE 4096ul
#define ARENA (ARENA_PAGES * PAGE)
#define COUNT(a) (sizeof(a) / sizeof *(a))
#define REPEAT_ROOM 64 /* of each kind of structure in the steady part */

/* Where a kind of structure lies in a page of contents that make sense. */
enum place {
    PLACE_IOVEC = 0,
    PLACE_POLL = 1024,
    PLACE_TIME = 1536,
    PLACE_ADDRESS = 1792,
    PLACE_MESSAGE = 2304,
    PLACE_STRINGS = 2560,
    PLACE_EVENT = 2816,
    PLACE_WORD = 2944,
    PLACE_SET = 3072,
    PLACE_ACTION = 3328,
    PLACE_LIMIT = 3456,
    PLACE_PATHS = 3584,
};

static const char *const paths[] = {
    "a",
    "b",
    "folder",
    "folder/c",
    "link",
    "fifo",
    "socket",
    ".",
    "..",
    "folder/../a",
    "none",
    "none/none",
    "/dev/null",
    "/dev/zero",
    "/dev/tty",
    "/proc/self/maps",
    "/proc/self",
    "/proc/stat",
    "/dev/full",
    "/dev/bardo",
    "/proc/bardo/trace",
    "/",
    "",
    "a/",
    "/proc/self/fd/3",
    "/proc/self/exe",
    "loop",
    "user.name",
};

uint64_t chance(struct caller *c) /* splitmix64 */
{
    uint64_t z = c->random += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

static bool one_in(struct caller *c, unsigned n)
{
    return below(c, n) == 0;
}

static long number(struct caller *c)
{
    static const long edges[] = {0,
                                 1,
                                 2,
                                 7,
                                 255,
                                 256,
                                 4095,
                                 4096,
                                 4097,
                                 65535,
                                 65536,
                                 1 << 20,
                                 1 << 30,
                                 INT_MAX,
                                 INT_MIN,
                                 UINT_MAX,
                                 1l << 32,
                                 1l << 40,
                                 -1,
                                 -2,
                                 1l << 46,
                                 1l << 47,
                                 LONG_MAX,
                                 LONG_MIN,
                                 LONG_MAX - 4095,
                                 (1l << 47) - 4096,
                                 -4096};

    return edges[below(c, COUNT(edges))];
}

static long small(struct caller *c)
{
    return one_in(c, 8) ? number(c) : (long)below(c, 40);
}

static long length(struct caller *c)
{
    if (c->largest)
        return c->largest;
    if (c->extreme || one_in(c, 25))
        return number(c);
    return (long)below(c, one_in(c, 3) ? 20000 : 300);
}

static long pages(struct caller *c)
{
    if (c->largest)
        return c->largest & ~4095l;
    if (c->extreme || one_in(c, 25))
        return number(c);
    return (long)(PAGE * below(c, 2 * ARENA_PAGES) + (one_in(c, 6) ? below(c, PAGE) : 0));
}

static long descriptor(struct caller *c)
{
    if (one_in(c, 12))
        return number(c);
    if (one_in(c, 6))
        return 3 + (long)below(c, 60); /* what earlier calls have opened; never 0 to 2 */
    return c->fd_count ? c->fds[below(c, (uint64_t)c->fd_count)] : -1;
}

/* Somewhere in the arena, the steady part, just at its end, or nowhere. */
static long address(struct caller *c)
{
    switch (below(c, 12)) {
    case 0:
        return number(c);
    case 1:
        return (long)(c->steady + PAGE - below(c, 64));
    case 2:
        return (long)(c->arena + ARENA - below(c, 64));
    case 3:
        return (long)(uintptr_t)call_choose; /* text: may not be written */
    case 4:
    case 5:
        return (long)(c->steady + below(c, PAGE));
    case 6:
        return (long)(c->arena + PAGE * below(c, ARENA_PAGES) - below(c, 16));
    default:
        return (long)(c->arena + below(c, ARENA));
    }
}

/* A structure: whole, in memory that others change meanwhile, or anywhere. */
static long structure(struct caller *c, enum place place)
{
    if (one_in(c, 6))
        return address(c);
    if (one_in(c, 4))
        return (long)(c->arena + PAGE * below(c, ARENA_PAGES) + place);
    return (long)(c->steady + place);
}

static long path(struct caller *c)
{
    char *p = c->steady + PAGE + 512 * below(c, 4);

    if (one_in(c, 10))
        return address(c);
    if (c->extreme && one_in(c, 3))
        return (long)(c->steady + 2 * PAGE); /* long, and without an end for a while */
    strcpy(p, paths[below(c, COUNT(paths))]);
    if (one_in(c, 12))
        strcat(p, "/x");
    return (long)p;
}

static long process(struct caller *c)
{
    static const long strange[] = {1, 2, 5, 99999, INT_MAX, INT_MIN, LONG_MAX};

    switch (below(c, 5)) {
    case 0:
        return 0;
    case 1:
        return c->child;
    case 2:
        return c->root ? 99999 : strange[below(c, COUNT(strange))];
    case 3:
        return c->root ? 0 : -1;
    default:
        return getpid();
    }
}

static long flags(struct caller *c)
{
    if (one_in(c, 3))
        return (long)(1u << below(c, 32) | 1u << below(c, 32));
    return one_in(c, 2) ? small(c) : (long)(uint32_t)chance(c);
}

/* Not for ever, mostly. */
static long milliseconds(struct caller *c)
{
    return one_in(c, 12) ? number(c) : (long)below(c, 3);
}

static long pointer(struct caller *c, char kind)
{
    switch (kind) {
    case 'v':
        return structure(c, PLACE_IOVEC);
    case 'p':
        return structure(c, PLACE_POLL);
    case 'S':
        return one_in(c, 2) ? structure(c, PLACE_SET) : 0;
    case 't':
        return structure(c, PLACE_TIME);
    case 'I':
        return structure(c, PLACE_TIME);
    case 'A':
        return structure(c, PLACE_ADDRESS) + 128 * (long)below(c, 4);
    case 'l':
        return structure(c, PLACE_WORD);
    case 'M':
        return structure(c, PLACE_MESSAGE);
    case 'V':
        return structure(c, PLACE_STRINGS);
    case 'e':
        return structure(c, PLACE_EVENT);
    case 'F':
        return structure(c, PLACE_WORD);
    case 'x':
        return structure(c, PLACE_SET);
    case 'X':
        return structure(c, PLACE_ACTION);
    case 'r':
        return structure(c, PLACE_LIMIT);
    default:
        return (long)chance(c);
    }
}

static long argument(struct caller *c, char kind)
{
    switch (kind) {
    case 'f':
        return descriptor(c);
    case 'D':
        return one_in(c, 2) ? AT_FDCWD : descriptor(c);
    case 's':
        return path(c);
    case 'b':
        return address(c);
    case 'n':
    case 'o':
        return length(c);
    case 'c':
    case 'k':
    case 'm':
        if (c->largest)
            return c->largest;
        return c->extreme ? number(c) : small(c);
    case 'q':
        return small(c);
    case 'i':
        return flags(c);
    case 'a':
        return address(c) & (one_in(c, 6) ? ~0l : ~4095l);
    case 'z':
        return pages(c);
    case 'T':
        return milliseconds(c);
    case 'g':
        return one_in(c, 6) ? number(c) : (long)below(c, 66);
    case 'P':
        return process(c);
    case 'L':
        if (one_in(c, 6))
            return number(c);
        return one_in(c, 2) ? 16 : 110;
    case 'u':
        if (one_in(c, 3))
            return -1;
        return c->root ? 0 : (long)below(c, 2000);
    default:
        return pointer(c, kind);
    }
}

void caller_fill(struct caller *c, char *place)
{
    struct iovec *iov = (void *)(place + PLACE_IOVEC);
    struct pollfd {
        int fd;
        short events, revents;
    } *poll = (void *)(place + PLACE_POLL);
    struct msghdr *message = (void *)(place + PLACE_MESSAGE);
    struct sockaddr *a = (void *)(place + PLACE_ADDRESS);
    struct sockaddr_in *inet = (void *)(place + PLACE_ADDRESS + 128);
    long *times = (long *)(place + PLACE_TIME), *limits = (long *)(place + PLACE_LIMIT);
    char **strings = (char **)(place + PLACE_STRINGS);

    for (int i = 0; i < REPEAT_ROOM; i++) {
        iov[i] = (struct iovec){(void *)address(c), (size_t)length(c)};
        poll[i].fd = (int)descriptor(c);
        poll[i].events = (short)chance(c);
    }
    for (int i = 0; i < 4; i++)
        times[i] = i & 1 ? (long)below(c, 2000000) : 0;
    a->sa_family = AF_UNIX;
    strcpy(a->sa_data, one_in(c, 2) ? "socket" : "other");
    *inet = (struct sockaddr_in){.sin_family = AF_INET,
                                 .sin_port = htons(4000 + below(c, 4)),
                                 .sin_addr = {htonl(INADDR_LOOPBACK)}};
    memset(place + PLACE_ADDRESS + 256, 'x', 200);
    *message = (struct msghdr){.msg_iov = iov,
                               .msg_iovlen = below(c, 20),
                               .msg_name = a,
                               .msg_namelen = one_in(c, 2) ? 0 : 20,
                               .msg_control = place + PLACE_PATHS,
                               .msg_controllen = below(c, 200)};
    for (int i = 0; i < 8; i++)
        strings[i] = (char *)address(c);
    strings[8] = NULL;
    for (int i = 0; i < 3; i++)
        strings[i] = place + PLACE_PATHS;
    ((struct epoll_event *)(place + PLACE_EVENT))->events = (uint32_t)chance(c);
    for (int i = 0; i < 16; i++)
        ((uint32_t *)(place + PLACE_WORD))[i] = (uint32_t)below(c, 200);
    for (int i = 0; i < 32; i++)
        ((uint64_t *)(place + PLACE_SET))[i] = one_in(c, 2) ? chance(c) & chance(c) : 0;
    for (int i = 0; i < 4; i++)
        ((long *)(place + PLACE_ACTION))[i] = i == 0 ? (long)below(c, 2) : (long)below(c, 64);
    for (int i = 0; i < 4; i++)
        limits[i] = one_in(c, 2) ? 40 + (long)below(c, 100) : number(c);
    memset(place + PLACE_PATHS, 0, 512);
    strcpy(place + PLACE_PATHS, paths[below(c, COUNT(paths))]);
    *(struct cmsghdr *)(place + PLACE_PATHS + 32) =
        (struct cmsghdr){CMSG_LEN(8), SOL_SOCKET, SCM_RIGHTS};
    *(int *)(place + PLACE_PATHS + 48) = (int)descriptor(c);
    if (one_in(c, 2)) {
        message->msg_control = place + PLACE_PATHS + 32;
        message->msg_controllen = CMSG_SPACE(8);
    }
}

static void keep(struct caller *c, int fd)
{
    if (fd >= 0 && c->fd_count < FDS_MAX)
        c->fds[c->fd_count++] = fd;
}

void caller_open(struct caller *c)
{
    static const char *const devices[] = {"/dev/null",         "/dev/zero", "/dev/urandom",
                                          "/proc/self/status", "/proc",     "folder"};
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof here;
    int pair[2], fd, nonblocking = one_in(c, 4) ? 0 : SOCK_NONBLOCK;

    mkdir("folder", 0777);
    mkfifo("fifo", 0666);
    if (symlink("a", "link") == 0 && symlink("loop", "loop") == 0)
        keep(c, open("folder/c", O_RDWR | O_CREAT, 0644));
    keep(c, open("a", O_RDWR | O_CREAT, 0644));
    keep(c, open("b", O_RDWR | O_CREAT | O_APPEND, 0644));
    keep(c, open("fifo", O_RDWR | O_NONBLOCK));
    for (size_t i = 0; i < COUNT(devices); i++)
        keep(c, open(devices[i], O_RDONLY));
    if (pipe2(pair, one_in(c, 4) ? 0 : O_NONBLOCK) == 0) {
        keep(c, pair[0]);
        keep(c, pair[1]);
    }
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++)
        if (socketpair(AF_UNIX, type | nonblocking, 0, pair) == 0) {
            keep(c, pair[0]);
            keep(c, pair[1]);
        }
    keep(c, socket(AF_UNIX, SOCK_STREAM | nonblocking, 0));
    keep(c, socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    fd = socket(AF_INET, SOCK_STREAM | nonblocking, 0);
    keep(c, fd);
    if (listen(fd, 3) == 0 && getsockname(fd, (struct sockaddr *)&here, &size) == 0) {
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        keep(c, pair[0] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
        (void)connect(pair[0], (struct sockaddr *)&here, sizeof here);
    }
    fd = epoll_create1(0);
    keep(c, fd);
    epoll_ctl(fd, EPOLL_CTL_ADD, pair[0], &(struct epoll_event){.events = EPOLLIN});
    keep(c, eventfd(1, EFD_NONBLOCK));
}

int call_choose(struct caller *c)
{
    int n;

    if (one_in(c, 200))
        return (int)below(c, CALLS_MAX);
    do
        n = (int)below(c, CALLS_MAX);
    while (!call_kinds[n].kinds);
    return n;
}

void call_arguments(struct caller *c, int n, long *arguments)
{
    const char *kinds = n < CALLS_MAX && call_kinds[n].kinds ? call_kinds[n].kinds : "ibnbnb";
    size_t given = strlen(kinds);

    for (size_t i = 0; i < 6; i++)
        arguments[i] = i < given ? argument(c, kinds[i]) : (long)chance(c);
}

bool call_forks(int n)
{
    return n == SYS_fork || n == SYS_vfork || n == SYS_clone || n == SYS_execve || n == SYS_exit ||
           n == SYS_exit_group || n == SYS_rt_sigreturn;
}

/* What would end the test, and not because something is wrong. */
bool call_never(const struct caller *c, int n, const long *a)
{
    bool others = (int)a[0] == -1 || (int)a[0] == INT_MIN || ((int)a[0] > 0 && (int)a[0] < 20);

    if (!c->root)
        return false;
    if (n == SYS_kill || n == SYS_tkill || n == SYS_tgkill)
        return others || (int)a[0] < 0;
    return n == SYS_reboot || n == SYS_setrlimit || n == SYS_prlimit64 || n == SYS_settimeofday ||
           n == SYS_clock_settime;
}

long call_raw(int n, const long *a)
{
    register long r10 __asm__("r10") = a[3];
    register long r8 __asm__("r8") = a[4];
    register long r9 __asm__("r9") = a[5];
    long result;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"((long)n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}
