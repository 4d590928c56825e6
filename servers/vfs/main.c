/* SPDX-License-Identifier: BSD-2-Clause */
/* Dispatch: system calls of programs, each in a coroutine; what PM, VM and fs/proc ask; answers of
 * file servers. */
#include <stdlib.h>

#include "abi/proto/vfs.h"
#include "lib/coro/coro.h"
#include "lib/rt/log.h"
#include "servers/vfs/ring.h"
#include "servers/vfs/vfs.h"

enum { CALLS = 512 };

static const struct call_entry *calls[CALLS];

static void calls_index(void)
{
    static const struct call_table *const tables[] = {
        &xattr_calls,  &io_calls,        &open_calls,   &descriptor_calls, &stat_calls,
        &name_calls,   &attribute_calls, &place_calls,  &exec_calls,       &mount_calls,
        &pipe_calls,   &poll_calls,      &select_calls, &epoll_calls,      &event_calls,
        &socket_calls, &pair_calls,      &lock_calls,   &directory_calls,
    };

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            calls[tables[t]->entries[i].number] = &tables[t]->entries[i];
}

/* ---- coroutines of clients ---- */

static void ended(struct client *c)
{
    c->work = NULL;
    undo_verify_word(c); /* whom to answer */
    if (c->gone)
        client_free(c);
    else if (c->cancelled)
        life_called_off(c);
    else if (c->result != SERVICE_NO_REPLY)
        ipc_reply_result(c->endpoint, c->result);
}

static struct client *running;

struct share *share_mine(void)
{
    return share_of(running ? running->uid : 0);
}

/* One may be resumed by another (a signal): the step is that of the first. */
static struct client *turn_to(struct client *c)
{
    struct client *before = running;

    running = c;
    if (!before)
        wait_step_begins();
    return before;
}

void client_resume(struct client *c)
{
    struct client *before = turn_to(c);
    bool is_over = coro_resume(c->work);

    running = before;
    if (is_over)
        ended(c);
}

bool client_begin(struct client *c, void (*work)(void *))
{
    struct client *before = turn_to(c);
    int is_over;
    struct coro *coro = coro_start(work, c, &is_over);

    running = before;
    if (!coro)
        return false;
    if (is_over)
        ended(c);
    else
        c->work = coro;
    return true;
}

static void run_call(void *argument)
{
    struct client *c = argument;

    c->result = calls[c->call.type]->handle(c, c->call.w);
}

long client_call_again(struct client *c)
{
    uint64_t type = c->call.type;

    return type < CALLS && calls[type] ? calls[type]->handle(c, c->call.w) : -EIO;
}

static void run_mmap(void *argument)
{
    struct client *c = argument;

    c->result = sys_mmap_file(c, c->call.w);
}

/* It calls, though we are at work on an earlier call of it: the server that was to give it back to us
 * has answered it. What that was asked for fails, and so does the new call. */
static bool was_set_free(struct client *c)
{
    struct message failed = message_of(0, (struct file_reply){.result = -EIO});

    if (!c || !c->work)
        return false;
    if (c->behind)
        ask_answered(c, &failed);
    return true;
}

static long call(struct message *m)
{
    struct client *c = client_of(message_caller(m));

    if (was_set_free(c))
        return SERVICE_NO_REPLY;
    if (m->type >= CALLS || !calls[m->type] || !c || !c->files)
        return -ENOSYS;
    if (calls[m->type]->number != m->type) /* a bit has flipped: the next try finds it (lib/undo) */
        panic("the table of calls is damaged");
    c->call = *m;
    c->repeats = false;
    c->behind = NULL; /* whoever it was handed to has answered */
    return client_begin(c, run_call) ? SERVICE_NO_REPLY : -ENOMEM;
}

static long mmap_file(struct message *m)
{
    struct client *c = client_of(message_caller(m));

    if (was_set_free(c))
        return SERVICE_NO_REPLY;
    if (message_via(m) != service_info()->vm || !c || !c->files)
        return -EBADF;
    c->call = *m;
    c->repeats = false;
    c->behind = NULL; /* whoever it was handed to has answered */
    return client_begin(c, run_mmap) ? SERVICE_NO_REPLY : -ENOMEM;
}

/* ---- answers ---- */

static long back_result(struct message *m)
{
    struct client *c = client_of(message_caller(m));

    if (c && c->behind && message_via(m) == c->behind_endpoint)
        ask_answered(c, m);
    return SERVICE_NO_REPLY;
}

static long bounced(struct message *m)
{
    struct client *c = client_of(message_caller(m));

    if (c)
        ask_bounced(c, m);
    return SERVICE_NO_REPLY;
}

/* By a server that died of it: what was asked of it fails, whether it was to answer it or to give it
 * back. */
static long refused(struct message *m)
{
    const struct vfs_refused_request *r = message_words(m);
    struct message failed = message_of(0, (struct file_reply){.result = -EIO});
    struct client *c = client_of(message_caller(m));

    if (c && c->behind && message_via(m) == c->behind_endpoint)
        pace_set(c, c->behind, r->type, r->cost);
    if (!c || !c->work)
        return -EIO;
    if (c->behind && message_via(m) == c->behind_endpoint)
        ask_answered(c, &failed);
    return SERVICE_NO_REPLY;
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        wait_alarm_is_over();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_DS)) {
        server_events();
        boot_try();
    }
    if (bits & NOTIFY_BIT(NOTIFY_BIT_POLL) && undo_is_careful())
        servers_look_again(); /* what one has told may be lost with a step that was refused */
    else if (bits & NOTIFY_BIT(NOTIFY_BIT_POLL))
        server_poll_events();
}

static void idle(void)
{
    wait_run();
    ring_step_end();
}

int main(void)
{
    static const struct service_entry entries[] = {
        {VFS_FORK, life_fork},
        {VFS_EXIT, life_exit},
        {VFS_CANCEL, life_cancel},
        {VFS_CREDENTIALS, life_credentials},
        {VFS_FILE_LIMIT, life_file_limit},
        {VFS_MMAP, mmap_file},
        {VFS_FD_LINK, info_fd_link},
        {VFS_MOUNTS, info_mounts},
        {FILE_BACK_RESULT, back_result},
        {MESSAGE_BOUNCED, bounced},
        {MESSAGE_REFUSED, refused},
    };

    calls_index();
    servers_start();
    service_ready(RS_READY_FRESH);
    boot_start();
    service_run(&(struct service_table){.entries = entries,
                                        .count = sizeof entries / sizeof *entries,
                                        .fallback = call,
                                        .notified = notified,
                                        .idle = idle});
}
