/* SPDX-License-Identifier: BSD-2-Clause */
/* What programs ask of VFS: any of its system calls, with arguments that are right, nearly right,
 * or as large as they get. */
#ifndef VFS_PROGRAMS_H
#define VFS_PROGRAMS_H

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "tests/unit/vfs_others.h"

/* Places in a program's memory. */
enum {
    AT_PATHS = MEMORY_AT,
    AT_VECTOR = MEMORY_AT + 0x1000,
    AT_POLL = MEMORY_AT + 0x2000,
    AT_NAME = MEMORY_AT + 0x4000,
    AT_MESSAGE = MEMORY_AT + 0x5000,
    AT_CONTROL = MEMORY_AT + 0x5100,
    AT_TIME = MEMORY_AT + 0x6000,
    AT_MASK = MEMORY_AT + 0x6100,
    AT_LOCK = MEMORY_AT + 0x6200,
    AT_EVENT = MEMORY_AT + 0x6300,
    AT_ARGV = MEMORY_AT + 0x6400,
    AT_BUFFER = MEMORY_AT + 0x8000,
};

/*
 * Arguments, a letter each: f descriptor, d directory descriptor, p path, b buffer, n length,
 * v vector, c its count, P array for poll and select, a name of a socket, l its length, L where
 * that length is, m message, t time, M mask, E event, K lock, o open flags, r small number, R any
 * number, k command of fcntl, e operation of epoll, V argv.
 */
static const struct {
    uint16_t number;
    const char *arguments;
    uint8_t weight;
} system_calls[] = {
    {SYS_open, "por", 30},
    {SYS_openat, "dpor", 20},
    {SYS_creat, "pr", 3},
    {SYS_close, "f", 20},
    {SYS_read, "fbn", 12},
    {SYS_write, "fbn", 12},
    {SYS_pread64, "fbnR", 2},
    {SYS_pwrite64, "fbnR", 2},
    {SYS_readv, "fvc", 6},
    {SYS_writev, "fvc", 6},
    {SYS_preadv, "fvcr", 1},
    {SYS_pwritev, "fvcr", 1},
    {SYS_lseek, "fRr", 3},
    {SYS_ioctl, "frb", 3},
    {SYS_fsync, "f", 1},
    {SYS_fdatasync, "f", 1},
    {SYS_sync, "", 1},
    {SYS_ftruncate, "fR", 1},
    {SYS_truncate, "pR", 1},
    {SYS_fallocate, "frRR", 1},
    {SYS_flock, "fr", 4},
    {SYS_fcntl, "fkK", 12},
    {SYS_dup, "f", 4},
    {SYS_dup2, "ff", 4},
    {SYS_dup3, "ffo", 2},
    {SYS_pipe, "b", 6},
    {SYS_pipe2, "bo", 4},
    {SYS_poll, "Prr", 6},
    {SYS_ppoll, "PrtMr", 3},
    {SYS_select, "rPPPt", 3},
    {SYS_pselect6, "rPPPtM", 2},
    {SYS_epoll_create1, "0", 4},
    {SYS_epoll_ctl, "fefE", 14},
    {SYS_epoll_wait, "fPrr", 6},
    {SYS_epoll_pwait, "fPrrM", 2},
    {SYS_eventfd2, "r0", 2},
    {SYS_socket, "rrr", 12},
    {SYS_socketpair, "1r0b", 8},
    {SYS_bind, "fal", 8},
    {SYS_connect, "fal", 8},
    {SYS_listen, "fr", 6},
    {SYS_accept, "faL", 6},
    {SYS_accept4, "faLr", 2},
    {SYS_getsockname, "faL", 1},
    {SYS_getpeername, "faL", 1},
    {SYS_sendto, "fbnral", 5},
    {SYS_recvfrom, "fbnraL", 5},
    {SYS_sendmsg, "fmr", 10},
    {SYS_recvmsg, "fmr", 10},
    {SYS_shutdown, "fr", 2},
    {SYS_getsockopt, "frrbL", 2},
    {SYS_setsockopt, "frrbr", 2},
    {SYS_sendfile, "ffbn", 1},
    {SYS_stat, "pb", 4},
    {SYS_lstat, "pb", 2},
    {SYS_fstat, "fb", 2},
    {SYS_newfstatat, "dpbr", 2},
    {SYS_statx, "dprrb", 1},
    {SYS_access, "pr", 2},
    {SYS_statfs, "pb", 1},
    {SYS_fstatfs, "fb", 1},
    {SYS_mkdir, "pr", 2},
    {SYS_mknod, "pRR", 1},
    {SYS_unlink, "p", 2},
    {SYS_rmdir, "p", 1},
    {SYS_rename, "pp", 3},
    {SYS_link, "pp", 2},
    {SYS_symlink, "pp", 2},
    {SYS_readlink, "pbn", 2},
    {SYS_chdir, "p", 4},
    {SYS_fchdir, "f", 2},
    {SYS_chroot, "p", 1},
    {SYS_getcwd, "bn", 1},
    {SYS_umask, "r", 1},
    {SYS_getdents64, "fbn", 3},
    {SYS_chmod, "pr", 1},
    {SYS_fchmod, "fr", 1},
    {SYS_chown, "prr", 1},
    {SYS_utimensat, "dptr", 1},
    {SYS_getxattr, "ppbn", 1},
    {SYS_listxattr, "pbn", 1},
    {SYS_fgetxattr, "fpbn", 1},
    {SYS_execve, "pVV", 4},
    {SYS_mount, "pppr", 3},
    {SYS_umount2, "pr", 3},
};

