/* SPDX-License-Identifier: BSD-2-Clause */
/* The world around VFS, its second half: what the other servers answer, and what happens next. */
#ifndef VFS_OTHERS_H
#define VFS_OTHERS_H

#include "tests/unit/vfs_world.h"

/* ---- messages ---- */

long ipc_notify(endpoint_t to, uint64_t bits)
{
    if (to == EP_VFS)
        notified_bits |= bits;
    return 0;
}

long ipc_late_answer(endpoint_t caller, struct message *m)
{
    struct program *p = program_of(caller);

    count_call();
    if (!p || p->where != AT_VFS)
        return p ? -ENOTREADY : -EDEADSRCDST;
    *m = p->late;
    p->late = (struct message){0};
    p->seized_from = 0;
    return m->source ? 0 : -ENOENT;
}

long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m)
{
    count_call();
    return let_go(caller, to, m);
}

/* (Nobody dies here in the midst of a step, so the end may as well be now.) */
void ipc_forward_at_end(endpoint_t caller, endpoint_t to, struct message *m)
{
    struct program *p = program_of(caller);

    if (ipc_forward(caller, to, m) == -EDEADSRCDST && p && p->where == AT_VFS)
        enqueue(p, EP_VFS, (struct message){.type = MESSAGE_BOUNCED, .w = {(uint64_t)to}});
}

long ipc_reply(endpoint_t to, struct message *m, long result)
{
    struct program *p = program_of(to);

    count_call();
    m->type = (uint64_t)result;
    check(!p || p->dying || p->where == AT_VFS || p->seized_from == EP_VFS,
          "VFS answers a program that it does not have");
    return let_go(to, 0, m);
}

/* ---- file servers ---- */

/* What a node is, by its number. */
static uint32_t mode_of(uint64_t node)
{
    static const uint32_t modes[] = {
        S_IFDIR | 0755, S_IFREG | 0755, S_IFREG | 0644, S_IFREG | 0666,  S_IFREG | 04755,
        S_IFCHR | 0666, S_IFCHR | 0666, S_IFIFO | 0666, S_IFSOCK | 0777, S_IFBLK | 0666};

    return modes[node % 10];
}

static uint64_t rdev_of(uint64_t node)
{
    static const uint64_t numbers[] = {0x500, 0x501, 0x103, 0x109, 0x4d01, 0x880};

    return node % 10 == 9 ? 0x800 : numbers[node % 6];
}

static bool is_back(const struct message *m)
{
    const struct file_transfer_request *r = message_words(m); /* all that have it have it there */

    switch (m->type & FILE_TYPE_MASK) {
    case FILE_READ:
    case FILE_WRITE:
    case FILE_READ_VECTOR:
    case FILE_WRITE_VECTOR:
    case FILE_SYNC:
    case FILE_STAT:
    case FILE_STATFS:
    case FILE_READ_LINK:
        return r->back & FILE_BACK;
    case FILE_IOCTL:
        return false;
    default:
        return (m->type & FILE_TYPE_MASK) < SOCKET_CREATE ||
               (m->type & FILE_TYPE_MASK) > FILE_WRITE_VECTOR || m->type == SOCKET_CREATE ||
               m->type == SOCKET_ACCEPT;
    }
}

static long failure(void)
{
    static const int errors[] = {ENOENT, EIO,   ENXIO,  EACCES, ENOSPC,      EINVAL, ENOMEM,
                                 EAGAIN, EINTR, EEXIST, ENOSYS, EDEADSRCDST, ENOTDIR};

    return -errors[chance(sizeof errors / sizeof *errors)];
}

/* There are /a to /d in each file system, and one disk and its first partition. */
static void lookup_to_mount(struct fake_server *s, uint64_t directory, const char *path,
                            uint64_t length, struct file_lookup_reply *reply)
{
    uint64_t n = length && path[length - 1] >= 'a' ? (uint64_t)path[length - 1] % 4 : 0;
    bool is_disk = memmem(path, length, "sd", 2) != NULL;

    reply->node = length ? 20 + 10 * n : directory;
    if (is_disk)
        reply->node = 9;
    reply->mode = mode_of(reply->node);
    reply->rdev = rdev_of(reply->node) + (memmem(path, length, "sdb", 3) != NULL);
    if (!is_disk && length && s->covered[n]) {
        reply->stop = STOP_MOUNT;
        reply->result = (int64_t)length;
    }
}

