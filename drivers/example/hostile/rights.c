/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Within rights: the kernel calls that a driver, VM or PM has, with arguments that are right often
 * enough to come far. What the right allows is done to itself and to what it has made, so that the
 * others live (`whom=all`: to everybody); what it does not allow is tried, and must fail.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/proto/vm.h"
#include "drivers/example/hostile/hostile.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define ARENA 0x10000000000ull
#define ARENA_PAGES 2048u
#define LAST_PAGE (USER_END - PAGE_SIZE)

static bool everybody(void)
{
    return strncmp(parameter("whom"), "all", 3) == 0;
}

static long call(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
                 uint64_t f)
{
    return kernel_call6(number, (long)a, (long)b, (long)c, (long)d, (long)e, (long)f);
}

/* Whatever is left of the system ends with the attack: nobody may be there to end it. */
static void over(const char *what, uint64_t calls)
{
    log_info("%s: %llu", what, (unsigned long long)calls);
    if (everybody())
        call(KERNEL_PANIC, 1, 0, 0, 0, 0, 0);
}

/* ---- a driver: ports and an interrupt ---- */

enum {
    PORT_FIRST = 0x300,
    PORT_LAST = 0x307,
    PORT_IRQ = 0
}; /* as in its manifest; nothing is there */

static bool is_ours(uint64_t port, uint64_t width)
{
    return (width == 1 || width == 2 || width == 4) && port >= PORT_FIRST &&
           port <= PORT_LAST + 1 - width;
}

static uint64_t some_port(void)
{
    uint64_t r = bits();

    switch (r & 3) {
    case 0:
        return PORT_FIRST - 4 + (r >> 8) % 16;
    case 1:
        return ~0ull - (r >> 8) % 8;
    case 2:
        return (r >> 8 & 0xffff) | (r & 4 ? 0 : (uint64_t)PORT_FIRST << 16);
    default:
        return some_number();
    }
}

/* What succeeds is a hole unless the whole access lies in its own ports. The calls for its
 * interrupt are made to see that the kernel survives them: what they return is not judged. */
void attack_ports(void)
{
    uint64_t end = clock_now() + attack_seconds(5), calls = 0;

    random_start();
    for (; clock_now() < end; calls++) {
        uint64_t port = some_port(), r = bits(), width = r & 1 ? 1u << (r >> 8) % 4 : some_number();
        long result = -EPERM;

        if (calls % 128 == 0)
            breathe();
        switch (r >> 4 & 3) {
        case 0:
            result = call(KERNEL_PORT_IN, port, width, 0, 0, 0, 0);
            break;
        case 1:
            result = call(KERNEL_PORT_OUT, port, width, some_number(), 0, 0, 0);
            break;
        case 2:
            width = 1;
            result = call(KERNEL_PORT_OUT_BYTES, port, r & 8 ? (uint64_t)scratch : some_number(),
                          r & 16 ? some_number() : r >> 8 & 0xfff, 0, 0, 0);
            break;
        default:
            call(KERNEL_IRQ_ACK, r & 8 ? PORT_IRQ : some_number(), 0, 0, 0, 0, 0);
            call(KERNEL_IRQ_BIND, some_endpoint(), some_number(), some_number(), 0, 0, 0);
        }
        if (result >= 0 && !is_ours(port, width))
            got("a port", (long)port);
    }
    log_info("ports: %llu", (unsigned long long)calls);
}

/* ---- VM: memory ---- */

static uint64_t some_place(void)
{
    static const uint64_t edges[] = {KERNEL_PAGE,  KERNEL_LOG_RING, SERVICE_INFO, QUEUE_WINDOW,
                                     LAST_PAGE,    USER_END,        ARENA - 1,    ~0ull << 47,
                                     BOOT_ARCHIVE, 0x400000,        DEVICE_WINDOW};
    uint64_t r = bits();

    if (r % 8 == 0)
        return edges[(r >> 8) % (sizeof edges / sizeof *edges)];
    return ARENA + ((r >> 8) % ARENA_PAGES) * PAGE_SIZE + (r % 64 == 1);
}

/* Of a range of which nothing is made: as long as one likes. */
static uint64_t some_pages(void)
{
    static const uint64_t huge[] = {0, 1ull << 35, (1ull << 35) - 1, 1ull << 52, ~0ull, 1ull << 20};
    uint64_t r = bits();

    return r % 16 == 0 ? huge[(r >> 8) % (sizeof huge / sizeof *huge)] : 1 + (r >> 8) % 512;
}

static uint64_t some_flags(void)
{
    uint64_t r = bits(), flags = r & 7;

    if ((flags & 6) == 6 && r & 64)
        flags &= ~4ull;
    if (r & 128)
        flags |= 1u << (r >> 8) % 12;
    return flags;
}

