/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/fs/ram/content.c lib/vault/pages.c tests/unit/host/vault.c
// flags: -DWHOLE_PART=100000
/* File contents in memory: against a plain array, with every form that they take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "servers/fs/ram/content.h"
#include "tests/unit/host/vault.h"

enum { MODEL_BYTES = 5 * CHUNK_BYTES };

struct memory {
    uint8_t *bytes;
    uint64_t fault_at; /* a copy that reaches so far fails */
};

static long copy_in(void *who, uint64_t done, void *bytes, size_t length)
{
    struct memory *m = who;

    if (done + length > m->fault_at) {
        memset(vault_inside(bytes), 0xee, length / 2); /* a part may have been moved */
        return -EFAULT;
    }
    memcpy(vault_inside(bytes), m->bytes + done, length);
    return 0;
}

static long copy_out(void *who, uint64_t done, void *bytes, size_t length)
{
    struct memory *m = who;

    if (done + length > m->fault_at)
        return -EFAULT;
    memcpy(m->bytes + done, vault_inside(bytes), length);
    return 0;
}

static void expect_equal(struct content *c, const uint8_t *model, uint64_t size)
{
    static uint8_t read[MODEL_BYTES];
    struct memory m = {read, UINT64_MAX};

    assert_int_equal(c->size, size);
    memset(read, 0xaa, sizeof read);
    assert_int_equal(content_read(c, 0, sizeof read, copy_out, &m), size);
    assert_memory_equal(read, model, size);
    assert_int_equal(content_read(c, size, 10, copy_out, &m), 0);
    assert_int_equal(content_read(c, UINT64_MAX, 10, copy_out, &m), 0);
}

static void random_operation(struct pages *p, struct content *c, uint8_t *model, uint64_t *size)
{
    static uint8_t data[MODEL_BYTES];
    struct memory m = {data, UINT64_MAX};
    uint64_t offset = (uint64_t)rand() % (MODEL_BYTES - 1),
             length = 1 + (uint64_t)rand() % (MODEL_BYTES - offset);
    long result;

    switch (rand() % 6) {
    case 0:
        assert_int_equal(content_truncate(p, c, offset), 0);
        if (offset > *size)
            memset(model + *size, 0, offset - *size);
        *size = offset;
        break;
    case 1:
        while ((result = content_make_whole(p, c)) == -EAGAIN && rand() % 8)
            ; /* perhaps it changes meanwhile */
        assert_true(result == 0 || result == -EAGAIN);
        if (result == 0 && *size) {
            assert_int_equal((uintptr_t)c->whole % PAGE_BYTES, 0);
            assert_memory_equal(vault_inside(c->whole), model, *size);
            for (uint64_t i = *size; i % PAGE_BYTES; i++)
                assert_int_equal(*(uint8_t *)vault_inside(c->whole + i), 0);
        }
        break;
    case 2:
        offset %= 3 * PAGE_BYTES;
        length = 1 + length % 300;
        /* fall through */
    default:
        for (uint64_t i = 0; i < length; i++)
            data[i] = (uint8_t)rand();
        assert_int_equal(content_write(p, c, offset, length, copy_in, &m), length);
        if (offset > *size)
            memset(model + *size, 0, offset - *size);
        memcpy(model + offset, data, length);
        *size = offset + length > *size ? offset + length : *size;
    }
}

static void test_against_model(void **state)
{
    static uint8_t model[MODEL_BYTES], archive[MODEL_BYTES];
    static struct pages p = {.limit = 4096};
    uint64_t base;

    srand(1);
    for (int round = 0; round < 20; round++) {
        struct content c = {0};
        uint64_t size = 0;

        if (round % 2) {
            size = round % 4 == 1 ? 16 : MODEL_BYTES - 77;
            memset(model, 'a' + round, size);
            memcpy(archive, model, size);
            content_borrow(&c, archive, size);
        }
        for (int i = 0; i < 40; i++) {
            random_operation(&p, &c, model, &size);
            expect_equal(&c, model, size);
        }
        content_free(&p, &c);
        assert_int_equal(content_pages(&c), 0);
    }
    base = p.used;
    assert_true(base <= SLAB_PAGES); /* one empty slab is kept */
}

/* A byte is written into a large file that programs have mapped: no more than a chunk is copied, and the rest when it is
 * mapped again, a part at a time. */
