/* SPDX-License-Identifier: BSD-2-Clause */
/* blockguard: makes a disk, or a pair of them, whose blocks the disk server checks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/guard.h"
#include "lib/block/integrity.h"

static const char usage[] =
    "usage: blockguard format DISK [MIRROR]\n"
    "       blockguard show DISK\n"
    "       blockguard check DISK\n"
    "       blockguard extract DISK FILE\n"
    "       blockguard fill DISK FILE\n"
    "\n"
    "  format   what is on the disk is lost; from then on the disk server shows it somewhat "
    "smaller,\n"
    "           checks every block that is read against its checksum, and repairs it from MIRROR\n"
    "  show     sizes and identity, of an image or another system's disk\n"
    "  check    compares each block with its checksum; status 1 when any is wrong\n"
    "  extract  the contents, without checksums\n"
    "  fill     FILE becomes the contents of a disk that was just formatted, with checksums\n"
    "\n"
    "DISK is a block device or an image file. A checked disk shows its contents alone in the "
    "running\n"
    "system: the others are for images, on whatever system. See docs/disks.md.\n";

/* <linux/hdreg.h>; not in musl */
#define HDIO_GETGEO 0x0301
struct hd_geometry {
    unsigned char heads, sectors;
    unsigned short cylinders;
    unsigned long start; /* where a partition begins, in sectors */
};

static struct integrity_header header;
static uint8_t block[INTEGRITY_BLOCK];

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "blockguard: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put(int fd, const char *name, uint64_t at, const void *data)
{
    if (pwrite(fd, data, INTEGRITY_BLOCK, (off_t)(at * INTEGRITY_BLOCK)) != INTEGRITY_BLOCK)
        fail(name);
}

static void get(int fd, const char *name, uint64_t at, void *data)
{
    ssize_t n = pread(fd, data, INTEGRITY_BLOCK, (off_t)(at * INTEGRITY_BLOCK));

    if (n >= 0 && n < (ssize_t)INTEGRITY_BLOCK)
        errno = EIO;
    if (n != INTEGRITY_BLOCK)
        fail(name);
}

static uint64_t blocks_of(int fd, const char *name)
{
    off_t end = lseek(fd, 0, SEEK_END);

    if (end < 0)
        fail(name);
    return (uint64_t)end / INTEGRITY_BLOCK;
}

