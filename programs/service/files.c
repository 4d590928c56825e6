/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/service/service.h"

bool proc_is_away(int error)
{
    return error == EIO || error == ENXIO || error == ENOENT || error == ESTALE;
}

static const char *other_way(const char *path)
{
    static const struct {
        const char *path, *other;
    } ways[] = {{SERVICES_FILE, SERVICES_DEVICE},
                {DEVICES_FILE, DEVICES_DEVICE},
                {RECOVERY_FILE, RECOVERY_DEVICE},
                {LOG_FILE, LOG_DEVICE}};

    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        if (strcmp(path, ways[i].path) == 0)
            return ways[i].other;
    return NULL;
}

static char *whole_text(const char *path)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room), *more = text;
    int fd = open(path, O_RDONLY | O_NONBLOCK), error;
    ssize_t n = fd < 0 ? -1 : 1;

    while (n > 0 && more && (n = read(fd, text + size, room - size - 1)) > 0) {
        size += (size_t)n;
        if (room - size < 2048 && (more = realloc(text, room *= 2)))
            text = more;
    }
    error = errno;
    if (fd >= 0)
        close(fd);
    errno = error;
    if ((n == 0 || (n < 0 && fd >= 0 && error == EAGAIN)) &&
        more) { /* who waits: for what is new */
        text[size] = 0;
        return text;
    }
    free(text);
    return NULL;
}

/* The error is the first way's when the other does not lead there either. */
char *file_text(const char *path)
{
    char *text = whole_text(path);
    int error = errno;
    const char *other = other_way(path);

    if (text || !other || !proc_is_away(error))
        return text;
    text = whole_text(other);
    errno = error;
    return text;
}

char *read_file(const char *path)
{
    char *text = file_text(path);

    if (!text)
        fprintf(stderr, "service: %s: %s\n", path, strerror(errno));
    return text;
}
