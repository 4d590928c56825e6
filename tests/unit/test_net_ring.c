/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/net/ring.c
/* The client's side of a network queue: order, wrap-around, zero-copy, takeover, and drivers that
 * lie. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "servers/net/ring.h"

static struct net_queue *queue;
static struct receive_ring receive;
static struct transmit_ring transmit;

/* Free buffers, and the driver is told. */
static bool post(struct receive_ring *r)
{
    receive_post(r);
    return receive_publish(r);
}

static int setup(void **state)
{
    queue = aligned_alloc(4096, NET_QUEUE_BYTES);
    memset(queue, 0, NET_QUEUE_BYTES);
    assert_false(ring_open(&receive, &transmit, queue));
    return 0;
}

static int teardown(void **state)
{
    free(queue);
    return 0;
}

/* The driver puts a frame that begins with `number` into the next receive buffer. */
static void driver_receives(uint32_t number, uint32_t length)
{
    struct net_entry *e = &queue->receive.entry[queue->receive.completed % NET_RING_SIZE];

    assert_int_not_equal(queue->receive.completed, queue->receive.posted);
    assert_in_range(e->offset, QUEUE_BUFFERS_OFFSET, NET_QUEUE_BYTES - e->size);
    memcpy((uint8_t *)queue + e->offset, (uint32_t[]){number, 1}, 2 * sizeof number);
    e->length = length;
    e->status = NET_FRAME_OK;
    queue->receive.completed++;
}

static uint32_t take(uint32_t *number)
{
    uint32_t length = 0;
    int buffer = receive_take(&receive, &length);

    assert_true(buffer >= 0);
    memcpy(number, receive_memory(&receive, (unsigned)buffer), sizeof *number);
    receive_give(&receive, (unsigned)buffer);
    return length;
}

static void test_fresh_queue_lends_everything(void **state)
{
    assert_int_equal(queue->header.magic, NET_QUEUE_MAGIC);
    assert_int_equal(queue->header.client_ready, 1);
    assert_int_equal(queue->receive.posted, NET_RING_SIZE);
    assert_int_equal(receive_look(&receive), 0);
    assert_int_equal(receive_held(&receive), 0);
}

static void test_frames_arrive_in_order_over_the_wrap(void **state)
{
    uint32_t number, length;

    for (uint32_t n = 0; n < 5000; n++) {
        driver_receives(n, 60 + n % 1000);
        if (n % 7 != 6)
            continue;
        assert_int_equal(receive_look(&receive), 7);
        for (uint32_t k = n - 6; k <= n; k++) {
            length = take(&number);
            assert_int_equal(number, k);
            assert_int_equal(length, 60 + k % 1000);
        }
        assert_int_equal(receive_take(&receive, &length), -EAGAIN);
        assert_false(post(&receive));
        assert_int_equal(queue->receive.posted - queue->receive.completed, NET_RING_SIZE);
    }
}

/* A predecessor has died after the driver was told and before it was noted: frames that have come
 * since are not taken for buffers that nobody has filled. */
static void test_published_twice(void **state)
{
    uint32_t number;

    driver_receives(1, 100);
    assert_int_equal(receive_look(&receive), 1);
    take(&number);
    receive_post(&receive);
    receive_publish(&receive);
    for (unsigned n = 0; n < NET_RING_SIZE; n++)
        driver_receives(n, 100);
    receive.published--;
    receive_publish(&receive);
    assert_int_equal(receive_look(&receive), NET_RING_SIZE);
    for (unsigned n = 0; n < NET_RING_SIZE; n++)
        assert_int_equal(take(&number), 100);
    assert_int_equal(receive.bad, 0);
}

static void test_held_buffers_are_not_lent(void **state)
{
    unsigned held[200];
    bool lent[NET_RING_SIZE] = {false};
    uint32_t length;

    for (unsigned n = 0; n < 200; n++)
        driver_receives(n, 100);
    assert_int_equal(receive_look(&receive), 200);
    for (unsigned n = 0; n < 200; n++)
        held[n] = (unsigned)receive_take(&receive, &length);
    assert_int_equal(receive_held(&receive), 200);
    assert_false(post(&receive));
    assert_int_equal(queue->receive.posted - queue->receive.completed, 56);
    for (uint32_t k = queue->receive.completed; k != queue->receive.posted; k++)
        lent[(queue->receive.entry[k % NET_RING_SIZE].offset - QUEUE_BUFFERS_OFFSET) /
             NET_BUFFER_SIZE] = true;
    for (unsigned n = 0; n < 200; n++)
        assert_false(lent[held[n]]);
    queue->receive.driver_waits = 1;
    for (unsigned n = 200; n-- > 0;)
        receive_give(&receive, held[n]);
    assert_true(post(&receive));
    assert_int_equal(queue->receive.posted - queue->receive.completed, NET_RING_SIZE);
}