static void lookup_answer(struct fake_server *s, const struct message *m, struct message *out)
{
    const struct file_lookup_request *r = message_words(m);
    struct file_lookup_reply *reply = message_words(out);
    const char *path = lent(s, r->name.grant, r->name.length + 4 * r->name.groups, GRANT_READ);
    uint64_t node = calm ? 11 : 1 + chance(60), length = r->name.length;
    unsigned sum = 0;

    if (!path) {
        reply->result = -EPERM;
        return;
    }
    if (mounts_only && !calm) {
        lookup_to_mount(s, r->name.directory, path, length, reply);
        return;
    }
    for (uint64_t i = 0; i < length; i++)
        sum += (uint8_t)path[i];
    node += sum % 7 == 0;
    if (calm && memmem(path, length, "proc", 4))
        node = 20;
    if (calm && memmem(path, length, "dev", 3))
        node = length > 4 ? 16 : 30;
    reply->node = node;
    reply->mode = mode_of(node);
    reply->size = percent(50) ? chance(10000) : 8192;
    reply->rdev = rdev_of(node);
    if ((r->how & LOOKUP_OPEN) && S_ISREG(mode_of(node)) && percent(70)) {
        reply->stop = STOP_OPENED;
        reply->rdev = node + 1000;
    }
    if (percent(12))
        reply->result = -ENOENT;
    else if (percent(30)) {
        reply->result = (int64_t)(percent(5) ? chance(100000) : chance(length + 1));
        reply->stop = 1 + (uint32_t)chance(4);
        reply->rdev = ROOT_NODE;
        if (reply->stop == STOP_OPENED && !S_ISREG(mode_of(node))) /* only those are opened so */
            reply->stop = STOP_MOUNT;
    }
    if (percent(30))
        reply->node = percent(50) ? ROOT_NODE : 0;
}

static void link_answer(struct fake_server *s, const struct message *m, struct message *out)
{
    static const char *const texts[] = {"a/b",         "/a",       "..",      "../../x/",     "",
                                        "pipe:[1003]", "/dev/tty", "./././.", "socket:[1001]"};
    const char *text = texts[chance(sizeof texts / sizeof *texts)];
    size_t n = strlen(text);
    const struct file_read_link_request *r = message_words(m);
    struct file_reply *reply = message_words(out);
    char *at = lent(s, r->address, r->room, GRANT_WRITE);

    if (at && percent(5))
        memset(at, 'x', n = r->room);
    else if (at)
        memcpy(at, text, n);
    reply->result = (int64_t)(percent(3) ? 1u << chance(20) : n);
}

/* ---- what it has open ---- */

static bool knows(const struct fake_server *s)
{
    return s->ep && !s->lies && !s->has_lost && !s->is_silent && !s->is_unsure;
}

static void count_close(struct fake_server *s, uint64_t node)
{
    if (verbose)
        fprintf(stderr, "%s %d: node %lx is closed\n", s->key, s->ep, (unsigned long)node);
    /* (net keeps its memory when it dies, but not here.) */
    check(!knows(s) || s->opens[node % OPENS] || strcmp(s->key, "net") == 0,
          "VFS closes what its server has not open");
    if (s->opens[node % OPENS])
        s->opens[node % OPENS]--;
}

static void count_open(struct fake_server *s, uint64_t node)
{
    if (verbose)
        fprintf(stderr, "%s %d: node %lx is opened\n", s->key, s->ep, (unsigned long)node);
    s->opens[node % OPENS]++;
}

static void count_opens(struct fake_server *s, const struct message *m, const struct message *out)
{
    const struct file_node_request *r = message_words(m);
    const struct file_lookup_request *lookup = message_words(m);
    const struct file_lookup_reply *reply = message_words(out);

    switch (m->type & FILE_TYPE_MASK) {
    case FILE_OPEN:
        if (reply->result >= 0)
            count_open(s, reply->node ? reply->node : r->node);
        break;
    case FILE_LOOKUP:
        if (reply->result == 0 && reply->stop == STOP_OPENED && (lookup->how & LOOKUP_OPEN))
            count_open(s, reply->rdev);
        break;
    case SOCKET_CREATE:
    case SOCKET_ACCEPT:
        if (reply->result >= 0)
            count_open(s, reply->node);
        break;
    case FILE_CLOSE:
        count_close(s, r->node);
        break;
    default:
        break;
    }
}