static void test_large_ones_are_copied_in_parts(void **state)
{
    static struct pages p = {.limit = 4096};
    static uint8_t archive[MODEL_BYTES];
    struct content c = {0};
    struct memory m = {(uint8_t *)"x", UINT64_MAX};
    unsigned parts = 1;

    content_borrow(&c, archive, sizeof archive);
    for (; content_make_whole(&p, &c) == -EAGAIN; parts++)
        ;
    assert_int_equal(parts, (sizeof archive + WHOLE_PART - 1) / WHOLE_PART);
    assert_int_equal(content_make_whole(&p, &c), 0);
    assert_int_equal(content_write(&p, &c, MODEL_BYTES - 1, 1, copy_in, &m), 1);
    assert_true(c.chunk_pages <= RUN_PAGES_MAX);
    assert_int_equal(content_make_whole(&p, &c), -EAGAIN);
    for (uint64_t at = 0; at < MODEL_BYTES;
         at += CHUNK_BYTES) /* the old one goes when nothing of it is left */
        assert_int_equal(content_write(&p, &c, at, 1, copy_in, &m), 1);
    assert_null(c.whole);
    assert_int_equal(content_pages(&c), c.chunk_pages);
    content_free(&p, &c);
}

static void test_fault_shows_no_stale_bytes(void **state)
{
    static struct pages p = {.limit = 4096};
    struct content c = {0};
    uint8_t secret[PAGE_BYTES], out[PAGE_BYTES], zero[PAGE_BYTES] = {0};
    struct memory m = {secret, UINT64_MAX}, faulty = {secret, 100}, reader = {out, UINT64_MAX};

    memset(secret, 0x55, sizeof secret);
    assert_int_equal(content_write(&p, &c, 0, sizeof secret, copy_in, &m), sizeof secret);
    assert_int_equal(content_truncate(&p, &c, 0), 0);
    assert_int_equal(content_write(&p, &c, 0, sizeof secret, copy_in, &faulty), -EFAULT);
    assert_int_equal(c.size, 0);
    assert_int_equal(content_truncate(&p, &c, PAGE_BYTES), 0);
    assert_int_equal(content_read(&c, 0, PAGE_BYTES, copy_out, &reader), PAGE_BYTES);
    assert_memory_equal(out, zero, PAGE_BYTES);
    content_free(&p, &c);
}

static void test_limit(void **state)
{
    static struct pages p = {.limit = 2 * SLAB_PAGES};
    static uint8_t data[MODEL_BYTES];
    struct memory m = {data, UINT64_MAX};
    struct content c = {0};
    uint64_t offset = 0;
    long n;

    while ((n = content_write(&p, &c, offset, sizeof data, copy_in, &m)) > 0)
        offset += (uint64_t)n;
    assert_int_equal(n, -ENOSPC);
    assert_int_equal(offset, c.size);
    assert_true(offset >= (2 * SLAB_PAGES - RUN_PAGES_MAX) * (uint64_t)PAGE_BYTES);
    assert_int_equal(content_make_whole(&p, &c), -ENOSPC);
    assert_int_equal(content_truncate(&p, &c, 0), 0);
    assert_int_equal(content_write(&p, &c, 0, 1, copy_in, &m), 1);
    assert_int_equal(content_write(&p, &c, CONTENT_MAX, 1, copy_in, &m), -EFBIG);
    assert_int_equal(content_truncate(&p, &c, CONTENT_MAX + 1), -EFBIG);
    content_free(&p, &c);
}

static void test_holes_cost_nothing(void **state)
{
    static struct pages p = {.limit = 4096};
    struct content c = {0};
    struct memory m = {(uint8_t *)"x", UINT64_MAX};

    assert_int_equal(content_truncate(&p, &c, 1ull << 32), 0);
    assert_int_equal(content_pages(&c), 0);
    assert_int_equal(content_write(&p, &c, 1ull << 31, 1, copy_in, &m), 1);
    assert_int_equal(content_pages(&c), RUN_PAGES_MAX);
    assert_int_equal(c.size, 1ull << 32);
    content_free(&p, &c);
}

static void test_runs_do_not_overlap(void **state)
{
    static struct pages p = {.limit = 4096};
    struct run runs[600];
    bool is_zero;

    srand(2);
    for (int i = 0; i < 600; i++) {
        assert_true(run_allocate(&p, 1u << rand() % 5, &runs[i], &is_zero));
        memset(vault_inside(runs[i].data), i % 251, runs[i].pages * (size_t)PAGE_BYTES);
    }
    for (int i = 0; i < 600; i++) {
        for (size_t k = 0; k < runs[i].pages * (size_t)PAGE_BYTES; k += 512)
            assert_int_equal(((uint8_t *)vault_inside(runs[i].data))[k], i % 251);
        run_free(&p, &runs[i]);
    }
    assert_int_equal(p.used, SLAB_PAGES);
    assert_null(p.full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_large_ones_are_copied_in_parts),
        cmocka_unit_test(test_fault_shows_no_stale_bytes),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_holes_cost_nothing),
        cmocka_unit_test(test_runs_do_not_overlap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
