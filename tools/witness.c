/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which rights to call, forward and notify a running system uses, for `tools/authority --unused`:
 *
 *     witness KERNEL.elf MEMORY OUT
 *
 * MEMORY: the file that is the guest's physical memory (QEMU: memory-backend-file, share=on). The kernel's
 * trace ring is read there all the time, so the system does nothing for it and is none other than without.
 * When SIGTERM comes, or QEMU has gone, a line is written to OUT for each that was seen:
 *
 *     call|forward|notify WHO WHOM TIMES
 *
 * by the names of manifests, and `events N lost N` last: what had gone from the ring before it was read. Runs
 * on the host; the structures are the kernel's own. tools/guest starts it when WITNESS names a folder.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "kernel/kernel.h"

#define KERNEL_BASE 0xffffffff80000000ull
#define LOOK_NS 200000l
#define IDS 64
#define MARGIN 16 /* events that may be overwritten while the position is read */

enum { CALL, FORWARD, NOTIFY, KINDS };

static volatile sig_atomic_t over;
static volatile const unsigned char *memory;
static size_t memory_size;
static uint64_t slots_at, ring_at, page_at;
static uint64_t seen[KINDS][IDS][IDS], events, lost;
static char names[IDS][sizeof((struct slot *)NULL)->name];
static struct {
    endpoint_t endpoint;
    uint32_t id;
} known[ENDPOINT_SLOTS];

static void fail(const char *what, const char *why)
{
    fprintf(stderr, "witness: %s: %s\n", what, why);
    exit(1);
}

static void end(int signal)
{
    (void)signal;
    over = 1;
}

static void pause_briefly(void)
{
    nanosleep(&(struct timespec){0, LOOK_NS}, NULL);
}

/* All of a file, from which nothing is given back. */
static const unsigned char *file_mapped(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    void *at;

    if (fd < 0 || fstat(fd, &st) < 0)
        fail(path, strerror(errno));
    at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED)
        fail(path, strerror(errno));
    close(fd);
    *size = (size_t)st.st_size;
    return at;
}

/* ---- where things are ---- */

static const unsigned char *elf;
static size_t elf_size;

static const void *elf_part(uint64_t offset, uint64_t size)
{
    if (offset > elf_size || size > elf_size - offset)
        fail("kernel", "no ELF file, or cut off");
    return elf + offset;
}

/* Its offset in the memory. */
static uint64_t place_of(const char *name, size_t size)
{
    const Elf64_Ehdr *header = elf_part(0, sizeof *header);

    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        fail("kernel", "no ELF file");
    for (unsigned n = 0; n < header->e_shnum; n++) {
        const Elf64_Shdr *s = elf_part(header->e_shoff + n * sizeof *s, sizeof *s), *text;

        if (s->sh_type != SHT_SYMTAB)
            continue;
        text = elf_part(header->e_shoff + s->sh_link * sizeof *text, sizeof *text);
        for (uint64_t i = 0; i < s->sh_size / sizeof(Elf64_Sym); i++) {
            const Elf64_Sym *symbol = elf_part(s->sh_offset + i * sizeof *symbol, sizeof *symbol);
            uint64_t at = symbol->st_value - KERNEL_BASE;

            if (strcmp(elf_part(text->sh_offset + symbol->st_name, 1), name) != 0)
                continue;
            if (at > memory_size || size > memory_size - at)
                fail("memory", "too short for this kernel");
            return at;
        }
    }
    fail(name, "the kernel has no such symbol");
    return 0;
}

/* ---- who ---- */

static void note_name(uint32_t id, const char *name)
{
    size_t n = strcspn(name, "."); /* instances have the rights of the first */

    if (id >= IDS || names[id][0] || n >= sizeof names[id])
        return;
    memcpy(names[id], name, n);
}

/* The service id behind an endpoint; IDS: nobody knows any more. */
static uint32_t id_of(endpoint_t e)
{
    unsigned i = endpoint_slot(e) % ENDPOINT_SLOTS;
    const struct slot *s = (const struct slot *)(uintptr_t)(memory + slots_at) + i;

    if (s->endpoint == e) {
        known[i].endpoint = e;
        known[i].id = s->service_id;
        note_name(s->service_id, s->name);
    }
    return known[i].endpoint == e ? known[i].id : IDS;
}

static void note_used(unsigned kind, endpoint_t from, endpoint_t to)
{
    uint32_t who = id_of(from), whom = id_of(to);

    if (who < IDS && whom < IDS)
        seen[kind][who][whom]++;
}