static void test_damaged_frames_are_given_back(void **state)
{
    uint32_t number;

    driver_receives(1, 0);
    driver_receives(2, 100);
    queue->receive.entry[1].status = NET_FRAME_BAD;
    driver_receives(3, NET_FRAME_MAX + 1);
    driver_receives(4, 100);
    assert_int_equal(receive_look(&receive), 4);
    assert_int_equal(take(&number), 100);
    assert_int_equal(number, 4);
    assert_int_equal(receive.bad, 3);
    assert_int_equal(receive_held(&receive), 0);
}

/* Its card writes somewhere else: the buffers hold what an earlier round has left in them. */
static void test_frames_that_never_came(void **state)
{
    uint32_t number;

    for (unsigned n = 0; n < NET_RING_SIZE; n++)
        driver_receives(n, 100);
    assert_int_equal(receive_look(&receive), NET_RING_SIZE);
    for (unsigned n = 0; n < NET_RING_SIZE; n++)
        take(&number);
    post(&receive);
    for (unsigned n = 0; n < 10; n++) {
        struct net_entry *e = &queue->receive.entry[queue->receive.completed++ % NET_RING_SIZE];

        e->length = 100;
        e->status = NET_FRAME_OK;
    }
    driver_receives(7, 100);
    assert_int_equal(receive_look(&receive), 11);
    assert_int_equal(take(&number), 100);
    assert_int_equal(number, 7);
    assert_int_equal(receive.bad, 10);
}

static void test_a_driver_that_lies_is_found_out(void **state)
{
    uint32_t length;

    queue->receive.completed = receive.posted + 1;
    assert_int_equal(receive_look(&receive), -ERANGE);
    queue->receive.completed = receive.taken - 1;
    assert_int_equal(receive_look(&receive), -ERANGE);
    queue->receive.completed = receive.taken;
    driver_receives(1, NET_BUFFER_ROOM + 1);
    assert_int_equal(receive_look(&receive), 1);
    assert_int_equal(receive_take(&receive, &length), -EMSGSIZE);
    queue->receive.entry[receive.taken % NET_RING_SIZE].length = 100;
    queue->receive.entry[receive.taken % NET_RING_SIZE].status = NET_FRAME_BAD + 1;
    assert_int_equal(receive_take(&receive, &length), -EPROTO);
    queue->transmit.completed = 1;
    assert_int_equal(transmit_reap(&transmit), -ERANGE);
}

static void test_repair_restores_our_truth(void **state)
{
    uint32_t number, length;

    driver_receives(1, 100);
    assert_int_equal(receive_look(&receive), 1);
    take(&number);
    memcpy(transmit_buffer(&transmit), "sent", 4);
    transmit_add(&transmit, 60);
    transmit_publish(&transmit);
    memset(queue->receive.entry, 0xff, sizeof queue->receive.entry);
    memset(queue->transmit.entry, 0xff, sizeof queue->transmit.entry);
    queue->receive.completed = queue->receive.posted = 77;
    queue->transmit.completed = queue->transmit.posted = 99;
    ring_repair(&receive, &transmit);
    post(&receive);
    assert_int_equal(queue->transmit.posted - queue->transmit.completed, 1);
    assert_int_equal(queue->transmit.entry[0].size, 60);
    for (uint32_t n = 0; n < NET_RING_SIZE; n++)
        driver_receives(n, 100);
    assert_int_equal(receive_look(&receive), NET_RING_SIZE);
    for (uint32_t n = 0; n < NET_RING_SIZE; n++) {
        take(&number);
        assert_int_equal(number, n);
    }
    assert_int_equal(receive_take(&receive, &length), -EAGAIN);
}

