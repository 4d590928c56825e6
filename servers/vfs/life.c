/* SPDX-License-Identifier: BSD-2-Clause */
/* What PM tells about its processes: new ones, the end, a signal for one that is in a call,
 * credentials. Each comes with the process itself as the caller. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/pm.h"
#include "abi/proto/vfs.h"
#include "servers/vfs/vfs.h"

static bool from_pm(const struct message *m)
{
    return message_via(m) == service_info()->pm;
}

static bool inherit(struct client *child, struct client *parent, bool share_files, bool share_place)
{
    child->files = share_files ? parent->files : files_copy(parent->files);
    child->place = share_place ? parent->place : place_copy(parent->place);
    child->exe = strdup(parent->exe ? parent->exe : "");
    child->uid = parent->uid;
    child->gid = parent->gid;
    child->real_uid = parent->real_uid;
    child->real_gid = parent->real_gid;
    child->group_count = parent->group_count;
    memcpy(child->groups, parent->groups, parent->group_count * sizeof *parent->groups);
    if (child->files && share_files)
        child->files->references++;
    if (child->place && share_place)
        child->place->references++;
    return child->files && child->place && child->exe;
}

long life_fork(struct message *m)
{
    const struct vfs_fork_request *r = message_words(m);
    struct client *parent = client_of((endpoint_t)r->parent), *child;

    if (!from_pm(m))
        return -EPERM;
    child = client_new(message_caller(m), (int)r->pid);
    if (child && !r->parent) {
        boot_init(child);
        return SERVICE_NO_REPLY;
    }
    if (child && parent && parent->files && parent->place &&
        inherit(child, parent, r->shares_files, r->shares_place))
        return 0;
    log_info("no memory for the files of process %d: it ends", (int)r->pid);
    if (child)
        signal_client(child, SIGKILL);
    return SERVICE_NO_REPLY;
}

static void tell_end(endpoint_t thread)
{
    struct message m =
        message_of(PM_EXIT_DONE, (struct pm_thread_request){.thread = (uint64_t)thread});

    ipc_call(service_info()->pm, &m);
}

/* by: the client itself, when it can wait for servers. */
static void end_with(struct client *by, struct client *c)
{
    files_put(by, c->files);
    place_put(by, c->place);
    c->files = NULL;
    c->place = NULL;
    tell_end(c->endpoint);
    c->result = SERVICE_NO_REPLY;
    c->gone = true;
}

static void end(void *argument)
{
    end_with(argument, argument);
}

static void begin_to_end(struct client *c)
{
    if (client_begin(c, end))
        return;
    end_with(NULL, c); /* no memory for a coroutine */
    client_free(c);
}

/*
 * What has become of what PM takes back, and nobody is at work on. Our answer came too late: it is
 * the result. Or it was handed to us, and taken before we received it: a call has not begun, but
 * what PM has said of its process is not said again, so it is done now. Else nothing was done.
 */
long life_late(endpoint_t ep, struct message *late)
{
    endpoint_t pm = service_info()->pm;

    if (message_caller(late) == service_info()->self)
        return (long)late->type;
    if (message_caller(late) != pm)
        return -EINTR;
    late->source = (uint32_t)ep | (uint64_t)(uint32_t)pm << 32;
    switch (late->type) {
    case VFS_FORK:
        return life_fork(late);
    case VFS_CREDENTIALS:
        return life_credentials(late);
    case VFS_FILE_LIMIT:
        return life_file_limit(late);
    default:
        return -EINTR;
    }
}

static long late_result(endpoint_t ep)
{
    struct message late = {0};

    return ipc_late_answer(ep, &late) < 0 ? -EINTR : life_late(ep, &late);
}

/* The call in progress ends as soon as it can without being left half done. */
static void call_off(struct client *c)
{
    c->cancelled = true;
    if (c->behind) {
        ask_take_back(c);
    } else if (c->work) {
        client_resume(c);
    } else {
        c->result = late_result(c->endpoint);
        life_called_off(c);
    }
}

void life_called_off(struct client *c)
{
    bool again = c->result == -EINTR && !c->interrupted;
    struct message back = message_of(
        PM_CANCELLED, (struct pm_cancelled_request){.is_over = !again, .result = c->result});

    c->cancelled = c->interrupted = false;
    if (c->exiting)
        begin_to_end(c);
    else
        ipc_forward(c->endpoint, service_info()->pm, &back);
}

long life_cancel(struct message *m)
{
    struct client *c = client_of(message_caller(m));
    struct message back;
    long result;

    if (!from_pm(m))
        return -EPERM;
    if (c) {
        call_off(c);
        return SERVICE_NO_REPLY;
    }
    result = late_result(message_caller(m)); /* a child that has not begun */
    back = message_of(PM_CANCELLED,
                      (struct pm_cancelled_request){.is_over = result != -EINTR, .result = result});
    if (result != SERVICE_NO_REPLY) /* else it ends */
        ipc_forward(message_caller(m), service_info()->pm, &back);
    return SERVICE_NO_REPLY;
}

long life_exit(struct message *m)
{
    struct client *c = client_of(message_caller(m));

    if (!from_pm(m))
        return -EPERM;
    if (!c) {
        tell_end(message_caller(m));
        return SERVICE_NO_REPLY;
    }
    if (c->exiting) {
        ask_taken(c);
        return SERVICE_NO_REPLY;
    }
    c->exiting = true;
    call_off(c);
    return SERVICE_NO_REPLY;
}

long life_file_limit(struct message *m)
{
    const struct vfs_file_limit_request *r = message_words(m);
    struct client *of = client_of((endpoint_t)r->whose);

    if (!from_pm(m) || r->files > VFS_FILES_MAX)
        return -EPERM;
    if (of && of->files) {
        of->files->limit = (uint32_t)r->files;
        of->files->size_limit = r->size;
    }
    return 0;
}

static void fetch_groups(struct client *c)
{
    long count = 1;

    c->group_count = 0;
    while (c->group_count < count) {
        struct message m =
            message_of(PM_GROUPS, (struct pm_groups_request){.thread = (uint64_t)c->endpoint,
                                                             .first = c->group_count});
        const struct pm_groups_reply *r = message_words(&m);

        count = ipc_call(service_info()->pm, &m);
        count = count > FILE_GROUPS_MAX ? FILE_GROUPS_MAX : count;
        for (unsigned n = 0; n < 12 && c->group_count < count; n++)
            c->groups[c->group_count++] = r->group[n];
    }
}

long life_credentials(struct message *m)
{
    const struct vfs_credentials_request *r = message_words(m);
    struct client *c = client_of(message_caller(m));

    if (!from_pm(m) || !c)
        return -EPERM;
    c->uid = r->euid;
    c->gid = r->egid;
    c->real_uid = r->ruid;
    c->real_gid = r->rgid;
    c->group_count = 0;
    if (r->has_groups)
        fetch_groups(c);
    return 0;
}
