/* SPDX-License-Identifier: BSD-2-Clause */
/* ext4 IMAGE FILES: the same as libext2fs.c with servers/fs/ext4, over the harness of the unit
 * tests. */
#include <stdint.h>

#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/journal.h"
#include "servers/fs/ext4/mounts.h"
#include "tests/unit/ext4_host.h"

enum { BOX_BYTES = 16 << 20 };

long commit_room(void)
{
    return 0;
}

void changes_made(void)
{
}

bool is_covered(uint64_t node)
{
    (void)node;
    return false;
}

uint64_t request_id(void)
{
    return 0;
}

int main(int argc, char **argv)
{
    unsigned files = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
    uint64_t began;

    if (!files) {
        fprintf(stderr, "usage: ext4 IMAGE FILES\n");
        return 2;
    }
    host_mount(argv[1], BOX_BYTES);
    began = time_now();
    for (unsigned n = 0; n < files; n++) {
        char name[32];
        uint64_t node;
        long result;

        snprintf(name, sizeof name, "a-file-with-a-number-%u", n);
        for (;;) {
            cache_run_begin();
            result = name_create(EXT4_ROOT_INODE, name, S_IFREG | 0644, 0, (struct fs_user){0, 0},
                                 &node);
            if (result != EXT4_MISS)
                break;
            host_bring();
        }
        if (result) {
            fprintf(stderr, "ext4: %s: error %ld\n", name, -result);
            return 1;
        }
    }
    printf("BENCH create us=%.2f\n", (double)(time_now() - began) / 1e3 / files);
    host_unmount();
    return 0;
}
