/* SPDX-License-Identifier: BSD-2-Clause */
// as: service
// sources: lib/rt/error.c
// sources: servers/fs/ext4/box.c servers/fs/ext4/cache.c servers/fs/ext4/code.c servers/fs/ext4/scrub.c servers/fs/ext4/seal.c
// sources: servers/fs/ext4/super.c servers/fs/ext4/inode.c servers/fs/ext4/allocate.c
// sources: servers/fs/ext4/zone.c servers/fs/ext4/extent.c servers/fs/ext4/truncate.c
// sources: servers/fs/ext4/blockmap.c
// sources: servers/fs/ext4/directory.c servers/fs/ext4/index.c servers/fs/ext4/hash.c
// sources: servers/fs/ext4/listing.c servers/fs/ext4/names.c servers/fs/ext4/orphan.c servers/fs/ext4/numbers.c
// sources: servers/fs/ext4/attribute.c servers/fs/ext4/data.c servers/fs/ext4/length.c
// sources: servers/fs/ext4/ahead.c
// sources: servers/fs/ext4/journal.c servers/fs/ext4/commit.c servers/fs/ext4/replay.c
// sources: servers/fs/ext4/writeback.c servers/fs/ext4/mount.c
/*
 * The server dies between any two instructions of what changes its box, as the compiler of services
 * has ordered them: a breakpoint at a function that does, and so many single steps. What has been
 * asked for is asked for again, as VFS does; files are what they should be all the while, and so is
 * the disk when the power fails right then.
 */
#define _GNU_SOURCE /* of the processor: its registers */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <cmocka.h>

#define BOX_BYTES (3200 << 10) /* some 2000 blocks: they do not hold all files */
#include "lib/rt/error.h"
#include "tests/unit/ext4_disk.h"
#include "tests/unit/ext4_succession.h"

enum { IMAGE_BYTES = 16 << 20, FILES = 20, SIZE = 300000, HITS = 8, CUTS = 60, TRAP_FLAG = 0x100 };

/* ---- deaths ---- */

static const struct place {
    void *function;
    unsigned steps, deaths; /* at most so many instructions later; in the whole test */
} places[] = {
    {cache_take, 60, 120},     {cache_drop, 40, 30},        {cache_forget, 200, 30},
    {cache_has_read, 20, 20},  {write_has_ended, 60, 60},   {op_begin, 60, 30},
    {op_commit, 400, 120},     {op_abort, 2000, 30},        {block_change, 400, 50},
    {block_fresh, 300, 30},    {block_fresh_data, 300, 30}, {block_get, 200, 60},
    {op_freed, 100, 30},       {op_freed_until, 300, 60},   {commit_step, 60, 120},
    {commit_step, 20000, 100}, {journal_step, 100, 20},     {seal_is_right, 4000, 60},
};
enum { PLACES = sizeof places / sizeof *places };
extern const char etext[];

static struct {
    uint8_t *place, byte; /* the breakpoint and what it stands for */
    unsigned hits, steps; /* still to come */
    enum { TRAP_NONE, TRAP_SET, TRAP_PASSING, TRAP_STEPPING, TRAP_OUTSIDE } state;
} trap;
static sigjmp_buf death;

static void trap_set(uint64_t at)
{
    trap.place = (uint8_t *)at;
    trap.byte = *trap.place;
    *trap.place = 0xcc;
}

static void trap_clear(void)
{
    if (trap.state == TRAP_SET || trap.state == TRAP_OUTSIDE)
        *trap.place = trap.byte;
    trap.state = TRAP_NONE;
}

/* The disk and the C library are not what dies. */
static bool is_server(uint64_t at)
{
    return at >= (uintptr_t)error_name && at < (uintptr_t)etext;
}

static void step(greg_t *g)
{
    static const uint8_t *last; /* instruction */
    bool has_returned = trap.state == TRAP_STEPPING && *last == 0xc3;

    last = (const uint8_t *)g[REG_RIP];
    if (!is_server((uint64_t)g[REG_RIP]) && has_returned) {
        trap.state = TRAP_NONE;
        g[REG_EFL] &= ~TRAP_FLAG;
    } else if (!is_server((uint64_t)g[REG_RIP])) { /* just called: it goes on when that is over */
        trap_set(*(uint64_t *)g[REG_RSP]);
        trap.state = TRAP_OUTSIDE;
        g[REG_EFL] &= ~TRAP_FLAG;
    } else if (trap.steps-- == 0) {
        trap.state = TRAP_NONE;
        siglongjmp(death, 1);
    } else {
        trap.state = TRAP_STEPPING;
        g[REG_EFL] |= TRAP_FLAG;
    }
}