static const char *const paths[] = {
    "/",
    "a",
    "/a/b",
    "/dev/tty",
    "/dev/null",
    "/proc/self/fd/3",
    "x/../y",
    "..",
    ".",
    "",
    "/proc/bardo/control",
    "fifo",
    "../../../../../../..",
    "/dev/sda",
    "ext4",
    "s",
    "/a/",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
};

static void put(struct program *p, uint64_t at, const void *what, size_t length)
{
    memcpy(p->memory + (at - MEMORY_AT), what, length);
}

static uint64_t some_fd(void)
{
    if (percent(3))
        return chance(1u << 20);
    return chance(percent(20) ? 100 : 12);
}

static uint64_t some_length(void)
{
    if (percent(3))
        return chance(1ull << 32) << chance(32);
    return chance(percent(50) ? 64 : 0x7000);
}

static uint64_t put_path(struct program *p)
{
    uint64_t at = AT_PATHS + chance(8) * 0x100;
    const char *path = paths[chance(sizeof paths / sizeof *paths)];

    put(p, at, path, strlen(path) + 1);
    return at;
}

static uint64_t put_vector(struct program *p)
{
    for (unsigned i = 0; i < 64; i++) {
        uint64_t v[2] = {AT_BUFFER + chance(0x4000), some_length() % 0x5000};

        if (percent(3))
            v[0] = chance(1u << 30);
        put(p, AT_VECTOR + i * sizeof v, v, sizeof v);
    }
    return AT_VECTOR;
}

static uint64_t put_poll(struct program *p)
{
    for (unsigned i = 0; i < 32; i++) {
        struct pollfd fd = {(int)some_fd(), (short)chance(0x400), 0};

        put(p, AT_POLL + i * sizeof fd, &fd, sizeof fd);
    }
    return AT_POLL;
}

static uint64_t put_name(struct program *p)
{
    struct sockaddr_un name = {.sun_family = percent(90) ? AF_UNIX : AF_UNSPEC};
    bool is_abstract = percent(60);

    name.sun_path[is_abstract] = (char)('a' + chance(4));
    put(p, AT_NAME, &name, sizeof name);
    return AT_NAME;
}

static uint64_t put_message(struct program *p)
{
    uint64_t count = 1 + chance(4);
    struct msghdr m = {.msg_name = percent(30) ? (void *)put_name(p) : NULL,
                       .msg_namelen = 4,
                       .msg_iov = (void *)put_vector(p),
                       .msg_iovlen = percent(2) ? some_length() : chance(4),
                       .msg_control = percent(70) ? (void *)(uintptr_t)AT_CONTROL : NULL,
                       .msg_controllen = percent(5) ? some_length() : 16 + count * 4};
    struct cmsghdr h = {16 + count * 4, SOL_SOCKET, SCM_RIGHTS};

    put(p, AT_CONTROL, &h, sizeof h);
    for (unsigned i = 0; i < count; i++)
        put(p, AT_CONTROL + 16 + i * 4, &(int){(int)chance(10)}, 4);
    put(p, AT_MESSAGE, &m, sizeof m);
    return AT_MESSAGE;
}

static uint64_t put_time(struct program *p)
{
    uint64_t t[2] = {chance(3), chance(999999)};

    put(p, AT_TIME, t, sizeof t);
    return chance(3) ? AT_TIME : 0;
}

static uint64_t put_event(struct program *p)
{
    static const uint32_t also[] = {0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT};
    struct epoll_event e = {(uint32_t)chance(0x400) | also[chance(4)], {.u64 = chance(100)}};

    put(p, AT_EVENT, &e, sizeof e);
    return AT_EVENT;
}

