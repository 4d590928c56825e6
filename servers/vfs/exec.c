/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * execve(2): find the program (through "#!" lines), read its head, collect the arguments, then
 * replace what the process has: from PM_EXEC on there is no way back, and an error kills it.
 * Segments are private views of the file server's pages (VM_MAP_FROM), so that starting a program
 * copies nothing.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/proto/pm.h"
#include "lib/rt/error.h"
#include "servers/vfs/exec.h"

enum { MEMORY_SHORT_PAGES = 1024 }; /* it may be the reason then */
enum { SCRIPTS_MAX = 4, POINTERS_AT_ONCE = 32 };
#define TURN_NS 200000u /* programs compute meanwhile */

/* Room for at least n more bytes. */
static long grow(struct arguments *a, size_t n)
{
    size_t room = a->room ? a->room : 4096;
    char *bigger;

    if (a->used + n + (a->count[0] + a->count[1]) * sizeof(uint64_t) > ARGUMENTS_MAX)
        return -E2BIG;
    while (room < a->used + n)
        room *= 2;
    if (room == a->room)
        return 0;
    bigger = realloc(a->text, room);
    if (!bigger)
        return -ENOMEM;
    a->text = bigger;
    a->room = room;
    return 0;
}

long arguments_add(struct arguments *a, unsigned which, const char *text)
{
    size_t n = strlen(text) + 1;
    long result = grow(a, n);

    if (result)
        return result;
    memcpy(a->text + a->used, text, n);
    a->used += n;
    a->count[which]++;
    return 0;
}

/* From the program's memory, straight into the buffer. */
static long add_string(struct client *c, struct arguments *a, unsigned which, uint64_t address)
{
    long n = grow(a, 1);

    if (n)
        return n;
    while ((n = user_string(c, address, a->text + a->used, a->room - a->used)) == -ENAMETOOLONG) {
        n = grow(a, a->room - a->used + 1);
        if (n)
            return n;
    }
    if (n < 0)
        return n;
    a->used += (size_t)n + 1;
    a->count[which]++;
    return 0;
}

/* Only who is killed need not come to the end. */
static long others_turn(struct client *c)
{
    wait_through(c, TURN_NS);
    return c->exiting ? -EINTR : 0;
}

static long add_strings(struct client *c, struct arguments *a, unsigned which, uint64_t array)
{
    uint64_t pointer[POINTERS_AT_ONCE];

    while (array) {
        size_t n = (PAGE_SIZE - array % PAGE_SIZE) / sizeof *pointer;

        if (n == 0)
            n = 1;
        else if (n > POINTERS_AT_ONCE)
            n = POINTERS_AT_ONCE;
        if (user_read(c, array, pointer, n * sizeof *pointer))
            return -EFAULT;
        for (size_t i = 0; i < n; i++) {
            long result;

            if (!pointer[i])
                return 0;
            result = add_string(c, a, which, pointer[i]);
            if (result == 0 && wait_step_is_long())
                result = others_turn(c);
            if (result)
                return result;
        }
        array += n * sizeof *pointer;
    }
    return 0;
}

/* ---- the program's file ---- */

