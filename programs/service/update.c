/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * service update: a file goes to RS in pieces, through /proc/bardo/program, and becomes the program
 * of a service. RS says, when asked, what has become of that.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/proto/rs.h"
#include "programs/service/options.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define PROGRAM_FILE "/proc/bardo/program"
#define PROGRAMS "/lib/bardo/"
#define LOOK_MS 10
#define TRIES 10
#define PATIENCE_MS 60000 /* RS is sooner; but it may be asked when /proc is away */

static int fail(const char *name, const char *why, const char *file)
{
    if (file)
        fprintf(stderr, "service: update %s: %s: %s\n", name, file, why);
    else
        fprintf(stderr, "service: update %s: %s\n", name, why);
    return EXIT_ERROR;
}

/* errno, or 0 */
static int copy(int from, int to)
{
    char piece[RS_PROGRAM_PIECE];
    ssize_t n;

    while ((n = read(from, piece, sizeof piece)) > 0)
        for (ssize_t done = 0, m; done < n; done += m) {
            m = write(to, piece + done, (size_t)(n - done));
            if (m < 0)
                return errno;
        }
    return n < 0 ? errno : 0;
}

/* Opens it to be sent; -1: it has been said why not. */
static int open_program(const char *name, const char *file, off_t *size)
{
    int fd = open(file, O_RDONLY);
    struct stat about;

    if (fd < 0 || fstat(fd, &about) < 0)
        fail(name, strerror(errno), file);
    else if (!S_ISREG(about.st_mode) || about.st_size == 0 || about.st_size > RS_PROGRAM_MAX)
        fail(name, "not a file of 1 byte to 8 MB", file);
    else {
        *size = about.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

/* All of it to RS, which makes it the service's program. 0 or errno. */
static int give(const char *name, int from, off_t size)
{
    int to = open(PROGRAM_FILE, O_WRONLY), error = to < 0 ? errno : 0;
    char text[24];

    snprintf(text, sizeof text, "%lld", (long long)size);
    if (error == 0 && lseek(from, 0, SEEK_SET) < 0)
        error = errno;
    if (error == 0)
        error = copy(from, to);
    if (to >= 0)
        close(to);
    return error ? error : order_send("update", name, text);
}

/* Stale: fs/proc was replaced meanwhile. Input or output: RS has died twice of a step, and undone it
 * (docs/policies.md). Nothing has happened then. */
static bool is_worth_trying_again(int error)
{
    return error == ESTALE || error == EIO;
}

static const char *reason(int error)
{
    switch (error) {
    case ENOTSUP:
        return "it keeps its memory, which that program does not fit ('make build/update/NAME' "
               "makes one "
               "that does)";
    case EEXIST:
        return "an earlier update lies where this one belongs: link it with another PLACE "
               "(tools/update --help)";
    case EBUSY:
        return "another update has not been put in yet";
    case ENOSPC:
        return "too many updates are on probation; it lasts ten seconds";
    case EINVAL:
        return "another update came in between";
    case ENOEXEC:
        return "this is no program for a service: see 'service log rs'";
    case ENXIO:
        return "it is not up";
    default:
        return order_reason("update", error);
    }
}

/* Until it is ready, or its probation is over. */
static int await(const char *name, bool to_the_end)
{
    for (int ms = 0; ms < PATIENCE_MS; ms += LOOK_MS) {
        int error = order_send("updated", name, NULL);

        if (error == ECANCELED)
            return fail(name,
                        "it has failed, and the program before it is back: see 'service log rs'",
                        NULL);
        if (error == 0 || (error == EAGAIN && !to_the_end))
            return EXIT_OK;
        if (error != EAGAIN && error != EBUSY)
            return fail(name, reason(error), NULL);
        usleep(1000 * LOOK_MS);
    }
    return fail(name, "it is not ready in time", NULL);
}

/* That which its name, or its alternate, means in the file system. */
static bool own_file(const char *name, char *file, size_t room)
{
    static struct rows rows;
    const struct row *row = rows_read(&rows) ? rows_find(&rows, name) : NULL;

    if (row)
        snprintf(file, room, PROGRAMS "%s", row->value[PROGRAM]);
    rows_free(&rows);
    return row != NULL;
}

int run_update(const struct options *o)
{
    const char *name = o->word[1];
    char file[64];
    off_t size = 0;
    int error, from;

    if (!own_file(name, file, sizeof file))
        return fail(name, order_reason("update", ESRCH), NULL);
    from = open_program(name, o->image ? o->image : file, &size);
    if (from < 0)
        return EXIT_ERROR;
    error = give(name, from, size);
    for (int n = 0; n < TRIES && is_worth_trying_again(error); n++)
        error = give(name, from, size);
    close(from);
    return error ? fail(name, reason(error), NULL) : await(name, o->wait != NULL);
}