static void answer(struct fake_server *s, struct pending *e)
{
    const struct message *m = &e->m;
    const struct file_transfer_request *r =
        message_words(m); /* `length` and `back` of others, too */
    const struct file_mount_request *mount = message_words(m);
    struct message out = {.type = FILE_BACK_RESULT};
    struct file_lookup_reply *reply = message_words(&out);
    struct file_map_reply *map = message_words(&out);
    struct file_root_reply *root = message_words(&out);
    uint64_t node = 1 + chance(60);

    check(!s->is_done || (m->type & FILE_TYPE_MASK) == FILE_UNMOUNT,
          "a server is asked for something after it was unmounted");
    reply->node = node;
    reply->mode = mode_of(node);
    reply->size = chance(3) * 0x3e8000003e8ull; /* of FILE_STAT that is uid and gid */
    switch (m->type & FILE_TYPE_MASK) {
    case FILE_STAT: /* of a disk's server */
        reply->rdev = 0x800;
        break;
    case FILE_LOOKUP:
        lookup_answer(s, m, &out);
        break;
    case FILE_READ_LINK:
        if (r->back & FILE_BACK)
            link_answer(s, m, &out);
        break;
    case FILE_READ:
    case FILE_WRITE:
    case FILE_READ_DIRECTORY:
        reply->result = (int64_t)(percent(2) ? chance(1u << 30) : chance(r->length + 1));
        break;
    case FILE_MAP:
        map->address = SERVER_MEMORY;
        break;
    case FILE_UNMOUNT:
        s->is_done = true;
        break;
    case FILE_MOUNT:
        s->covered[mount->node / 10 % 4] = mount->covered;
        break;
    case FILE_ROOT:
        root->node = ROOT_NODE;
        root->traits = s->traits;
        break;
    default:
        break;
    }
    if (percent(8) && m->type != FILE_CLOSE)
        reply->result = failure();
    if (m->type == FILE_STAT && program_of(e->program))
        program_of(e->program)->stat_failed = reply->result < 0;
    count_opens(s, m, &out);
    if (!is_back(m) || (s->lies && percent(20)))
        out = (struct message){.type = (uint64_t)reply->result};
    server_lets_go(s, e, out);
}

/* Some request of a server, in any order: it receives it, and then answers. */
static void server_work(struct fake_server *s)
{
    struct pending *e;
    struct program *p;

    if (!s->count || s->is_silent || (s->lies && (is_ending || percent(90))))
        return;
    e = &s->pending[chance(s->count)];
    p = program_of(e->program);
    if (!e->program || !p)
        *e = s->pending[--s->count];
    else if (p->where == BEHIND && p->behind == s->ep && !p->taken)
        p->taken = true;
    else if (loses && steps_left % 97 == 0)
        *e = s->pending[--s->count], s->has_lost = true;
    else
        answer(s, e);
}

static long cancel(struct fake_server *s, struct message *m)
{
    const struct file_program_request *r = message_words(m);
    struct file_cancel_reply *reply = message_words(m);

    for (unsigned i = 0; i < s->count && !s->lies; i++)
        if (s->pending[i].program == (endpoint_t)r->program) {
            uint64_t type = s->pending[i].m.type & FILE_TYPE_MASK;

            s->pending[i] = s->pending[--s->count];
            reply->done = chance(3) || type == FILE_OPEN || type == FILE_LOOKUP
                              ? 0
                              : (int64_t)chance(100); /* (no half of an opening) */
            if (percent(60))
                return 1;
            return percent(50) ? FILE_CANCEL_REPEAT : 0;
        }
    if (!percent(5))
        return 0;
    s->is_unsure = true; /* (it is taken for dead) */
    return -EIO;
}

static bool has(const struct fake_server *s, endpoint_t program)
{
    for (unsigned i = 0; i < s->count && !s->lies; i++)
        if (s->pending[i].program == program)
            return true;
    return false;
}

long slot_status(endpoint_t ep, struct slot_status *status)
{
    const struct program *p = program_of(ep);

    if (!p && !server_of(ep))
        return -EDEADSRCDST;
    *status = (struct slot_status){.endpoint = ep, .state = p ? SLOT_READY : SLOT_RECEIVING};
    if (p && p->where == BEHIND) {
        status->peer = p->behind;
        status->state = SLOT_CALLING_STATE;
    }
    return 0;
}

