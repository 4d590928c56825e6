/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The memory server: what its files share.
 *
 *     main.c     the table of requests
 *     space.c    which endpoint has which address space
 *     region.c   what lies where in one (pure logic)
 *     map.c      mapping on behalf of programs: mmap, munmap, mprotect, mremap, brk, madvise
 *     walk.c     what looks at page after page: mincore, the moving of mremap, shared memory
 *     work.c     work in steps, for requests that take long
 *     fault.c    page faults
 *     process.c  fork, exec, exit, on behalf of PM and VFS
 *     pressure.c when memory gets short; limits
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
    endpoint_t endpoint; /* the first of them */
    bool service; /* its memory is mapped at once, and limited */
    bool root; /* a program of uid 0 */
    bool named; /* PM was told to kill it */
    uint64_t limit; /* bytes; services only, of which all is there that their regions say */
    uint64_t address_limit, data_limit, stack_limit; /* RLIMIT_AS, _DATA, _STACK; programs only */
    uint64_t brk_start, brk;
    uint64_t hint; /* where the next gap may be */
    endpoint_t twin; /* fork: whose memory it gets; 0: it has got all */
    uint64_t cloned; /* what is below that address it has got */
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
endpoint_t space_at(unsigned slot); /* who is known in that slot; 0: nobody */

/* ---- work.c ---- */
enum work_state { WORK_NONE, WORK_RUNS, WORK_DONE /* and its caller is not here */ };
struct work;
/* One step of less than a millisecond: a result, or one of these. */
typedef long (*work_step)(struct work *w);
#define WORK_GOES_ON (-0x7ffffffeL)
#define WORK_WAITS (-0x7ffffffdL) /* nothing can be done just now: look again later */
struct work {
    endpoint_t ep; /* who is blocked */
    enum work_state state;
    struct message m; /* its request */
    work_step step;
    uint64_t done, at; /* the step's own */
    long result;
};
/* Is this call one that work was begun for? Then *result is what to return. */
bool work_again(const struct message *m, long *result);
/* The first step is done at once; returns what the handler returns. */
long work_start(const struct message *m, work_step step, uint64_t at);
/* From within a step: this one from now on, and at once. Returns what it does. */
long work_next(struct work *w, work_step step, uint64_t at);
void work_forget(endpoint_t ep);
void work_alarm(void);

/* ---- walk.c ---- */
long sys_mincore(struct message *m);
/* The pages of an mremap() whose new region is at `to`; then the old region goes. */
long move_next(struct work *w, uint64_t to);
/* The pages of an mmap() whose region is at `at`. */
long populate_next(struct work *w, uint64_t at);
/* Zeroed pages where nothing is; all or none. */
long give_pages(endpoint_t ep, uint64_t start, uint64_t pages, uint64_t flags);

/* ---- pressure.c ---- */
#define LIMIT_NONE (~0ull)
enum memory_use {
    MEMORY_TOUCHED, /* s itself asks for it */
    MEMORY_STORED, /* the same, a service for what others have it keep */
    MEMORY_COPIED_TO, /* a service copies to s, on behalf of s */
    MEMORY_TABLES /* what a fork or a move needs beside the pages */
};
bool memory_for(const struct space *s, uint64_t pages, enum memory_use use); /* there is enough */
/* There is too little for s: a program is made to end. False: there is none. */
bool memory_relieve(const struct space *for_whom);
/* More of them, in place of `replaced` that are there. */
bool limits_allow(const struct space *s, uint64_t bytes, uint64_t replaced, bool data);
long vm_victim(struct message *m);
long vm_rules(struct message *m);

/* ---- map.c ---- */
uint64_t move_length(const struct message *m); /* how much an mremap() moves */
/* kernel map flags for Linux PROT_*; never writable and executable */
uint64_t map_flags(uint32_t protection);
uint64_t step_end(void); /* the clock by which a step that begins now should end */
/* Takes pages there away until then, a part of 50 us at least; true: there is none left. */
bool pages_gone(endpoint_t ep, uint64_t start, uint64_t end, uint64_t until);
/* These two: WORK_GOES_ON when there are more pages to take away than a step can; to be called
 * again, then. */
long map_region(endpoint_t ep, struct space *s, uint64_t address, uint64_t length,
                uint32_t protection, uint32_t linux_flags);
long unmap_range(endpoint_t ep, struct space *s, uint64_t start, uint64_t end);
long sys_mmap(struct message *m);
long sys_munmap(struct message *m);
long sys_mprotect(struct message *m);
long sys_brk(struct message *m);
long sys_mremap(struct message *m);
long sys_madvise(struct message *m);
long sys_msync(struct message *m);

/* ---- fault.c ---- */
long page_fault(struct message *m);
long page_fault_now(struct message *m); /* the same, and it never waits */

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

/* RLIMIT_DATA counts it */
static inline bool region_is_data(const struct region *r)
{
    return (r->protection & 2 /* PROT_WRITE */) && !(r->flags & (REGION_SHARED | REGION_STACK));
}
static inline uint64_t page_up(uint64_t bytes)
{
    return (bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}
static inline bool range_good(uint64_t start, uint64_t length)
{
    return !(start & (PAGE_SIZE - 1)) && length && start < USER_END && length <= USER_END - start;
}

#endif