static uint64_t put_lock(struct program *p)
{
    struct flock l = {.l_type = (short)chance(3),
                      .l_whence = (short)chance(3),
                      .l_start = (off_t)chance(100),
                      .l_len = (off_t)chance(50)};

    put(p, AT_LOCK, &l, sizeof l);
    return percent(80) ? AT_LOCK : chance(3000000);
}

static uint64_t put_arguments(struct program *p)
{
    for (uint64_t i = 0; i < 20; i++)
        put(p, AT_ARGV + i * 8, &(uint64_t){i < 19 && chance(10) ? put_path(p) : 0}, 8);
    return percent(95) ? AT_ARGV : AT_VECTOR;
}

static uint64_t number_for(char letter)
{
    static const uint32_t flags[] = {O_CREAT, O_EXCL,    O_TRUNC,     O_APPEND,  O_NONBLOCK,
                                     O_PATH,  O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW};
    static const uint8_t commands[] = {F_DUPFD,  F_GETFL,     F_SETFL,     F_GETLK,     F_SETLK,
                                       F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW};
    uint64_t open = chance(3);

    switch (letter) {
    case 'o':
        for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
            open |= percent(15) ? flags[i] : 0;
        return open;
    case 'k':
        return percent(10) ? F_SETPIPE_SZ : commands[chance(sizeof commands)];
    case 'e':
        return 1 + (percent(50) ? 0 : chance(3));
    case 'R':
        return percent(50) ? chance(1000) : chance(1ull << 32) << chance(33);
    case 'n':
        return some_length();
    case 'c':
        return percent(3) ? some_length() : chance(65);
    case 'l':
        return percent(80) ? 3 + chance(2) : chance(200);
    case 'r':
        return percent(3) ? some_length() : chance(20);
    default:
        return letter == '1';
    }
}

static uint64_t argument(struct program *p, char letter)
{
    switch (letter) {
    case 'f':
        return some_fd();
    case 'd':
        return percent(60) ? (uint64_t)AT_FDCWD : some_fd();
    case 'p':
        return put_path(p);
    case 'b':
        return percent(95) ? AT_BUFFER + chance(0x1000) : chance(1ull << 32);
    case 'v':
        return put_vector(p);
    case 'P':
        return put_poll(p);
    case 'a':
        return put_name(p);
    case 'L':
        put(p, AT_MASK, &(uint32_t){110}, 4);
        return AT_MASK;
    case 'm':
        return put_message(p);
    case 't':
        return put_time(p);
    case 'M':
        return percent(50) ? AT_MASK : 0;
    case 'E':
        return put_event(p);
    case 'K':
        return put_lock(p);
    case 'V':
        return put_arguments(p);
    default:
        return number_for(letter);
    }
}

static void call_mount(struct program *p)
{
    static const char *const directories[] = {"/a", "/b", "/c", "/a/b"};
    static const char *const types[] = {"ext4", "ext4", "ext4", "dev", "proc"};
    struct message m = {.type = percent(60) ? SYS_mount : SYS_umount2};
    const char *where = directories[chance(4)], *type = types[chance(5)];

    put(p, AT_PATHS, where, strlen(where) + 1);
    put(p, AT_NAME, percent(50) ? "/sda" : "/sdb", 5);
    put(p, AT_BUFFER, type, strlen(type) + 1);
    m.w[0] = m.type == SYS_mount ? AT_NAME : AT_PATHS;
    m.w[1] = m.type == SYS_mount ? AT_PATHS : chance(2) * 2;
    m.w[2] = AT_BUFFER;
    enqueue(p, 0, m);
}

static void call_anything(struct program *p)
{
    unsigned all = 0, at, n = 0;
    struct message m = {0};

    for (unsigned i = 0; i < sizeof system_calls / sizeof *system_calls; i++)
        all += system_calls[i].weight;
    for (at = (unsigned)chance(all); at >= system_calls[n].weight; n++)
        at -= system_calls[n].weight;
    m.type = system_calls[n].number;
    for (unsigned i = 0; system_calls[n].arguments[i]; i++)
        m.w[i] = argument(p, system_calls[n].arguments[i]);
    if (m.type == SYS_socket && percent(60))
        m = (struct message){.type = SYS_socket, .w = {AF_UNIX, 1 + chance(5)}};
    if (percent(2)) {
        m.type = VFS_MMAP;
        enqueue(p, EP_VM,
                (struct message){.type = VFS_MMAP,
                                 .w = {0, 1 + chance(100000), 1, 2 /* MAP_PRIVATE */, some_fd()}});
    } else {
        enqueue(p, 0, m);
    }
}

static void program_call(struct program *p)
{
    p->stat_failed = false;
    if (mounts_only)
        call_mount(p);
    else
        call_anything(p);
}

#endif
