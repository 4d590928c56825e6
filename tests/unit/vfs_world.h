/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The world around VFS, on the host: a kernel with its rules of who is blocked on whom, programs,
 * file servers that answer, fail, stay silent, die and return, PM, VM, RS and DS. Which of these
 * happens next is chosen by a seed. Whatever VFS does that the kernel would refuse without telling,
 * and a program that never gets its answer, is a failure.
 */
#ifndef VFS_WORLD_H
#define VFS_WORLD_H

#include <elf.h>
#include <fcntl.h>
#include <setjmp.h>

#include "tests/unit/host/vault.h"
#include "abi/proto/ds.h"
#include "abi/proto/pm.h"
#include "abi/proto/rs.h"
#include "abi/proto/vfs.h"
#include "abi/proto/vm.h"
#include "lib/rt/random.h"
#include "lib/rt/pack.h"
#include "servers/vfs/vfs.h"
#include "tests/unit/world.h"

enum {
    PROGRAMS = 24,
    SERVERS = 12,
    PENDING = 64,
    MEMORY = 0x10000,
    MEMORY_AT = 0x10000, /* where a program's memory begins */
    STEP_CALLS_MAX = 4000, /* kernel calls between two receives */
    ROOT_NODE = 10,
    OPENS = 2048, /* nodes' numbers are below */
};
#define SERVER_MEMORY 0x40000000ull /* where a server says that the contents of files are */
#define EP_VFS endpoint_make(1, 1)
#define EP_PM endpoint_make(2, 1)
#define EP_VM endpoint_make(3, 1)
#define EP_RS endpoint_make(4, 1)
#define EP_DS endpoint_make(5, 1)

enum place_of { NOWHERE, RUNNING, QUEUED, AT_VFS, BEHIND };

struct program {
    endpoint_t ep;
    int pid;
    enum place_of where;
    struct message message; /* QUEUED: what VFS will receive; BEHIND: what the server was handed */
    bool taken; /* BEHIND: the server has received it */
    endpoint_t behind, seized_from;
    struct message late; /* source: from, to; 0: none */
    bool by_pm; /* it was PM that handed it to whom it is at */
    bool dying, cancelling, in_exec;
    uint64_t handed; /* what PM or VM has handed it on with, until VFS lets it go */
    bool set_free; /* by a server that had it to give back */
    bool stat_failed; /* what VFS asked last of a file's owner and rights for it */
    bool not_received; /* and VFS did not receive that when it was seized */
    uint8_t *memory;
};
struct pending {
    endpoint_t program;
    struct message m;
};
struct fake_server {
    char key[32];
    endpoint_t ep; /* 0: dead */
    uint32_t traits, generation;
    bool is_silent, is_given_up, has_lost; /* has_lost: some request */
    bool is_done; /* it was unmounted */
    bool
        lies; /* it keeps programs, and says of none that it has it; or answers where it should give back */
    struct pending pending[PENDING];
    unsigned count;
    uint64_t told[8]; /* nodes that VFS wants to hear of */
    uint64_t covered[4]; /* of the directories /a to /d: another file system is there */
    unsigned
        opens[OPENS]; /* by the number of the node: how often VFS has it open, as far as it knows */
    bool is_unsure; /* it may not have learnt of all that VFS has told it */
};

static struct program programs[PROGRAMS];
static struct fake_server servers_of[SERVERS];
static struct pending ds_events[64]; /* struct ds_event_reply */
static unsigned ds_count, queue[PROGRAMS], queued, generation = 1;
static jmp_buf world_end;
static long steps_left;
static bool is_ending;
static unsigned complaints; /* of VFS's, so far */
static bool mounts_only; /* programs do nothing but mount and unmount */
static bool late; /* servers are late with many answers, and live */
static bool loses; /* servers lose requests now and then, and more time passes */

static void (*invariant)(void); /* of VFS, between two steps */

static void program_call(struct program *p); /* by the test: a system call is chosen */

/* ---- who is who ---- */

static struct program *program_of(endpoint_t ep)
{
    struct program *p = programs;

    while (p < programs + PROGRAMS && (p->ep != ep || !ep))
        p++;
    return p < programs + PROGRAMS ? p : NULL;
}

static struct program *program_new(void)
{
    struct program *p = programs;

    while (p < programs + PROGRAMS && p->ep)
        p++;
    if (p == programs + PROGRAMS)
        return NULL;
    *p = (struct program){.ep = endpoint_make(100 + (unsigned)(p - programs), ++generation),
                          .pid = 10000 + (int)generation,
                          .memory = calloc(1, MEMORY)};
    return p;
}

static struct fake_server *server_of(endpoint_t ep)
{
    struct fake_server *s = servers_of;

    while (s < servers_of + SERVERS && (s->ep != ep || !ep))
        s++;
    return s < servers_of + SERVERS ? s : NULL;
}

static struct fake_server *server_named(const char *key)
{
    for (struct fake_server *s = servers_of; s < servers_of + SERVERS; s++)
        if (strcmp(s->key, key) == 0)
            return s;
    return NULL;
}

