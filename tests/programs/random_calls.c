/* SPDX-License-Identifier: BSD-2-Clause */
/* getrandom: what it refuses; and that no 16 bytes come twice, of it and of /dev/urandom, whatever
 * happens meanwhile to those that make them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "cases.h"

enum { BYTES = 16, AT_ONCE = 64 };

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, BYTES);
}

static void errors(void)
{
    static char bytes[100000];
    char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(getrandom(bytes, 10, 8) == -1 && errno == EINVAL);
    CHECK(getrandom(bytes, 10, GRND_RANDOM | 4) == -1 && errno == EINVAL);
    CHECK(getrandom(NULL, 10, 0) == -1 && errno == EFAULT);
    CHECK(getrandom(bytes, 0, 0) == 0);
    CHECK(getrandom(bytes, 1, GRND_NONBLOCK) == 1);
    CHECK(getrandom(bytes, 256, GRND_RANDOM) == 256);
    CHECK(getrandom(bytes, sizeof bytes, 0) >= 256);
    munmap(edge + 4096, 4096);
    CHECK(getrandom(edge + 4000, 96, 0) == 96);
    CHECK(getrandom(edge + 4090, 100, 0) == -1 && errno == EFAULT);
    CHECK(getrandom(edge + 4096 - 1024, 2048, 0) == 1024); /* what had come, as with Linux */
}

/* random_calls COUNT: that many calls of each kind. Prints the first number, and how many different
 * ones came. */
int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 100, total = 2 * count * AT_ONCE, different = 1;
    int file = open("/dev/urandom", O_RDONLY);
    char *all = malloc((size_t)total * BYTES), *at = all;

    errors();
    CHECK(all && file >= 0);
    for (long i = 0; i < count; i++, at += 2 * AT_ONCE * BYTES) {
        CHECK(getrandom(at, AT_ONCE * BYTES, 0) == AT_ONCE * BYTES);
        CHECK(read(file, at + AT_ONCE * BYTES, AT_ONCE * BYTES) == AT_ONCE * BYTES);
    }
    for (int i = 0; i < BYTES; i++)
        printf("%02x", (unsigned char)all[i]);
    qsort(all, (size_t)total, BYTES, compare);
    for (long i = 1; i < total; i++)
        different += compare(all + i * BYTES, all + (i - 1) * BYTES) != 0;
    printf(" %ld of %ld\n", different, total);
    return different != total;
}
