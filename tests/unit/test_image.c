/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/rs/image.c lib/elf/elf.c
/* Programs in RS's memory: what is damaged there is mended from the boot archive, if that is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "servers/rs/rs.h"

#define TEXT 0x401000u
#define DATA 0x404000u
#define FILE_SIZE 0x5000u

static char file[FILE_SIZE], whole[FILE_SIZE], frames[8][PAGE_SIZE] __attribute__((aligned(4096)));
static unsigned taken, lines;

const void *archive_program(const char *name, uint64_t *size)
{
    *size = sizeof file;
    return strcmp(name, "driver") == 0 ? file : NULL;
}

void *arena_pages(uint64_t pages)
{
    void *at = frames[taken];

    taken += (unsigned)pages;
    return at;
}

void *arena_alloc(size_t size)
{
    static struct image image;

    assert_true(size <= sizeof image);
    return &image;
}

void log_always(const char *format, ...)
{
    (void)format;
    lines++;
}

static Elf64_Phdr segment(uint64_t address, uint64_t offset, uint64_t size, uint32_t flags)
{
    return (Elf64_Phdr){.p_type = PT_LOAD,
                        .p_flags = flags,
                        .p_vaddr = address,
                        .p_offset = offset,
                        .p_filesz = size,
                        .p_memsz = size,
                        .p_align = PAGE_SIZE};
}

/* Two pages of text, one of data, all by chance. */
static struct image *prepare(void)
{
    struct {
        Elf64_Ehdr e;
        Elf64_Phdr p[2];
    } head = {.e = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1},
                    .e_type = ET_EXEC,
                    .e_machine = EM_X86_64,
                    .e_version = 1,
                    .e_entry = TEXT + 64,
                    .e_phoff = sizeof(Elf64_Ehdr),
                    .e_ehsize = sizeof(Elf64_Ehdr),
                    .e_phentsize = sizeof(Elf64_Phdr),
                    .e_phnum = 2},
              .p = {segment(TEXT, 0x1000, 0x1fff, PF_R | PF_X),
                    segment(DATA, 0x3000, 0x777, PF_R | PF_W)}};

    for (size_t i = 0; i < sizeof file; i++)
        file[i] = (char)rand();
    memcpy(file, &head, sizeof head);
    memcpy(whole, file, sizeof file);
    memset(frames, 0, sizeof frames);
    taken = lines = 0;
    return image_prepare("driver");
}

static bool is_whole(void)
{
    return memcmp(frames[0], whole + 0x1000, 0x1fff) == 0 &&
           memcmp(frames[2], whole + 0x3000, 0x777) == 0;
}

static void test_nothing(void **state)
{
    const struct image *image = prepare();

    assert_non_null(image);
    assert_true(is_whole());
    assert_false(image_mend(image, 0));
    assert_false(image_mend(image, TEXT + 5));
    assert_int_equal(lines, 0);
}

/* Each bit of some hundred, in text and in data. */
static void test_a_bit(void **state)
{
    const struct image *image = prepare();

    for (unsigned n = 0; n < 300; n++) {
        unsigned at = (unsigned)rand() % (0x1fff + 0x777);
        char *byte = at < 0x1fff ? &frames[0][0] + at : &frames[2][0] + (at - 0x1fff);

        *byte ^= (char)(1 << rand() % 8);
        assert_true(image_mend(image, 0));
        assert_true(is_whole());
    }
    assert_int_equal(lines, 300);
}

static void test_the_page_alone(void **state)
{
    const struct image *image = prepare();

    frames[1][9] ^= 4;
    assert_false(image_mend(image, TEXT + 9));
    assert_false(image_mend(image, DATA));
    assert_false(image_mend(image, 0x7fffffffffff));
    assert_false(image_mend(image, ~0ull));
    assert_true(image_mend(image, TEXT + PAGE_SIZE + 77));
    assert_true(is_whole());
}

/* The file is the one that is wrong: nothing is taken from there. */
static void test_the_archive(void **state)
{
    const struct image *image = prepare();

    file[0x1234] ^= 1;
    assert_false(image_mend(image, 0));
    assert_true(is_whole());
    assert_int_equal(lines, 1);
    frames[0][0x555] ^= 1;
    assert_false(image_mend(image, 0));
}

/* One that came with an update is in no archive. */
static void test_no_file(void **state)
{
    struct image image = *prepare();

    image.name = NULL;
    frames[0][1] ^= 1;
    assert_false(image_mend(&image, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nothing), cmocka_unit_test(test_a_bit),
                                       cmocka_unit_test(test_the_page_alone),
                                       cmocka_unit_test(test_the_archive),
                                       cmocka_unit_test(test_no_file)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
