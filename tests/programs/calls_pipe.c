/* SPDX-License-Identifier: BSD-2-Clause */
/* pipe(7): broken pipes, what does not wait, what comes in one piece. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <sys/socket.h>

#include "cases.h"

static char bytes[1 << 17];

static void reads_and_writes(void)
{
    int p[2], n = -1;
    struct stat s;

    CHECK(pipe(p) == 0);
    CHECK(write(p[1], "hello", 5) == 5 && write(p[1], "", 0) == 0 && write(p[1], " you", 4) == 4);
    CHECK(ioctl(p[0], FIONREAD, &n) == 0 && n == 9);
    CHECK(read(p[0], bytes, 3) == 3 && memcmp(bytes, "hel", 3) == 0);
    CHECK(read(p[0], bytes, sizeof bytes) == 6 && memcmp(bytes, "lo you", 6) == 0);
    FAILS(lseek(p[0], 0, SEEK_SET), ESPIPE);
    FAILS(pread(p[0], bytes, 1, 0), ESPIPE);
    FAILS(pwrite(p[1], bytes, 1, 0), ESPIPE);
    FAILS(read(p[1], bytes, 1), EBADF);
    FAILS(write(p[0], bytes, 1), EBADF);
    FAILS(ftruncate(p[1], 0), EINVAL);
    FAILS(fsync(p[1]), EINVAL);
    CHECK(fstat(p[0], &s) == 0 && S_ISFIFO(s.st_mode));
    CHECK(write(p[1], "rest", 4) == 4 && close(p[1]) == 0);
    CHECK(read(p[0], bytes, sizeof bytes) == 4 && read(p[0], bytes, sizeof bytes) == 0);
}

/* Nothing is wanted: there is nothing to wait for. */
static void reads_nothing(void)
{
    int p[2], q[2];
    struct iovec parts[2] = {{bytes, 0}, {bytes, 0}};

    CHECK(pipe(p) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, q) == 0);
    CHECK(read(p[0], bytes, 0) == 0 && readv(p[0], parts, 2) == 0 && readv(p[0], NULL, 0) == 0);
    CHECK(read(q[0], bytes, 0) == 0);
}

static void bad_addresses(void)
{
    int p[2];
    struct iovec parts[2] = {{bytes, 4}, {(void *)16, 4}};

    FAILS(syscall(SYS_pipe2, (void *)16, 0), EFAULT);
    FAILS(pipe2(p, O_APPEND), EINVAL);
    CHECK(pipe(p) == 0 && p[0] == 3 && p[1] == 4); /* what failed has left nothing open */
    FAILS(write(p[1], (void *)16, 10), EFAULT);
    CHECK(write(p[1], "abcd", 4) == 4);
    FAILS(read(p[0], (void *)16, 4), EFAULT);
    FAILS(readv(p[0], parts, -1), EINVAL);
    FAILS(readv(p[0], parts, 1025), EINVAL);
    CHECK(read(p[0], bytes, 10) == 4 && memcmp(bytes, "abcd", 4) == 0);
}

static int signals;

static void note(int signal)
{
    (void)signal;
    signals++;
}

static void is_broken(void)
{
    int p[2], status;
    struct sigaction action = {.sa_handler = note};
    pid_t pid;

    CHECK(pipe(p) == 0);
    CHILD(pid)
    {
        CHECK(close(p[0]) == 0);
        sleep_ms(100);
        (void)!write(p[1], "x", 1);
    }
    CHECK(close(p[0]) == 0);
    CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
    CHECK(sigaction(SIGPIPE, &action, NULL) == 0);
    FAILS(write(p[1], "x", 1), EPIPE);
    CHECK(signals == 1);
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    FAILS(write(p[1], "x", 1), EPIPE);
    CHECK(signals == 1);
}

