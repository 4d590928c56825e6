/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/pci/domain.c
// includes: servers/pci/iommu.c
// flags: -Itests/unit/host
/* What pci tells RS of transfers that an IOMMU has refused, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "servers/pci/iommu.c"

enum { RECORDS_AT = 0x200, RECORDS = 2, WRITING = 5 };

static uint8_t page[REGISTERS];
static uint64_t now;
static struct {
    uint64_t device;
    bool is_there_still; /* when RS was told */
} told[8];
static unsigned tells;

struct pci_table table; /* nobody is known: a fault is then told of nobody */

static uint32_t *at(uint32_t offset)
{
    return (uint32_t *)(void *)(page + offset);
}

static uint32_t why_of(unsigned record)
{
    return *at(RECORDS_AT + record * RECORD_SIZE + RECORD_WHY);
}

uint32_t mmio_read32(volatile void *registers, uint32_t offset)
{
    uint32_t status = *at(FAULT_STATUS);

    for (unsigned n = 0; n < RECORDS; n++)
        status |= why_of(n) & RECORD_IS_THERE ? IOMMU_FAULT_IS_THERE : 0;
    return offset == FAULT_STATUS ? status : *at(offset);
}

/* What is said in the status and of a record is written to be no more. */
void mmio_write32(volatile void *registers, uint32_t offset, uint32_t value)
{
    if (offset == FAULT_STATUS || value == RECORD_IS_THERE)
        *at(offset) &= ~value;
    else
        *at(offset) = value;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    const struct rs_device_fault_request *r = message_words(m);

    assert_int_equal(m->type, RS_DEVICE_FAULT);
    told[tells].device = r->place;
    told[tells++].is_there_still = mmio_read32(page, FAULT_STATUS) & IOMMU_FAULT_IS_THERE;
    return 0;
}

uint64_t clock_now(void)
{
    return now;
}
const struct service_info *service_info(void)
{
    static const struct service_info none;

    return &none;
}
const struct kernel_info *kernel_info(void)
{
    static const struct kernel_info none;

    return &none;
}
void log_info(const char *format, ...)
{
}
long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags)
{
    return -1;
}
void grant_revoke(long grant)
{
}
unsigned dmar_units(uint64_t root, uint64_t *base, unsigned room)
{
    return 0;
}

uint16_t function_requester(const struct function *f)
{
    return f->place;
}

static int begin(void **state)
{
    memset(page, 0, sizeof page);
    units[0] = (struct unit){page, 0, RECORDS_AT, RECORDS};
    unit_count = 1;
    tells = 0;
    now += 1000000000;
    table.function[0].place = 8;
    table.count = 1;
    return 0;
}

static void record(unsigned n, uint16_t place)
{
    *at(RECORDS_AT + n * RECORD_SIZE + RECORD_SOURCE) = place;
    *at(RECORDS_AT + n * RECORD_SIZE + RECORD_WHY) = RECORD_IS_THERE | WRITING;
}

static void test_whose_it_was(void **state)
{
    record(1, 8);
    iommu_interrupt();
    assert_int_equal(tells, 1);
    assert_int_equal(told[0].device, 8);
    assert_true(told[0].is_there_still); /* disk believes nothing until RS has counted it */
    assert_int_equal(mmio_read32(page, FAULT_STATUS), 0);
}

/* All of them: nobody knows who the others were. While that is told something is still amiss. */
static void test_some_were_lost(void **state)
{
    record(0, 8);
    record(1, 8);
    *at(FAULT_STATUS) = IOMMU_FAULT_LOST;
    iommu_interrupt();
    assert_int_equal(tells, 3);
    assert_int_equal(told[0].device, RS_DEVICE_ANY);
    assert_true(told[0].is_there_still);
    assert_int_equal(told[1].device, 8);
    assert_int_equal(mmio_read32(page, FAULT_STATUS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_whose_it_was, begin),
        cmocka_unit_test_setup(test_some_were_lost, begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
