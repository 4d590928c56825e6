/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/symbols.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYMBOLS "/lib/symbols/"
#define PROGRAMS "/lib/bardo/"
#define TABLE_MAX (4 << 20)
#define SEGMENTS 16
#define WORD 8
static const uint8_t magic[] = {'B', 'S', 'Y', 'M', 1};

struct reader {
    const uint8_t *at, *end; /* at NULL: it went beyond the end */
};

static uint64_t read_number(struct reader *r)
{
    uint64_t value = 0;

    for (unsigned shift = 0; r->at && shift < 64; shift += 7) {
        uint8_t byte;

        if (r->at == r->end)
            break;
        byte = *r->at++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128)
            return value;
    }
    r->at = NULL;
    return 0;
}

static const char *read_text(struct reader *r)
{
    const uint8_t *text = r->at, *end = text ? memchr(text, 0, (size_t)(r->end - text)) : NULL;

    r->at = end ? end + 1 : NULL;
    return (const char *)text;
}

static bool read_symbol(struct reader *r, struct symbol *s)
{
    s->address += read_number(r);
    s->size = read_number(r);
    s->name = read_text(r);
    s->row_count = (unsigned)read_number(r);
    s->rows = r->at;
    for (unsigned i = 0; r->at && i < 2 * s->row_count; i++)
        read_number(r);
    return r->at;
}

static uint8_t *load(const char *path, size_t *size)
{
    int fd = open(path, O_RDONLY);
    uint8_t *bytes = NULL;
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof magic &&
        st.st_size < TABLE_MAX && (bytes = malloc((size_t)st.st_size)) != NULL &&
        read(fd, bytes, (size_t)st.st_size) != st.st_size) {
        free(bytes);
        bytes = NULL;
    }
    if (fd >= 0)
        close(fd);
    *size = bytes ? (size_t)st.st_size : 0;
    return bytes;
}

void symbols_open(struct symbols *symbols, const char *program)
{
    struct symbol s = {0};
    struct reader r;
    char path[64];
    size_t size;

    *symbols = (struct symbols){0};
    snprintf(path, sizeof path, PROGRAMS "%s", program);
    symbols->text = open(path, O_RDONLY);
    snprintf(path, sizeof path, SYMBOLS "%s", program);
    symbols->table = load(path, &size);
    if (!symbols->table || memcmp(symbols->table, magic, sizeof magic) != 0)
        return;
    r = (struct reader){symbols->table + sizeof magic, symbols->table + size};
    symbols->symbol = calloc(size / 4, sizeof s); /* a record has four bytes at least */
    while (symbols->symbol && r.at < r.end && read_symbol(&r, &s))
        symbols->symbol[symbols->count++] = s;
}

void symbols_close(struct symbols *symbols)
{
    if (symbols->text >= 0)
        close(symbols->text);
    free(symbols->table);
    free(symbols->symbol);
    *symbols = (struct symbols){.text = -1};
}

/* Assembly does not say how long its functions are: one is as long as there is no other. */
const struct symbol *symbol_at(const struct symbols *symbols, uint64_t address)
{
    const struct symbol *found = NULL;

    for (size_t i = 0; i < symbols->count && symbols->symbol[i].address <= address; i++)
        found = &symbols->symbol[i];
    return found && (found->size == 0 || address - found->address < found->size) ? found : NULL;
}

const struct symbol *symbol_named(const struct symbols *symbols, const char *name)
{
    for (size_t i = 0; i < symbols->count; i++)
        if (strcmp(symbols->symbol[i].name, name) == 0)
            return &symbols->symbol[i];
    return NULL;
}

uint64_t symbol_frame(const struct symbol *symbol, uint64_t address)
{
    struct reader r = {symbol->rows, symbol->rows + 20 * symbol->row_count};
    uint64_t at = symbol->address, words = 0;

    for (unsigned i = 0; i < symbol->row_count; i++) {
        at += read_number(&r);
        if (at > address)
            break;
        words = read_number(&r);
    }
    return words * WORD;
}

/* ---- instructions ---- */

static bool read_text_at(const struct symbols *symbols, uint64_t address, uint8_t *to, size_t n)
{
    Elf64_Phdr segment[SEGMENTS];
    Elf64_Ehdr header;

    if (symbols->text < 0 || pread(symbols->text, &header, sizeof header, 0) != sizeof header ||
        header.e_phnum > SEGMENTS ||
        pread(symbols->text, segment, header.e_phnum * sizeof segment[0], (off_t)header.e_phoff) !=
            (ssize_t)(header.e_phnum * sizeof segment[0]))
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        const Elf64_Phdr *s = &segment[i];

        if (s->p_type == PT_LOAD && (s->p_flags & PF_X) && address - s->p_vaddr < s->p_filesz)
            return pread(symbols->text, to, n, (off_t)(s->p_offset + address - s->p_vaddr)) ==
                   (ssize_t)n;
    }
    return false;
}

/* Intel SDM vol. 2, CALL: E8 and four bytes; or FF /2 with what that addresses: 2, 3, 4, 6 or 7
 * bytes, one more with a prefix. */
bool symbols_returns_to(const struct symbols *symbols, uint64_t address)
{
    static const uint8_t lengths[] = {2, 3, 4, 6, 7};
    uint8_t before[8];

    if (!symbol_at(symbols, address - 1) ||
        !read_text_at(symbols, address - sizeof before, before, sizeof before))
        return false;
    if (before[3] == 0xe8)
        return true;
    for (size_t i = 0; i < sizeof lengths; i++)
        if (before[8 - lengths[i]] == 0xff && (before[9 - lengths[i]] & 0x38) == 0x10)
            return true;
    return false;
}
