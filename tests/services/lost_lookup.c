/* SPDX-License-Identifier: BSD-2-Clause */
/* A file server, fs/dev or fs/proc, that forgets whoever looks for a name that ends with "lose" and its incarnation. */
#include <stdio.h>
#include <string.h>

#include "lib/fs/serve.h"
#include "lib/rt/kernel.h"

long __real_fs_do_lookup(struct message *m);
long __wrap_fs_do_lookup(struct message *m);

long __wrap_fs_do_lookup(struct message *m)
{
    static char path[FS_PATH_MAX + 1];
    const struct file_name_request *r = message_words(m);
    char wanted[16];
    size_t n =
        (size_t)snprintf(wanted, sizeof wanted, "lose%u", (unsigned)service_info()->incarnation);

    if (fs_fetch(m, r->grant, r->length, path) == 0 && strlen(path) >= n &&
        strcmp(path + strlen(path) - n, wanted) == 0)
        return SERVICE_NO_REPLY;
    return __real_fs_do_lookup(m);
}
