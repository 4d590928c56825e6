/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Starts the root task, RS: the one program that the kernel loads itself, from the boot archive
 * (cpio "newc"), with all rights. It is a static ELF program as System V's ABI has it (gABI ch. 5),
 * and is given struct service_info and the archive as abi/kernel.h says.
 */
#include <elf.h>

#include "abi/service.h"
#include "kernel/boot/boot_info.h"
#include "kernel/kernel.h"

#define ROOT_TASK "lib/bardo/rs"
#define STACK_PAGES 16
#define ROOT_PRIORITY 1

struct file {
    const uint8_t *data;
    uint64_t size;
};

static uint64_t hex(const uint8_t *text)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned c = text[i] | 0x20;

        value = value << 4 | (c >= 'a' ? c - 'a' + 10 : c - '0') % 16;
    }
    return value;
}

/* A member of the archive. Fields of a newc header are 8 hexadecimal digits each: size is the 7th,
 * name size the 12th. */
static struct file archive_find(const char *name)
{
    const uint8_t *archive = direct(boot_info.archive);
    uint64_t at = 0, size = boot_info.archive_size, length = strlen(name);

    while (at + 110 < size) {
        uint64_t bytes, name_bytes, data;

        if (archive[at] == 0) { /* padding between concatenated archives */
            at += 4;
            continue;
        }
        if (memcmp(archive + at, "070701", 6))
            kernel_panic("corrupt boot archive: no header at byte %lu of %lu", at, size);
        bytes = hex(archive + at + 6 + 6 * 8);
        name_bytes = hex(archive + at + 6 + 11 * 8);
        data = (at + 110 + name_bytes + 3) & ~3ull;
        if (data > size || bytes > size - data)
            kernel_panic("corrupt boot archive: member at byte %lu goes beyond its end (%lu)", at,
                         size);
        if (name_bytes == length + 1 && !memcmp(archive + at + 110, name, length))
            return (struct file){archive + data, bytes};
        at = (data + bytes + 3) & ~3ull;
    }
    kernel_panic("the boot archive (%lu bytes) has no " ROOT_TASK, size);
}

static void must(long result, const char *what)
{
    if (result < 0)
        kernel_panic("cannot start " ROOT_TASK ": %s (error %ld)", what, result);
}

/* Copies into the new space, whatever the protection there. */
static void write_to(struct space *space, uint64_t address, const void *from, uint64_t length)
{
    for (uint64_t n; length; address += n, from = (const uint8_t *)from + n, length -= n) {
        uint64_t *entry = arch_entry(space->root, address, false),
                 room = PAGE_SIZE - address % PAGE_SIZE;

        n = length < room ? length : room;
        if (!entry || !*entry)
            kernel_panic("cannot start " ROOT_TASK ": segments do not match its headers");
        memcpy((uint8_t *)direct(arch_entry_frame(*entry)) + address % PAGE_SIZE, from, n);
    }
}

static void load_segment(struct space *space, struct file f, const Elf64_Phdr *p)
{
    uint64_t start = p->p_vaddr & ~(PAGE_SIZE - 1), end = p->p_vaddr + p->p_memsz;
    uint64_t flags =
        MAP_READ | (p->p_flags & PF_W ? MAP_WRITE : 0) | (p->p_flags & PF_X ? MAP_EXECUTE : 0);

    if (p->p_offset > f.size || p->p_filesz > f.size - p->p_offset || p->p_filesz > p->p_memsz ||
        end < p->p_vaddr || end > USER_END ||
        (flags & (MAP_WRITE | MAP_EXECUTE)) == (MAP_WRITE | MAP_EXECUTE))
        must(-ENOEXEC, "bad segment in its ELF file");
    must(space_map(space, start, (end - start + PAGE_SIZE - 1) / PAGE_SIZE, flags, NULL, 0),
         "out of memory");
    write_to(space, p->p_vaddr, f.data + p->p_offset, p->p_filesz);
}