/* By whatever names: a pair of a disk with itself would be none, and its notes lie in each other. */
static bool is_same(const char *a, const char *b)
{
    struct stat one, other;

    if (stat(a, &one))
        fail(a);
    if (stat(b, &other))
        fail(b);
    if (S_ISBLK(one.st_mode) && S_ISBLK(other.st_mode))
        return one.st_rdev == other.st_rdev;
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* A disk server looks for checked disks at the ends of whole disks: within a partition, or within the
 * contents of another one, nobody would check anything. NULL: it may be. */
static const char *why_not(int fd)
{
    struct hd_geometry geometry = {0};

    if (ioctl(fd, GUARD_IS_CHECKED) == 0)
        return "it is checked already, and shows its contents alone; format it on another system";
    if (ioctl(fd, HDIO_GETGEO, &geometry) == 0 && geometry.start)
        return "a partition; format the whole disk, partitions go inside";
    return NULL;
}

/* A pair is as large as the smaller disk; the larger one's second header is at its own end, where
 * it is looked for by who knows nothing of the pair. A disk's headers come after its notes, which
 * they speak for; until then `block` is all zeros, and clears the other place of each note. The
 * system is told to look again when all are written: it must not come upon half a pair. */
static int format(char **names, unsigned members)
{
    static struct integrity_note note;
    uint64_t blocks = UINT64_MAX, size[INTEGRITY_MEMBERS];
    uint8_t uuid[16];
    int fd[INTEGRITY_MEMBERS];

    if (getrandom(uuid, sizeof uuid, 0) != sizeof uuid)
        fail("no random numbers");
    if (members > 1 && is_same(names[0], names[1])) {
        fprintf(stderr, "blockguard: %s and %s are the same disk\n", names[0], names[1]);
        return 1;
    }
    for (unsigned n = 0; n < members; n++) {
        fd[n] = open(names[n], O_RDWR | O_EXCL); /* (a device that nobody else uses: not mounted) */
        if (fd[n] < 0)
            fail(names[n]);
        if (why_not(fd[n])) {
            fprintf(stderr, "blockguard: %s: %s\n", names[n], why_not(fd[n]));
            return 1;
        }
        size[n] = blocks_of(fd[n], names[n]);
        blocks = size[n] < blocks ? size[n] : blocks;
    }
    for (unsigned n = 0; n < members; n++) {
        integrity_header_make(&header, uuid, n, members, blocks);
        if (header.data == 0) {
            fprintf(stderr, "blockguard: %s: too small\n", names[n]);
            return 1;
        }
        for (uint64_t k = 0; k < integrity_notes(&header); k++) {
            integrity_note_make(&header, k, &note);
            put(fd[n], names[n], integrity_note_at(&header, k, note.generation), &note);
            put(fd[n], names[n], integrity_note_at(&header, k, note.generation + 1), block);
        }
        memcpy(block, &header, sizeof header);
        put(fd[n], names[n], size[n] - 1, block);
        put(fd[n], names[n], 0, block);
        memset(block, 0, sizeof block);
        if (fsync(fd[n]))
            fail(names[n]);
    }
    for (unsigned n = 0; n < members; n++)
        ioctl(fd[n], BLKRRPART); /* (a file knows nothing of that) */
    printf("%llu MB of %llu MB for data%s\n", (unsigned long long)(header.data >> 8),
           (unsigned long long)(blocks >> 8), members > 1 ? ", twice" : "");
    return 0;
}

static int open_image(const char *name, int how)
{
    int fd = open(name, how);
    uint64_t blocks;

    if (fd < 0)
        fail(name);
    blocks = blocks_of(fd, name);
    for (unsigned n = 0; n < 2; n++) { /* either of the two, as for servers/disk */
        get(fd, name, n == 0 ? 0 : blocks - 1, block);
        memcpy(&header, block, sizeof header);
        if (integrity_header_is_right(&header, blocks))
            return fd;
    }
    fprintf(stderr, "blockguard: %s: not formatted by blockguard\n", name);
    exit(1);
}

static int show(const char *name)
{
    open_image(name, O_RDONLY);
    printf("data blocks %llu\nnotes %llu\nmember %u of %u\nuuid ", (unsigned long long)header.data,
           (unsigned long long)integrity_notes(&header), header.member, header.members);
    for (unsigned i = 0; i < sizeof header.uuid; i++)
        printf("%02x", header.uuid[i]);
    printf("\n");
    return 0;
}

/* The newer one of the two that is right; false: neither. */
static bool read_note(int fd, const char *name, uint64_t number, struct integrity_note *out)
{
    static struct integrity_note n;

    out->generation = 0;
    for (unsigned place = 0; place < 2; place++) {
        get(fd, name, integrity_note_at(&header, number, place), &n);
        if (integrity_note_is_right(&header, number, &n) && n.generation > out->generation)
            *out = n;
    }
    return out->generation != 0;
}

/* Each data block, to `out` when there is one: how many are wrong. */
static uint64_t walk(int fd, const char *name, FILE *out)
{
    static struct integrity_note note;
    uint64_t wrong = 0;
    bool known = false;

    for (uint64_t n = 0; n < header.data; n++) {
        const struct integrity_entry *e = &note.entry[n % NOTE_ENTRIES];
        uint32_t sum;

        if (n % NOTE_ENTRIES == 0)
            known = read_note(fd, name, n / NOTE_ENTRIES, &note);
        get(fd, name, integrity_data_at(n), block);
        if (known && e->now == 0)
            memset(block, 0, sizeof block);
        sum = integrity_sum(&header, n, block);
        if (!known || (e->now && sum != e->now && sum != e->before)) {
            wrong++;
            fprintf(stderr, "block %llu is wrong%s\n", (unsigned long long)n,
                    known ? "" : ": its note is");
        }
        if (out && fwrite(block, sizeof block, 1, out) != 1)
            fail("writing");
    }
    return wrong;
}

/* A note is written when its last block is, so each is written once. What FILE has nothing for
 * keeps the sum 0, that of a block that was never written, and reads as zeros. */
static int fill(const char *name, FILE *in)
{
    static struct integrity_note note;
    int fd = open_image(name, O_RDWR);
    size_t length = 1;

    if (header.members != 1) {
        fprintf(stderr, "blockguard: %s: one of a pair\n", name);
        return 1;
    }
    for (uint64_t n = 0; n < header.data && length; n++) {
        memset(block, 0, sizeof block);
        length = fread(block, 1, sizeof block, in);
        if (n % NOTE_ENTRIES == 0)
            integrity_note_make(&header, n / NOTE_ENTRIES, &note);
        if (length)
            put(fd, name, integrity_data_at(n), block);
        if (length)
            note.entry[n % NOTE_ENTRIES].now = integrity_sum(&header, n, block);
        if (n % NOTE_ENTRIES != NOTE_ENTRIES - 1 && n != header.data - 1 && length)
            continue;
        note.checksum = integrity_note_sum(&header, n / NOTE_ENTRIES, &note);
        put(fd, name, integrity_note_at(&header, n / NOTE_ENTRIES, note.generation), &note);
    }
    if (fgetc(in) != EOF) {
        fprintf(stderr, "blockguard: %s: too small\n", name);
        return 1;
    }
    if (ferror(in) || fsync(fd))
        fail(name);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0)
        return fputs(usage, stdout) < 0;
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "format") == 0)
        return format(argv + 2, (unsigned)argc - 2);
    if (argc == 3 && strcmp(argv[1], "show") == 0)
        return show(argv[2]);
    if (argc == 3 && strcmp(argv[1], "check") == 0)
        return walk(open_image(argv[2], O_RDONLY), argv[2], NULL) != 0;
    if (argc == 4 && strcmp(argv[1], "extract") == 0) {
        int fd = open_image(argv[2], O_RDONLY);
        FILE *out = fopen(argv[3], "w");
        uint64_t wrong;

        if (!out)
            fail(argv[3]);
        wrong = walk(fd, argv[2], out);
        if (fclose(out))
            fail(argv[3]);
        return wrong != 0;
    }
    if (argc == 4 && strcmp(argv[1], "fill") == 0) {
        FILE *in = fopen(argv[3], "r");

        if (!in)
            fail(argv[3]);
        return fill(argv[2], in);
    }
    fputs(usage, stderr);
    return 2;
}
