/* SPDX-License-Identifier: BSD-2-Clause */
/* Names with a slash at their end: of directories, of files, of links to either, of nothing. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "cases.h"

enum { NOREPLACE = 1 };

static void make(const char *name)
{
    CHECK(close(open(name, O_CREAT | O_EXCL | O_WRONLY, 0644)) == 0);
}

/* f, d, fl -> f, dl -> d, nl -> nothing */
static void make_all(void)
{
    make("f");
    CHECK(mkdir("d", 0755) == 0 && symlink("f", "fl") == 0 && symlink("d", "dl") == 0 &&
          symlink("none", "nl") == 0);
}

static void remove_all(void)
{
    CHECK(unlink("f") == 0 && rmdir("d") == 0 && unlink("fl") == 0 && unlink("dl") == 0 &&
          unlink("nl") == 0);
}

static void opening(void)
{
    make_all();
    FAILS(open("f/", O_RDONLY), ENOTDIR);
    FAILS(open("f/", O_RDONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("f/", O_RDONLY | O_CREAT | O_EXCL, 0644), EISDIR);
    FAILS(open("x/", O_WRONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("x/", O_RDONLY), ENOENT);
    FAILS(open("x/", O_RDONLY | O_DIRECTORY), ENOENT);
    FAILS(open("d/", O_RDONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("d/", O_RDONLY | O_CREAT | O_EXCL, 0644), EISDIR);
    FAILS(open("d/", O_WRONLY), EISDIR);
    CHECK(close(open("d/", O_RDONLY)) == 0 && close(open("dl/", O_RDONLY | O_NOFOLLOW)) == 0);
    FAILS(open("fl/", O_RDONLY), ENOTDIR);
    FAILS(open("nl/", O_RDONLY), ENOENT);
    FAILS(open("nl/", O_WRONLY | O_CREAT, 0644), EISDIR);
    FAILS(open("f/x/", O_WRONLY | O_CREAT, 0644), ENOTDIR);
    FAILS(open("none/x/", O_WRONLY | O_CREAT, 0644), ENOENT);
    FAILS(access("x", F_OK), ENOENT);
    remove_all();
}

static void looking(void)
{
    struct stat s;
    char text[8];

    make_all();
    FAILS(stat("f/", &s), ENOTDIR);
    FAILS(lstat("f/", &s), ENOTDIR);
    FAILS(lstat("fl/", &s), ENOTDIR);
    FAILS(lstat("nl/", &s), ENOENT);
    CHECK(lstat("dl/", &s) == 0 && S_ISDIR(s.st_mode) && lstat("d///", &s) == 0);
    FAILS(access("f/", F_OK), ENOTDIR);
    FAILS(readlink("dl/", text, sizeof text), EINVAL);
    FAILS(readlink("fl/", text, sizeof text), ENOTDIR);
    FAILS(truncate("f/", 0), ENOTDIR);
    FAILS(chmod("f/", 0600), ENOTDIR);
    FAILS(chdir("f/"), ENOTDIR);
    CHECK(chmod("d/", 0755) == 0);
    remove_all();
}

static void making(void)
{
    make_all();
    CHECK(mkdir("e/", 0755) == 0 && rmdir("e") == 0 && mkdir("e//", 0755) == 0 &&
          rmdir("e//") == 0);
    FAILS(mkdir("f/", 0755), EEXIST);
    FAILS(mkdir("d/", 0755), EEXIST);
    FAILS(mkdir("nl/", 0755), EEXIST);
    FAILS(mkdir("dl/", 0755), EEXIST);
    FAILS(mknod("x/", S_IFREG | 0644, 0), ENOENT);
    FAILS(mknod("x/", S_IFIFO | 0644, 0), ENOENT);
    FAILS(mknod("f/", S_IFIFO | 0644, 0), EEXIST);
    FAILS(mknod("d/", S_IFIFO | 0644, 0), EEXIST);
    FAILS(symlink("d", "x/"), ENOENT);
    FAILS(symlink("d", "f/"), EEXIST);
    FAILS(symlink("d", "d/"), EEXIST);
    FAILS(symlink("d", "dl/"), EEXIST);
    FAILS(link("f", "x/"), ENOENT);
    FAILS(link("f", "f/"), EEXIST);
    FAILS(link("f", "d/"), EEXIST);
    FAILS(link("f/", "x"), ENOTDIR);
    FAILS(link("fl/", "x"), ENOTDIR);
    FAILS(link("d/", "x"), EPERM);
    FAILS(link("dl/", "x"), EPERM);
    FAILS(link("none/", "x"), ENOENT);
    remove_all();
}

static void removing(void)
{
    make_all();
    FAILS(unlink("f/"), ENOTDIR);
    FAILS(unlink("fl/"), ENOTDIR);
    FAILS(unlink("dl/"), ENOTDIR);
    FAILS(unlink("nl/"), ENOTDIR);
    FAILS(unlink("d/"), EISDIR);
    FAILS(unlink("x/"), ENOENT);
    FAILS(unlink("x"), ENOENT);
    FAILS(rmdir("f/"), ENOTDIR);
    FAILS(rmdir("dl/"), ENOTDIR);
    FAILS(rmdir("x/"), ENOENT);
    CHECK(rmdir("d/") == 0 && mkdir("d", 0755) == 0 && mkdir("d/in", 0755) == 0);
    FAILS(rmdir("d/"), ENOTEMPTY);
    CHECK(rmdir("d/in/") == 0);
    remove_all();
}

static long rename_gently(const char *old_name, const char *new_name)
{
    return syscall(SYS_renameat2, AT_FDCWD, old_name, AT_FDCWD, new_name, NOREPLACE);
}

static void renaming(void)
{
    make_all();
    FAILS(rename("f/", "x"), ENOTDIR);
    FAILS(rename("f", "x/"), ENOTDIR);
    FAILS(rename("f/", "x/"), ENOTDIR);
    FAILS(rename("f", "f/"), ENOTDIR);
    FAILS(rename("f", "d/"), ENOTDIR);
    FAILS(rename("f", "d"), EISDIR);
    FAILS(rename("fl/", "x"), ENOTDIR);
    FAILS(rename("dl/", "x"), ENOTDIR);
    FAILS(rename("dl", "x/"), ENOTDIR);
    FAILS(rename("none/", "x"), ENOENT);
    FAILS(rename("none", "x/"), ENOENT);
    FAILS(rename("d/", "f"), ENOTDIR);
    FAILS(rename("d", "f/"), ENOTDIR);
    FAILS(rename("d", "dl/"), ENOTDIR);
    FAILS(rename("d", "nl/"), ENOTDIR);
    FAILS(rename_gently("d/", "f"), EEXIST);
    FAILS(rename_gently("d/", "f/"), EEXIST);
    FAILS(rename_gently("f", "d/"), EEXIST);
    FAILS(rename_gently("f/", "x"), ENOTDIR);
    FAILS(rename_gently("f", "x/"), ENOTDIR);
    CHECK(rename("d/", "e") == 0 && rename("e", "g/") == 0 && rename("g/", "d//") == 0);
    CHECK(rename_gently("d/", "e/") == 0 && rename("e", "d") == 0);
    CHECK(mkdir("e", 0755) == 0 && rename("e/", "d/") == 0 && rename("d/", "d/") == 0);
    remove_all();
}

RUN_CASES({"opening", opening}, {"looking", looking}, {"making", making}, {"removing", removing},
          {"renaming", renaming})
