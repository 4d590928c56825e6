/* SPDX-License-Identifier: BSD-2-Clause */
// flags: -Itests/unit/host
// sources: servers/disk/doubt.c servers/disk/news.c lib/block/client.c
/*
 * Bad news of a disk's driver (servers/disk/doubt.h): a fresh driver is asked before anybody hears
 * of it; what that one says, too, is told; a bad place of the disk costs no driver. Faults of a
 * campaign that once escaped: ahci 2:24, 2:120, 11:229, virtio 2:31, ide 11:527.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "lib/rt/kernel.h"
#include "servers/disk/disk.h"

#define SECOND 1000000000ull
enum { SLOT = 3, PLACE = 80, OTHER = 4000, SECTORS = 8 };

static struct adapter adapter;
static struct block_queue *queue;
static unsigned complaints;
static bool is_away; /* RS is about to have a fresh driver */
static uint64_t the_time;

uint64_t clock_now(void)
{
    return the_time;
}
void log_info(const char *format, ...)
{
    (void)format;
}
void service_complain(const char *name, endpoint_t of, enum rs_complaint why)
{
    assert_string_equal(name, "ahci");
    assert_int_equal(why, COMPLAINT_USELESS);
    complaints++;
}

bool driver_is_away(const struct adapter *a)
{
    assert_ptr_equal(a, &adapter);
    return is_away;
}

static void next_driver(bool is_reset)
{
    the_time += SECOND / 100;
    queue->header.incarnation++;
    block_finished(&adapter.client, the_time);
    adapter.fresh_ns = the_time;
    adapter.is_reset = is_reset;
    news_ask_again(&adapter);
    news_of_units(&adapter);
}

static void fresh_driver(void)
{
    next_driver(true);
}

static int begin(void **state)
{
    static _Alignas(4096) struct block_queue memory;

    queue = memset(&memory, 0, sizeof memory);
    memset(&adapter, 0, sizeof adapter);
    adapter.client.queue = queue;
    strcpy(adapter.place.driver, "ahci");
    queue->unit[0] = (struct block_unit){
        .sectors = 8000, .flags = BLOCK_UNIT_PRESENT, .logical_size = 512, .model = "a disk"};
    complaints = 0;
    is_away = false;
    the_time = 100 * SECOND;
    fresh_driver();
    return 0;
}

static struct block_request *post(uint32_t operation, uint64_t sector)
{
    struct block_request *r = block_request(&adapter.client, SLOT);

    *r = (struct block_request){
        .operation = operation, .sector = sector, .sectors = SECTORS, .cookie = 77};
    adapter.job[SLOT] = (struct job){0};
    the_time += 1000;
    block_post(&adapter.client, SLOT, the_time);
    return r;
}

/* The driver answers; true: *status may be told. */
static bool answer(uint32_t said, uint32_t *status)
{
    queue->status[SLOT] = *status = said;
    queue->completed[SLOT] = queue->posted[SLOT];
    the_time += 1000;
    assert_int_equal(block_finished(&adapter.client, the_time), 1u << SLOT);
    return news_of_request(&adapter, SLOT, status);
}

static bool is_posted(void)
{
    return queue->posted[SLOT] != queue->completed[SLOT];
}

static void read_well(void)
{
    uint32_t status;

    post(BLOCK_READ, OTHER);
    assert_true(answer(BLOCK_OK, &status));
}

/* Whatever it is that it says: it is kept back, and what a fresh one says is told. */
static void test_ill_driver(void **state)
{
    static const struct {
        uint32_t operation, status;
    } all[] = {{BLOCK_READ, BLOCK_ERROR},     {BLOCK_READ, BLOCK_INVALID},
               {BLOCK_WRITE, BLOCK_ERROR},    {BLOCK_FLUSH, BLOCK_ERROR},
               {BLOCK_WRITE, BLOCK_GONE},     {BLOCK_WRITE, 99},
               {BLOCK_WRITE, BLOCK_READ_ONLY}};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        uint32_t status;

        begin(state);
        post(all[i].operation, PLACE);
        assert_false(answer(all[i].status, &status));
        assert_int_equal(complaints, 1);
        assert_false(is_posted());
        assert_int_equal(block_finished(&adapter.client, the_time), 0);
        assert_true(block_settle(&adapter.client));
        fresh_driver();
        assert_true(is_posted());
        assert_true(answer(BLOCK_OK, &status));
        assert_int_equal(status, BLOCK_OK);
        assert_int_equal(complaints, 1);
    }
}

