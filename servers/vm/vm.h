/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory server: what its files share.
 *
 *     main.c     the table of requests
 *     space.c    which endpoint has which address space
 *     region.c   what lies where in one (pure logic)
 *     map.c      mapping on behalf of programs: mmap, munmap, mprotect, mremap, brk, madvise
 *     fault.c    page faults
 *     process.c  fork, exec, exit, on behalf of PM and VFS
 *     usage.c    what /proc shows
 *
 * VM keeps policy (regions); pages and their sharing are the kernel's. It runs below itself: no
 * malloc here.
 */
#ifndef VM_VM_H
#define VM_VM_H

#include <errno.h>

#include "abi/kernel.h"
#include "abi/message.h"
#include "abi/proto/vm.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/vm/region.h"

#define MMAP_LOW 0x200000000000ull /* where mmap() of programs begins to look */
#define MMAP_HIGH 0x7f0000000000ull
#define SERVICE_LOW 0x740000000000ull /* the same for services */
#define SERVICE_HIGH 0x7f0000000000ull
#define ADDRESS_LOW 0x10000ull /* nothing is mapped below: null pointers fault */

struct space {
    uint32_t users; /* endpoints: threads */
    bool service; /* its memory is mapped at once, and limited */
    uint64_t limit, used; /* bytes; services only */
    uint64_t brk_start, brk;
    uint64_t hint; /* where the next gap may be */
    struct regions *regions;
    char name[16];
};

/* ---- space.c ---- */
struct space *space_of(endpoint_t ep); /* NULL: unknown */
/* the same; a service that is not known yet is looked up at RS. NULL: nobody's */
struct space *space_for_caller(endpoint_t ep);
struct space *space_new(endpoint_t ep); /* NULL: out of memory */
int space_join(endpoint_t ep, struct space *space); /* one more thread */
void space_leave(endpoint_t ep);

/* ---- map.c ---- */
/* kernel map flags for Linux PROT_*; never writable and executable */
uint64_t map_flags(uint32_t protection);
long map_region(endpoint_t ep, struct space *s, uint64_t address, uint64_t length,
                uint32_t protection, uint32_t linux_flags);
long unmap_range(endpoint_t ep, struct space *s, uint64_t start, uint64_t end);
long protect_range(endpoint_t ep, struct space *s, uint64_t start, uint64_t end,
                   uint32_t protection);
long sys_mmap(struct message *m);
long sys_munmap(struct message *m);
long sys_mprotect(struct message *m);
long sys_brk(struct message *m);
long sys_mremap(struct message *m);
long sys_madvise(struct message *m);
long sys_msync(struct message *m);
long sys_mincore(struct message *m);

/* ---- fault.c ---- */
long page_fault(struct message *m);

/* ---- process.c ---- */
long vm_fork(struct message *m);
long vm_share_space(struct message *m);
long vm_exit(struct message *m);
long vm_exec(struct message *m);
long vm_map(struct message *m);
long vm_map_from(struct message *m);
long vm_brk_start(struct message *m);
long vm_unmap(struct message *m);
long vm_protect(struct message *m);

/* ---- usage.c ---- */
long vm_usage(struct message *m);
long vm_maps(struct message *m);

static inline uint64_t page_up(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}
static inline bool range_good(uint64_t start, uint64_t length)
{
    return !(start & (PAGE_SIZE - 1)) && length && start < USER_END && length <= USER_END - start;
}

#endif
