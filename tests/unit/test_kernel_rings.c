/* SPDX-License-Identifier: BSD-2-Clause */
// includes: lib/rt/rings.c
/* The kernel's log and trace as services see them, while the kernel goes on writing: whoever reads
 * gets what was written at each position, or is told that it is gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

static uint64_t meanwhile; /* how much is written while a part is copied */
static void write_more(void);
static void *copy_slowly(void *to, const void *from, size_t n)
{
    memmove(to, from, n / 2);
    write_more();
    return (char *)memmove((char *)to + n / 2, (const char *)from + n / 2, n - n / 2) - n / 2;
}

#define memcpy copy_slowly
#include "lib/rt/rings.c"
#undef memcpy

static struct kernel_page *page;
static uint8_t *log_bytes;
static struct trace_event *events;

static uint8_t byte_at(uint64_t position)
{
    return (uint8_t)(position * 2654435761u >> 24);
}

static void log_bytes_write(uint64_t count)
{
    for (; count; count--, page->info.log_end++)
        log_bytes[page->info.log_end % LOG_RING_SIZE] = byte_at(page->info.log_end);
}

static void events_write(uint64_t count)
{
    for (; count; count--, page->info.trace_end++)
        events[page->info.trace_end % TRACE_RING_SIZE].detail = page->info.trace_end;
}

static void write_more(void)
{
    log_bytes_write(meanwhile);
    events_write(meanwhile);
    meanwhile = 0; /* once */
}

static void *shown(uint64_t address, size_t size)
{
    void *at = mmap((void *)address, size, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert_ptr_equal(at, (void *)address);
    return at;
}

static int setup(void **state)
{
    page = shown(KERNEL_PAGE, sizeof *page);
    log_bytes = shown(KERNEL_LOG_RING, LOG_RING_SIZE);
    events = shown(KERNEL_TRACE_RING, TRACE_RING_SIZE * sizeof *events);
    return 0;
}

static int again(void **state)
{
    meanwhile = 0;
    page->info = (struct kernel_info){0};
    return 0;
}

/* All that there is from `position` on is right, whatever room there is; returns how much. */
static uint64_t log_is_right(uint64_t position, size_t room)
{
    static uint8_t bytes[LOG_RING_SIZE];
    uint64_t total = 0, first;
    long n;

    while ((n = log_ring_read(position, bytes, room, &first)) > 0) {
        assert_true(first >= position && (uint64_t)n <= room);
        for (long i = 0; i < n; i++)
            assert_int_equal(bytes[i], byte_at(first + (uint64_t)i));
        position = first + (uint64_t)n;
        total += (uint64_t)n;
    }
    assert_int_equal(n, 0);
    assert_int_equal(position, page->info.log_end);
    return total;
}

static void test_nothing(void **state)
{
    uint64_t first;
    char byte;

    assert_int_equal(log_ring_read(0, &byte, 1, &first), 0);
    assert_int_equal(log_ring_read(1, &byte, 1, &first), -EINVAL);
    log_bytes_write(10);
    assert_int_equal(log_ring_read(10, &byte, 1, &first), 0);
    assert_int_equal(first, 10);
    assert_int_equal(log_ring_read(11, &byte, 1, &first), -EINVAL);
}

static void test_round(void **state)
{
    log_bytes_write(100);
    assert_int_equal(log_is_right(0, 7), 100);
    log_bytes_write(LOG_RING_SIZE - 50); /* 50 are gone, and the end is past the seam */
    assert_int_equal(log_is_right(0, LOG_RING_SIZE), LOG_RING_SIZE);
    assert_int_equal(log_is_right(0, 1000), LOG_RING_SIZE);
    assert_int_equal(log_is_right(LOG_RING_SIZE - 10, 30), 60);
}

static void test_overrun_meanwhile(void **state)
{
    for (uint64_t written = 0; written <= 2 * LOG_RING_SIZE; written += 4099) {
        log_bytes_write(3 * LOG_RING_SIZE / 2);
        meanwhile = written;
        assert_true(log_is_right(0, LOG_RING_SIZE) > 0);
        meanwhile = written;
        log_is_right(0, 3000);
    }
}

static void test_trace(void **state)
{
    static struct trace_event out[128];
    uint64_t position = 0, first, total = 0;
    long n;

    events_write(TRACE_RING_SIZE + 1000);
    meanwhile = 90;
    while ((n = trace_ring_read(position, out, 128, &first)) > 0) {
        for (long i = 0; i < n; i++)
            assert_int_equal(out[i].detail, first + (uint64_t)i);
        position = first + (uint64_t)n;
        total += (uint64_t)n;
    }
    assert_int_equal(position, page->info.trace_end);
    assert_int_equal(total, TRACE_RING_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_nothing, again),
                                       cmocka_unit_test_setup(test_round, again),
                                       cmocka_unit_test_setup(test_overrun_meanwhile, again),
                                       cmocka_unit_test_setup(test_trace, again)};

    return cmocka_run_group_tests(tests, setup, NULL);
}