/* It fails with a fresh driver, too: told at once, and so is what follows. */
static void test_ill_disk(void **state)
{
    uint32_t status;

    post(BLOCK_WRITE, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    fresh_driver();
    assert_true(answer(BLOCK_ERROR, &status));
    assert_int_equal(status, BLOCK_ERROR);
    for (int i = 0; i < 20; i++) {
        post(BLOCK_WRITE, PLACE);
        assert_true(answer(BLOCK_ERROR, &status));
    }
    assert_int_equal(complaints, 1);
    the_time += DOUBT_REST;
    post(BLOCK_WRITE, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_int_equal(complaints, 2);
}

static void test_bad_place(void **state)
{
    const struct block_request *r;
    uint32_t status;

    read_well();
    r = post(BLOCK_READ, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_true(is_posted());
    assert_int_equal(r->sector, OTHER);
    assert_int_equal(r->cookie, 0);
    assert_false(answer(BLOCK_OK, &status));
    assert_true(is_posted());
    assert_int_equal(r->sector, PLACE);
    assert_int_equal(r->cookie, 77);
    assert_true(answer(BLOCK_ERROR, &status));
    assert_int_equal(status, BLOCK_ERROR);
    assert_int_equal(complaints, 0);
}

/* The driver was ill for a moment, the place is not bad at all. */
static void test_good_place(void **state)
{
    uint32_t status;

    read_well();
    post(BLOCK_READ, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_false(answer(BLOCK_OK, &status));
    assert_true(answer(BLOCK_OK, &status));
    assert_int_equal(status, BLOCK_OK);
    assert_int_equal(complaints, 0);
}

/* That another place was read well is no sign that the disk is gone, or that a request is wrong. */
static void test_other_place_says_nothing(void **state)
{
    static const uint32_t all[] = {BLOCK_GONE, BLOCK_INVALID, BLOCK_READ_ONLY, 99};

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        const struct block_request *r;
        uint32_t status;

        begin(state);
        read_well();
        r = post(BLOCK_READ, PLACE);
        assert_false(answer(all[i], &status));
        assert_int_equal(r->sector, PLACE);
        assert_false(is_posted());
        assert_int_equal(complaints, 1);
        fresh_driver();
        assert_true(answer(BLOCK_OK, &status));
        assert_int_equal(status, BLOCK_OK);
        assert_int_equal(complaints, 1);
    }
}

/* One driver fails to read, another one reads elsewhere: neither says that the place is bad. */
static void test_places_and_drivers(void **state)
{
    static const uint32_t elsewhere[] = {BLOCK_OK, BLOCK_ERROR};

    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++) {
        const struct block_request *r;
        uint32_t status;

        begin(state);
        read_well();
        r = post(BLOCK_READ, PLACE);
        assert_false(answer(BLOCK_ERROR, &status));
        assert_int_equal(r->sector, OTHER);
        fresh_driver();
        assert_false(answer(elsewhere[i], &status));
        assert_true(is_posted());
        assert_int_equal(r->sector, PLACE);
        assert_int_equal(r->cookie, 77);
        assert_true(answer(BLOCK_OK, &status));
        assert_int_equal(status, BLOCK_OK);
        assert_int_equal(complaints, 0);
    }
}

static void test_place_asked_of_two(void **state)
{
    const struct block_request *r;
    uint32_t status;

    read_well();
    r = post(BLOCK_READ, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_false(answer(BLOCK_OK, &status)); /* elsewhere */
    fresh_driver();
    assert_false(answer(BLOCK_ERROR, &status)); /* the old one's, perhaps */
    assert_int_equal(r->sector, PLACE);
    assert_false(answer(BLOCK_ERROR, &status)); /* (its other tries are adapter.c's) */
    assert_int_equal(r->sector, OTHER);
    assert_false(answer(BLOCK_OK, &status));
    assert_true(answer(BLOCK_ERROR, &status));
    assert_int_equal(complaints, 0);
}

/* It cannot read the other place either. */
static void test_no_place_is_good(void **state)
{
    const struct block_request *r;
    uint32_t status;

    read_well();
    r = post(BLOCK_READ, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_false(answer(BLOCK_ERROR, &status));
    assert_int_equal(complaints, 1);
    fresh_driver();
    assert_true(is_posted());
    assert_int_equal(r->sector, PLACE);
    assert_true(answer(BLOCK_OK, &status));
    assert_int_equal(status, BLOCK_OK);
}

/* What the dead one said last is not its successor's. */
static void test_word_of_a_predecessor(void **state)
{
    uint32_t status;

    post(BLOCK_WRITE, PLACE);
    queue->completed[SLOT] = queue->posted[SLOT];
    queue->status[SLOT] = status = BLOCK_ERROR;
    fresh_driver();
    assert_false(news_of_request(&adapter, SLOT, &status));
    assert_true(is_posted());
    assert_int_equal(complaints, 0);
}

static void test_no_fresh_driver(void **state)
{
    uint32_t status;

    post(BLOCK_WRITE, PLACE);
    assert_false(answer(BLOCK_ERROR, &status));
    assert_false(news_are_late(&adapter, the_time));
    the_time += DOUBT_PATIENCE + SECOND;
    assert_true(news_are_late(&adapter, the_time));
    news_ask_again(&adapter);
    assert_true(answer(BLOCK_ERROR, &status));
    assert_int_equal(complaints, 1);
}

/* It takes long to bring its device up: it is waited for, and nothing old is believed meanwhile. */
static void test_late_fresh_driver(void **state)
{
    uint32_t status;

    is_away = true;
    queue->unit[0].flags = 0;
    post(BLOCK_WRITE, PLACE);
    assert_false(answer(BLOCK_GONE, &status));
    for (int i = 0; i < 4; i++) {
        the_time += DOUBT_PATIENCE + SECOND;
        assert_false(news_are_late(&adapter, the_time));
        news_of_units(&adapter);
        assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    }
    queue->unit[0].flags = adapter.unit[0].flags;
    is_away = false;
    fresh_driver();
    assert_true(answer(BLOCK_OK, &status));
    assert_int_equal(status, BLOCK_OK);
    assert_int_equal(complaints, 1);
}

/* One that adopts the device has from its predecessor, by the queue, what it says of its disks. */
static void test_adopted_news(void **state)
{
    uint32_t flags = queue->unit[0].flags, status;

    queue->unit[0].flags = 0; /* and then it dies */
    post(BLOCK_WRITE, PLACE);
    assert_false(answer(BLOCK_GONE, &status));
    news_of_units(&adapter);
    next_driver(false);
    assert_int_equal(complaints, 2);
    assert_false(answer(BLOCK_GONE, &status));
    assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    queue->unit[0].flags = flags;
    fresh_driver();
    assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    assert_true(answer(BLOCK_OK, &status));
    assert_int_equal(complaints, 2);

    queue->unit[0].flags = 0;
    news_of_units(&adapter);
    fresh_driver();
    assert_int_equal(adapter.unit[0].flags, 0); /* (it is really gone) */
}

static void test_abandoned(void **state)
{
    uint32_t status;

    post(BLOCK_WRITE, PLACE);
    adapter.job[SLOT].late = LATE_MAX;
    assert_true(answer(BLOCK_ERROR, &status));
    assert_int_equal(complaints, 0);
}

static void test_disk_is_gone(void **state)
{
    struct block_unit before = queue->unit[0];
    uint32_t generation = adapter.unit[0].generation;

    queue->unit[0].flags = 0;
    news_of_units(&adapter);
    news_of_units(&adapter);
    assert_int_equal(complaints, 1);
    assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    before.generation = 7; /* it came and went */
    queue->unit[0] = before;
    fresh_driver();
    assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    assert_int_equal(adapter.unit[0].generation, generation);

    queue->unit[0].flags = 0;
    news_of_units(&adapter);
    assert_int_equal(complaints, 2);
    fresh_driver(); /* does not find it either */
    assert_int_equal(adapter.unit[0].flags, 0);
    assert_int_not_equal(adapter.unit[0].generation, generation);
    queue->unit[0] = before;
    news_of_units(&adapter);
    assert_true(adapter.unit[0].flags & BLOCK_UNIT_PRESENT);
    assert_int_equal(complaints, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ill_driver),
        cmocka_unit_test_setup(test_ill_disk, begin),
        cmocka_unit_test_setup(test_bad_place, begin),
        cmocka_unit_test_setup(test_good_place, begin),
        cmocka_unit_test(test_other_place_says_nothing),
        cmocka_unit_test(test_places_and_drivers),
        cmocka_unit_test_setup(test_place_asked_of_two, begin),
        cmocka_unit_test_setup(test_no_place_is_good, begin),
        cmocka_unit_test_setup(test_word_of_a_predecessor, begin),
        cmocka_unit_test_setup(test_no_fresh_driver, begin),
        cmocka_unit_test_setup(test_late_fresh_driver, begin),
        cmocka_unit_test_setup(test_adopted_news, begin),
        cmocka_unit_test_setup(test_abandoned, begin),
        cmocka_unit_test_setup(test_disk_is_gone, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
