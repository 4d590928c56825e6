/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who ran, and who was blocked on whom, in a system that does not answer any more:
 *
 *     postmortem KERNEL.elf MEMORY
 *
 * MEMORY: physical memory from 0 on, as far as the kernel's image goes, as QEMU's `pmemsave 0 SIZE
 * FILE` writes it. `postmortem KERNEL.elf` prints that SIZE. tools/guest calls both when a time-out
 * has passed. Runs on the host; the structures are the kernel's own.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"

#define KERNEL_BASE 0xffffffff80000000ull
#define SHOWN 48 /* events */

static struct file {
    unsigned char *bytes;
    size_t size;
} elf, memory;

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "postmortem: %s: %s\n", what, why);
    exit(1);
}

static struct file file_read(const char *path)
{
    FILE *f = fopen(path, "rb");
    struct file out = {0};

    if (!f)
        fail(path, strerror(errno));
    for (size_t room = 1 << 20;; room *= 2) {
        out.bytes = realloc(out.bytes, room);
        if (!out.bytes)
            fail(path, "too little memory");
        out.size += fread(out.bytes + out.size, 1, room - out.size, f);
        if (out.size < room)
            break;
    }
    if (ferror(f))
        fail(path, strerror(errno));
    fclose(f);
    return out;
}

/* The part [offset, offset + size) of the kernel's file. */
static const void *elf_part(uint64_t offset, uint64_t size)
{
    if (offset > elf.size || size > elf.size - offset)
        fail("kernel", "no ELF file, or cut off");
    return elf.bytes + offset;
}

static const Elf64_Shdr *section(const Elf64_Ehdr *header, unsigned n)
{
    return elf_part(header->e_shoff + (uint64_t)n * sizeof(Elf64_Shdr), sizeof(Elf64_Shdr));
}

static uint64_t address_of(const char *name)
{
    const Elf64_Ehdr *header = elf_part(0, sizeof *header);

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        fail("kernel", "no ELF file");
    for (unsigned n = 0; n < header->e_shnum; n++) {
        const Elf64_Shdr *s = section(header, n);

        if (s->sh_type != SHT_SYMTAB)
            continue;
        for (uint64_t i = 0; i < s->sh_size / sizeof(Elf64_Sym); i++) {
            const Elf64_Sym *symbol = elf_part(s->sh_offset + i * sizeof *symbol, sizeof *symbol);
            const Elf64_Shdr *names = section(header, s->sh_link);

            if (symbol->st_name < names->sh_size &&
                strcmp(elf_part(names->sh_offset + symbol->st_name, 1), name) == 0)
                return symbol->st_value;
        }
    }
    fail(name, "the kernel has no such symbol");
    return 0;
}

/* What lies there in the memory that was saved; the address is one of the kernel's image. */
static const void *saved(uint64_t address, size_t size)
{
    uint64_t at = address - KERNEL_BASE;

    if (at > memory.size || size > memory.size - at)
        fail("memory", "too short for this kernel");
    return memory.bytes + at;
}

static uint64_t word_named(const char *name, size_t size)
{
    uint64_t value = 0;

    memcpy(&value, saved(address_of(name), size), size);
    return value;
}

static const struct slot *slot_table;

static const char *name_of(endpoint_t e)
{
    static char unknown[4][24];
    static unsigned next;

    if (e > 0 && slot_table[endpoint_slot(e)].endpoint == e)
        return slot_table[endpoint_slot(e)].name;
    if (e == ENDPOINT_KERNEL)
        return "kernel";
    next = (next + 1) % 4;
    snprintf(unknown[next], sizeof unknown[next], "%x (gone)", (unsigned)e);
    return unknown[next];
}

/* A list's element that is in none points to itself: at its address in the kernel. */
static bool is_in_list(const struct slot *s)
{
    uint64_t offset = (uint64_t)((const char *)&s->link - (const char *)slot_table);

    return (uint64_t)s->link.next != address_of("slots") + offset;
}

static const char *running(const struct slot *s, bool is_current)
{
    if (s->stopped)
        return "is stopped";
    return is_current ? "runs" : "is ready";
}

static void show_slot(const struct slot *s, bool is_current)
{
    printf("  %-15s ", s->name);
    switch (s->state) {
    case SLOT_READY:
        printf("%s at %llx", running(s, is_current), (unsigned long long)s->registers.rip);
        break;
    case SLOT_RECEIVING:
        printf("waits for anybody%s", s->pending ? ", and has a notification" : "");
        break;
    case SLOT_RECEIVING_ONE:
        printf("waits for %s", name_of(s->peer));
        break;
    case SLOT_CALLING_STATE:
        printf("is blocked on %s, which %s it", name_of(s->peer),
               is_in_list(s) ? "has not yet received" : "has received");
        if (s->call_kind == CALL_LINUX && !s->message_kept)
            printf(" (system call %llu)", (unsigned long long)s->registers.rax);
        else
            printf(" (message %llx)",
                   (unsigned long long)(s->message_kept ? s->message[0] : s->registers.rsi));
        break;
    default:
        printf("has faulted at %llx", (unsigned long long)s->registers.rip);
        break;
    }
    if (s->deadline)
        printf(", until %.3f s", (double)s->deadline / 1e9);
    printf("\n");
}

static void show_slots(void)
{
    uint64_t current = word_named("current", sizeof current), top = word_named("slots_top", 4);

    printf("who is where (%llu slots at most):\n", (unsigned long long)top);
    for (uint64_t i = 1; i < top && i < ENDPOINT_SLOTS; i++)
        if (slot_table[i].state != SLOT_FREE)
            show_slot(&slot_table[i], current == address_of("slots") + i * sizeof(struct slot));
}

static void show_trace(void)
{
    static const char *const kinds[] = {"none",     "calls",  "answers",       "hands on to",
                                        "notifies", "faults", "raises",        "interrupts",
                                        "creates",  "ends",   "system call to"};
    const struct trace_event *ring =
        saved(address_of("trace_ring"), TRACE_RING_SIZE * sizeof(struct trace_event));
    const struct kernel_page *page = saved(address_of("kernel_page"), sizeof *page);
    uint64_t end = page->info.trace_end, hz = page->tsc_hz, boot = page->tsc_boot;

    printf("the last of %llu events:\n", (unsigned long long)end);
    for (uint64_t i = end > SHOWN ? end - SHOWN : 0; i < end; i++) {
        const struct trace_event *e = &ring[i % TRACE_RING_SIZE];

        printf("  %11.6f %s %s %s: %x %llx\n", hz ? (double)(e->tsc - boot) / (double)hz : 0.0,
               name_of(e->from), e->kind < sizeof kinds / sizeof *kinds ? kinds[e->kind] : "?",
               name_of(e->to), e->type, (unsigned long long)e->detail);
    }
}

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 3 || strcmp(argv[1], "--help") == 0) {
        fprintf(argc == 2 ? stdout : stderr,
                "usage: postmortem KERNEL.elf [MEMORY]\n"
                "Without MEMORY: how many bytes of physical memory to save, from 0 on.\n");
        return argc == 2 ? 0 : 2;
    }
    elf = file_read(argv[1]);
    if (argc == 2) {
        printf("%llu\n", (unsigned long long)address_of("kernel_physical_end"));
        return 0;
    }
    memory = file_read(argv[2]);
    slot_table = saved(address_of("slots"), ENDPOINT_SLOTS * sizeof(struct slot));
    show_slots();
    show_trace();
    return 0;
}
