/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/rt/error.c
// sources: servers/vfs/*.c lib/elf/*.c lib/service/*.c tests/unit/host/coro.c
// sources: lib/vault/pages.c tests/unit/host/vault.c
// includes: servers/vfs/main.c servers/vfs/mount.c
// flags: -Itests/unit/host -D_GNU_SOURCE= -Wno-format-truncation
/*
 * The whole of VFS over a kernel that the test plays, under ASan: programs that do any of its
 * system calls, file servers that fail, hang, die, programs that are interrupted or end in the
 * middle. At the end all programs are gone, and nothing may be left. VFS_SEED=n runs that seed
 * alone, VFS_SEEDS and VFS_STEPS say how many of each.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/vfs_programs.h"

#define main vfs_main
#include "servers/vfs/main.c"
#undef main
#include "servers/vfs/mount.c"

int __lsan_do_recoverable_leak_check(void);

static unsigned mounted; /* at once, at most */

/* No part of a disk has two file servers, no directory two mounts. */
static void mounts_check(void)
{
    unsigned n_mounted = 0;

    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        n_mounted += m->server && m->part.device;
    mounted = mounted > n_mounted ? mounted : n_mounted;
    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        for (const struct mount *n = mounts; n < m && m->server; n++) {
            check(!n->server || !m->part.device || n->part.device / 16 != m->part.device / 16,
                  "a disk is mounted twice, or with its partition");
            check(!n->server || n->over_server != m->over_server || n->over_node != m->over_node,
                  "two mounts over one directory");
            check(n->server != m->server, "a file system is mounted twice");
        }
}

/* What is open is so for its server, too, or it would be deleted with its last name. */
static void opens_check(void)
{
    for (const struct fake_server *s = servers_of; s < servers_of + SERVERS; s++) {
        unsigned opens[OPENS] = {0};

        for (const struct file *f = file_first(); f && knows(s); f = f->next_all)
            if (f->opened_by == s->ep && f->server->endpoint == s->ep && f->references)
                opens[f->node % OPENS]++;
        for (unsigned n = 0; n < OPENS && knows(s); n++) {
            if (verbose && opens[n] > s->opens[n])
                fprintf(stderr, "%s: node %u is open %u times, and it knows of %u\n", s->key, n,
                        opens[n], s->opens[n]);
            check(opens[n] <= s->opens[n], "what is open its server does not know of");
        }
    }
}

static void invariants_check(void)
{
    mounts_check();
    opens_check();
}

static void world_begin(uint64_t seed, long steps)
{
    static const char *const keys[] = {"fs/ram", "fs/proc", "fs/dev", "chr/5",
                                       "chr/1",  "blk/8",   "net"};

    chance_begin(seed);
    steps_left = steps;
    calm = true;
    invariant = invariants_check;
    info =
        (struct service_info){.self = EP_VFS, .pm = EP_PM, .vm = EP_VM, .rs = EP_RS, .ds = EP_DS};
    strcpy(info.parameters, "root=fs/ram mount=/proc:fs/proc mount=/dev:fs/dev init=/sbin/init "
                            "console=/dev/console");
    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        strcpy(servers_of[i].key, keys[i]);
        servers_of[i].traits = i ? 0 : TRAIT_FINISHES;
        server_start(&servers_of[i]);
    }
}

/* (Not one that is slow, and given up, nor one that calls VFS itself and may not be called.) */
static bool may_be_told(const struct fake_server *s)
{
    return knows(s) && !loses && strcmp(s->key, "fs/proc") != 0;
}

static void nothing_left(void)
{
    for (const struct mount *m = mounts; m < mounts + MOUNTS_MAX; m++)
        check(!m->is_claimed && !m->ends, "a mount is left half done");
    check(!file_first(), "an open file is left");
    check(!client_next(NULL), "a client is left");
    check(!grants_left(), "a grant is left");
    check(vault_in_use() <= 3 * 4 * 16 * PAGE_SIZE,
          "bytes of pipes are left"); /* slabs that are kept */
    for (const struct fake_server *s = servers_of; s < servers_of + SERVERS; s++)
        for (unsigned n = 0; n < OPENS && may_be_told(s); n++) {
            if (verbose && s->opens[n])
                fprintf(stderr, "%s: node %u is open %u times\n", s->key, n, s->opens[n]);
            check(!s->opens[n], "a server still has open what VFS has closed");
        }
    check(!__lsan_do_recoverable_leak_check(), "memory is left");
}

static void run(uint64_t seed, long steps)
{
    world_begin(seed, steps);
    if (setjmp(world_end) == 0)
        vfs_main();
    nothing_left();
    if (verbose)
        fprintf(stderr, "seed %lu: %u calls in the longest step\n", (unsigned long)seed,
                worst_step);
}

static void test_anything(void **state)
{
    assert_int_equal(seeds_run("VFS", run, 16, 4000), 0);
}

/* Of those who lose requests VFS complains, and of nobody else. */
static void run_losing(uint64_t seed, long steps)
{
    loses = true;
    run(seed, steps);
    check(complaints || steps < 4000, "nobody was complained of");
}

static void test_lost_requests(void **state)
{
    assert_int_equal(seeds_run("VFS, lost requests", run_losing, 8, 4000), 0);
}

/* Many at once, one disk, few directories; whoever is killed meanwhile leaves nothing claimed. */
static void run_mounting(uint64_t seed, long steps)
{
    mounts_only = true;
    run(seed, steps);
    check(mounted == 1, "the disk was never mounted");
}

static void test_mounts(void **state)
{
    assert_int_equal(seeds_run("VFS, mounts", run_mounting, 8, 4000), 0);
}

/* One that is late, and is left alone for a while, is not dead: what it has open it is told of later, and what it
 * was just opening is found. */
static void run_late(uint64_t seed, long steps)
{
    late = true;
    run(seed, steps);
}

static void test_late_answers(void **state)
{
    static const unsigned found_by[] = {25, 28};

    for (unsigned n = 0; n < sizeof found_by / sizeof *found_by; n++)
        assert_int_equal(apart(run, found_by[n], 4000), 0);
    assert_int_equal(seeds_run("VFS, late answers", run_late, 8, 4000), 0);
}

/* A server has answered a program itself; that goes on, PM hands it on to VFS, and takes it back
 * before VFS has received it, for which it is still behind the server. */
static void test_handed_on_and_taken_back(void **state)
{
    static const unsigned found_by[] = {98, 136};

    verbose = false;
    for (unsigned n = 0; n < sizeof found_by / sizeof *found_by; n++)
        assert_int_equal(apart(run, found_by[n], 4000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anything), cmocka_unit_test(test_lost_requests),
        cmocka_unit_test(test_mounts), cmocka_unit_test(test_late_answers),
        cmocka_unit_test(test_handed_on_and_taken_back)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