static void take(const struct trace_event *e)
{
    switch (e->kind) {
    case TRACE_CREATE:
        known[endpoint_slot(e->to) % ENDPOINT_SLOTS].endpoint = e->to;
        known[endpoint_slot(e->to) % ENDPOINT_SLOTS].id = e->type;
        break;
    case TRACE_CALL:
        if (e->type >= PROTOCOL_RS) /* Linux calls and faults go by other rights */
            note_used(CALL, e->from, e->to);
        break;
    case TRACE_FORWARD:
        note_used(FORWARD, (endpoint_t)e->detail, e->to);
        break;
    case TRACE_NOTIFY:
        note_used(NOTIFY, e->from, e->to);
        break;
    default:
        break;
    }
}

/* ---- the ring ---- */

static uint64_t ring_end(void)
{
    const struct kernel_page *page = (const struct kernel_page *)(uintptr_t)(memory + page_at);

    return *(volatile const uint64_t *)&page->info.trace_end;
}

/* What has come since; the last one may not be complete yet, unless nothing runs any more. */
static void look(uint64_t *position, bool is_last)
{
    static struct trace_event copy[TRACE_RING_SIZE];
    const struct trace_event *ring = (const struct trace_event *)(uintptr_t)(memory + ring_at);
    uint64_t end_now = ring_end(), from = *position, valid;

    if (end_now < from) /* it has been booted again */
        from = 0;
    if (end_now && !is_last)
        end_now--;
    if (end_now <= from)
        return;
    if (end_now - from > TRACE_RING_SIZE)
        from = end_now - TRACE_RING_SIZE;
    for (uint64_t i = from; i < end_now; i++)
        copy[i % TRACE_RING_SIZE] = ring[i % TRACE_RING_SIZE];
    valid = ring_end() +
            MARGIN; /* what is older than a ring's length from here has changed meanwhile */
    if (!is_last && valid > TRACE_RING_SIZE && from < valid - TRACE_RING_SIZE)
        from = valid - TRACE_RING_SIZE;
    if (from > end_now)
        from = end_now;
    if (*position <= end_now)
        lost += from - *position;
    for (uint64_t i = from; i < end_now; i++)
        take(&copy[i % TRACE_RING_SIZE]);
    events += end_now - from;
    *position = end_now;
}

static void write_out(const char *path)
{
    static const char *const words[KINDS] = {"call", "forward", "notify"};
    FILE *out = fopen(path, "w");

    if (!out)
        fail(path, strerror(errno));
    for (unsigned kind = 0; kind < KINDS; kind++)
        for (unsigned who = 0; who < IDS; who++)
            for (unsigned whom = 0; whom < IDS; whom++)
                if (seen[kind][who][whom] && names[who][0] && names[whom][0] &&
                    who != SERVICE_ID_PROGRAM && whom != SERVICE_ID_PROGRAM)
                    fprintf(out, "%s %s %s %llu\n", words[kind], names[who], names[whom],
                            (unsigned long long)seen[kind][who][whom]);
    fprintf(out, "events %llu lost %llu\n", (unsigned long long)events, (unsigned long long)lost);
    if (fclose(out) != 0)
        fail(path, strerror(errno));
}

int main(int argc, char **argv)
{
    pid_t parent = getppid();
    uint64_t position = 0;
    struct stat st;

    if (argc != 4 || strcmp(argv[1], "--help") == 0) {
        fprintf(argc == 2 ? stdout : stderr, "usage: witness KERNEL.elf MEMORY OUT\n");
        return argc == 2 ? 0 : 2;
    }
    signal(SIGTERM, end);
    signal(SIGINT, end);
    elf = file_mapped(argv[1], &elf_size);
    while (!over && getppid() == parent && (stat(argv[2], &st) < 0 || st.st_size == 0))
        pause_briefly();
    if (stat(argv[2], &st) < 0)
        return 0; /* QEMU has never begun */
    memory = file_mapped(argv[2], &memory_size);
    slots_at = place_of("slots", ENDPOINT_SLOTS * sizeof(struct slot));
    ring_at = place_of("trace_ring", TRACE_RING_SIZE * sizeof(struct trace_event));
    page_at = place_of("kernel_page", sizeof(struct kernel_page));
    while (!over && getppid() == parent) {
        look(&position, false);
        pause_briefly();
    }
    look(&position, true);
    write_out(argv[3]);
    return 0;
}