static void map_something(endpoint_t to)
{
    uint64_t flags = some_flags(), r = bits(), from = ENDPOINT_SELF, source = some_place();

    if (flags & (MAP_SHARE | MAP_COPY) && r & 1) {
        from = some_endpoint();
        source = r & 2 ? 0x400000 + (r >> 8) % 16 * PAGE_SIZE : source;
    }
    if (flags & MAP_SHARE && from != (uint64_t)ENDPOINT_SELF)
        flags &=
            ~(uint64_t)MAP_WRITE; /* which it may, and which would be no attack on the kernel */
    call(KERNEL_MAP, (uint64_t)to,
         r & 4 ? some_place() : ARENA + (r >> 16) % ARENA_PAGES * PAGE_SIZE, 1 + (r >> 32) % 64,
         flags, from, source);
}

/* Its own code, data and stack it needs itself. */
static bool spares(uint64_t place, uint64_t pages)
{
    return everybody() || pages == 0 || place >= LAST_PAGE ||
           (place >= ARENA && place < ARENA + ARENA_PAGES * PAGE_SIZE && pages <= 1u << 20);
}

/* Where the kernel may write for it: nowhere, or where nothing is that it shares with others. */
static uint64_t some_output(void)
{
    uint64_t place = some_number();

    if (bits() & 1 ||
        (!everybody() && call(KERNEL_QUERY, (uint64_t)ENDPOINT_SELF, place, 0, 0, 0, 0) >= 0))
        return (uint64_t)scratch;
    return place;
}

static void change_memory(endpoint_t to)
{
    uint64_t r = bits(), place = some_place(), pages = some_pages(), part = r & 64 ? MAP_PART : 0;

    switch (r % 8) {
    case 0:
    case 1:
        map_something(to);
        break;
    case 2:
        if (spares(place, pages))
            call(KERNEL_UNMAP, (uint64_t)to, place, pages, part, 0, 0);
        break;
    case 3:
        if (spares(place, pages))
            call(KERNEL_PROTECT, (uint64_t)to, place, pages, some_flags() | part, 0, 0);
        break;
    case 4: /* from others without copy on write, which they would feel */
        call(KERNEL_CLONE, everybody() ? (uint64_t)to : some_endpoint(),
             everybody() ? some_endpoint() : (uint64_t)to, place, pages,
             part | (everybody() ? some_flags() : 0), 0);
        break;
    case 5:
        if (spares(place, 1))
            call(KERNEL_COW_BREAK, (uint64_t)to, place, some_flags(), 0, 0, 0);
        break;
    case 6:
        call(KERNEL_QUERY, some_endpoint(), r & 128 ? some_number() : place, 0, 0, 0, 0);
        call(KERNEL_COPY_FROM, some_endpoint(), some_place(), (uint64_t)scratch, r >> 8 & 0x1fff, 0,
             0);
        break;
    default:
        call(KERNEL_REAP, 0, 0, 0, 0, 0, 0);
        call(KERNEL_SLOT_STATUS, some_endpoint(), some_output(), 0, 0, 0, 0);
    }
}

/* What the kernel shows for reading stays so; a page of memory stays one that is counted. */
static void try_what_is_not_allowed(void)
{
    static const uint64_t shown[] = {KERNEL_PAGE, KERNEL_LOG_RING, KERNEL_TRACE_RING};
    uint64_t flags = 0;
    long result;

    for (unsigned i = 0; i < sizeof shown / sizeof *shown; i++)
        for (unsigned of = 0; of < 2; of++) {
            uint64_t ep = of ? (uint64_t)service_info()->rs : (uint64_t)ENDPOINT_SELF;

            if (of && !everybody())
                continue;
            result =
                kernel_call6_second(KERNEL_QUERY, (long)ep, (long)shown[i], 0, 0, 0, 0, &flags);
            if (result < 0 || !(flags & MAP_PHYSICAL))
                continue; /* not shown to that one */
            call(KERNEL_PROTECT, ep, shown[i], 1, MAP_READ | MAP_WRITE, 0, 0);
            kernel_call6_second(KERNEL_QUERY, (long)ep, (long)shown[i], 0, 0, 0, 0, &flags);
            if (flags & MAP_WRITE)
                got("the kernel's own memory", (long)i);
            if (call(KERNEL_MAP, (uint64_t)ENDPOINT_SELF, ARENA, 1,
                     MAP_READ | MAP_WRITE | MAP_SHARE, ep, shown[i]) == 0)
                got("the kernel's own memory, shared", (long)i);
        }
    if (call(KERNEL_MAP, (uint64_t)ENDPOINT_SELF, ARENA, 1, MAP_READ | MAP_PHYSICAL, 0,
             0xfee00000) == 0)
        got("a device", 0);
    if (call(KERNEL_MAP, (uint64_t)ENDPOINT_SELF, ARENA, 1, MAP_READ | MAP_CONTIGUOUS, 0, 0) == 0)
        got("contiguous memory", 0);
    call(KERNEL_MAP, (uint64_t)ENDPOINT_SELF, ARENA, 1, MAP_READ | MAP_WRITE, 0, 0);
    if (call(KERNEL_COW_BREAK, (uint64_t)ENDPOINT_SELF, ARENA, MAP_READ | MAP_PHYSICAL, 0, 0, 0) ==
        0)
        got("a frame that nobody counts", 0);
}