static void tell_ds(const struct fake_server *s)
{
    struct message m = {0};
    struct ds_event_reply *event = message_words(&m);

    check(ds_count < 64, "too many events of DS");
    pack_text(event->key, s->key, DS_KEY_MAX);
    event->endpoint = (uint64_t)s->ep;
    ds_events[ds_count++].m = m;
    notified_bits |= NOTIFY_BIT(NOTIFY_BIT_DS);
}

static void server_start(struct fake_server *s)
{
    s->ep = endpoint_make(20 + (unsigned)(s - servers_of), ++s->generation);
    s->count = 0;
    s->is_silent = s->lies = s->has_lost = false;
    s->is_unsure = false;
    memset(s->told, 0, sizeof s->told);
    memset(s->opens, 0, sizeof s->opens);
    tell_ds(s);
}

/* ---- programs on their way ---- */

static void enqueue(struct program *p, endpoint_t via, struct message m)
{
    m.source = (uint32_t)p->ep | (uint64_t)(uint32_t)via << 32;
    trace("to VFS", p->ep, via, &m);
    p->message = m;
    p->by_pm = via == EP_PM;
    if (m.type == VFS_FORK || m.type == VFS_CREDENTIALS || m.type == VFS_FILE_LIMIT ||
        m.type == VFS_MMAP)
        p->handed = m.type;
    p->where = QUEUED;
    queue[queued++] = (unsigned)(p - programs);
}

static void queue_drop(struct program *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < queued; i++)
        if (queue[i] != (unsigned)(p - programs))
            queue[n++] = queue[i];
    queued = n;
}

static uint64_t from_to(endpoint_t from, endpoint_t to)
{
    return (uint32_t)from | (uint64_t)(uint32_t)to << 32;
}

/* As ipc_seize(): PM takes it from wherever it is. */
static void seize(struct program *p)
{
    struct fake_server *s = p->where == BEHIND ? server_of(p->behind) : NULL;

    p->not_received =
        p->where == QUEUED && p->message.type == p->handed; /* not a server's answer */
    if (p->by_pm && (p->late.source || p->seized_from)) { /* once more */
        queue_drop(p);
        return;
    }
    p->late = (struct message){0};
    p->seized_from = 0;
    if (p->where == AT_VFS) {
        p->seized_from = EP_VFS;
    } else if (s && p->taken) {
        p->seized_from = s->ep;
    } else if (s) {
        p->late = p->message;
        p->late.source = from_to(EP_VFS, s->ep);
        for (unsigned i = 0; i < s->count; i++)
            if (s->pending[i].program == p->ep)
                s->pending[i].program = 0;
    } else if (p->where == QUEUED && message_via(&p->message)) {
        p->late = p->message;
        p->late.source = from_to(message_via(&p->message), EP_VFS);
    }
    queue_drop(p);
}

static void program_kill(struct program *p)
{
    if (p->dying || p->where == NOWHERE)
        return;
    seize(p);
    p->dying = true;
    enqueue(p, EP_PM, (struct message){.type = VFS_EXIT});
}

static void program_cancel(struct program *p)
{
    if (p->dying || p->cancelling || p->in_exec || p->where == RUNNING || p->where == NOWHERE)
        return;
    seize(p);
    p->cancelling = true;
    enqueue(p, EP_PM, (struct message){.type = VFS_CANCEL});
}

static void program_end(struct program *p)
{
    queue_drop(p);
    free(p->memory);
    *p = (struct program){0};
}

/* What the server has of an earlier call of the program's, it answers to nobody. */
static void pending_drop(struct fake_server *s, endpoint_t program)
{
    for (unsigned i = 0; i < s->count;)
        if (s->pending[i].program == program)
            s->pending[i] = s->pending[--s->count];
        else
            i++;
}

/* What PM had handed to VFS is done, though VFS never received it; of a call nothing is. */
static void check_handed(struct program *p, endpoint_t to, const struct message *m)
{
    const struct pm_cancelled_request *r = message_words(m);
    bool is_call = p->handed == VFS_MMAP;

    if (to == EP_PM && p->handed && p->not_received && !p->set_free)
        check(is_call ? !r->is_over : r->is_over && r->result <= 0, "what was handed on got lost");
    p->handed = 0;
}

static void runs(struct program *p)
{
    p->where = RUNNING;
    p->seized_from = 0;
    p->late = (struct message){0};
}

