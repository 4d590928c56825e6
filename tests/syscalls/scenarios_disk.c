/* SPDX-License-Identifier: BSD-2-Clause */
/* What ends in ext4, in the disk server, or in a driver. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/syscalls/worst.h"

#define LARGE (48ul << 20)
#define MAPPED (32ul << 20)
#define PIECES 6000 /* of a file, none next to another */
#define ENTRIES 3000
#define SPARSE (15ul << 40)
#define SECOND "/dev/sdb" /* a large file system that nobody has mounted */

static int create(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT, 0666);

    if (fd < 0)
        _exit(8);
    return fd;
}

static void disk_sync(void)
{
    char *at = touched(LARGE);
    int fd = create("file");

    TIMED(write, write(fd, at, LARGE));
    TIMED(fsync, fsync(fd));
    pwrite(fd, at, LARGE, 0);
    TIMED(fdatasync, fdatasync(fd));
    pwrite(fd, at, LARGE, 0);
    TIMED(syncfs, syncfs(fd));
    pwrite(fd, at, LARGE, 0);
    TIMED(sync, syscall(SYS_sync));
    TIMED(pread64, pread(fd, at, LARGE, 0));
    TIMED(ftruncate, ftruncate(fd, 0));
    TIMED(fsync, fsync(fd));
}

/* In memory: what is mapped is one piece there, and what is written is not. */
static void map_large(void)
{
    char *at = touched(MAPPED), *view;
    int fd = create("/tmp/large");

    if (write(fd, at, MAPPED) != (ssize_t)MAPPED)
        _exit(8);
    for (unsigned turn = 0; turn < 2; turn++) {
        TIMED(mmap, (view = mmap(NULL, MAPPED, PROT_READ, MAP_SHARED, fd, 0)) != MAP_FAILED);
        if (view == MAP_FAILED || view[MAPPED / 2] != 1)
            _exit(8);
        TIMED(munmap, munmap(view, MAPPED));
        TIMED(pwrite64, pwrite(fd, at, 1, MAPPED - 1));
        TIMED(ftruncate, ftruncate(fd, MAPPED - turn - 1));
        TIMED(ftruncate, ftruncate(fd, MAPPED));
    }
    unlink("/tmp/large");
    TIMED(close, close(fd));
}

static int scattered(const char *name)
{
    int fd = create(name);

    for (unsigned long i = 0; i < PIECES; i++)
        if (pwrite(fd, "x", 1, (off_t)(i * 3 * PAGE)) != 1)
            _exit(8);
    return fd;
}
static void disk_scattered(void)
{
    char *at = touched(LARGE);
    int fd = scattered("file");

    TIMED(fsync, fsync(fd));
    TIMED(pread64, pread(fd, at, LARGE, 0));
    TIMED(fallocate, fallocate(fd, 0, 0, LARGE));
    TIMED(ftruncate, ftruncate(fd, 1));
    TIMED(fsync, fsync(fd));
    close(fd);
    fd = scattered("other");
    close(fd);
    TIMED(truncate, truncate("other", 0));
    close(scattered("third"));
    TIMED(unlink, unlink("third"));
    TIMED(sync, syscall(SYS_sync));
}

static void disk_sparse(void)
{
    char *at = touched(LARGE);
    int fd = create("file"), null = open("/dev/null", O_WRONLY);
    off_t from = 1l << 40;

    TIMED(ftruncate, ftruncate(fd, LONG_MAX));
    TIMED(ftruncate, ftruncate(fd, SPARSE));
    TIMED(pwrite64, pwrite(fd, "x", 1, SPARSE - 1));
    TIMED(pread64, pread(fd, at, LARGE, 1l << 40));
    TIMED(sendfile, sendfile(null, fd, &from, 256 << 20));
    TIMED(lseek, lseek(fd, 0, SEEK_END));
    TIMED(lseek, lseek(fd, 0, SEEK_DATA));
    TIMED(fallocate, fallocate(fd, 0, 0, SPARSE)); /* there is not so much */
    TIMED(fsync, fsync(fd));
    TIMED(ftruncate, ftruncate(fd, 0));
    TIMED(fallocate, fallocate(fd, 0, 0, 150 << 20));
    TIMED(fadvise64, posix_fadvise(fd, 0, 0, POSIX_FADV_WILLNEED));
    TIMED(ftruncate, ftruncate(fd, 0));
    TIMED(fsync, fsync(fd));
}

static void disk_vectors(void)
{
    char *at = touched(64 * PAGE);
    struct iovec v[1024];
    int fd = create("file");

    for (int i = 0; i < 1024; i++)
        v[i] = (struct iovec){at + i, 30000};
    TIMED(pwritev, pwritev(fd, v, 1024, 0));
    TIMED(preadv, preadv(fd, v, 1024, 0));
    lseek(fd, 0, SEEK_SET);
    TIMED(readv, readv(fd, v, 1024));
    for (int i = 0; i < 1024; i++)
        v[i].iov_len = 1;
    lseek(fd, 1, SEEK_SET);
    TIMED(writev, writev(fd, v, 1024));
    TIMED(fsync, fsync(fd));
}