/* argc, argv, envp, auxiliary vector; returns the stack pointer. */
static uint64_t build_stack(struct space *space, const Elf64_Ehdr *e, uint64_t headers)
{
    static const char name[16] = "rs";
    const uint64_t top = SERVICE_STACK_TOP - 64;
    const uint64_t words[] = {
        1,        top,        0,         0, /* argc, argv[0], end of argv, end of envp */
        AT_PHDR,  headers,    AT_PHENT,  sizeof(Elf64_Phdr),
        AT_PHNUM, e->e_phnum, AT_PAGESZ, PAGE_SIZE,
        AT_ENTRY, e->e_entry, AT_RANDOM, top + 16,
        AT_NULL,  0,
    };
    const uint64_t random[2] = {arch_tsc() * 0x9e3779b97f4a7c15ull,
                                arch_tsc() ^ 0x5851f42d4c957f2dull};
    uint64_t stack = (top - sizeof words) & ~15ull;

    must(space_map(space, SERVICE_STACK_TOP - STACK_PAGES * PAGE_SIZE, STACK_PAGES,
                   MAP_READ | MAP_WRITE, NULL, 0),
         "out of memory");
    write_to(space, top, name, sizeof name);
    write_to(space, top + 16, random, sizeof random);
    write_to(space, stack, words, sizeof words);
    return stack;
}

static void map_archive(struct space *space)
{
    uint64_t pages = (boot_info.archive_size + PAGE_SIZE - 1) / PAGE_SIZE;

    for (uint64_t i = 0; i < pages; i++) {
        uint64_t *entry = arch_entry(space->root, BOOT_ARCHIVE + i * PAGE_SIZE, true);

        if (!entry)
            must(-ENOMEM, "out of memory");
        frame_reference(boot_info.archive + i * PAGE_SIZE);
        *entry = arch_entry_make(boot_info.archive + i * PAGE_SIZE, MAP_READ);
        space->pages++;
    }
}

static void map_info(struct space *space, endpoint_t self)
{
    struct service_info info = {
        .name = "rs",
        .self = self,
        .rs = self,
        .incarnation = 1,
        .archive_mapped = 1,
        .archive_size = boot_info.archive_size,
        .tsc_hz = arch_tsc_hz,
        .tsc_boot = arch_tsc_boot,
        .service_id = SERVICE_ID_ROOT,
    };

    must(space_map(space, SERVICE_INFO, 1, MAP_READ, NULL, 0), "out of memory");
    write_to(space, SERVICE_INFO, &info, sizeof info);
}

void load_root(void)
{
    struct file f = archive_find(ROOT_TASK);
    const Elf64_Ehdr *e = (const void *)f.data;
    const Elf64_Phdr *p = (const void *)(f.data + e->e_phoff);
    struct slot_config config = {.name = "rs",
                                 .priority = ROOT_PRIORITY,
                                 .service_id = SERVICE_ID_ROOT,
                                 .entry = e->e_entry};
    struct slot *s;
    uint64_t headers = 0;

    if (f.size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) || e->e_type != ET_EXEC ||
        e->e_machine != EM_X86_64 || e->e_phoff > f.size ||
        e->e_phnum > (f.size - e->e_phoff) / sizeof *p)
        must(-ENOEXEC, "not a static x86-64 ELF program");
    config.rights = (struct rights){~0ull, ~0ull, ~0ull, ~0u, RIGHT_COPY_ANY, {{0, 0xffff}}};
    must(slot_make(NULL, &config), "out of memory");
    s = &slots[1];
    for (unsigned i = 0; i < e->e_phnum; i++)
        if (p[i].p_type == PT_LOAD) {
            load_segment(s->space, f, &p[i]);
            if (p[i].p_offset <= e->e_phoff && e->e_phoff < p[i].p_offset + p[i].p_filesz)
                headers = p[i].p_vaddr + e->e_phoff - p[i].p_offset;
        }
    map_info(s->space, s->endpoint);
    map_archive(s->space);
    s->registers.rsp = build_stack(s->space, e, headers);
    s->stopped = false;
    sched_ready(s);
}
