/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ext4 file server, alive and of no use: it comes back to its loop and answers whoever asks after its
 * health, but requests do not come back. Which, somebody says by looking for a file of that name, with the
 * number of the incarnation that is to be so (others are well):
 *
 *     lose1        this request is forgotten       forget1      all are from now on
 *     stall1       none that had to wait goes on any more
 *     mute1        it takes whatever comes, and answers nothing at all
 *     lose         is forgotten by each incarnation
 *
 * Each incarnation forgets FILE_SYNC and FILE_UNMOUNT of a file system with the label "silent".
 *
 * And incarnation 1 forgets a read of 778 bytes, the next one of 779, ...
 */
#include <stdio.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "servers/fs/ext4/file.h"
#include "servers/fs/ext4/format.h"
#include "servers/fs/ext4/request.h"

#define FORGOTTEN_READ 777 /* and the number of the incarnation */

static bool forgets, forgets_all, stalls;

long __real_name_find(uint64_t directory, const char *name, uint64_t *node);
long __wrap_name_find(uint64_t directory, const char *name, uint64_t *node);
long __real_file_read(uint64_t node, struct fs_transfer *t);
long __wrap_file_read(uint64_t node, struct fs_transfer *t);
long __real_request_begin(const struct message *m, uint64_t *node);
long __wrap_request_begin(const struct message *m, uint64_t *node);
void __real_request_later(const struct message *m);
void __wrap_request_later(const struct message *m);
bool __real_requests_retry(void);
bool __wrap_requests_retry(void);

/* The name is `what`, and our number. */
static bool is_told_to(const char *what, const char *name)
{
    char wanted[16];

    snprintf(wanted, sizeof wanted, "%s%u", what, (unsigned)service_info()->incarnation);
    return strcmp(name, wanted) == 0;
}

static long put_off(bool forget)
{
    missing = (struct missing){.what = MISSING_PAUSE};
    forgets = forget;
    return EXT4_MISS;
}

static void be_mute(void)
{
    struct message m = {0};

    for (;;)
        ipc_receive(ENDPOINT_ANY, &m, 0);
}

long __wrap_name_find(uint64_t directory, const char *name, uint64_t *node)
{
    if (is_told_to("mute", name))
        be_mute();
    forgets_all |= is_told_to("forget", name);
    stalls |= is_told_to("stall", name);
    if (forgets_all || stalls || is_told_to("lose", name) || strcmp(name, "lose") == 0)
        return put_off(!stalls);
    return __real_name_find(directory, name, node);
}

long __wrap_file_read(uint64_t node, struct fs_transfer *t)
{
    if (t->length == FORGOTTEN_READ + service_info()->incarnation)
        return put_off(true);
    return __real_file_read(node, t);
}

long __wrap_request_begin(const struct message *m, uint64_t *node)
{
    uint64_t type = m->type & FILE_TYPE_MASK;
    bool ends = type == FILE_SYNC || type == FILE_UNMOUNT;

    if (forgets_all ||
        (ends && box && strcmp(((struct ext4_super *)box->super)->volume_name, "silent") == 0))
        return put_off(true);
    return __real_request_begin(m, node);
}

void __wrap_request_later(const struct message *m)
{
    if (!forgets)
        __real_request_later(m);
    forgets = false;
}

bool __wrap_requests_retry(void)
{
    return stalls ? false : __real_requests_retry();
}
