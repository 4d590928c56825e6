/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader for x86-64 ELF programs (System V gABI, chapters 4 and 5). It looks at the head of the
 * file alone (ELF header and program headers: the first page is enough for any sane program) and
 * trusts nothing: what it returns has been checked against the file's size and against itself, so
 * the loader may use every number as it is.
 */
#ifndef ELF_ELF_H
#define ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 16
#define ELF_ADDRESS_MAX 0x800000000000ull

struct elf_segment { /* PT_LOAD; ascending, and no two of them touch the same page */
    uint64_t address, memory_size; /* in memory; memory_size >= file_size, > 0 */
    uint64_t offset, file_size; /* in the file; offset and address agree modulo the page size */
    bool write, execute; /* never both */
};

struct elf_program {
    bool dynamic; /* ET_DYN: addresses are relative to a base that the loader chooses */
    uint64_t entry; /* inside an executable segment */
    uint64_t
        headers; /* address of the program headers once loaded, 0: they are not in any segment */
    uint32_t header_count;
    uint64_t interpreter_offset,
        interpreter_size; /* PT_INTERP: its path in the file, with the NUL; size 0: none */
    uint32_t segments;
    struct elf_segment segment[ELF_SEGMENTS_MAX];
    uint64_t low, high; /* page-aligned hull of all segments */
};

/*
 * head: the first head_size bytes of a file of file_size bytes. 0, or -ENOEXEC with *why a constant
 * text for people.
 */
int elf_parse(const void *head, size_t head_size, uint64_t file_size, struct elf_program *program,
              const char **why);

#endif
