/* SPDX-License-Identifier: BSD-2-Clause */
/* The pages that every service finds at its start, for unit tests of drivers that look at them. */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "abi/kernel.h"
#include "abi/service.h"

static struct service_info *fake_info;
static struct kernel_page *fake_page;

static void *fake_map(uint64_t address, size_t bytes)
{
    void *at = mmap((void *)(uintptr_t)address, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    assert_ptr_equal(at, (void *)(uintptr_t)address);
    return at;
}

/* Nothing is in them but a clock that flies: seconds are ms. */
static void fake_pages_begin(void)
{
    if (!fake_info) {
        fake_info = fake_map(SERVICE_INFO, sizeof *fake_info);
        fake_page = fake_map(KERNEL_PAGE, sizeof *fake_page);
        fake_page->tsc_hz = 2000000;
    }
    *fake_info = (struct service_info){0};
}

#ifdef HOST_KERNEL_H
const struct service_info *service_info(void)
{
    return fake_info;
}
#endif

#endif