/* VFS has it no more: handed on to `to`, or with `to` 0 answered. */
static long let_go(endpoint_t ep, endpoint_t to, const struct message *m)
{
    struct program *p = program_of(ep);
    struct fake_server *s = server_of(to);
    const struct pm_cancelled_request *cancelled = message_words(m);

    trace("VFS to", ep, to, m);
    if (!p || (to && to != EP_PM && !s))
        return -EDEADSRCDST;
    if (p->where != AT_VFS && p->seized_from != EP_VFS)
        return -ENOTREADY;
    if (p->where != AT_VFS) { /* as ipc_keep_late() */
        p->late = *m;
        p->late.source = from_to(EP_VFS, to);
        p->seized_from = 0;
    } else if (s) {
        pending_drop(s, ep);
        check(s->count < PENDING, "too many requests at a server");
        p->where = BEHIND;
        p->behind = s->ep;
        p->by_pm = false;
        p->message = *m;
        p->message.source = 0;
        p->taken = false;
        s->pending[s->count++] = (struct pending){ep, *m};
    } else {
        check_handed(p, to, m);
        p->cancelling = false;
        runs(p);
        p->set_free = false;
        check(!p->dying, "a program that ends was let go");
        if (to && !cancelled->is_over && percent(80)) /* PM makes the call again */
            program_call(p);
    }
    return 0;
}

static bool is_back(const struct message *m); /* VFS wants the program back afterwards */

static long server_lets_go(struct fake_server *s, struct pending *e, struct message m)
{
    struct program *p = program_of(e->program);
    bool back = m.type == FILE_BACK_RESULT;

    if (p && p->where == BEHIND && p->behind == s->ep) {
        if (back)
            enqueue(p, s->ep, m);
        else
            runs(p), p->set_free = is_back(&e->m);
        check(back || !p->dying || s->lies, "a server answered a program that ends");
    } else if (p && p->seized_from == s->ep) {
        p->late = m;
        p->late.source = from_to(s->ep, back ? EP_VFS : 0);
        p->seized_from = 0;
    }
    *e = s->pending[--s->count];
    return 0;
}

static void server_die(struct fake_server *s)
{
    endpoint_t ep = s->ep;

    s->ep = 0;
    s->count = 0;
    for (struct program *p = programs; p < programs + PROGRAMS; p++) {
        if (p->seized_from == ep)
            p->seized_from = 0;
        if (p->where == BEHIND && p->behind == ep)
            enqueue(
                p, EP_VFS,
                (struct message){.type = MESSAGE_BOUNCED, .w = {(uint64_t)ep, p->message.type}});
    }
    tell_ds(s);
}

/* ---- the kernel's calls ---- */

static void count_call(void)
{
    count_call_of("VFS", STEP_CALLS_MAX);
}

static void *memory_of(endpoint_t who, uint64_t at, size_t length)
{
    struct program *p = program_of(who);

    return p && at >= MEMORY_AT && length <= MEMORY && at - MEMORY_AT <= MEMORY - length
               ? p->memory + (at - MEMORY_AT)
               : NULL;
}

static void image_make(uint8_t *page)
{
    Elf64_Ehdr *e = (void *)page;
    Elf64_Phdr *h = (void *)(page + sizeof *e);

    memset(page, 0, PAGE_SIZE);
    memcpy(e->e_ident, ELFMAG, SELFMAG);
    e->e_ident[EI_CLASS] = ELFCLASS64;
    e->e_ident[EI_DATA] = ELFDATA2LSB;
    e->e_ident[EI_VERSION] = e->e_version = EV_CURRENT;
    e->e_type = ET_EXEC;
    e->e_machine = EM_X86_64;
    e->e_entry = 0x400100;
    e->e_phoff = sizeof *e;
    e->e_ehsize = sizeof *e;
    e->e_phentsize = sizeof *h;
    e->e_phnum = 1;
    *h = (Elf64_Phdr){.p_type = PT_LOAD,
                      .p_flags = PF_R | PF_X,
                      .p_vaddr = 0x400000,
                      .p_filesz = 4096,
                      .p_memsz = 8192,
                      .p_align = 4096};
    if (percent(30))
        strcpy((char *)page, percent(50) ? "#!/bin/sh -x\n" : "#! \t/a/b\t  c d \n");
    else if (percent(20))
        page[chance(200)] ^= (uint8_t)(1u << chance(8));
}

long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length)
{
    void *at = memory_of(who, remote, length);

    count_call();
    if (at)
        memcpy(local, at, length);
    else if (server_of(who) && remote == SERVER_MEMORY && length == PAGE_SIZE && !percent(10))
        image_make(local);
    else
        return program_of(who) || server_of(who) ? -EFAULT : -EDEADSRCDST;
    return 0;
}

long copy_from_again(endpoint_t who, uint64_t remote, void *local, size_t length)
{
    return copy_from(who, remote, vault_inside(local), length);
}

long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length)
{
    void *at = memory_of(who, remote, length);

    count_call();
    local = vault_inside(local);
    touch(local, length);
    if (at)
        memcpy(at, local, length);
    return at || remote >= VM_STACK_TOP - VM_STACK_LIMIT ? 0 : -EFAULT;
}

/* What VFS has lent to the server. */
static void *lent(const struct fake_server *s, uint64_t index, size_t length, uint32_t how)
{
    return lent_to(s->ep, index, length, how);
}

long grant_from(endpoint_t who, uint64_t index, size_t offset, void *local, size_t length)
{
    return -EPERM;
}

long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length)
{
    return -EPERM;
}

#endif
