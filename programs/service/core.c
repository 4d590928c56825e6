/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX (1 << 20) /* bytes: notes are some kB */
#define OWNER "BARDO"

static const Elf64_Phdr *segments_of(const struct core *core)
{
    return (const Elf64_Phdr *)(core->head + sizeof(Elf64_Ehdr));
}

static unsigned segment_count(const struct core *core)
{
    return ((const Elf64_Ehdr *)core->head)->e_phnum;
}

/* Its first `size` bytes, in core->head. */
static bool read_head(struct core *core, size_t size)
{
    char *head = size <= HEAD_MAX ? realloc(core->head, size) : NULL;

    errno = ENOEXEC;
    if (!head)
        return false;
    core->head = head;
    core->head_size = size;
    return pread(core->fd, head, size, 0) == (ssize_t)size;
}

static bool is_core(const struct core *core)
{
    const Elf64_Ehdr *h = (const Elf64_Ehdr *)core->head;

    return memcmp(h->e_ident, ELFMAG, SELFMAG) == 0 && h->e_type == ET_CORE &&
           h->e_phoff == sizeof *h && h->e_phentsize == sizeof(Elf64_Phdr) && h->e_phnum > 0;
}

/* The text of our note, as a string of its own; NULL: it is not there. */
static char *find_story(const char *notes, size_t size)
{
    for (size_t at = 0; at + sizeof(Elf64_Nhdr) <= size;) {
        const Elf64_Nhdr *n = (const Elf64_Nhdr *)(notes + at);
        size_t name = at + sizeof *n, text = name + ((n->n_namesz + 3) & ~3u),
               end = text + ((n->n_descsz + 3) & ~3u);

        if (end > size || end < at)
            break;
        if (n->n_namesz == sizeof OWNER && memcmp(notes + name, OWNER, sizeof OWNER) == 0)
            return strndup(notes + text, n->n_descsz);
        at = end;
    }
    return NULL;
}

bool core_open(struct core *core, const char *path)
{
    Elf64_Phdr notes;

    *core = (struct core){.fd = open(path, O_RDONLY)};
    if (core->fd < 0)
        return false;
    if (read_head(core, sizeof(Elf64_Ehdr)) && is_core(core) &&
        read_head(core, sizeof(Elf64_Ehdr) + segment_count(core) * sizeof notes)) {
        notes = *segments_of(core);
        if (notes.p_type == PT_NOTE && read_head(core, notes.p_offset + notes.p_filesz))
            core->story = find_story(core->head + notes.p_offset, notes.p_filesz);
    }
    if (core->story)
        return true;
    core_close(core);
    errno = ENOEXEC;
    return false;
}

void core_close(struct core *core)
{
    close(core->fd);
    free(core->head);
    free(core->story);
    *core = (struct core){.fd = -1};
}

bool core_read(const struct core *core, uint64_t address, void *to, size_t length)
{
    const Elf64_Phdr *s = segments_of(core);

    for (unsigned i = 0; i < segment_count(core); i++)
        if (s[i].p_type == PT_LOAD && address - s[i].p_vaddr < s[i].p_filesz &&
            length <= s[i].p_filesz - (address - s[i].p_vaddr))
            return pread(core->fd, to, length, (off_t)(s[i].p_offset + address - s[i].p_vaddr)) ==
                   (ssize_t)length;
    return false;
}

/* ---- its story ---- */

bool core_line(const struct core *core, const char *key, const char **at, char *line, size_t room)
{
    size_t n = strlen(key);

    for (const char *p = *at ? strchr(*at, '\n') : core->story; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, n) != 0 || p[n] != ' ')
            continue;
        *at = p;
        snprintf(line, room, "%.*s", (int)strcspn(p + n + 1, "\n"), p + n + 1);
        return true;
    }
    return false;
}

const char *core_value(const struct core *core, const char *key)
{
    static char value[128];
    const char *at = NULL;

    return core_line(core, key, &at, value, sizeof value) ? value : "";
}

uint64_t core_number(const struct core *core, const char *key, int base)
{
    return strtoull(core_value(core, key), NULL, base);
}

uint64_t core_register(const struct core *core, const char *name)
{
    char key[32];

    snprintf(key, sizeof key, "register %s", name);
    return core_number(core, key, 16);
}
