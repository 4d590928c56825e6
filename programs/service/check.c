/* SPDX-License-Identifier: BSD-2-Clause */
/* service check FILE...: is it a manifest, or a policy script, that does what it says? */
#include "programs/service/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "programs/service/manifests.h"
#include "programs/service/service.h"

static void say(const struct check *c, unsigned line, const char *kind, const char *format,
                va_list arguments)
{
    if (line)
        fprintf(stderr, "%s:%u: %s", c->file, line, kind);
    else
        fprintf(stderr, "%s: %s", c->file, kind);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void check_error(struct check *c, unsigned line, const char *format, ...)
{
    va_list arguments;

    c->errors++;
    va_start(arguments, format);
    say(c, line, "", format, arguments);
    va_end(arguments);
}

void check_warning(struct check *c, unsigned line, const char *format, ...)
{
    va_list arguments;

    c->warnings++;
    va_start(arguments, format);
    say(c, line, "warning: ", format, arguments);
    va_end(arguments);
}

static bool ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

static void check_file(struct check *c)
{
    size_t size;
    char *text = text_read(c->file, &size);

    if (!text)
        check_error(c, 0, "%s", strerror(errno));
    else if (ends(c->file, ".svc"))
        check_manifest(c, text, size);
    else if (memchr(text, 0, size))
        check_error(c, 0, "neither a manifest (NAME.svc) nor a script: there are NULs in it");
    else if (strncmp(text, "#!", 2) == 0 || ends(c->file, ".sh"))
        check_script(c, text);
    else
        check_error(c, 0, "neither a manifest (NAME.svc) nor a script (its first line: #!/bin/sh)");
    free(text);
}

/* false: it has told why */
static bool is_folder(const char *path)
{
    struct stat status;

    int error = stat(path, &status) < 0 ? errno : 0;

    if (!error && !S_ISDIR(status.st_mode))
        error = ENOTDIR;
    if (error)
        fprintf(stderr, "service: --top %s: %s\n", path, strerror(error));
    return !error;
}

int check_files(const char *const *files, int count, const char *top)
{
    int status = EXIT_OK;

    if (top && !is_folder(top))
        return EXIT_ERROR;
    for (int i = 0; i < count; i++) {
        struct check c = {.file = files[i], .top = top};

        check_file(&c);
        if (c.errors)
            status = EXIT_ERROR;
        else
            printf("%s: good%s\n", c.file, c.warnings ? ", with warnings" : "");
    }
    return status;
}
