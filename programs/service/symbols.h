/* SPDX-License-Identifier: BSD-2-Clause */
/* The functions of a service, by the table that tools/symbols has made of it: /lib/symbols/PROGRAM. */
#ifndef SERVICE_SYMBOLS_H
#define SERVICE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct symbol {
    uint64_t address, size;
    const char *name;
    const uint8_t *rows;
    unsigned row_count;
};

struct symbols {
    uint8_t *table; /* the file; NULL: there is none */
    size_t count;
    struct symbol *symbol; /* by address */
    int text; /* the program itself, for its instructions; -1: it cannot be read */
};

/* Of one that has no table there are no symbols: nothing is found. */
void symbols_open(struct symbols *symbols, const char *program);
void symbols_close(struct symbols *symbols);
const struct symbol *symbol_at(const struct symbols *symbols, uint64_t address); /* NULL: none */
const struct symbol *symbol_named(const struct symbols *symbols, const char *name);
/* Bytes from the stack pointer up to the caller's at that instruction; the address to return to is in the 8 bytes
 * below that. 0: not known. */
uint64_t symbol_frame(const struct symbol *symbol, uint64_t address);
/* Is there a call before that address, so that it may be one to return to? */
bool symbols_returns_to(const struct symbols *symbols, uint64_t address);

#endif
