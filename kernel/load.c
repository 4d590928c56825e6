/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts the root task, RS: the one program that the kernel starts itself, with all rights. It
 * comes with the kernel, laid out by the build as it lies in memory (tools/flat), so nothing is
 * parsed here. It is given a stack as System V's ABI has it, struct service_info and the boot
 * archive.
 */
#include <elf.h>
#include <limits.h>

#include "abi/service.h"
#include "kernel/boot_info.h"
#include "kernel/kernel.h"

#define STACK_PAGES 16
#define ROOT_PRIORITY 1

/* What tools/flat writes. Addresses and contents begin at page boundaries. */
struct root_image {
    uint64_t entry;
    struct {
        uint64_t address, pages, flags, bytes;
        const uint8_t *data;
    } part[4]; /* pages 0: unused */
};
extern const struct root_image root_image;
struct kernel_page kernel_page = {.info = {.cpus = 1}};

/* argc, argv, envp, auxiliary vector: the end of the stack. */
#define STACK_WORDS 8
static const uint64_t stack[PAGE_SIZE / 8] = {[PAGE_SIZE / 8 - STACK_WORDS] = 1,
                                              SERVICE_INFO + offsetof(struct service_info, name),
                                              0,
                                              0,
                                              AT_PAGESZ,
                                              PAGE_SIZE,
                                              AT_NULL,
                                              0};

/* Pages that begin with these bytes; the rest is 0. */
static void load(struct space *space, uint64_t address, uint64_t pages, uint64_t flags,
                 const void *from, uint64_t bytes)
{
    if (space_map(space, address, pages, flags, NULL, 0, LONG_MAX) != (long)pages)
        kernel_panic("too little memory to start the root task");
    for (uint64_t at = 0; at < bytes; at += PAGE_SIZE)
        memcpy(direct(arch_entry_frame(*arch_entry(space->root, address + at, false))),
               (const uint8_t *)from + at, bytes - at < PAGE_SIZE ? bytes - at : PAGE_SIZE);
}

/* What is in memory already; flags: MAP_PHYSICAL for what is the kernel's, which RS shows to others. */
static void show(struct space *space, uint64_t address, uint64_t physical, uint64_t bytes,
                 uint64_t flags)
{
    for (uint64_t at = 0; at < bytes; at += PAGE_SIZE) {
        uint64_t *entry = arch_entry(space->root, address + at, true);

        if (!entry)
            kernel_panic("too little memory to map the boot archive");
        if (!flags)
            frame_reference(physical + at);
        *entry = arch_entry_make(physical + at, MAP_READ | flags);
        space->pages++;
    }
}

/* What is for RS alone is copied; what RS shows to others as well stays where it is, the kernel's
 * own pages among it. It runs only when all of it is mapped; and there is nobody yet to whom an
 * error could be told. */
void load_root(void)
{
    const struct slot_config config = {
        .name = "rs",
        .priority = ROOT_PRIORITY,
        .service_id = SERVICE_ID_ROOT,
        .entry = root_image.entry,
        .stack = SERVICE_STACK_TOP - STACK_WORDS * 8,
        .rights = {~0ull,
                   ~0ull,
                   ~0ull,
                   ~0ull,
                   1u << ROUTE_GUARDIAN | 1u << ROUTE_KERNEL,
                   RIGHT_COPY_ANY | RIGHT_RULE_ANY,
                   {{0, 0xffff}}}}; /* no server may keep it waiting */
    endpoint_t self = (endpoint_t)slot_make(NULL, &config);
    struct slot *s = &slots[endpoint_slot(self)];
    struct service_info info = {
        .name = "rs",
        .self = self,
        .rs = self,
        .incarnation = 1,
        .archive_mapped = 1,
        .archive_size = boot_info.archive_size,
        .service_id = SERVICE_ID_ROOT,
    };

    if (self < 0)
        kernel_panic("too little memory for the root task");
    kernel_page.info.archive_size = boot_info.archive_size;
    for (unsigned i = 0; i < 4 && root_image.part[i].pages; i++)
        load(s->space, root_image.part[i].address, root_image.part[i].pages,
             root_image.part[i].flags, root_image.part[i].data, root_image.part[i].bytes);
    load(s->space, SERVICE_INFO, 1, MAP_READ, &info, sizeof info);
    load(s->space, SERVICE_STACK_TOP - STACK_PAGES * PAGE_SIZE, STACK_PAGES - 1,
         MAP_READ | MAP_WRITE, NULL, 0);
    load(s->space, SERVICE_STACK_TOP - PAGE_SIZE, 1, MAP_READ | MAP_WRITE, stack, PAGE_SIZE);
    show(s->space, BOOT_ARCHIVE, boot_info.archive, boot_info.archive_size, 0);
    show(s->space, KERNEL_PAGE, arch_physical(&kernel_page), sizeof kernel_page, MAP_PHYSICAL);
    show(s->space, KERNEL_LOG_RING, arch_physical(log_ring), sizeof log_ring, MAP_PHYSICAL);
    show(s->space, KERNEL_TRACE_RING, arch_physical(trace_ring), sizeof trace_ring, MAP_PHYSICAL);
    s->stopped = false;
    sched_ready(s);
}
