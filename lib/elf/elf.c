/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/elf/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#define PAGE 4096ull
#define INTERPRETER_MAX 4096

static int refuse(const char **why, const char *text)
{
    *why = text;
    return -ENOEXEC;
}

static int check_header(const Elf64_Ehdr *e, size_t head_size, uint64_t file_size, const char **why)
{
    if (memcmp(e->e_ident, ELFMAG, SELFMAG) != 0)
        return refuse(why, "not an ELF file");
    if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_ident[EI_DATA] != ELFDATA2LSB ||
        e->e_machine != EM_X86_64)
        return refuse(why, "not for x86-64");
    if (e->e_type != ET_EXEC && e->e_type != ET_DYN)
        return refuse(why, "not a program");
    if (e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phnum == 0)
        return refuse(why, "no program headers");
    if (e->e_phoff > file_size || e->e_phnum > (file_size - e->e_phoff) / sizeof(Elf64_Phdr))
        return refuse(why, "program headers lie beyond the end of the file");
    if (e->e_phoff > head_size || e->e_phnum > (head_size - e->e_phoff) / sizeof(Elf64_Phdr))
        return refuse(why, "program headers are not at the start of the file");
    return 0;
}

/* No page belongs to two segments, so each has one protection and the loader maps them one after
 * the other: hence their order, and `high` at the end of a page. Nothing is added up before it is
 * known not to overflow. */
static int add_segment(struct elf_program *program, const Elf64_Phdr *p, uint64_t file_size,
                       const char **why)
{
    struct elf_segment *s = &program->segment[program->segments];
    uint64_t start = p->p_vaddr & ~(PAGE - 1), end;

    if (p->p_memsz == 0)
        return 0;
    if (program->segments == ELF_SEGMENTS_MAX)
        return refuse(why, "too many segments");
    if (p->p_offset > file_size || p->p_filesz > file_size - p->p_offset)
        return refuse(why, "a segment lies beyond the end of the file");
    if (p->p_filesz > p->p_memsz)
        return refuse(why, "a segment is larger in the file than in memory");
    if (p->p_vaddr >= ELF_ADDRESS_MAX || p->p_memsz > ELF_ADDRESS_MAX - PAGE - p->p_vaddr)
        return refuse(why, "a segment lies outside the address space");
    if (p->p_filesz != 0 && (p->p_vaddr - p->p_offset) % PAGE != 0)
        return refuse(why, "a segment is not aligned as its place in the file");
    if ((p->p_flags & PF_W) && (p->p_flags & PF_X))
        return refuse(why, "a segment is writable and executable");
    end = (p->p_vaddr + p->p_memsz + PAGE - 1) & ~(PAGE - 1);
    if (program->segments != 0 && start < program->high)
        return refuse(why, "segments overlap or are out of order");
    if (program->segments == 0)
        program->low = start;
    program->high = end;
    *s = (struct elf_segment){.address = p->p_vaddr,
                              .memory_size = p->p_memsz,
                              .offset = p->p_offset,
                              .file_size = p->p_filesz,
                              .write = p->p_flags & PF_W,
                              .execute = p->p_flags & PF_X};
    program->segments++;
    return 0;
}

static int add_interpreter(struct elf_program *program, const Elf64_Phdr *p, uint64_t file_size,
                           const char **why)
{
    if (p->p_filesz < 2 || p->p_filesz > INTERPRETER_MAX || p->p_offset > file_size ||
        p->p_filesz > file_size - p->p_offset)
        return refuse(why, "bad name of the interpreter");
    program->interpreter_offset = p->p_offset;
    program->interpreter_size = p->p_filesz;
    return 0;
}

static const struct elf_segment *segment_at(const struct elf_program *program, uint64_t address)
{
    for (uint32_t i = 0; i < program->segments; i++)
        if (address >= program->segment[i].address &&
            address - program->segment[i].address < program->segment[i].memory_size)
            return &program->segment[i];
    return NULL;
}

/* Where the program headers are in memory. */
static uint64_t headers_address(const struct elf_program *program, uint64_t offset, uint64_t size)
{
    for (uint32_t i = 0; i < program->segments; i++) {
        const struct elf_segment *s = &program->segment[i];

        if (offset >= s->offset && offset - s->offset <= s->file_size &&
            size <= s->file_size - (offset - s->offset))
            return s->address + (offset - s->offset);
    }
    return 0;
}

int elf_parse(const void *head, size_t head_size, uint64_t file_size, struct elf_program *program,
              const char **why)
{
    Elf64_Ehdr e;
    Elf64_Phdr p;
    const struct elf_segment *text;
    int error;

    *why = "";
    memset(program, 0, sizeof *program);
    if (head_size < sizeof e || file_size < sizeof e)
        return refuse(why, "too short for an ELF file");
    memcpy(&e, head, sizeof e); /* the head may lie at any address */
    error = check_header(&e, head_size, file_size, why);
    for (unsigned i = 0; !error && i < e.e_phnum; i++) {
        memcpy(&p, (const char *)head + e.e_phoff + i * sizeof p, sizeof p);
        if (p.p_type == PT_LOAD)
            error = add_segment(program, &p, file_size, why);
        else if (p.p_type == PT_INTERP)
            error = add_interpreter(program, &p, file_size, why);
    }
    if (error)
        return error;
    if (program->segments == 0)
        return refuse(why, "nothing to load");
    text = segment_at(program, e.e_entry);
    if (!text || !text->execute)
        return refuse(why, "the entry point is not in executable memory");
    program->dynamic = e.e_type == ET_DYN;
    program->entry = e.e_entry;
    program->header_count = e.e_phnum;
    program->headers = headers_address(program, e.e_phoff, (uint64_t)e.e_phnum * sizeof p);
    return 0;
}