static long call_server(struct fake_server *s, struct message *m, uint64_t deadline)
{
    const struct file_poll_request *poll = message_words(m);
    const struct file_program_request *r = message_words(m);
    struct file_waits_reply *waits = message_words(m);
    uint64_t node = poll->node;

    if (s->is_silent || percent(late && m->type == FILE_POLL ? 20 : 1)) {
        check(deadline, "VFS waits for a file server for ever");
        s->is_unsure |= m->type != FILE_POLL && m->type != FILE_POLL_EVENTS;
        now += deadline;
        return -ETIMEDOUT;
    }
    switch (m->type) {
    case FILE_CANCEL:
        return cancel(s, m);
    case FILE_WAITS:
        waits->moves = now; /* it does something all the time */
        return has(s, (endpoint_t)r->program);
    case FILE_POLL:
        if (poll->tell)
            s->told[chance(8)] = node;
        if (percent(30))
            return (long)(poll->events & chance(0x400));
        return percent(5) ? failure() : 0;
    case FILE_POLL_EVENTS:
        memset(m->w, 0, sizeof m->w);
        for (unsigned i = 0, n = 0; i < 8; i++)
            if (s->told[i] && n < 6) {
                m->w[n++] = s->told[i];
                s->told[i] = 0;
            }
        return 0;
    case FILE_REOPEN:
        for (unsigned i = 0; i < MESSAGE_WORDS; i++)
            if (m->w[i])
                count_open(s, m->w[i]);
        return 0;
    case FILE_CLOSE:
        count_close(s, node);
        return 0;
    default:
        return percent(5) ? failure() : 0;
    }
}

/* ---- the others ---- */

/* It is replaced. (fs/proc may not be asked: when it is slow it is not in order.) */
static long complaint(const struct message *m)
{
    const struct rs_complain_request *r = message_words(m);
    struct fake_server *s = server_of((endpoint_t)r->of);

    if (!s)
        return 0;
    check(s->has_lost || s->lies || s->is_silent || s == server_named("fs/proc"),
          "VFS complains of a server that is in order");
    check(s != servers_of, "VFS complains of the root's server");
    complaints++;
    server_die(s);
    return 0;
}

static long call_rs(struct message *m)
{
    const struct rs_endpoint_request *of = message_words(m);
    const struct rs_name_request *named = message_words(m);
    const struct rs_grant_request *instance = message_words(m);
    struct rs_who_reply *who = message_words(m);
    struct rs_instance_reply *started = message_words(m);
    struct rs_instance *wanted;
    struct fake_server *s;

    if (m->type == RS_WHO) {
        s = server_of((endpoint_t)of->endpoint);
        if (!s)
            return -ESRCH;
        pack_text(who->name, s->key, 16);
        return 0;
    }
    if (m->type == RS_LOOKUP) {
        char name[16];

        unpack_text(name, named->name, sizeof name);
        s = server_named(name);
        return s && s->is_given_up ? -ENXIO : -EAGAIN;
    }
    if (m->type == RS_COMPLAIN)
        return complaint(m);
    if (m->type != RS_INSTANCE)
        return 0;
    wanted = (void *)(uintptr_t)grants[instance->grant].address;
    for (s = servers_of; s < servers_of + SERVERS && s->key[0]; s++)
        ;
    if (s == servers_of + SERVERS || percent(20))
        return -ENOEXEC;
    snprintf(wanted->name, sizeof wanted->name, "ext4.%u", (unsigned)(s - servers_of));
    snprintf(s->key, sizeof s->key, "fs/%s", wanted->name);
    s->traits = TRAIT_REMEMBERS | TRAIT_FINISHES;
    s->is_done = false;
    memset(s->covered, 0, sizeof s->covered);
    server_start(s);
    started->endpoint = (uint64_t)s->ep;
    return 0;
}

static long call_ds(struct message *m)
{
    const struct ds_key_request *r = message_words(m);
    struct ds_event_reply *event = message_words(m);
    char key[DS_KEY_MAX];
    struct fake_server *s;

    if (m->type == DS_EVENT) {
        if (!ds_count)
            return -ENOENT;
        *m = ds_events[0].m;
        memmove(ds_events, ds_events + 1, --ds_count * sizeof *ds_events);
        unpack_text(key, event->key, DS_KEY_MAX);
        event->endpoint = (uint64_t)server_named(key)->ep; /* what holds now */
        return 0;
    }
    if (m->type != DS_RETRIEVE)
        return 0;
    unpack_text(key, r->key, DS_KEY_MAX);
    s = server_named(key);
    return s && s->ep ? s->ep : -ENOENT;
}

