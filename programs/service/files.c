/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/service/service.h"

char *file_text(const char *path)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room), *more = text;
    int fd = open(path, O_RDONLY), error;
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
    if (n == 0 && more) {
        text[size] = 0;
        return text;
    }
    free(text);
    return NULL;
}

char *read_file(const char *path)
{
    char *text = file_text(path);

    if (!text)
        fprintf(stderr, "service: %s: %s\n", path, strerror(errno));
    return text;
}
