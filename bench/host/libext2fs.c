/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libext2fs IMAGE FILES: how long libext2fs takes to create FILES empty files in one directory of
 * an image, and how much memory it has at the end that the image does not (docs/decisions/0009).
 */
#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(errcode_t error, const char *what)
{
    if (error) {
        com_err("libext2fs", error, "%s", what);
        exit(1);
    }
}

static void create(ext2_filsys fs, ext2_ino_t directory, unsigned n)
{
    struct ext2_inode inode = {.i_mode = LINUX_S_IFREG | 0644, .i_links_count = 1};
    char name[32];
    ext2_ino_t number;
    errcode_t error;

    snprintf(name, sizeof name, "a-file-with-a-number-%u", n);
    check(ext2fs_new_inode(fs, directory, LINUX_S_IFREG | 0644, NULL, &number), "new inode");
    error = ext2fs_link(fs, directory, name, number, EXT2_FT_REG_FILE);
    if (error == EXT2_ET_DIR_NO_SPACE) {
        check(ext2fs_expand_dir(fs, directory), "expand");
        error = ext2fs_link(fs, directory, name, number, EXT2_FT_REG_FILE);
    }
    check(error, "link");
    ext2fs_inode_alloc_stats2(fs, number, 1, 0);
    check(ext2fs_write_new_inode(fs, number, &inode), "write inode");
}

int main(int argc, char **argv)
{
    unsigned files = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    ext2_filsys fs;
    double began;

    if (!files) {
        fprintf(stderr, "usage: libext2fs IMAGE FILES\n");
        return 2;
    }
    check(ext2fs_open(argv[1], EXT2_FLAG_RW | EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs),
          argv[1]);
    check(ext2fs_read_bitmaps(fs), "bitmaps");
    began = now();
    for (unsigned n = 0; n < files; n++)
        create(fs, EXT2_ROOT_INO, n);
    printf("BENCH create us=%.2f\n", (now() - began) * 1e6 / files);
    check(ext2fs_close(fs), "close");
    return 0;
}
