/* SPDX-License-Identifier: BSD-2-Clause */
// sources: lib/elf/elf.c
/* The ELF reader: good programs, each thing that can be wrong, and flipped bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "lib/elf/elf.h"

#define FILE_SIZE 0x4000u

static struct {
    Elf64_Ehdr e;
    Elf64_Phdr p[4];
} head;
static struct elf_program program;
static const char *why;

static Elf64_Phdr load(uint64_t address, uint64_t offset, uint64_t file, uint64_t memory,
                       uint32_t flags)
{
    return (Elf64_Phdr){.p_type = PT_LOAD,
                        .p_flags = flags,
                        .p_vaddr = address,
                        .p_offset = offset,
                        .p_filesz = file,
                        .p_memsz = memory,
                        .p_align = 0x1000};
}

static void good(void)
{
    memset(&head, 0, sizeof head);
    head.e = (Elf64_Ehdr){.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                          .e_type = ET_EXEC,
                          .e_machine = EM_X86_64,
                          .e_phoff = sizeof head.e,
                          .e_phentsize = sizeof *head.p,
                          .e_phnum = 4,
                          .e_entry = 0x401010};
    head.p[0] = load(0x400000, 0, 0x200, 0x200, PF_R);
    head.p[1] = load(0x401000, 0x1000, 0x1234, 0x1234, PF_R | PF_X);
    head.p[2] = load(0x403100, 0x3100, 0x80, 0x4000, PF_R | PF_W);
    head.p[3] = (Elf64_Phdr){.p_type = PT_GNU_STACK};
}

static int parse(void)
{
    return elf_parse(&head, sizeof head, FILE_SIZE, &program, &why);
}

static void test_good(void **state)
{
    good();
    assert_int_equal(parse(), 0);
    assert_int_equal(program.segments, 3);
    assert_int_equal(program.entry, 0x401010);
    assert_int_equal(program.headers, 0x400000 + sizeof head.e);
    assert_int_equal(program.header_count, 4);
    assert_int_equal(program.low, 0x400000);
    assert_int_equal(program.high, 0x408000);
    assert_true(program.segment[1].execute && !program.segment[1].write);
    assert_true(program.segment[2].write && !program.segment[2].execute);
    assert_false(program.dynamic);
    assert_int_equal(program.interpreter_size, 0);
    head.e.e_type = ET_DYN;
    head.p[3] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = 0x180, .p_filesz = 28};
    assert_int_equal(parse(), 0);
    assert_true(program.dynamic);
    assert_int_equal(program.interpreter_offset, 0x180);
}

static void refused(const char *text)
{
    assert_true(parse() < 0);
    assert_string_equal(why, text);
    good();
}

static void test_bad_header(void **state)
{
    good();
    assert_true(elf_parse(&head, 10, 10, &program, &why) < 0);
    assert_true(elf_parse(&head, sizeof head.e, FILE_SIZE, &program, &why) < 0);
    assert_string_equal(why, "program headers are not at the start of the file");
    head.e.e_ident[1] = 'X';
    refused("not an ELF file");
    head.e.e_ident[EI_CLASS] = ELFCLASS32;
    refused("not for x86-64");
    head.e.e_machine = EM_386;
    refused("not for x86-64");
    head.e.e_type = ET_REL;
    refused("not a program");
    head.e.e_phnum = 0;
    refused("no program headers");
    head.e.e_phentsize = 1;
    refused("no program headers");
    head.e.e_phnum = 0xffff;
    refused("program headers lie beyond the end of the file");
    head.e.e_phoff = ~0ull - 8;
    refused("program headers lie beyond the end of the file");
    head.e.e_entry = 0x400000;
    refused("the entry point is not in executable memory");
    head.e.e_entry = 0;
    refused("the entry point is not in executable memory");
}

static void test_bad_segments(void **state)
{
    good();
    head.p[1].p_filesz = 0x3001;
    refused("a segment lies beyond the end of the file");
    head.p[1].p_offset = ~0ull - 0xfff;
    refused("a segment lies beyond the end of the file");
    head.p[1].p_memsz = 0x100;
    refused("a segment is larger in the file than in memory");
    head.p[2].p_vaddr = ELF_ADDRESS_MAX - 0x1f00;
    refused("a segment lies outside the address space");
    head.p[2].p_memsz = ~0ull;
    refused("a segment lies outside the address space");
    head.p[1].p_vaddr += 8;
    refused("a segment is not aligned as its place in the file");
    head.p[1].p_flags |= PF_W;
    refused("a segment is writable and executable");
    head.p[2].p_vaddr = 0x402100;
    refused("segments overlap or are out of order");
    head.p[0] = load(0x500000, 0, 0x200, 0x200, PF_R);
    refused("segments overlap or are out of order");
    head.p[0].p_type = head.p[1].p_type = head.p[2].p_type = PT_NULL;
    refused("nothing to load");
    head.p[3] = (Elf64_Phdr){.p_type = PT_INTERP, .p_offset = FILE_SIZE - 4, .p_filesz = 28};
    refused("bad name of the interpreter");
}

/* Whatever is flipped: a result that has been accepted keeps its promises. */
static void test_flipped(void **state)
{
    srand(1);
    for (int round = 0; round < 200000; round++) {
        good();
        for (int flips = 1 + rand() % 4; flips > 0; flips--)
            ((uint8_t *)&head)[(unsigned)rand() % sizeof head] ^= (uint8_t)(1u << rand() % 8);
        if (parse() < 0) {
            assert_true(why[0] != 0);
            continue;
        }
        assert_true(program.segments >= 1 && program.segments <= ELF_SEGMENTS_MAX &&
                    program.high <= ELF_ADDRESS_MAX);
        for (unsigned i = 0; i < program.segments; i++) {
            const struct elf_segment *s = &program.segment[i];

            assert_true(s->file_size <= s->memory_size && s->offset + s->file_size <= FILE_SIZE);
            assert_true(s->address >= program.low && s->address + s->memory_size <= program.high);
            assert_false(s->write && s->execute);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad_header),
        cmocka_unit_test(test_bad_segments),
        cmocka_unit_test(test_flipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