static long call_pm(struct message *m)
{
    const struct pm_thread_request *r = message_words(m); /* most begin so */
    const struct pm_signal_request *signal = message_words(m);
    struct program *p = program_of((endpoint_t)r->thread), *of;

    switch (m->type) {
    case PM_INIT:
        of = program_new();
        enqueue(of, EP_PM,
                message_of(VFS_FORK, (struct vfs_fork_request){.pid = (uint64_t)of->pid}));
        return 0;
    case PM_EXIT_DONE:
        check(p && p->dying, "the end of a program that does not end");
        program_end(p);
        return 0;
    case PM_TAKE_BACK:
        check(p && p->dying, "a program that does not end is to be taken back");
        check(p->where != AT_VFS, "a program is to be taken back that VFS has");
        seize(p);
        enqueue(p, EP_PM, (struct message){.type = VFS_EXIT});
        return 0;
    case PM_SIGNAL:
        of = program_of((endpoint_t)signal->thread);
        if (of && (signal->signal == SIGKILL || chance(2)))
            program_kill(of);
        else if (of)
            program_cancel(of);
        return 0;
    case PM_EXEC:
        check(!p || !p->stat_failed, "a program is run whose owner is not known");
        if (p && (percent(10) || p->dying))
            return -EAGAIN;
        if (p)
            p->in_exec = true;
        return 0;
    case PM_GROUPS:
        return (long)(percent(2) ? -ESRCH : (long)chance(FILE_GROUPS_MAX + 2));
    case PM_EXEC_START:
        if (p)
            p->in_exec = false;
        return percent(5) ? -EFAULT : 0;
    default:
        return 0;
    }
}

static long call_vm(const struct message *m)
{
    const struct vm_map_request *r = message_words(m); /* of the others the second word is not 0 */

    if (!r->address)
        return MEMORY_AT;
    return m->type == VM_MAP ? (long)r->address : 0;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    struct fake_server *s = server_of(to);

    count_call();
    if (to == EP_RS)
        return call_rs(m);
    if (to == EP_DS)
        return call_ds(m);
    if (to == EP_PM)
        return call_pm(m);
    if (to == EP_VM && percent(8))
        return -ENOMEM;
    if (to == EP_VM)
        return call_vm(m);
    return s ? call_server(s, m, deadline) : -EDEADSRCDST;
}

/* ---- what happens next ---- */

static unsigned programs_left(void)
{
    unsigned n = 0;

    for (struct program *p = programs; p < programs + PROGRAMS; p++)
        n += p->ep != 0;
    return n;
}

static void something_with(struct program *p)
{
    struct program *child;

    if (p->where != RUNNING) {
        if (is_ending || (percent(1) && programs_left() > 4))
            program_kill(p);
        else if (percent(4))
            program_cancel(p);
        return;
    }
    if (p->set_free && percent(50)) {
        program_call(p);
    } else if (is_ending || (percent(1) && programs_left() > 4)) {
        program_kill(p);
    } else if (p->set_free) {
        /* (what it has PM do does not come to this) */
    } else if (percent(programs_left() < 10 ? 15 : 3)) {
        child = program_new();
        if (child)
            enqueue(child, EP_PM,
                    message_of(VFS_FORK, (struct vfs_fork_request){.parent = (uint64_t)p->ep,
                                                                   .pid = (uint64_t)child->pid,
                                                                   .shares_files = chance(2),
                                                                   .shares_place = chance(2)}));
    } else if (percent(2)) {
        enqueue(p, EP_PM,
                chance(2) ? (struct message){.type = VFS_CREDENTIALS}
                          : message_of(VFS_CREDENTIALS, (struct vfs_credentials_request){
                                                            1000, 1000, 1000, 0, chance(2)}));
    } else if (percent(1)) {
        enqueue(p, EP_PM,
                message_of(VFS_FILE_LIMIT, (struct vfs_file_limit_request){
                                               .whose = (uint64_t)p->ep,
                                               .files = chance(VFS_FILES_MAX + 1),
                                               .size = chance(2) ? chance(1000) : UINT64_MAX}));
    } else {
        program_call(p);
    }
}