/* A driver that wrote over what is not its own: a fresh one finds all of that as it was. */
static void test_client_claims_its_own(void **state)
{
    uint32_t number;

    driver_receives(1, 100);
    assert_int_equal(receive_look(&receive), 1);
    take(&number);
    memcpy(transmit_buffer(&transmit), "sent", 4);
    transmit_add(&transmit, 60);
    transmit_publish(&transmit);
    for (unsigned n = 0; n < NET_RING_SIZE; n++)
        queue->receive.entry[n].offset = queue->transmit.entry[n].size = 0;
    queue->receive.posted = queue->transmit.posted = 77;
    queue->header.magic = queue->header.client_ready = 0;
    ring_claim(&receive, &transmit);
    assert_int_equal(queue->header.magic, NET_QUEUE_MAGIC);
    assert_int_equal(queue->header.client_ready, 1);
    assert_int_equal(queue->transmit.posted - queue->transmit.completed, 1);
    assert_int_equal(queue->transmit.entry[0].size, 60);
    assert_int_equal(queue->receive.completed, 1); /* the driver's */
    for (uint32_t k = queue->receive.completed; k != queue->receive.posted; k++)
        assert_in_range(queue->receive.entry[k % NET_RING_SIZE].offset, QUEUE_BUFFERS_OFFSET,
                        NET_QUEUE_BYTES);
}

static void test_transmit_fills_up_and_goes_on(void **state)
{
    for (uint32_t n = 0; n < NET_RING_SIZE; n++) {
        uint8_t *to = transmit_buffer(&transmit);

        assert_non_null(to);
        memcpy(to, &n, sizeof n);
        transmit_add(&transmit, 60 + n);
    }
    assert_null(transmit_buffer(&transmit));
    assert_int_equal(queue->transmit.posted, 0);
    queue->transmit.driver_waits = 1;
    assert_true(transmit_publish(&transmit));
    assert_false(transmit_publish(&transmit)); /* nothing new */
    assert_int_equal(queue->transmit.posted, NET_RING_SIZE);
    assert_int_equal(queue->transmit.entry[9].size, 69);
    assert_false(transmit_wait(&transmit, true));
    queue->transmit.completed += 10;
    assert_true(transmit_wait(&transmit, true));
    assert_int_equal(transmit_reap(&transmit), 10);
    assert_non_null(transmit_buffer(&transmit));
}

static void test_the_next_incarnation_of_net_goes_on(void **state)
{
    struct receive_ring next_receive;
    struct transmit_ring next_transmit;
    uint32_t number, length;

    for (unsigned n = 0; n < 300; n++) {
        driver_receives(n, 100);
        receive_look(&receive);
        take(&number);
        post(&receive);
    }
    transmit_add(&transmit, 60);
    transmit_publish(&transmit);
    driver_receives(1234, 100);
    receive_look(&receive);
    receive_take(&receive, &length); /* held, and lost with us */
    driver_receives(5678, 100);
    assert_true(ring_open(&next_receive, &next_transmit, queue));
    assert_int_equal(transmit_reap(&next_transmit), 0);
    assert_int_equal(receive_look(&next_receive),
                     0); /* both were completed: it does not repeat them */
    assert_int_equal(receive_held(&next_receive), 0);
    post(&next_receive);
    assert_int_equal(queue->receive.posted - queue->receive.completed, NET_RING_SIZE);
    queue->receive.entry[queue->receive.completed % NET_RING_SIZE].offset ^= 4;
    assert_false(ring_open(&next_receive, &next_transmit, queue));
}

static void test_waiting_sees_what_came_before(void **state)
{
    assert_false(receive_wait(&receive, true));
    assert_int_equal(queue->receive.client_waits, 1);
    driver_receives(1, 100);
    assert_true(receive_wait(&receive, true));
    assert_false(receive_wait(&receive, false));
    assert_int_equal(queue->receive.client_waits, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fresh_queue_lends_everything),
        TEST(test_frames_arrive_in_order_over_the_wrap),
        TEST(test_published_twice),
        TEST(test_held_buffers_are_not_lent),
        TEST(test_damaged_frames_are_given_back),
        TEST(test_frames_that_never_came),
        TEST(test_a_driver_that_lies_is_found_out),
        TEST(test_repair_restores_our_truth),
        TEST(test_client_claims_its_own),
        TEST(test_transmit_fills_up_and_goes_on),
        TEST(test_the_next_incarnation_of_net_goes_on),
        TEST(test_waiting_sees_what_came_before),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