static void trapped(int signal, siginfo_t *info, void *context)
{
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;

    (void)signal;
    (void)info;
    if (trap.state == TRAP_SET || trap.state == TRAP_OUTSIDE) {
        *trap.place = trap.byte;
        g[REG_RIP]--;
    }
    if (trap.state == TRAP_SET && --trap.hits) {
        trap.state = TRAP_PASSING;
        g[REG_EFL] |= TRAP_FLAG;
    } else if (trap.state == TRAP_PASSING) {
        trap_set((uint64_t)trap.place);
        trap.state = TRAP_SET;
        g[REG_EFL] &= ~TRAP_FLAG;
    } else if (trap.state == TRAP_NONE) {
        g[REG_EFL] &= ~TRAP_FLAG;
    } else {
        step(g);
    }
}

/* ---- what is asked for, and what should be there ---- */

enum what { CREATE, WRITE, TRUNCATE, REMOVE, RENAME, READ, SYNC };
static struct {
    enum what what;
    unsigned file, other;
    uint32_t offset, length;
} todo;
static struct {
    bool exists;
    uint64_t node;
    uint32_t size;
    uint8_t data[SIZE];
} files[FILES];
static uint8_t data[SIZE];
static const struct fs_user user = {.uid = 1000, .gid = 100};

static void choose(void)
{
    static const struct {
        enum what what;
        int percent; /* the rest are READ */
    } chances[] = {{WRITE, 45}, {TRUNCATE, 10}, {REMOVE, 5}, {RENAME, 5}, {SYNC, 10}};
    unsigned n = (unsigned)rand() % FILES;
    bool exists = files[n].exists;
    int dice = rand() % 100;

    todo.file = n;
    todo.other = (unsigned)rand() % FILES;
    todo.offset = exists ? (uint32_t)rand() % (files[n].size + 1) : 0;
    todo.length = (uint32_t)rand() % (rand() % 2 ? 5000 : SIZE - todo.offset);
    if (todo.length > SIZE - todo.offset)
        todo.length = SIZE - todo.offset;
    todo.what = exists ? READ : CREATE;
    for (unsigned k = 0; exists && k < sizeof chances / sizeof *chances; k++)
        if ((dice -= chances[k].percent) < 0) {
            todo.what = chances[k].what;
            break;
        }
    if (todo.what == RENAME && files[todo.other].exists)
        todo.what = SYNC;
    for (uint32_t i = 0; i < todo.length; i += 3)
        data[i] = (uint8_t)rand();
}

static const char *name_of(unsigned n)
{
    static char names[FILES][16];

    snprintf(names[n], sizeof names[n], "file-%u", n);
    return names[n];
}

/* May have been done already, to the end or not. */
static void ask(void)
{
    static uint8_t got[SIZE];
    struct fs_transfer t = {
        .address = (uintptr_t)data, .length = todo.length, .offset = todo.offset};
    uint64_t node = files[todo.file].node, root = EXT4_ROOT_INODE;
    const char *name = name_of(todo.file);
    uint32_t size = files[todo.file].size;
    long result = 0;

    switch (todo.what) {
    case CREATE:
        result = SERVE(name_create(root, name, S_IFREG | 0644, 0, user, &node));
        if (result == -EEXIST)
            result = SERVE(name_find(root, name, &node));
        assert_int_equal(result, 0);
        files[todo.file].node = node;
        break;
    case WRITE:
        assert_int_equal(SERVE(file_write(node, &t)), todo.length);
        break;
    case TRUNCATE:
        assert_int_equal(SERVE(file_truncate(node, todo.length)), 0);
        break;
    case REMOVE:
        result = SERVE(name_unlink(root, name, false));
        assert_true(result == 0 || result == -ENOENT);
        break;
    case RENAME:
        result = SERVE(name_rename(root, name, root, name_of(todo.other)));
        assert_true(result == 0 || result == -ENOENT);
        assert_int_equal(SERVE(name_find(root, name_of(todo.other), &node)), 0);
        assert_int_equal(node, files[todo.file].node);
        break;
    case READ:
        t = (struct fs_transfer){.address = (uintptr_t)got, .length = SIZE};
        assert_int_equal(SERVE(file_read(node, &t)), size);
        for (uint32_t i = 0; i < size; i++)
            if (got[i] != files[todo.file].data[i])
                fail_msg("%s: byte %u of %u is %#x, not %#x", name, i, size, got[i],
                         files[todo.file].data[i]);
        break;
    case SYNC:
        disk_sync();
        break;
    }
    for (int n = rand() % 10; n > 0; n--)
        disk_pump();
}

