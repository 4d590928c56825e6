/* SPDX-License-Identifier: BSD-2-Clause */
/* service check: what its files share. */
#ifndef SERVICE_CHECK_H
#define SERVICE_CHECK_H

#include <stddef.h>

struct check { /* of one file */
    const char *file;
    const char *top; /* the source tree that it belongs to; NULL: the system that runs */
    unsigned errors, warnings;
};

/* "FILE:LINE: message" to stderr; line 0: "FILE: message". A warning: it works, but hardly as it
 * was meant. */
void check_error(struct check *c, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void check_warning(struct check *c, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void check_manifest(struct check *c, const char *text, size_t size);
void check_script(struct check *c, char *text); /* which it cuts up */

/* The arguments in a manifest's line `key`, against what the script at `path` says that it takes. */
void check_arguments(struct check *c, unsigned line, const char *key, const char *path,
                     const char *arguments);

/* Each file is looked at; exit status. */
int check_files(const char *const *files, int count, const char *top);

#endif