/* A writer that waits for room when the reader goes. */
static void breaks_while_writing(void)
{
    int p[2];
    pid_t pid;

    CHECK(pipe(p) == 0 && signal(SIGPIPE, note) != SIG_ERR);
    CHILD(pid)
    {
        CHECK(close(p[1]) == 0);
        sleep_ms(100);
    }
    CHECK(close(p[0]) == 0);
    CHECK(write(p[1], bytes, sizeof bytes) == 65536); /* what had been done */
    CHECK(signals == 1 && signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    FAILS(write(p[1], bytes, 1), EPIPE);
    check_child(pid);
}

static void does_not_wait(void)
{
    int p[2];
    ssize_t n, total = 0;

    CHECK(pipe2(p, O_NONBLOCK | O_CLOEXEC) == 0);
    CHECK(fcntl(p[0], F_GETFD) == FD_CLOEXEC &&
          (fcntl(p[1], F_GETFL) & (O_NONBLOCK | O_ACCMODE)) == (O_NONBLOCK | O_WRONLY));
    FAILS(read(p[0], bytes, 1), EAGAIN);
    CHECK(fcntl(p[1], F_GETPIPE_SZ) == 65536);
    errno = 0;
    while ((n = write(p[1], bytes, 3000)) > 0)
        total += n;
    if (errno != EAGAIN)
        check_failed(__FILE__, __LINE__, "EAGAIN");
    CHECK(total >= 16 * 3000 && total <= 65536);
    CHECK(read(p[0], bytes, sizeof bytes) == total);
    CHECK(write(p[1], bytes, sizeof bytes) == 65536);
    FAILS(write(p[1], bytes, 4096), EAGAIN);
    CHECK(read(p[0], bytes, 4096) == 4096);
    CHECK(write(p[1], bytes, 4096) == 4096); /* up to PIPE_BUF: all or nothing */
    CHECK(fcntl(p[0], F_SETFL, 0) == 0 && close(p[1]) == 0);
    CHECK(read(p[0], bytes, sizeof bytes) == 65536 && read(p[0], bytes, 1) == 0);
}

static void other_sizes(void)
{
    int p[2];

    CHECK(pipe2(p, O_NONBLOCK) == 0);
    CHECK(fcntl(p[0], F_SETPIPE_SZ, 5000) == 8192 && fcntl(p[1], F_GETPIPE_SZ) == 8192);
    CHECK(write(p[1], bytes, sizeof bytes) == 8192);
    FAILS(fcntl(p[1], F_SETPIPE_SZ, 4096), EBUSY);
    CHECK(fcntl(p[1], F_SETPIPE_SZ, 16384) == 16384);
    CHECK(write(p[1], bytes, sizeof bytes) == 8192);
    CHECK(read(p[0], bytes, sizeof bytes) == 16384);
}

/* Writers at the same time: up to PIPE_BUF bytes come in one piece. */
static void in_one_piece(void)
{
    enum { WRITERS = 3, TIMES = 30, PIECE = 4000 };
    static char piece[PIECE];
    int p[2], seen[WRITERS] = {0};
    pid_t pids[WRITERS];

    CHECK(pipe(p) == 0);
    for (int i = 0; i < WRITERS; i++)
        CHILD(pids[i])
        {
            memset(piece, 'a' + i, sizeof piece);
            for (int k = 0; k < TIMES; k++)
                CHECK(write(p[1], piece, sizeof piece) == sizeof piece);
        }
    CHECK(close(p[1]) == 0);
    for (;;) {
        size_t have = 0;
        ssize_t n;

        while (have < PIECE && (n = read(p[0], piece + have, PIECE - have)) > 0)
            have += (size_t)n;
        if (have == 0)
            break;
        CHECK(have == PIECE);
        for (size_t i = 1; i < PIECE; i++)
            CHECK(piece[i] == piece[0]);
        seen[piece[0] - 'a']++;
    }
    for (int i = 0; i < WRITERS; i++) {
        check_child(pids[i]);
        CHECK(seen[i] == TIMES);
    }
}

static unsigned next(unsigned *state)
{
    return *state = *state * 1103515245u + 12345u, *state >> 8;
}

/* Much, in odd sizes, against vectors. */
static void much(void)
{
    enum { TOTAL = 3000000 };
    int p[2];
    unsigned in = 1, out = 1, sizes = 5;
    size_t done = 0;
    pid_t pid;

    CHECK(pipe(p) == 0);
    CHILD(pid)
    {
        while (done < TOTAL) {
            size_t n = next(&sizes) % 70000 + 1;

            n = n < TOTAL - done ? n : TOTAL - done;
            for (size_t i = 0; i < n; i++)
                bytes[i] = (char)next(&in);
            CHECK(write(p[1], bytes, n) == (ssize_t)n);
            done += n;
        }
    }
    CHECK(close(p[1]) == 0);
    for (ssize_t n = 1; n > 0; done += (size_t)n) {
        size_t first = next(&sizes) % 20000;
        struct iovec parts[3] = {
            {bytes, first}, {bytes + first, 0}, {bytes + first, next(&sizes) % 30000 + 1}};

        n = readv(p[0], parts, 3);
        CHECK(n >= 0);
        for (ssize_t i = 0; i < n; i++)
            CHECK(bytes[i] == (char)next(&out));
    }
    CHECK(done == TOTAL);
    check_child(pid);
}

static void is_interrupted(void)
{
    int p[2];

    CHECK(pipe(p) == 0);
    interrupt_after(100);
    FAILS(read(p[0], bytes, 1), EINTR);
    interrupt_after(100);
    CHECK(write(p[1], bytes, sizeof bytes) == 65536); /* as much as there was room for */
    interrupt_after(100);
    FAILS(write(p[1], bytes, 1), EINTR);
}

/* With SA_RESTART the call goes on. */
static void is_restarted(void)
{
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART};
    int p[2];
    pid_t pid;

    CHECK(pipe(p) == 0 && sigaction(SIGUSR2, &action, NULL) == 0);
    CHILD(pid)
    {
        sleep_ms(100);
        CHECK(kill(getppid(), SIGUSR2) == 0);
        sleep_ms(100);
        CHECK(write(p[1], "x", 1) == 1);
    }
    CHECK(read(p[0], bytes, 1) == 1 && signals == 1);
    check_child(pid);
}

/* So many that there is no more memory for what waits in them: who is told to come again is not told at
 * the same time that he may write. */
static void all_are_full(void)
{
    enum { PIPES = 400 };
    static int p[PIPES][2];

    for (int n = 0; n < PIPES; n++) {
        if (n % 8)
            CHECK(pipe2(p[n], O_NONBLOCK) == 0);
        else
            CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p[n]) == 0);
        while (write(p[n][1], bytes, sizeof bytes) > 0)
            ;
        FAILS(write(p[n][1], bytes, 1), EAGAIN);
    }
    for (int n = 0; n < PIPES; n++)
        CHECK(ready(p[n][1], POLLOUT) == 0);
    for (int n = 0; n < PIPES; n++) { /* when it has been read there is room again */
        while (read(p[n][0], bytes, sizeof bytes) > 0)
            ;
        CHECK(ready(p[n][1], POLLOUT) == POLLOUT && write(p[n][1], bytes, 4096) == 4096);
    }
}

RUN_CASES({"all are full", all_are_full}, {"reads and writes", reads_and_writes},
          {"reads nothing", reads_nothing}, {"bad addresses", bad_addresses},
          {"is broken", is_broken}, {"breaks while writing", breaks_while_writing},
          {"does not wait", does_not_wait}, {"other sizes", other_sizes},
          {"in one piece", in_one_piece}, {"much", much}, {"is interrupted", is_interrupted},
          {"is restarted", is_restarted})
