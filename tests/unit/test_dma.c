/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/disk/dma.c lib/block/client.c
// flags: -Itests/unit/host
/*
 * What a driver calls done while an IOMMU has kept some device from memory: it is done once more when
 * nothing is reported any more, and is lost after ten seconds of that. Whose it was may not be known; then
 * RS counts it for all (RS_DEVICE_ANY), and what was under way is doubted as though it were ours.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/iommu.h"
#include "abi/proto/rs.h"
#include "servers/disk/disk.h"

#define SECOND_NS 1000000000ull
#define SLOT 3
#define OTHER 5

static uint8_t registers[4096];
static struct adapter a;

const struct service_info *service_info(void)
{
    static const struct service_info none;

    return &none;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    const struct rs_iommu_status_request *r = message_words(m);
    struct rs_iommu_status_reply *reply = message_words(m);

    assert_int_equal(m->type, RS_IOMMU_STATUS);
    if (r->number)
        return -ENOENT;
    reply->registers = (uint64_t)registers;
    return 0;
}

static void report(uint32_t status)
{
    memcpy(registers + IOMMU_FAULT_STATUS, &status, sizeof status);
}

static bool is_posted(int slot)
{
    return a.client.queue->posted[slot] != a.client.queue->completed[slot];
}

/* Two requests are under way, and the driver calls them done. */
static int begin(void **state)
{
    static struct block_queue queue;

    queue = (struct block_queue){0};
    a = (struct adapter){.client.queue = &queue};
    report(0);
    dma_look();
    block_post(&a.client, SLOT, 0);
    block_post(&a.client, OTHER, 0);
    queue.completed[SLOT] = queue.posted[SLOT];
    queue.completed[OTHER] = queue.posted[OTHER];
    return 0;
}

static void test_nothing_was_refused(void **state)
{
    assert_int_equal(dma_doubtful(&a), 0);
}

static void test_done_once_more(void **state)
{
    report(IOMMU_FAULT_LOST);
    assert_int_equal(dma_doubtful(&a), 1u << SLOT | 1u << OTHER);
    assert_true(dma_repeats(&a, SLOT, SECOND_NS));
    dma_go_on(&a, 2 * SECOND_NS);
    assert_false(is_posted(SLOT)); /* it would be as doubtful again */
    report(0);
    dma_go_on(&a, 3 * SECOND_NS);
    assert_true(is_posted(SLOT));
    assert_int_equal(dma_doubtful(&a), 1u << OTHER); /* that was there before */
}

static void test_not_known_whose(void **state)
{
    a.client.queue->header.refused++; /* by RS, and pci has taken the report away since */
    assert_int_equal(dma_doubtful(&a), 1u << SLOT | 1u << OTHER);
    assert_true(dma_repeats(&a, SLOT, SECOND_NS) && dma_repeats(&a, OTHER, SECOND_NS));
    dma_go_on(&a, SECOND_NS);
    assert_true(is_posted(SLOT) && is_posted(OTHER));
    assert_int_equal(dma_doubtful(&a), 0);
}

/* Again and again, or with nobody there who looks at the report. */
static void test_ten_seconds(void **state)
{
    report(IOMMU_FAULT_IS_THERE);
    for (uint64_t s = 1; s <= 11; s++) {
        assert_true(dma_doubtful(&a) & 1u << SLOT);
        assert_true(dma_repeats(&a, SLOT, s * SECOND_NS));
        dma_go_on(&a, s * SECOND_NS);
        assert_false(is_posted(SLOT));
    }
    dma_go_on(&a, 11 * SECOND_NS + 1);
    assert_true(is_posted(SLOT)); /* a last time */
    assert_true(dma_doubtful(&a) & 1u << SLOT);
    assert_false(dma_repeats(&a, SLOT, 11 * SECOND_NS + 1));
}

static void test_what_must_not_be_done_twice(void **state)
{
    a.unit[0].flags = BLOCK_UNIT_ONCE;
    block_request(&a.client, SLOT)->operation = BLOCK_WRITE;
    report(IOMMU_FAULT_IS_THERE);
    assert_true(dma_doubtful(&a) & 1u << SLOT);
    assert_false(dma_repeats(&a, SLOT, SECOND_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_nothing_was_refused, begin),
        cmocka_unit_test_setup(test_done_once_more, begin),
        cmocka_unit_test_setup(test_not_known_whose, begin),
        cmocka_unit_test_setup(test_ten_seconds, begin),
        cmocka_unit_test_setup(test_what_must_not_be_done_twice, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