void attack_space(void)
{
    uint64_t end = clock_now() + attack_seconds(5), calls = 0;

    random_start();
    for (; clock_now() < end; calls++) {
        if (calls % 256 == 0)
            breathe();
        if (calls % 4096 == 0) {
            call(KERNEL_UNMAP, (uint64_t)ENDPOINT_SELF, ARENA, 1ull << 30, 0, 0, 0);
            try_what_is_not_allowed();
        }
        change_memory(everybody() ? (endpoint_t)some_endpoint() : ENDPOINT_SELF);
    }
    call(KERNEL_UNMAP, (uint64_t)ENDPOINT_SELF, ARENA, 1ull << 30, 0, 0, 0);
    over("memory", calls);
}

/* ---- PM: processes ---- */

enum { CHILDREN = 12, CHILD_PAGES = 4 };

static endpoint_t children[CHILDREN]; /* 0: none */

/* What a child does, wherever it is mapped: any system call, with whatever is in the registers. */
void hostile_child(void);
__asm__(".balign 4096\n"
        "hostile_child:\n"
        "1:  rdtsc\n"
        "    imul $0x9e3779b1, %eax, %edi\n"
        "    imul $0x85ebca6b, %edi, %esi\n"
        "    shr $7, %eax\n"
        "    and $0x103f, %eax\n"
        "    lea (%rsi, %rdi), %rdx\n"
        "    mov %rdi, %r10\n"
        "    movss %xmm0, %xmm1\n"
        "    syscall\n"
        "    jmp 1b\n"
        ".balign 4096\n");

static void end_child(unsigned i)
{
    if (!children[i])
        return;
    if (call(KERNEL_SLOT_DESTROY, (uint64_t)children[i], 0, 0, 0, 0, 0))
        got("a process that nobody ends", children[i]);
    children[i] = 0;
    for (unsigned part = 0; part < 1000 && memory_reap() > 0; part++)
        ;
}

static uint64_t some_child(void)
{
    uint64_t r = bits();
    endpoint_t child = children[r % CHILDREN];

    return everybody() && (!child || !(r & 0xf00)) ? some_endpoint() : (uint64_t)child;
}

/* Whom a child's faults go to: to be answered by who knows nothing of it. */
static endpoint_t some_guardian(void)
{
    const endpoint_t known[] = {
        service_info()->self, service_info()->self, 0,
        service_info()->rs,   service_info()->vm,   everybody() ? service_info()->pm : 0,
        service_info()->vfs,  service_info()->ds};
    uint64_t r = bits();

    return r & 0x700 ? known[r % 8] : (endpoint_t)some_endpoint();
}

static void make_child(unsigned i)
{
    uint64_t r = bits();
    struct slot_config c = {.guardian = some_guardian(),
                            .pager = r & 7 ? 0 : some_guardian(),
                            .space_of = r & 0x30 ? 0 : (endpoint_t)some_child(),
                            .registers_of = r & 0xc0 ? 0 : (endpoint_t)some_child(),
                            .service_id = SERVICE_ID_PROGRAM,
                            .priority = (uint32_t)(12 + (r >> 8) % 5),
                            .flags = (uint32_t)(r >> 16) % 4,
                            .entry = r & 0x100000 ? (uint64_t)hostile_child : some_number(),
                            .stack = some_number(),
                            .rights.routes = (uint32_t)(r >> 24)};

    memcpy(c.name, "bad child", 10);
    end_child(i);
    if (r >> 60 == 0)
        c.flags |= (uint32_t)bits();
    children[i] = slot_create(&c);
    if (children[i] <= 0) {
        children[i] = 0;
        return;
    }
    call(KERNEL_MAP, (uint64_t)children[i], (uint64_t)hostile_child, 1,
         MAP_READ | MAP_EXECUTE | MAP_SHARE, (uint64_t)ENDPOINT_SELF, (uint64_t)hostile_child);
    call(KERNEL_MAP, (uint64_t)children[i], ARENA, CHILD_PAGES, MAP_READ | MAP_WRITE, 0, 0);
}

