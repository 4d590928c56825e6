/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Makes a program ready to be started. Text and constants go into frames that all incarnations
 * share (code that the processor, or its emulator, has seen once stays warm); of data there is a
 * pristine copy that each incarnation gets a copy of. The first page of the stack, too, is made
 * here once.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/elf/elf.h"
#include "servers/rs/rs.h"

#define IMAGE_PREFIX "lib/bardo/"

static uint64_t page_down(uint64_t address)
{
    return address & ~(PAGE_SIZE - 1);
}

static uint64_t page_up(uint64_t address)
{
    return page_down(address + PAGE_SIZE - 1);
}

static void add_mapping(struct image *image, uint64_t address, uint64_t end, uint64_t flags,
                        const void *source)
{
    image->mapping[image->mappings++] =
        (struct mapping){address, (end - address) / PAGE_SIZE, flags, (uint64_t)source};
}

/* What is in front of the entry, in its segment. */
static void take_undo_header(struct image *image, const struct elf_segment *s, const char *file)
{
    struct undo_header header;

    if (image->entry - sizeof header < s->address || image->entry - s->address > s->file_size)
        return;
    memcpy(&header, file + s->offset + (image->entry - sizeof header - s->address), sizeof header);
    if (header.mark == UNDO_MARK)
        image->undo = header;
}

/* Fresh memory, which is the same when it is filled again: it needs no undoing. */
undo_unlogged static void fill(char *to, const char *from, uint64_t length)
{
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(length) : : "memory");
}

/* At most two mappings each: what is in the file, and zeroed memory after it. False: no memory. */
static bool prepare_segment(struct image *image, const struct elf_segment *s, const char *file,
                            void *(*pages)(uint64_t count))
{
    uint64_t start = page_down(s->address), end = page_up(s->address + s->memory_size),
             middle = start;
    uint64_t flags = MAP_READ | (s->write ? MAP_WRITE : 0) | (s->execute ? MAP_EXECUTE : 0);

    if (s->file_size != 0) {
        char *frames;

        middle = page_up(s->address + s->file_size);
        frames = pages((middle - start) / PAGE_SIZE);
        if (!frames)
            return false;
        fill(frames + (s->address - start), file + s->offset, s->file_size);
        take_undo_header(image, s, file);
        add_mapping(image, start, middle, flags | (s->write ? MAP_COPY : MAP_SHARE), frames);
    }
    if (middle < end)
        add_mapping(image, middle, end, flags, NULL);
    return true;
}

/* ---- damaged memory ---- */

struct damage {
    char *at;
    const char *is; /* as it should be */
    uint64_t length;
};

/* One bit more or less changes it, wherever. */
static uint64_t sum_of(const char *at, uint64_t length)
{
    uint64_t sum = 0, word;

    for (; length >= sizeof word; at += sizeof word, length -= sizeof word) {
        memcpy(&word, at, sizeof word);
        sum = (sum << 1 | sum >> 63) + word;
    }
    while (length-- > 0)
        sum = (sum << 1 | sum >> 63) + (uint8_t)*at++;
    return sum;
}

static const struct mapping *mapping_at(const struct image *image, uint64_t address)
{
    for (uint32_t i = 0; i < image->mappings; i++)
        if (image->mapping[i].address == address && image->mapping[i].source)
            return &image->mapping[i];
    return NULL;
}

/* What of a segment lies within [from, to) and is not as in the file. */
static bool is_damaged(const struct image *image, const struct elf_segment *s, const char *file,
                       uint64_t from, uint64_t to, struct damage *out)
{
    const struct mapping *m = mapping_at(image, page_down(s->address));
    uint64_t end = s->address + s->file_size;

    from = from > s->address ? from : s->address;
    to = to < end ? to : end;
    if (!m || from >= to)
        return false;
    out->at = (char *)m->source + (from - m->address);
    out->is = file + s->offset + (from - s->address);
    out->length = to - from;
    return memcmp(out->at, out->is, out->length) != 0;
}

bool image_mend(const struct image *image, uint64_t address)
{
    static struct elf_program program;
    uint64_t size, from = page_down(address), to = address ? from + PAGE_SIZE : ~0ull;
    const char *why, *file = image->name ? archive_program(image->name, &size) : NULL;
    struct damage damage;
    bool found = false;

    if (!file || elf_parse(file, size, size, &program, &why) < 0)
        return false;
    for (uint32_t i = 0; i < program.segments; i++) {
        if (!is_damaged(image, &program.segment[i], file, from, to, &damage))
            continue;
        if (sum_of(file, size) != image->sum) {
            log_always("%s: its program is damaged in the boot archive", image->name);
            return found;
        }
        memcpy(damage.at, damage.is, damage.length);
        found = true;
    }
    if (found)
        log_always("%s: its program was damaged in memory; it is as in the boot archive again",
                   image->name);
    return found;
}

long image_make(struct image *image, const char *path, const char *file, uint64_t size,
                void *(*pages)(uint64_t count))
{
    static struct elf_program program;
    const char *why;

    if (elf_parse(file, size, size, &program, &why) < 0) {
        log_always("%s: %s", path, why);
        return -ENOEXEC;
    }
    if (program.dynamic || program.interpreter_size || 2 * program.segments > IMAGE_MAPPINGS ||
        program.high > SERVICE_INFO) {
        log_always("%s: not a static program below the service window", path);
        return -ENOEXEC;
    }
    *image = (struct image){
        .entry = program.entry, .headers = program.headers, .header_count = program.header_count};
    for (uint32_t i = 0; i < program.segments; i++)
        if (!prepare_segment(image, &program.segment[i], file, pages))
            return -ENOMEM;
    return 0;
}

struct image *image_prepare(const char *name)
{
    char path[sizeof IMAGE_PREFIX + SERVICE_NAME_MAX];
    uint64_t size;
    const char *file;
    struct image *image;

    snprintf(path, sizeof path, IMAGE_PREFIX "%s", name);
    file = archive_program(name, &size);
    if (!file) {
        log_always("%s: not in the boot archive; not started", path);
        return NULL;
    }
    image = arena_alloc(sizeof *image);
    if (image_make(image, path, file, size, arena_pages) < 0)
        return NULL;
    image->name = name;
    image->sum = sum_of(file, size);
    return image;
}

/* System V ABI, 3.4.1: argc, argv, envp, auxiliary vector; the strings above. */
void stack_prepare(struct service *s)
{
    const uint64_t top = SERVICE_STACK_TOP - SERVICE_NAME_MAX - 16, random = SERVICE_STACK_TOP - 16;
    const uint64_t words[] = {
        1,         top,
        0,         0,
        AT_PHDR,   s->image->headers,
        AT_PHENT,  sizeof(Elf64_Phdr),
        AT_PHNUM,  s->image->header_count,
        AT_PAGESZ, PAGE_SIZE,
        AT_ENTRY,  s->image->entry,
        AT_RANDOM, random,
        AT_NULL,   0,
    };
    char *page = s->stack_page;
    const uint64_t stack = (top - sizeof words) & ~15ull,
                   page_address = SERVICE_STACK_TOP - PAGE_SIZE;
    uint64_t seed[2];

    seed[0] = (clock_tsc() ^ s->id) * 0x9e3779b97f4a7c15ull;
    seed[1] = (seed[0] >> 29 ^ seed[0]) * 0xbf58476d1ce4e5b9ull;
    memcpy(page + (top - page_address), s->name, SERVICE_NAME_MAX);
    memcpy(page + (random - page_address), seed, sizeof seed);
    memcpy(page + (stack - page_address), words, sizeof words);
    s->config.stack = stack;
}
