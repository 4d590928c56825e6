/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the loader's information to struct boot_info and what all services see of it (kernel_page).
 * PVH: Xen's public/arch-x86/hvm/start_info.h; multiboot2: its specification 2.0, 3.6. Runs on the
 * boot tables: direct map there, all memory writable.
 */
#include "boot/boot.h"
#include "kernel/x86_64/cpu.h"
#include "kernel/string.h"

#define MULTIBOOT2_LOADER 0x36d76289
#define PVH_MAGIC 0x336ec578
#define NEEDED (1u << 4 | 1u << 9 | 1u << 24 | 1u << 26) /* CPUID.1:EDX: TSC, APIC, FXSR, SSE2 */
#define RAM 1 /* type of usable memory in both maps */

struct pvh_info {
    uint32_t magic, version, flags, modules;
    uint64_t module_list, command_line, rsdp, memory_map;
    uint32_t memory_entries, reserved;
};
struct pvh_module {
    uint64_t address, size, command_line, reserved;
};
struct pvh_range {
    uint64_t address, size;
    uint32_t type, reserved;
};
struct tag {
    uint32_t type, size;
};
struct multiboot_range {
    uint64_t address, size;
    uint32_t type, reserved;
};

static void add_range(uint64_t address, uint64_t size, uint32_t type)
{
    if (type == RAM && boot_info.ranges < BOOT_RANGES)
        boot_info.ram[boot_info.ranges++] = (struct boot_range){address, address + size};
}

static void set_command_line(const char *text)
{
    for (size_t i = 0; text[i] && i < sizeof kernel_page.info.command_line - 1; i++)
        kernel_page.info.command_line[i] = text[i];
}

static void from_pvh(const struct pvh_info *info)
{
    const struct pvh_range *map = direct(info->memory_map);

    if (info->modules) {
        const struct pvh_module *module = direct(info->module_list);

        boot_info.archive = module->address;
        boot_info.archive_size = module->size;
    }
    if (info->command_line)
        set_command_line(direct(info->command_line));
    kernel_page.info.rsdp = info->rsdp;
    for (uint32_t i = 0; info->version >= 1 && i < info->memory_entries; i++)
        add_range(map[i].address, map[i].size, map[i].type);
}

/* The ACPI tags hold a copy of the RSDP, which is in the loader's memory: good until frames are
 * given out. It is copied here. */
static void keep_rsdp(const void *from, size_t size)
{
    static uint8_t kept[64] __attribute__((aligned(16)));

    memcpy(kept, from, size < sizeof kept ? size : sizeof kept);
    kernel_page.info.rsdp = (uint64_t)kept; /* as low as it is physical */
}

/* words: address, pitch, width, height, then bytes: bits of a point, kind (1: direct colours), two of none, and of
 * red, green and blue shift and bits. */
static void set_framebuffer(const uint32_t *words, uint32_t size)
{
    const uint8_t *bytes = (const uint8_t *)(words + 5);
    struct kernel_framebuffer *f = &kernel_page.info.framebuffer;

    if (size < 30 || bytes[1] != 1)
        return;
    f->physical = words[0] | (uint64_t)words[1] << 32;
    f->pitch = words[2];
    f->width = words[3];
    f->height = words[4];
    f->point = bytes[0];
    memcpy(f->colour, bytes + 4, sizeof f->colour);
}

static void from_multiboot(const uint8_t *information)
{
    uint32_t total = *(const uint32_t *)information;

    for (uint32_t at = 8; at + sizeof(struct tag) <= total;) {
        const struct tag *tag = (const void *)(information + at);
        const uint32_t *words = (const void *)(tag + 1);

        if (tag->type == 0 || tag->size < sizeof *tag)
            break;
        if (tag->type == 1)
            set_command_line((const char *)words);
        else if (tag->type == 3 && !boot_info.archive_size) {
            boot_info.archive = words[0];
            boot_info.archive_size = words[1] - words[0];
        } else if (tag->type == 6) {
            for (uint32_t i = 16; i + words[0] <= tag->size; i += words[0]) {
                const struct multiboot_range *r = (const void *)((const uint8_t *)tag + i);

                add_range(r->address, r->size, r->type);
            }
        } else if (tag->type == 8)
            set_framebuffer(words, tag->size - sizeof *tag);
        else if (tag->type == 14 || tag->type == 15)
            keep_rsdp(words, tag->size - sizeof *tag);
        at += (tag->size + 7) & ~7u;
    }
}

void boot_start(uint64_t magic, uint64_t information)
{
    uint32_t r[4];

    cpuid(1, 0, r);
    if (~r[3] & NEEDED)
        kernel_panic("Bardo needs a processor with TSC, APIC, FXSR and SSE2");
    magic &= 0xffffffff;
    information &= 0xffffffff;
    if (magic == MULTIBOOT2_LOADER)
        from_multiboot(direct(information));
    else if (((const struct pvh_info *)direct(information))->magic == PVH_MAGIC)
        from_pvh(direct(information));
    else
        kernel_panic("started by a loader that is neither PVH nor multiboot2");
    if (!boot_info.archive_size || (boot_info.archive & 4095))
        kernel_panic("no boot archive was loaded (or not at a page boundary)");
    memory_place();
    acpi_read();
    clock_measure();
}