static void set_registers(uint64_t whom)
{
    uint64_t *r = scratch + bits() % 64;

    for (unsigned i = 0; i < sizeof(struct registers) / 8; i++)
        r[i] = some_number();
    if (bits() & 3)
        ((struct registers *)r)->rip = (uint64_t)hostile_child + (bits() & 31);
    call(KERNEL_REGISTERS_SET, whom, bits() & 7 ? (uint64_t)r : some_number(), 0, 0, 0, 0);
}

/* To its children alone, unless it is to hit everybody; `what` goes one beyond the last control
 * that there is. Remains keep their place among the children: who keeps them has to destroy
 * them. */
static void change_slot(void)
{
    uint64_t whom = some_child(), r = bits(), what = (r >> 8) % 11, value;
    struct message m = {.type = r >> 32};

    switch (r % 8) {
    case 0:
        make_child((unsigned)(r >> 8) % CHILDREN);
        break;
    case 1:
        set_registers(whom);
        break;
    case 2:
        call(KERNEL_REGISTERS_GET, whom, r & 64 ? some_number() : (uint64_t)scratch, 0, 0, 0, 0);
        break;
    case 3: /* remains: they are to be destroyed, too */
        if ((r & 0xff00) == 0 && whom)
            for (unsigned i = 0; i < CHILDREN; i++)
                if (children[i] && (uint64_t)children[i] == whom) {
                    endpoint_t kept = slot_keep(children[i]);

                    if (kept > 0)
                        children[i] = kept;
                }
        break;
    case 4:
        ipc_reply((endpoint_t)whom, &m, (long)some_number());
        break;
    case 5:
        kernel_message(KERNEL_LATE_ANSWER, (endpoint_t)whom, &m, 0);
        break;
    default:
        value = r & 64 ? some_number() : (uint64_t)scratch;
        if (what ==
            SLOT_CONTROL_PRIORITY) /* not before others: that it may, and they would starve */
            value = 12 + r % 6;
        call(KERNEL_SLOT_CONTROL, whom, what, value, 0, 0, 0);
    }
}

/* A service, whose end or change would be more than a process's. */
static void try_services(void)
{
    const endpoint_t known[] = {service_info()->rs,  service_info()->vm, service_info()->pm,
                                service_info()->vfs, service_info()->ds, service_info()->self};
    struct slot_config c = {
        .service_id = SERVICE_ID_PROGRAM, .priority = 15, .rights.calls = ~0ull};
    uint64_t r = bits();
    endpoint_t victim = known[r % 6], made;

    if (call(KERNEL_SLOT_CONTROL, (uint64_t)victim, SLOT_CONTROL_PRIORITY, 3, 0, 0, 0) != -EPERM)
        got("a service's priority", victim);
    if (call(KERNEL_REGISTERS_GET, (uint64_t)victim, (uint64_t)scratch, 0, 0, 0, 0) != -EPERM)
        got("a service's registers", victim);
    if (victim != service_info()->self &&
        call(KERNEL_SLOT_DESTROY, (uint64_t)victim, 0, 0, 0, 0, 0) != -EPERM)
        got("a service's end", victim);
    if (r & 64)
        c.rights = (struct rights){.may_call = 1};
    else if (r & 128)
        c.rights = (struct rights){.ports = {{0, 0xffff}}};
    else if (r & 256)
        c = (struct slot_config){.service_id = SERVICE_ID_ROOT, .priority = 15};
    else if (r & 512)
        c = (struct slot_config){
            .service_id = SERVICE_ID_PROGRAM, .priority = 15, .space_of = victim};
    made = slot_create(&c);
    if (made > 0) {
        got("a process with rights", (long)(r & 0x3c0));
        slot_destroy(made);
    }
}

/* Children's faults, which come to us; and what RS wants. */
static void answer_children(void)
{
    for (unsigned n = 0; n < 4; n++) {
        struct message m = {0};

        if (ipc_receive(ENDPOINT_ANY, &m, RECEIVE_POLL) < 0)
            return;
        if (m.type == MESSAGE_NOTIFY && m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN))
            exit(0);
        if (m.type != MESSAGE_NOTIFY && bits() & 3)
            ipc_reply_result(message_caller(&m), (long)some_number());
    }
}

void attack_slots(void)
{
    uint64_t end = clock_now() + attack_seconds(5), calls = 0;

    random_start();
    for (; clock_now() < end; calls++) {
        answer_children();
        if (calls % 64 == 0)
            try_services();
        change_slot();
    }
    for (unsigned i = 0; i < CHILDREN; i++)
        end_child(i);
    over("processes", calls);
}
