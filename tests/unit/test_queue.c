/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/queue.c servers/rs/policy.c
// flags: -Itests/unit/host
/* Queues that are made while their clients run: a client is told of what it has, and of nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/rs/requests.h"

enum { SIZE = 16 * PAGE_SIZE };

static struct service client = {.name = "net"}, drivers[2];
static struct manifest manifest = {.queue_client = "net", .queue_size = SIZE};
static struct service_info infos[2];
static bool arena_is_empty, client_is_short;
static unsigned taken, mapped, notified, lines;
static uint64_t places[4]; /* of the client's, mapped */
static struct service_queue told; /* the last that a client has asked for */

struct service *service_named(const char *name)
{
    return strcmp(name, "net") == 0 ? &client : NULL;
}

void *arena_contiguous(uint64_t size)
{
    assert_int_equal(size, SIZE);
    taken += !arena_is_empty;
    return arena_is_empty ? NULL : aligned_alloc(PAGE_SIZE, size);
}

void log_always(const char *format, ...)
{
    lines++;
}

void service_peers(struct service *s)
{
}

void device_memory_changed(struct device *d)
{
}

unsigned device_number(const struct device *d)
{
    return 0;
}

long memory_map(endpoint_t ep, uint64_t address, uint64_t pages, uint64_t flags, endpoint_t source,
                uint64_t source_address)
{
    assert_int_equal(ep, client.endpoint);
    assert_int_equal(pages, SIZE / PAGE_SIZE);
    assert_int_equal(source, ENDPOINT_SELF);
    if (client_is_short)
        return -ENOMEM;
    places[mapped++] = address;
    return 0;
}

long memory_query(endpoint_t ep, uint64_t address, uint64_t *flags)
{
    return (long)(address & 0xfffff000);
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    assert_int_equal(to, client.endpoint);
    notified++;
    return 0;
}

long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length)
{
    assert_int_equal(length, sizeof told);
    memcpy(&told, local, length);
    return 0;
}

/* What the client finds when it asks for all of its queues. */
static unsigned asked(void)
{
    for (unsigned number = 0;; number++) {
        struct message m = message_of(RS_QUEUE, (struct rs_queue_request){.number = number});
        long error = request_queue(&m, &client);
        bool is_there = false;

        if (error) {
            assert_int_equal(error, -ENOENT);
            return number;
        }
        assert_int_equal(told.number, number);
        for (unsigned i = 0; i < mapped; i++)
            is_there |= places[i] == told.address;
        assert_true(is_there); /* or the client would die of it */
    }
}

static void expect(unsigned queues, unsigned notifications, unsigned said)
{
    assert_int_equal(asked(), queues);
    assert_int_equal(notified, notifications);
    assert_int_equal(lines, said);
}

/* Its client has no memory for the tables: it hears nothing of that queue, and gets it when there is
 * some, without another one being made. */
static void test_client_is_short_of_memory(void **state)
{
    client.endpoint = 7;
    for (unsigned i = 0; i < 2; i++)
        drivers[i] = (struct service){.name = "card", .manifest = &manifest, .info = &infos[i]};
    client_is_short = true;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(queue_prepare(&drivers[0]), -ENOMEM);
        assert_null(drivers[0].queue);
        assert_int_equal(drivers[0].mappings, 0);
        assert_int_equal(infos[0].queue.size, 0);
        expect(0, 0, i + 1);
    }
    assert_int_equal(taken, 1);

    client_is_short = false; /* another one comes first */
    assert_int_equal(queue_prepare(&drivers[1]), 0);
    expect(1, 1, 2);
    assert_int_equal(queue_prepare(&drivers[0]), 0);
    expect(2, 2, 2);
    assert_int_equal(taken, 2);
    assert_ptr_not_equal(drivers[0].queue->memory, drivers[1].queue->memory);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(drivers[i].mappings, 1);
        assert_int_equal(infos[i].queue.physical, drivers[i].queue->physical);
        assert_int_equal(queue_prepare(&drivers[i]), 0); /* it has one */
    }
    expect(2, 2, 2);

    mapped = 0; /* the client's next incarnation gets both, or is not started */
    assert_int_equal(queue_map_client(&client, 7), 0);
    assert_int_equal(mapped, 2);
    client_is_short = true;
    assert_int_equal(queue_map_client(&client, 7), -ENOMEM);
}

static void test_no_memory_for_the_queue(void **state)
{
    static struct service driver = {.name = "other", .manifest = &manifest, .info = &infos[0]};

    notified = lines = mapped = taken = 0;
    client_is_short = false;
    arena_is_empty = true;
    assert_int_equal(queue_prepare(&driver), -ENOMEM);
    assert_int_equal(mapped + notified, 0);
    assert_int_equal(lines, 1);
    arena_is_empty = false;
    assert_int_equal(queue_prepare(&driver), 0);
    assert_int_equal(driver.queue->number, 2);
    assert_int_equal(notified, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_client_is_short_of_memory),
                                       cmocka_unit_test(test_no_memory_for_the_queue)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
