/* SPDX-License-Identifier: BSD-2-Clause */
/* Files in memory: mmap(2) of a descriptor, and what exec needs of VM. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>

#include "servers/vfs/exec.h"

#define MAP_PARTS_MAX 4096

static long vm(struct client *c, struct message request)
{
    for (;;) {
        struct message m = request;
        long result = ipc_call(service_info()->vm, &m);

        if (result != -EINPROGRESS)
            return result;
        wait_turn(c);
    }
}

long vm_exec(struct client *c)
{
    return vm(c, message_of(VM_EXEC, (struct vm_exec_request){.process = (uint64_t)c->endpoint,
                                                              .stack = VM_STACK_LIMIT}));
}

long vm_map(struct client *c, uint64_t address, uint64_t length, uint32_t protection,
            uint32_t flags)
{
    return vm(c, message_of(VM_MAP, (struct vm_map_request){.process = (uint64_t)c->endpoint,
                                                            .address = address,
                                                            .length = length,
                                                            .protection = protection,
                                                            .flags = flags}));
}

long vm_unmap(struct client *c, uint64_t address, uint64_t length)
{
    return vm(c, message_of(VM_UNMAP, (struct vm_map_request){.process = (uint64_t)c->endpoint,
                                                              .address = address,
                                                              .length = length}));
}

long vm_protect(struct client *c, uint64_t address, uint64_t length, uint32_t protection)
{
    return vm(c, message_of(VM_PROTECT, (struct vm_map_request){.process = (uint64_t)c->endpoint,
                                                                .address = address,
                                                                .length = length,
                                                                .protection = protection}));
}

static long map_copy(struct client *c, struct server *s, uint64_t node, uint64_t offset,
                     uint64_t address, uint64_t length, uint32_t protection, uint32_t flags)
{
    uint32_t kind = VM_PROTECTION_FILE | (protection & ~7u);
    long at = vm_map(c, address, length, PROT_READ | PROT_WRITE | kind, flags | MAP_ANONYMOUS),
         result = 1;

    if (at < 0)
        return at;
    for (uint64_t done = 0; done < length && result > 0; done += (uint64_t)result) {
        struct message m =
            message_of(FILE_READ, (struct file_transfer_request){.node = node,
                                                                 .address = (uint64_t)at + done,
                                                                 .length = length - done,
                                                                 .offset = offset + done,
                                                                 .back = FILE_BACK});

        result = ask(c, s, &m, AGAIN);
    }
    if (result >= 0 && (protection & 7) != (PROT_READ | PROT_WRITE))
        result = vm_protect(c, (uint64_t)at, length, protection & 7);
    if (result >= 0)
        return at;
    vm_unmap(c, (uint64_t)at, length);
    return result;
}

long map_ask(struct client *c, struct server *s, struct message *m)
{
    const struct message asked = *m;
    long result = -EAGAIN;

    for (unsigned parts = 0; result == -EAGAIN && parts < MAP_PARTS_MAX; parts++) {
        if (parts)
            wait_briefly(c); /* others come first */
        *m = asked;
        result = c->exiting ? -EINTR : ask(c, s, m, AGAIN);
    }
    return result == -EAGAIN ? -ENOSYS : result;
}

long map_file(struct client *c, struct server *s, uint64_t node, uint64_t offset, uint64_t address,
              uint64_t length, uint32_t protection, uint32_t flags)
{
    struct message m = message_of(
        FILE_MAP, (struct file_map_request){.node = node, .offset = offset, .length = length});
    const struct file_map_reply *shown = message_words(&m);
    long result = map_ask(c, s, &m);

    if (result == 0)
        result =
            vm(c, message_of(VM_MAP_FROM,
                             (struct vm_map_request){.process = (uint64_t)c->endpoint,
                                                     .address = address,
                                                     .length = length,
                                                     .protection = protection | VM_PROTECTION_FILE,
                                                     .flags = flags,
                                                     .server = s->endpoint,
                                                     .from = shown->address}));
    else if (result == -ENOSYS || result == -EINVAL)
        result = map_copy(c, s, node, offset, address, length, protection, flags);
    return result;
}

/* Shared and writable would need the file server's pages themselves in the program: not possible
 * yet. */
static long check(const struct file *f, uint64_t length, uint32_t protection, uint32_t flags,
                  uint64_t offset)
{
    uint32_t mode = f->flags & O_ACCMODE;

    if (!length || offset % PAGE_SIZE)
        return -EINVAL;
    if ((f->flags & O_PATH) || mode == O_WRONLY)
        return -EACCES;
    if ((flags & MAP_TYPE) != MAP_PRIVATE && (protection & PROT_WRITE))
        return mode == O_RDWR ? -ENODEV : -EACCES;
    if (!S_ISREG(f->mode) || !f->server)
        return -ENODEV;
    return (protection & PROT_EXEC) && server_is_mounted_with(f->server, MS_NOEXEC) ? -EPERM : 0;
}

/* Shared views are not written to the file, so they stay as they are. */
static uint32_t never(const struct file *f, uint32_t flags)
{
    return ((flags & MAP_TYPE) != MAP_PRIVATE ? VM_PROTECTION_NEVER_WRITE : 0) |
           (server_is_mounted_with(f->server, MS_NOEXEC) ? VM_PROTECTION_NEVER_EXECUTE : 0);
}

long sys_mmap_file(struct client *c, const uint64_t *w)
{
    struct file *f = fd_file(c, w[4]);
    uint64_t length = (w[1] + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    uint32_t flags = (uint32_t)w[3];
    long result;

    if (!f)
        return -EBADF;
    result = check(f, w[1], (uint32_t)w[2], flags, w[5]);
    if (result)
        return result;
    file_get(f);
    result = remote_current(c, f);
    if (result)
        return file_put(c, f), result;
    result =
        map_file(c, f->server, f->node, w[5], w[0], length, ((uint32_t)w[2] & 7) | never(f, flags),
                 (flags & ~(uint32_t)MAP_TYPE) | MAP_PRIVATE);
    file_put(c, f);
    return result;
}