static void something_with_server(struct fake_server *s)
{
    if (!s->key[0])
        return;
    if (!s->ep) {
        if (!s->is_given_up && (is_ending || calm || percent(20)))
            server_start(s);
    } else if (s->is_silent ? is_ending || percent(10) : !is_ending && percent(1)) {
        server_die(s);
        s->is_given_up = percent(1) && s != servers_of;
    } else if (!is_ending && chance(500) == 0) {
        s->is_silent = !calm;
    } else if (!is_ending && s != servers_of && chance(500) == 0) {
        s->lies = !calm;
    } else if (percent(5) && !is_ending) {
        notified_bits |= NOTIFY_BIT(NOTIFY_BIT_POLL);
    } else {
        server_work(s);
    }
}

static void world_step(void)
{
    unsigned n = (unsigned)chance(PROGRAMS + 3 * SERVERS);

    if (n < PROGRAMS && programs[n].ep && programs[n].where != NOWHERE)
        something_with(&programs[n]);
    else if (n >= PROGRAMS)
        something_with_server(&servers_of[(n - PROGRAMS) % SERVERS]);
    now += chance(100000);
    if (loses && steps_left % 20 == 0)
        now += 5000000000;
    alarm_check();
}

static void client_show(const struct client *c)
{
    if (c)
        fprintf(stderr, "    in VFS: call %lu, %s%s%s%s%s%s, until %lu\n",
                (unsigned long)c->call.type, c->work ? "at work " : "",
                c->behind ? c->behind->key : "", c->exiting ? ", ends" : "",
                c->cancelled ? ", called off" : "", c->runnable ? ", may run" : "",
                c->woken ? ", woken" : "", (unsigned long)c->deadline);
}

/* Who is where, when something waits for nothing. */
static void world_show(void)
{
    static const char *const places[] = {"nowhere", "running", "queued", "at VFS", "behind"};

    for (struct program *p = programs; p < programs + PROGRAMS; p++)
        if (p->ep)
            fprintf(stderr, "%d: %s %d%s%s, a call of type %lx, word %lx\n", p->ep,
                    places[p->where], p->where == BEHIND ? p->behind : 0, p->dying ? ", ends" : "",
                    p->cancelling ? ", called off" : "", (unsigned long)p->message.type,
                    (unsigned long)p->message.w[0]),
                client_show(client_of(p->ep));
    fprintf(stderr, "now %lu, alarm at %lu\n", (unsigned long)now, (unsigned long)alarm_at);
    for (struct fake_server *s = servers_of; s < servers_of + SERVERS; s++)
        fprintf(stderr, "%s: %d, %u requests%s%s%s\n", s->key, s->ep, s->count,
                s->is_silent ? ", silent" : "", s->lies ? ", lies" : "",
                s->is_given_up ? ", given up" : "");
}

long ipc_reply_receive(endpoint_t to, struct message *m, uint64_t timeout)
{
    if (to)
        ipc_reply(to, m, (long)m->type);
    step_calls = 0;
    invariant();
    if (calm && programs[0].where == RUNNING)
        calm = false; /* it has booted */
    if (!calm && steps_left && --steps_left == 0)
        is_ending = true;
    if (!calm && chance(4) == 0) /* before it receives what there is already */
        world_step();
    if (!calm && queued && chance(8) == 0)
        program_cancel(&programs[queue[chance(queued)]]);
    for (unsigned quiet = 0; !queued && !notified_bits; quiet++) {
        world_step();
        if (!calm && !programs_left() && !alarm_at && !notified_bits)
            longjmp(world_end, 1);
        if (quiet > 2000 && alarm_at && now < alarm_at)
            now = alarm_at; /* nothing else is to come */
        if (quiet == 200000)
            world_show();
        check(quiet < 200000, "somebody waits for VFS, and VFS for nobody");
    }
    if (notified_bits && (!queued || chance(2))) {
        *m = (struct message){.type = MESSAGE_NOTIFY, .w = {notified_bits}};
        notified_bits = 0;
    } else {
        struct program *p = &programs[queue[0]];

        memmove(queue, queue + 1, --queued * sizeof *queue);
        p->where = AT_VFS;
        *m = p->message;
        p->message.source = 0;
    }
    return 0;
}

#endif
