/* SPDX-License-Identifier: BSD-2-Clause */
/* A program's first stack: from the top down random bytes, strings, auxiliary vector, envp, argv,
 * argc. */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/rt/random.h"
#include "servers/vfs/exec.h"

enum { AUXILIARY = 20, RANDOM_BYTES = 16 };

struct layout {
    uint64_t random, platform, file_name, strings, pointers; /* addresses in the client */
    size_t words;
};

static struct layout lay_out(const struct image *image, const struct arguments *a)
{
    struct layout l;
    uint64_t top = VM_STACK_TOP - 16;

    l.random = top -= RANDOM_BYTES;
    l.platform = top -= sizeof "x86_64";
    l.file_name = top -= strlen(image->found.path) + 1;
    l.strings = top -= a->used;
    l.words = 1 + a->count[0] + 1 + a->count[1] + 1 + 2 * AUXILIARY;
    l.pointers = (top - l.words * 8) & ~15ull;
    return l;
}

static uint64_t *put(uint64_t *at, uint64_t key, uint64_t value)
{
    at[0] = key;
    at[1] = value;
    return at + 2;
}

static uint64_t *put_auxiliary(uint64_t *at, struct client *c, const struct image *image,
                               const struct image *interpreter, const struct layout *l, bool secure)
{
    uint32_t eax = 1, ebx, ecx, edx;

    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    at = put(at, AT_PHDR, image->program.headers ? image->base + image->program.headers : 0);
    at = put(at, AT_PHENT, sizeof(Elf64_Phdr));
    at = put(at, AT_PHNUM, image->program.header_count);
    at = put(at, AT_PAGESZ, PAGE_SIZE);
    at = put(at, AT_BASE, interpreter ? interpreter->base : 0);
    at = put(at, AT_FLAGS, 0);
    at = put(at, AT_ENTRY, image->base + image->program.entry);
    at = put(at, AT_UID, c->real_uid);
    at = put(at, AT_EUID, c->uid);
    at = put(at, AT_GID, c->real_gid);
    at = put(at, AT_EGID, c->gid);
    at = put(at, AT_SECURE, secure);
    at = put(at, AT_CLKTCK, 100);
    at = put(at, AT_HWCAP, edx);
    at = put(at, AT_PLATFORM, l->platform);
    at = put(at, AT_RANDOM, l->random);
    at = put(at, AT_EXECFN, l->file_name);
    return put(at, AT_NULL, 0);
}

static long write_strings(struct client *c, const struct image *image, const struct arguments *a,
                          const struct layout *l)
{
    uint64_t random[RANDOM_BYTES / 8] = {random_word(), random_word()};
    long result = user_write(c, l->random, random, sizeof random);

    if (result == 0)
        result = user_write(c, l->platform, "x86_64", sizeof "x86_64");
    if (result == 0)
        result = user_write(c, l->file_name, image->found.path, strlen(image->found.path) + 1);
    if (result == 0 && a->used)
        result = user_write(c, l->strings, a->text, a->used);
    return result;
}

long stack_build(struct client *c, const struct image *image, const struct image *interpreter,
                 const struct arguments *a, bool secure, uint64_t *stack)
{
    struct layout l = lay_out(image, a);
    uint64_t *words = calloc(l.words, sizeof *words), *at = words, string = l.strings;
    const char *text = a->text;
    long result;

    if (!words)
        return -ENOMEM;
    *at++ = a->count[0];
    for (unsigned which = 0; which < 2; which++) {
        for (unsigned i = 0; i < a->count[which]; i++) {
            size_t n = strlen(text) + 1;

            *at++ = string;
            string += n;
            text += n;
        }
        *at++ = 0;
    }
    put_auxiliary(at, c, image, interpreter, &l, secure);
    result = write_strings(c, image, a, &l);
    if (result == 0)
        result = user_write(c, l.pointers, words, l.words * sizeof *words);
    free(words);
    *stack = l.pointers;
    return result;
}