static void note_done(void)
{
    unsigned n = todo.file;
    uint32_t end = todo.offset + todo.length;

    switch (todo.what) {
    case CREATE:
        files[n].exists = true;
        files[n].size = 0;
        memset(files[n].data, 0, SIZE);
        break;
    case WRITE:
        memcpy(files[n].data + todo.offset, data, todo.length);
        if (todo.length && files[n].size < end)
            files[n].size = end;
        break;
    case TRUNCATE:
        if (todo.length < files[n].size)
            memset(files[n].data + todo.length, 0, files[n].size - todo.length);
        files[n].size = todo.length;
        break;
    case REMOVE:
        files[n].exists = false;
        break;
    case RENAME:
        files[todo.other] = files[n];
        files[n].exists = false;
        break;
    default:
        break;
    }
}

/* ---- what must be right after a death ---- */

static char path[] = "/tmp/bardo-instant-XXXXXX";
static uint8_t *image;

static int shell(const char *format)
{
    char command[256];

    snprintf(command, sizeof command, format, path, path);
    return system(command);
}

/* What differs from the disk is to be written there, and each block is in one buffer. */
static void check_buffers(void)
{
    for (uint32_t n = 0; n < box->buffers; n++) {
        const struct buffer *b = &buffers[n];

        if (b->state && cache_find(b->block) != b)
            fail_msg("block %llu is in two buffers", (unsigned long long)b->block);
        if (b->ordered && !(b->state & B_DIRTY))
            fail_msg("block %llu is waited for in vain", (unsigned long long)b->block);
        if (b->block == journal_place(0)) /* as it was when it was mounted */
            continue;
        if ((b->state & B_VALID) && !(b->state & (B_DIRTY | B_RUNNING)) && !b->logged &&
            memcmp(buffer_data(b), medium + b->block * volume.block_size, volume.block_size))
            fail_msg("block %llu (kind %u, state %#x) differs from the disk's",
                     (unsigned long long)b->block, b->kind, b->state);
    }
}

/* As if the power failed now. */
static void check_disk(void)
{
    int fd = open(path, O_WRONLY);

    assert_int_equal(pwrite(fd, image, IMAGE_BYTES, 0), IMAGE_BYTES);
    close(fd);
    shell("/sbin/e2fsck -p -E journal_only %s >/dev/null 2>&1");
    if (shell("/sbin/e2fsck -fn %s >%s.log 2>&1")) {
        shell("cat %s.log");
        fail_msg("e2fsck is not content");
    }
}

static void die_at(const struct place *p)
{
    static bool has_died;

    has_died = false;
    trap.hits = 1 + (unsigned)rand() % HITS;
    trap.steps = (unsigned)rand() % p->steps;
    while (!has_died && trap.hits) {
        choose();
        if (sigsetjmp(death, 1)) {
            has_died = true;
            succeed();
            check_buffers();
        } else {
            trap_set((uint64_t)p->function);
            trap.state = TRAP_SET;
        }
        ask();
        trap_clear();
        note_done();
    }
}

static void test_death_at_any_instruction(void **state)
{
    struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
    uintptr_t first = (uintptr_t)error_name & ~4095ul;
    unsigned deaths = 0, total = 0;

    assert_int_equal(
        mprotect((void *)first, (uintptr_t)etext - first, PROT_READ | PROT_WRITE | PROT_EXEC), 0);
    sigaction(SIGTRAP, &action, NULL);
    srand(3);
    for (unsigned i = 0; i < PLACES; i++)
        total += places[i].deaths;
    for (unsigned left = total; left; left--) {
        unsigned dice = (unsigned)rand() % total, i = 0;

        while (dice >= places[i].deaths)
            dice -= places[i++].deaths;
        die_at(&places[i]);
        if (++deaths % (total / CUTS) == 0)
            check_disk();
    }
}

static int begin(void **state)
{
    int fd = mkstemp(path);

    image = malloc(IMAGE_BYTES);
    if (fd < 0 || ftruncate(fd, IMAGE_BYTES) || shell("/sbin/mke2fs -q -F -t ext4 -b 1024 %s") ||
        pread(fd, image, IMAGE_BYTES, 0) != IMAGE_BYTES)
        return -1;
    close(fd);
    return (int)disk_mount(image, IMAGE_BYTES);
}

static int end(void **state)
{
    disk_sync();
    while (SERVE(mount_end()) != 0)
        ;
    check_disk();
    shell("rm -f %s %s.log");
    free(image);
    free(disk.memory);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_death_at_any_instruction, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