/* What stands behind "#!" at the head of a script: interpreter and at most one argument. */
static long script_line(char *head, size_t n, char **interpreter, char **argument)
{
    char *end, *at;

    n = n < SCRIPT_LINE_MAX ? n : SCRIPT_LINE_MAX;
    end = memchr(head, '\n', n);
    if (!end) {
        if (n == SCRIPT_LINE_MAX)
            return -ENOEXEC;
        end = head + n;
    }
    while (end > head + 2 && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r'))
        end--;
    *end = 0;
    for (at = head + 2; *at == ' ' || *at == '\t'; at++)
        ;
    *interpreter = at;
    *argument = NULL;
    at += strcspn(at, " \t");
    if (*at) {
        *at++ = 0;
        *argument = at + strspn(at, " \t");
    }
    return **interpreter ? 0 : -ENOEXEC;
}

/* The script's path takes the place of argv[0], behind the interpreter and its argument. */
static long prepend(struct arguments *a, const char *interpreter, const char *argument,
                    const char *script)
{
    struct arguments new = {0};
    size_t skip = a->count[0] ? strlen(a->text) + 1 : 0;
    long result = arguments_add(&new, 0, interpreter);

    if (result == 0 && argument)
        result = arguments_add(&new, 0, argument);
    if (result == 0)
        result = arguments_add(&new, 0, script);
    if (result == 0 && new.used + a->used - skip > ARGUMENTS_MAX)
        result = -E2BIG;
    if (result == 0) {
        char *text = realloc(new.text, new.used + a->used - skip + 1);

        if (text) {
            memcpy(text + new.used, a->text + skip, a->used - skip);
            new.text = text;
            new.room = new.used + a->used - skip + 1;
            new.used += a->used - skip;
            new.count[0] += a->count[0] ? a->count[0] - 1 : 0;
            new.count[1] = a->count[1];
            free(a->text);
            *a = new;
            return 0;
        }
        result = -ENOMEM;
    }
    free(new.text);
    return result;
}

static long find_program(struct client *c, const char *path, struct image *image)
{
    struct found *f = &image->found;
    long result = path_find(c, AT_FDCWD, path, FOUND_FOLLOW, f);

    if (result == 0 && (!S_ISREG(f->mode) || server_is_mounted_with(f->server, MS_NOEXEC)))
        result = -EACCES;
    if (result == 0)
        result = found_may(c, f, X_OK);
    return result ? result : image_head(c, image);
}

/* Through at most SCRIPTS_MAX "#!" lines to a program. (What is on the stack is logged with each wait
 * for a file server: so there is no room for a path here.) */
static long resolve(struct client *c, const char *path, struct arguments *a, struct image *image)
{
    char script[SCRIPT_LINE_MAX];

    for (int depth = 0;; depth++) {
        char *interpreter, *argument;
        long result = find_program(c, path, image);

        if (result)
            return result;
        if (image->head_size < 2 || memcmp(image->head, "#!", 2) != 0)
            return image_parse(image);
        if (depth == SCRIPTS_MAX)
            return -ELOOP;
        result = script_line(image->head, image->head_size, &interpreter, &argument);
        if (result == 0)
            result = prepend(a, interpreter, argument, path);
        if (result)
            return result;
        path = strcpy(script, interpreter);
    }
}

/* ---- the point of no return ---- */

/* Whose rights the program runs with; -1: the caller's. Owner and mode are of one moment: with the
 * mode of an earlier one, a file that is given to root meanwhile would run with root's. */
static long set_ids(struct client *c, const struct image *image, int64_t *uid, int64_t *gid)
{
    struct message m = message_of(
        FILE_STAT, (struct file_stat_request){.node = image->found.node, .back = FILE_BACK});
    const struct file_stat_reply *r = message_words(&m);
    long result;

    *uid = *gid = -1;
    if (!(image->found.mode & (S_ISUID | S_ISGID)) ||
        server_is_mounted_with(image->found.server, MS_NOSUID))
        return 0;
    result = ask(c, image->found.server, &m, AGAIN);
    if (result < 0)
        return result;
    if (r->mode & S_ISUID)
        *uid = r->uid;
    if ((r->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        *gid = r->gid;
    return 0;
}

/* The process is named after the path that was asked for: a script's, a link's. */
static long start(struct client *c, const char *path, uint64_t entry, uint64_t stack)
{
    const char *base = strrchr(path, '/');
    char name[16] = {0};
    long grant = grant_make(service_info()->pm, name, sizeof name, GRANT_READ), result;
    struct message m =
        message_of(PM_EXEC_START, (struct pm_exec_start_request){.thread = (uint64_t)c->endpoint,
                                                                 .entry = entry,
                                                                 .stack = stack,
                                                                 .grant = (uint64_t)grant});

    memcpy(name, base ? base + 1 : path, strnlen(base ? base + 1 : path, sizeof name - 1));
    result = grant < 0 ? grant : ipc_call(service_info()->pm, &m);
    if (grant >= 0)
        grant_revoke(grant);
    return result;
}

/* Fill the empty space; the other image is the interpreter's, when there is one. */
static long fill(struct client *c, const char *path, struct image *image, struct image *interpreter,
                 const struct arguments *a, bool secure)
{
    uint64_t entry, stack;
    long result = image_map(c, image, image->program.dynamic ? PROGRAM_BASE : 0);

    if (result == 0 && interpreter)
        result = image_map(c, interpreter, interpreter->program.dynamic ? INTERPRETER_BASE : 0);
    if (result == 0)
        result = image_heap(c, image);
    if (result == 0)
        result = stack_build(c, image, interpreter, a, secure, &stack);
    entry = interpreter ? interpreter->base + interpreter->program.entry
                        : image->base + image->program.entry;
    return result ? result : start(c, path, entry, stack);
}

/* What can be refused comes before PM is told: from then on there is no program to return to, so a
 * failure ends the process. */
static long replace(struct client *c, const char *path, struct image *image,
                    struct image *interpreter, const struct arguments *a)
{
    int64_t uid, gid;
    struct message m;
    long result = set_ids(c, image, &uid, &gid);
    char *exe = result ? NULL : strdup(image->found.path);

    if (result)
        return result;
    if (!exe || !files_unshare(c)) {
        free(exe);
        return -ENOMEM;
    }
    m = message_of(
        PM_EXEC, (struct pm_exec_request){.thread = (uint64_t)c->endpoint, .uid = uid, .gid = gid});
    result = ipc_call(service_info()->pm, &m);
    if (result) {
        free(exe);
        return result;
    }
    c->uid = uid >= 0 ? (uint32_t)uid : c->uid;
    c->gid = gid >= 0 ? (uint32_t)gid : c->gid;
    free(c->exe);
    c->exe = exe;
    files_close_on_exec(c);
    result = vm_exec(c);
    if (result == 0)
        result = fill(c, path, image, interpreter, a, uid >= 0 || gid >= 0);
    if (result == 0)
        return 0;
    log_info("%s could not be started (%s%s): process %d ends", image->found.path,
             error_name(result),
             kernel_info()->frames_free < MEMORY_SHORT_PAGES ? ", too little memory" : "", c->pid);
    signal_client(c, SIGKILL);
    return SERVICE_NO_REPLY;
}

static struct image *image_new(void)
{
    struct image *image = malloc(sizeof *image);

    if (image)
        found_begin(&image->found);
    return image;
}

static void image_free(struct image *image)
{
    if (image)
        found_end(&image->found);
    free(image);
}

long exec_path(struct client *c, const char *path, struct arguments *a)
{
    struct image *image = image_new(), *interpreter = NULL;
    long result = image ? resolve(c, path, a, image) : -ENOMEM;

    if (result == 0 && image->program.interpreter_size) {
        interpreter = image_new();
        result = interpreter
                     ? find_program(c, image->head + image->program.interpreter_offset, interpreter)
                     : -ENOMEM;
        if (result == 0)
            result = image_parse(interpreter);
        if (result == -ENOENT)
            log_info("%s: its loader %s is not there", image->found.path,
                     image->head + image->program.interpreter_offset);
    }
    if (result == 0)
        result = replace(c, path, image, interpreter, a);
    image_free(interpreter);
    image_free(image);
    return result;
}

static long sys_execve(struct client *c, const uint64_t *w)
{
    struct arguments a = {0};
    char *path;
    long result = path_fetch(c, w[0], &path);

    if (result)
        return result;
    result = *path ? add_strings(c, &a, 0, w[1]) : -ENOENT;
    if (result == 0 && !a.count[0])
        result = arguments_add(&a, 0, ""); /* as Linux since 5.18: argc is never 0 */
    if (result == 0)
        result = add_strings(c, &a, 1, w[2]);
    if (result == 0)
        result = exec_path(c, path, &a);
    free(a.text);
    free(path);
    return result;
}

VFS_TABLE(exec_calls, {SYS_execve, sys_execve})
