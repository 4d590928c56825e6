/* SPDX-License-Identifier: BSD-2-Clause */
/* The image of a program: its head, its segments. */
#include <string.h>
#include <sys/mman.h>

#include "servers/vfs/exec.h"

static uint64_t page_down(uint64_t a)
{
    return a & ~(PAGE_SIZE - 1);
}

static uint64_t page_up(uint64_t a)
{
    return page_down(a + PAGE_SIZE - 1);
}

/* The server shows the page, or it is read by way of a page of the client's. */
long image_head(struct client *c, struct image *image)
{
    struct found *f = &image->found;
    struct message m =
        message_of(FILE_MAP, (struct file_map_request){.node = f->node, .length = PAGE_SIZE});
    const struct file_map_reply *shown = message_words(&m);
    size_t n = f->size < PAGE_SIZE ? f->size : PAGE_SIZE;
    long result = map_ask(c, f->server, &m), at;

    memset(image->head, 0, sizeof image->head);
    image->head_size = n;
    if (result == 0 && copy_from(f->server->endpoint, shown->address, image->head, n) == 0)
        return 0;
    at = vm_map(c, 0, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    if (at < 0)
        return at;
    m = message_of(FILE_READ, (struct file_transfer_request){.node = f->node,
                                                             .address = (uint64_t)at,
                                                             .length = PAGE_SIZE,
                                                             .back = FILE_BACK});
    result = ask(c, f->server, &m, AGAIN);
    if (result > (long)PAGE_SIZE)
        result = -EIO; /* a server that has lost its mind */
    if (result > 0) {
        image->head_size = (size_t)result;
        result = user_read(c, (uint64_t)at, image->head, (size_t)result);
    }
    vm_unmap(c, (uint64_t)at, PAGE_SIZE);
    return result;
}

long image_parse(struct image *image)
{
    const char *why;
    int result = elf_parse(image->head, image->head_size, image->found.size, &image->program, &why);

    if (result == 0 && image->program.interpreter_size) {
        uint64_t end = image->program.interpreter_offset + image->program.interpreter_size;

        if (end > image->head_size || image->head[end - 1])
            result = -ENOEXEC;
    }
    return result;
}

/* Behind the file's bytes the last page holds more of the file: zero, by the ABI. */
static long clear_tail(struct client *c, uint64_t from)
{
    static const char zeros[PAGE_SIZE];

    return from % PAGE_SIZE ? user_write(c, from, zeros, page_up(from) - from) : 0;
}

static long map_segment(struct client *c, struct image *image, const struct elf_segment *s)
{
    uint64_t address = image->base + s->address, start = page_down(address),
             file_end = address + s->file_size;
    uint64_t anonymous = s->file_size ? page_up(file_end) : start,
             end = page_up(address + s->memory_size);
    uint32_t protection = PROT_READ | (s->write ? PROT_WRITE : 0) | (s->execute ? PROT_EXEC : 0);
    long result = 0;

    if (s->file_size)
        result = map_file(c, image->found.server, image->found.node, page_down(s->offset), start,
                          page_up(file_end) - start, protection, MAP_PRIVATE | MAP_FIXED);
    if (result >= 0 && s->file_size && s->write && s->memory_size > s->file_size)
        result = clear_tail(c, file_end);
    if (result >= 0 && end > anonymous)
        result = vm_map(c, anonymous, end - anonymous, protection,
                        MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS);
    return result < 0 ? result : 0;
}

long image_map(struct client *c, struct image *image, uint64_t base)
{
    image->base = base;
    for (uint32_t i = 0; i < image->program.segments; i++) {
        long result = map_segment(c, image, &image->program.segment[i]);

        if (result)
            return result;
    }
    return 0;
}

long image_heap(struct client *c, const struct image *image)
{
    struct message m = message_of(
        VM_BRK_START, (struct vm_brk_start_request){.process = (uint64_t)c->endpoint,
                                                    .heap = image->base + image->program.high});

    return ipc_call(service_info()->vm, &m);
}