/* Names of 200 bytes: few in a block. */
static void entry_name(char *to, int n)
{
    memset(to, 'n', 200);
    snprintf(to + 200, 20, "%d", n);
}
static void disk_folder(void)
{
    char name[256], *at = map_memory(16ul << 20), path[512];
    int fd;

    mkdir("folder", 0777);
    if (chdir("folder"))
        return;
    for (int i = 0; i < ENTRIES; i++) {
        entry_name(name, i);
        close(create(name));
    }
    fd = open(".", O_RDONLY | O_DIRECTORY);
    TIMED(fsync, fsync(fd));
    TIMED(getdents64, syscall(SYS_getdents64, fd, at, 16ul << 20));
    TIMED(lseek, lseek(fd, LONG_MAX, SEEK_SET));
    TIMED(getdents, syscall(SYS_getdents, fd, at, 16ul << 20));
    TIMED(access, access("no-such-name", F_OK));
    TIMED(openat, close(open("new", O_WRONLY | O_CREAT, 0600)));
    snprintf(path, sizeof path, "%s", name);
    TIMED(link, link(path, "second"));
    TIMED(symlink, symlink(path, "third"));
    TIMED(mknod, mknod("pipe", S_IFIFO | 0600, 0));
    TIMED(mkdir, mkdir("within", 0700));
    TIMED(rename, rename(path, "new"));
    TIMED(rmdir, rmdir("../folder"));
    TIMED(rename, rename("../folder", "../other"));
    TIMED(unlink, unlink("second"));
    TIMED(chmod, chmod("new", 0600));
    TIMED(statfs, statfs(".", &(struct statfs){0}));
    TIMED(listxattr, listxattr("new", at, 65536));
    TIMED(getxattr, getxattr("new", "user.none", at, 65536));
}

static void disk_paths(void)
{
    char text[4096];

    mkdir("a", 0700);
    for (unsigned i = 0; i + 8 < sizeof text; i += 5)
        memcpy(text + i, "a/../", 6);
    TIMED(access, access(text, F_OK));
    TIMED(stat, syscall(SYS_stat, text, map_memory(PAGE)));
    for (int i = 0; i < 40; i++) {
        char name[20], to[4000];

        memset(to, '/', sizeof to);
        snprintf(name, sizeof name, "l%d", i);
        snprintf(to + 3900, 90, "%s/l%d/", "..", i + 1);
        memcpy(to, "./", 2);
        if (symlink(to, name))
            return;
    }
    TIMED(access, access("l0", F_OK));
    TIMED(readlink, readlink("l0", text, sizeof text));
    for (int i = 0; i < 600; i++)
        if (mkdir("d", 0700) || chdir("d"))
            break;
    TIMED(getcwd, syscall(SYS_getcwd, map_memory(1ul << 20), 1ul << 20));
    TIMED(access, access("../../../../..", F_OK));
}

/* ---- as root ---- */

static void disk_mount(void)
{
    char *at = touched(LARGE);
    int fd;

    mkdir("there", 0777);
    TIMED(mount, mount(SECOND, "there", "ext4", 0, NULL));
    TIMED(statfs, statfs("there", &(struct statfs){0}));
    fd = open("there/file", O_RDWR | O_CREAT, 0600);
    TIMED(pwrite64, pwrite(fd, at, LARGE, 0));
    TIMED(fallocate, fallocate(fd, 0, 0, 12l << 30));
    TIMED(fsync, fsync(fd));
    TIMED(ftruncate, ftruncate(fd, 0));
    close(fd);
    TIMED(umount2, umount2("there", 0));
    TIMED(mount, mount(SECOND, "there", "ext4", 0, NULL));
    TIMED(umount2, umount2("there", MNT_DETACH));
}

static void disk_device(void)
{
    char *at = touched(LARGE);
    int fd = open(SECOND, O_RDWR);

    TIMED(read, read(fd, at, LARGE));
    TIMED(pread64, pread(fd, at, LARGE, 700l << 30));
    TIMED(pwrite64, pwrite(fd, at, LARGE, 500l << 30));
    TIMED(pwrite64, pwrite(fd, at + 1, LARGE - 3, (500l << 30) + 1));
    TIMED(fsync, fsync(fd));
    TIMED(ioctl, ioctl(fd, BLKFLSBUF, 0));
    TIMED(ioctl, ioctl(fd, BLKGETSIZE64, at));
    TIMED(ioctl, ioctl(fd, BLKRRPART, 0));
    TIMED(close, close(fd));
}

static const struct scenario list[] = {
    SCENARIO(map_large, 0),
    SCENARIO(disk_sync, ON_DISK),
    SCENARIO(disk_scattered, ON_DISK),
    SCENARIO(disk_sparse, ON_DISK),
    SCENARIO(disk_vectors, ON_DISK),
    SCENARIO(disk_folder, ON_DISK),
    SCENARIO(disk_paths, ON_DISK),
    SCENARIO(disk_mount, AS_ROOT),
    SCENARIO(disk_device, AS_ROOT),
};
const struct scenarios scenarios_disk = {list, sizeof list / sizeof *list};
