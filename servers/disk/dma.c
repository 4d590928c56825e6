/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers that an IOMMU has refused. A driver may tell its device a wrong address; the IOMMU keeps
 * the device from it, and many a device says all the same that it is done. Then the memory that a
 * read should have filled is as it was before, and a disk has something else than what was written.
 *
 * So what a driver calls done is looked at twice. While an IOMMU has a report that pci has not read
 * it may be any device's; and when pci has read it RS counts it in the queue of that one's driver,
 * before it goes away. Requests that were under way then are done once more, when there is no report.
 */
#include "abi/iommu.h"
#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "servers/disk/disk.h"

#define PATIENCE_NS 10000000000ull /* for pci to come back and look */

static const volatile uint8_t *unit[IOMMU_UNITS];
static unsigned units;

void dma_look(void)
{
    struct message m;
    const struct rs_iommu_status_reply *reply = message_words(&m);

    for (; units < IOMMU_UNITS; units++) {
        m = message_of(RS_IOMMU_STATUS, (struct rs_iommu_status_request){.number = units});
        if (ipc_call(service_info()->rs, &m) < 0)
            return;
        unit[units] = (const volatile uint8_t *)(uintptr_t)reply->registers;
    }
}

static bool is_reported(void)
{
    uint32_t status = 0;

    for (unsigned n = 0; n < units; n++)
        status |= *(const volatile uint32_t *)(unit[n] + IOMMU_FAULT_STATUS);
    return status & (IOMMU_FAULT_LOST | IOMMU_FAULT_IS_THERE);
}

uint32_t dma_doubtful(struct adapter *a)
{
    bool reported = is_reported(); /* first: RS counts it before it is so no more */
    uint32_t refused = queue_read(&a->client.queue->header.refused);

    if (reported || refused != a->refused)
        a->unsure = a->client.used;
    a->refused = refused;
    return a->unsure;
}

bool dma_repeats(struct adapter *a, int slot, uint64_t now)
{
    struct job *job = &a->job[slot];

    a->unsure &= ~(1u << slot);
    if (job->unsure_ns == 0)
        job->unsure_ns = now;
    if (adapter_must_not_repeat(a, slot) || now - job->unsure_ns > PATIENCE_NS)
        return false;
    a->client.held |= 1u << slot;
    a->stopped |= 1u << slot;
    return true;
}

void dma_go_on(struct adapter *a, uint64_t now)
{
    bool reported = dma_stopped(a) && is_reported();

    for (uint32_t rest = dma_stopped(a); rest; rest &= rest - 1) {
        int slot = __builtin_ctz(rest);

        if (reported && now - a->job[slot].unsure_ns <= PATIENCE_NS)
            continue;
        a->client.held &= ~(1u << slot);
        a->unsure &= ~(1u << slot);
        block_post(&a->client, slot, now);
    }
    a->stopped &= a->client.held;
}
