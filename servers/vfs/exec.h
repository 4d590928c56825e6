/* SPDX-License-Identifier: BSD-2-Clause */
/* Exec's own: the image of a program, its way into memory (image.c), its first stack (stack.c). */
#ifndef VFS_EXEC_H
#define VFS_EXEC_H

#include "abi/proto/vm.h"
#include "lib/elf/elf.h"
#include "servers/vfs/vfs.h"

#define ARGUMENTS_MAX (1u << 20) /* bytes of argv and envp together, with their pointers */
#define SCRIPT_LINE_MAX 256
#define PROGRAM_BASE 0x555555554000ull /* of a program that may lie anywhere */
#define INTERPRETER_BASE 0x7ffff0000000ull

struct arguments { /* argv and envp: strings one after the other */
    char *text;
    size_t used, room;
    unsigned count[2]; /* of argv, of envp */
};
long arguments_add(struct arguments *a, unsigned which, const char *text);
/* Run the program at `path` in the client. From the point of no return on, an error ends the
 * client. */
long exec_path(struct client *c, const char *path, struct arguments *a);

struct image {
    struct found found;
    struct elf_program program;
    uint64_t base; /* what is added to the program's addresses */
    size_t head_size;
    char head[PAGE_SIZE + 1]; /* the file's first page; NUL behind */
};

/* Read the head of what was found. */
long image_head(struct client *c, struct image *image);
/* 0, -ENOEXEC */
long image_parse(struct image *image);
/* Its segments, into the client's emptied space. */
long image_map(struct client *c, struct image *image, uint64_t base);
/* The heap begins behind it. */
long image_heap(struct client *c, const struct image *image);
/* Arguments, environment and auxiliary vector (System V ABI, x86-64 supplement, 3.4.1). */
long stack_build(struct client *c, const struct image *image, const struct image *interpreter,
                 const struct arguments *a, bool secure, uint64_t *stack);

/* Calls to VM about the client (abi/proto/vm.h): map.c */
long vm_exec(struct client *c); /* everything mapped goes, and there is an empty stack */
long vm_map(struct client *c, uint64_t address, uint64_t length, uint32_t protection,
            uint32_t flags);
long vm_unmap(struct client *c, uint64_t address, uint64_t length);
long vm_protect(struct client *c, uint64_t address, uint64_t length, uint32_t protection);
/* FILE_MAP, as often as it takes: many small parts of a large file. -ENOSYS: it is not to be had (or changes all the
 * time). */
long map_ask(struct client *c, struct server *s, struct message *m);
/* A private view of a file, or a copy when its server has no pages to show. offset, address:
 * multiples of a page. Returns the address. */
long map_file(struct client *c, struct server *s, uint64_t node, uint64_t offset, uint64_t address,
              uint64_t length, uint32_t protection, uint32_t flags);

#endif
