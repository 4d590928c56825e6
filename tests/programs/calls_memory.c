/* SPDX-License-Identifier: BSD-2-Clause */
/* mincore, mremap and shared memory, also of ranges that are too big to be looked at page by page.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>

#include "cases.h"

enum { PAGE = 4096 };
#define MB (1ul << 20)
#define TB (1ul << 40)

static char *map(size_t length, int flags)
{
    char *p =
        mmap(NULL, length, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(p != MAP_FAILED);
    return p;
}

static void residence(void)
{
    char *p = map(64 * PAGE, MAP_PRIVATE);
    unsigned char *there = (unsigned char *)map(PAGE, MAP_PRIVATE);

    p[40 * PAGE] = 1;
    CHECK(mincore(p, 64 * PAGE, there) == 0);
    CHECK((there[40] & 1) == 1 && (there[0] & 1) == 0 && (there[63] & 1) == 0);
    FAILS(mincore(p + 1, PAGE, there), EINVAL);
    CHECK(munmap(p + 8 * PAGE, PAGE) == 0);
    FAILS(mincore(p, 64 * PAGE, there), ENOMEM);
    CHECK(mincore(p + 9 * PAGE, PAGE - 1, there) == 0);
    FAILS(mincore(p, PAGE, (unsigned char *)1), EFAULT);
    FAILS(mincore(p, -1ul, there), ENOMEM);
}

/* The pages arrive, with what was in them, and holes stay holes. */
static void moving(void)
{
    size_t length = 8 * MB;
    char *p = map(length, MAP_PRIVATE), *to = map(2 * length, MAP_PRIVATE), *q;
    pid_t pid;

    for (size_t at = 0; at < length; at += 3 * PAGE)
        p[at] = (char)(at / PAGE + 1);
    to[0] = 77;
    CHILD(pid) /* copy-on-write pages move, too */
    {
        CHECK(mremap(p, length, 2 * length, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
        for (size_t at = 0; at < 2 * length; at += PAGE)
            CHECK(to[at] == (at < length && at / PAGE % 3 == 0 ? (char)(at / PAGE + 1) : 0));
        memset(to, 5, 2 * length);
        CHECK(mmap(p, length, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                   0) == p);
        CHECK(p[3 * PAGE] == 0);
    }
    check_child(pid);
    CHECK(p[0] == 1 && p[3 * PAGE] == 4 && to[0] == 77);
    q = mremap(p, length, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + length);
    CHECK(q == to + length && q[0] == 1);
    CHECK(to[0] == 77 && to[length + PAGE] == 0);
    FAILS((long)mremap(p, PAGE, PAGE, MREMAP_MAYMOVE), EFAULT);
    FAILS((long)mremap(q, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, q + PAGE), EINVAL);
    FAILS((long)mremap(q, PAGE, PAGE, MREMAP_FIXED, to), EINVAL);
    FAILS((long)mremap(q, PAGE, PAGE, 64), EINVAL);
}

/* Terabytes with three pages in them. */
static void empty_space(void)
{
    char *p = map(16 * TB, MAP_PRIVATE), *q;

    p[0] = 1;
    p[5 * TB] = 2;
    p[16 * TB - 1] = 3;
    q = mremap(p, 16 * TB, 17 * TB, MREMAP_MAYMOVE);
    CHECK(q != MAP_FAILED);
    CHECK(q[0] == 1 && q[5 * TB] == 2 && q[16 * TB - 1] == 3 && q[17 * TB - 1] == 0);
    p = map(16 * TB, MAP_PRIVATE);
    p[7 * TB] = 9;
    CHECK(munmap(q, 16 * TB) == 0);
    CHECK(mremap(p, 16 * TB, 16 * TB, MREMAP_MAYMOVE | MREMAP_FIXED, q) == q);
    CHECK(q[7 * TB] == 9 && q[17 * TB - 1] == 0);
    FAILS(mincore(q, 16 * TB, (unsigned char *)PAGE), EFAULT);
}

static void big_residence(void)
{
    char *p = map(64 * 1024 * MB, MAP_PRIVATE);
    unsigned char *there = (unsigned char *)map(16 * MB, MAP_PRIVATE);
    size_t pages = 0;

    p[3 * 1024 * MB] = 1;
    p[64 * 1024 * MB - 1] = 1;
    CHECK(mincore(p, 64 * 1024 * MB, there) == 0);
    for (size_t at = 0; at < 16 * MB; at++)
        pages += there[at] & 1;
    CHECK(there[3 * 1024 * MB / PAGE] & 1 && there[16 * MB - 1] & 1);
    CHECK(pages >= 2 && pages <= 1024); /* the neighbours of a page may come with it */
}

static volatile unsigned long signals;

static void note(int signal)
{
    (void)signal;
    signals++;
}

/* Signals come in the middle; each call is still carried out once. */
static void storm(void)
{
    struct sigaction action = {.sa_handler = note};
    struct itimerval every = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    size_t length = 24 * MB;
    char *p = map(length, MAP_PRIVATE), *before = p;
    unsigned char *there = (unsigned char *)map(length / PAGE, MAP_PRIVATE);

    memset(p, 1, length);
    sigemptyset(&action.sa_mask);
    CHECK(sigaction(SIGALRM, &action, NULL) == 0);
    CHECK(setitimer(ITIMER_REAL, &every, NULL) == 0);
    for (int i = 0; i < 12; i++, before = p) {
        char *to = map(length, MAP_PRIVATE), *shared;

        p = mremap(before, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to);
        CHECK(p == to);
        CHECK(mincore(p, length, there) == 0);
        CHECK(memchr(there, 0, length / PAGE) == NULL && p[0] == 1 && p[length - 1] == 1);
        shared = map(length, MAP_SHARED);
        shared[length - 1] = 1;
        CHECK(munmap(shared, length) == 0);
    }
    while (signals < 5)
        sched_yield();
    CHECK(setitimer(ITIMER_REAL, &off, NULL) == 0);
}

static void shared(void)
{
    size_t length = 12 * MB;
    char *p = map(length, MAP_SHARED);
    pid_t pid;

    CHILD(pid)
    for (size_t at = 0; at < length; at += PAGE)
        p[at] = 5;
    check_child(pid);
    for (size_t at = 0; at < length; at += PAGE)
        CHECK(p[at] == 5);
}

static void limits(void)
{
    struct rlimit small = {64 * MB, 64 * MB};
    pid_t pid;

    CHECK(setrlimit(RLIMIT_AS, &small) == 0);
    map(8 * MB, MAP_PRIVATE);
    FAILS((long)mmap(NULL, 128 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHILD(pid) /* it has the same */
    FAILS((long)mmap(NULL, 60 * MB, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    check_child(pid);
}

/* What is replaced does not count: neither the address space nor the data grows. */
static void limits_of_what_is_replaced(void)
{
    static const int kinds[] = {RLIMIT_AS, RLIMIT_DATA};

    for (unsigned n = 0; n < 2; n++) {
        struct rlimit small = {64 * MB, 64 * MB};
        pid_t pid;

        CHILD(pid)
        {
            int fixed = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
            char *p = map(128 * MB, MAP_PRIVATE);

            CHECK(munmap(p + 40 * MB, 88 * MB) == 0);
            CHECK(setrlimit(kinds[n], &small) == 0);
            p[MB] = 1;
            FAILS((long)mmap(NULL, 30 * MB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                             0),
                  ENOMEM);
            CHECK(mmap(p, 40 * MB, PROT_READ | PROT_WRITE, fixed, -1, 0) == p && p[MB] == 0);
            CHECK(mmap(p + 10 * MB, 40 * MB, PROT_READ | PROT_WRITE, fixed, -1, 0) == p + 10 * MB);
            p[MB] = p[45 * MB] = 1;
            FAILS((long)mmap(p + 40 * MB, 40 * MB, PROT_READ | PROT_WRITE, fixed, -1, 0), ENOMEM);
            CHECK(p[MB] == 1 && p[45 * MB] == 1); /* all is as it was */
        }
        check_child(pid);
    }
}

/* What a program has been told is done must be done; it may be refused. */
static void advice(void)
{
    char *p = map(4 * PAGE, MAP_PRIVATE);
    pid_t pid;

    memset(p, 'a', 4 * PAGE);
    if (madvise(p, PAGE, MADV_WIPEONFORK) == 0) {
        CHILD(pid)
        CHECK(p[0] == 0);
        check_child(pid);
    }
    FAILS(madvise(p, PAGE, 77), EINVAL);
    CHECK(munmap(p + PAGE, PAGE) == 0);
    FAILS(madvise(p, 3 * PAGE, MADV_DONTNEED), ENOMEM); /* what is mapped is done */
    CHECK(p[0] == 0 && p[2 * PAGE] == 0 && p[3 * PAGE] == 'a');
    CHECK(madvise(p, PAGE, MADV_DONTNEED) == 0 && madvise(p, PAGE, MADV_WILLNEED) == 0);
}

static void views_of_a_file(void)
{
    int fd = open("file", O_CREAT | O_EXCL | O_RDWR, 0600), read_only = open("file", O_RDONLY);
    char page[PAGE], *p, *shared, *grown;

    memset(page, 'a', PAGE);
    CHECK(write(fd, page, PAGE) == PAGE);
    memset(page, 'b', PAGE);
    CHECK(write(fd, page, PAGE) == PAGE);
    p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(p != MAP_FAILED && p[0] == 'a' && p[PAGE] == 'b');
    CHECK(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0 && p[0] == 'a' && p[PAGE] == 'b');
    CHECK(mprotect(p, 2 * PAGE, PROT_READ | PROT_WRITE) == 0);
    p[0] = 'c';
    CHECK(madvise(p, 2 * PAGE, MADV_DONTNEED) == 0 ? p[0] == 'a' : p[0] == 'c');
    CHECK(p[PAGE] == 'b');
    shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, read_only, 0);
    CHECK(shared != MAP_FAILED && shared[0] == 'a');
    FAILS(mprotect(shared, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK(mprotect(shared, PAGE, PROT_NONE) == 0 && mprotect(shared, PAGE, PROT_READ) == 0);
    CHECK(madvise(shared, PAGE, MADV_DONTNEED) == 0 && shared[0] == 'a');
    shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    CHECK(shared != MAP_FAILED);
    if (mprotect(shared, PAGE, PROT_READ | PROT_WRITE) == 0) { /* what is written is in the file */
        shared[0] = 'd';
        CHECK(pread(fd, page, 1, 0) == 1 && page[0] == 'd');
    }
    p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    grown = mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
    CHECK(grown == MAP_FAILED || grown[PAGE] == 'b');
    CHECK(unlink("file") == 0);
}

RUN_CASES({"residence", residence}, {"moving", moving}, {"empty space", empty_space},
          {"big residence", big_residence}, {"storm", storm}, {"shared", shared},
          {"advice", advice}, {"views of a file", views_of_a_file}, {"limits", limits},
          {"limits of what is replaced", limits_of_what_is_replaced})
