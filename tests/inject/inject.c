/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The fault injector: a service of test images that changes the text, data or registers of another
 * service while that is at work. Its device is 240:0; each write is a command, and a read tells
 * what has become of the last fault:
 *
 *     NAME TRAP text ADDRESS BYTES     BYTES (hexadecimal) come to lie at ADDRESS of NAME's code
 *     NAME TRAP register NUMBER BIT    a bit of a register flips (order: struct registers)
 *     NAME TRAP stack OFFSET BIT       a bit of the byte at stack pointer + OFFSET
 *     NAME TRAP data ADDRESS BIT       a bit of any byte that it may write: heap, rings
 *     NAME TRAP point ADDRESS COUNT [STRIDE]
 *                                      in COUNT descriptors of STRIDE (16) bytes that have a physical
 *                                      address at ADDRESS, the first one: that of a page of ours
 *     NAME TRAP fill ADDRESS BYTES     memory of NAME's gets a pattern. After both of these a read
 *                                      tells whether somebody has written there since
 *     NAME 0 image ADDRESS BYTES OFFSET
 *                                      BYTES in NAME's program itself, whose text has them at ADDRESS and the
 *                                      boot archive at OFFSET: all copies, now and later (ill.h)
 *     heal                             undoes `image`
 *     host                             the command that the host has left in the machine's
 *                                      configuration (fw_cfg); EAGAIN while it begins with '-'.
 *                                      So a machine that was stopped there goes on with any fault
 *     ticks                            from now on, say in the log every second that time goes on
 *
 * (Its device 240:2 flips bits of servers: flip.h.)
 *
 * TRAP is the address of an instruction: the fault happens when that is next about to run. So it is
 * known whether a fault was ever triggered, and when. 0: at once.
 *
 * How: all incarnations share the image's text. The pages concerned are copied, and the copies put
 * in their places, in this incarnation alone: its successor is healthy. At TRAP there is a `hlt`,
 * which only the kernel may execute; the exception goes to the service's guardian, which is us for
 * that time. Whatever else comes to its guardian meanwhile goes to RS, as it would have.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "lib/fs/fs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "tests/inject/flip.h"
#include "tests/inject/host.h"
#include "tests/inject/ill.h"

enum { MAJOR = 240, NODE = 1, COMMAND_MAX = 256, BYTES_MAX = ILL_MAX, PAGES_MAX = 2 };
enum { TRAP = 0xf4 /* hlt */, VECTOR_PROTECTION = 13 };

#define WINDOW 0x600000000000ull /* where the changed pages are in our own space */
#define TICK 1000000000ull /* ns */

static struct fault {
    enum { NONE, ARMED, TRIGGERED, FAILED, GONE, SAME } state;
    endpoint_t driver;
    uint64_t trap;
    uint8_t original; /* the byte at trap */
    uint64_t first, pages; /* what is private to this incarnation */
    enum kind { TEXT, REGISTER, STACK, DATA, POINT, FILL, IMAGE, KINDS } kind;
    uint64_t place, bit; /* address, number of the register, offset; bit: or how many */
    uint8_t bytes[BYTES_MAX];
    unsigned count;
    uint64_t stride; /* of IMAGE: where in the archive */
    uint64_t when; /* clock */
    long error;
} fault;

static const char *const kinds[KINDS] = {"text",  "register", "stack", "data",
                                         "point", "fill",     "image"};
static uint8_t bait[PAGE_SIZE]
    __attribute__((aligned(PAGE_SIZE))); /* nobody's device may reach it */
static bool ticks;
static uint64_t next_tick; /* clock */
static char host_line[COMMAND_MAX]; /* of tools/flips: for who reads */

static uint64_t page_of(uint64_t address)
{
    return address & ~(PAGE_SIZE - 1);
}

static uint8_t *text_at(uint64_t address)
{
    return (uint8_t *)(WINDOW + (address - fault.first));
}

/* The pages of [from, to) become the victim's own, and writable for us. */
static long make_private(uint64_t from, uint64_t to)
{
    long error;

    fault.first = page_of(from);
    fault.pages = (page_of(to - 1) - fault.first) / PAGE_SIZE + 1;
    if (fault.pages > PAGES_MAX)
        return -EINVAL;
    memory_unmap(ENDPOINT_SELF, WINDOW, PAGES_MAX);
    error = memory_map(ENDPOINT_SELF, WINDOW, fault.pages, MAP_READ | MAP_WRITE | MAP_COPY,
                       fault.driver, fault.first);
    if (error < 0)
        return error;
    memory_unmap(fault.driver, fault.first, fault.pages);
    return memory_map(fault.driver, fault.first, fault.pages, MAP_READ | MAP_EXECUTE | MAP_SHARE,
                      ENDPOINT_SELF, WINDOW);
}

static long flip_byte(uint64_t address)
{
    uint8_t byte;
    long error = copy_from(fault.driver, address, &byte, 1);

    if (error < 0)
        return error;
    byte ^= (uint8_t)(1u << (fault.bit & 7));
    return copy_to(fault.driver, address, &byte, 1);
}

static long flip_register(struct registers *r)
{
    uint64_t *word = (uint64_t *)r + fault.place;

    *word ^= 1ull << (fault.bit & 63);
    return registers_set(fault.driver, r);
}

static void make_pattern(uint8_t *at, uint64_t offset, size_t length)
{
    for (size_t i = 0; i < length; i++)
        at[i] = (uint8_t)((offset + i) * 7 + 1 + (offset + i) / PAGE_SIZE);
}

static long point_at_bait(void)
{
    uint64_t flags, address;
    long error = 0;

    make_pattern(bait, 0, sizeof bait);
    address = (uint64_t)memory_query(ENDPOINT_SELF, (uint64_t)bait, &flags);
    for (uint64_t n = 0; n < fault.bit && !error; n++)
        error = copy_to(fault.driver, fault.place + fault.stride * n, &address, sizeof address);
    return error;
}

static size_t piece_at(uint64_t offset)
{
    return fault.bit - offset < PAGE_SIZE ? fault.bit - offset : PAGE_SIZE;
}

static long fill(void)
{
    static uint8_t pattern[PAGE_SIZE];
    long error = 0;

    for (uint64_t at = 0; at < fault.bit && !error; at += PAGE_SIZE) {
        make_pattern(pattern, at, piece_at(at));
        error = copy_to(fault.driver, fault.place + at, pattern, piece_at(at));
    }
    return error;
}

/* Of what POINT and FILL have made: has somebody written there? */
static bool is_changed(void)
{
    static uint8_t pattern[PAGE_SIZE], found[PAGE_SIZE];

    if (fault.kind == POINT) {
        make_pattern(pattern, 0, sizeof bait);
        return memcmp(pattern, bait, sizeof bait) != 0;
    }
    for (uint64_t at = 0; at < fault.bit; at += PAGE_SIZE) {
        make_pattern(pattern, at, piece_at(at));
        if (copy_from(fault.driver, fault.place + at, found, piece_at(at)) < 0 ||
            memcmp(pattern, found, piece_at(at)) != 0)
            return true;
    }
    return false;
}

/* The victim stands still meanwhile. */
static long commit(void)
{
    struct registers r;
    long error = registers_get(fault.driver, &r);

    if (error < 0)
        return error;
    switch (fault.kind) {
    case TEXT:
        memcpy(text_at(fault.place), fault.bytes, fault.count);
        return 0;
    case REGISTER:
        return flip_register(&r);
    case STACK:
        return flip_byte(r.rsp + fault.place);
    case POINT:
        return point_at_bait();
    case FILL:
        return fill();
    case IMAGE:
        return ill_make(fault.driver, fault.place, fault.stride, fault.bytes, fault.count);
    default:
        return flip_byte(fault.place);
    }
}

static void trigger(void)
{
    fault.error = commit();
    fault.when = clock_now();
    fault.state = fault.error < 0 ? FAILED : TRIGGERED;
    if (fault.error > 0)
        fault.state = SAME;
}

static void disarm(void)
{
    if (fault.state != ARMED)
        return;
    *text_at(fault.trap) = fault.original;
    slot_control(fault.driver, SLOT_CONTROL_GUARDIAN, (uint64_t)service_info()->rs);
}

/* ---- what comes to a guardian ---- */

/* The result resumes the victim: at TRAP with its own instruction back in place, or changed. Any
 * other exception happens again, and goes to RS then. */
static long exception(struct message *m)
{
    bool hit = m->w[0] == VECTOR_PROTECTION && m->w[3] == fault.trap;

    if (message_caller(m) != fault.driver || fault.state != ARMED)
        return -EFAULT;
    disarm();
    if (hit)
        trigger();
    else
        fault.state = GONE;
    return 0;
}

static long its_exit(struct message *m)
{
    if (message_caller(m) == fault.driver && fault.state == ARMED)
        fault.state = GONE;
    ipc_forward(message_caller(m), service_info()->rs, m);
    return SERVICE_NO_REPLY;
}

/* ---- commands ---- */

endpoint_t victim_find(const char *name)
{
    struct message m = {.type = RS_LOOKUP};
    struct rs_name_request *r = message_words(&m);

    pack_text(r->name, name, SERVICE_NAME_MAX);
    return (endpoint_t)ipc_call(service_info()->rs, &m);
}

static long find_victim(const char *name)
{
    endpoint_t found = victim_find(name);

    fault.driver = found < 0 ? 0 : found;
    return found < 0 ? found : 0;
}

static long parse_bytes(const char *text)
{
    for (fault.count = 0; isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]);
         text += 2) {
        const char pair[3] = {text[0], text[1], 0};

        if (fault.count == BYTES_MAX)
            return -EINVAL;
        fault.bytes[fault.count++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return fault.count && !*text ? 0 : -EINVAL;
}

static long parse(char *line)
{
    char *rest, *name = strtok_r(line, " \n", &rest), *trap = strtok_r(NULL, " \n", &rest),
                *kind = strtok_r(NULL, " \n", &rest), *place = strtok_r(NULL, " \n", &rest),
                *value = strtok_r(NULL, " \n", &rest), *stride = strtok_r(NULL, " \n", &rest);

    if (!value || strlen(name) >= SERVICE_NAME_MAX)
        return -EINVAL;
    fault.trap = strtoull(trap, NULL, 0);
    fault.place = strtoull(place, NULL, 0);
    for (fault.kind = 0; fault.kind < KINDS && strcmp(kind, kinds[fault.kind]) != 0;)
        fault.kind++;
    if (fault.kind == KINDS ||
        (fault.kind == REGISTER && fault.place >= sizeof(struct registers) / sizeof(uint64_t)))
        return -EINVAL;
    if (fault.kind == TEXT || fault.kind == IMAGE) {
        long error = parse_bytes(value);

        if (error)
            return error;
    }
    fault.stride = stride ? strtoull(stride, NULL, 0) : 16;
    fault.bit = fault.count ? 0 : strtoul(value, NULL, 0);
    return find_victim(name);
}

/* It is stopped, so that it runs no page that is not there. */
static long arm(void)
{
    uint64_t from = fault.trap, to = fault.trap + 1;
    long error = 0;

    if (fault.kind == TEXT) {
        if (from == 0 || fault.place < from)
            from = fault.place;
        if (fault.place + fault.count > to)
            to = fault.place + fault.count;
    }
    if (from)
        error = make_private(from, to);
    if (error || !fault.trap)
        return error;
    fault.original = *text_at(fault.trap);
    *text_at(fault.trap) = TRAP;
    return slot_control(fault.driver, SLOT_CONTROL_GUARDIAN, (uint64_t)service_info()->self);
}

static long inject(char *line)
{
    long error;

    disarm();
    fault = (struct fault){.state = NONE};
    error = parse(line);
    if (error)
        return error;
    slot_control(fault.driver, SLOT_CONTROL_STOP, 0);
    error = arm();
    if (!error && fault.trap)
        fault.state = ARMED;
    else if (!error)
        trigger();
    slot_control(fault.driver, SLOT_CONTROL_START, 0);
    return error ? error : fault.error;
}

/* ---- what the host says ---- */

static long host_command(char line[COMMAND_MAX])
{
    long error = host_read(line, COMMAND_MAX);

    if (error < 0)
        return error;
    if (strncmp(line, "flips ", 6) != 0)
        return inject(line);
    strcpy(host_line, line);
    return 0;
}

static void set_alarm(void)
{
    uint64_t at = ticks ? next_tick : 0, due = flip_due();

    clock_alarm(at == 0 || (due && due < at) ? due : at);
}

static long write_command(uint64_t node, struct fs_transfer *t)
{
    char line[COMMAND_MAX];
    long error;

    if (t->length >= sizeof line)
        return -EINVAL;
    error = copy_from(t->program, t->address, line, t->length);
    if (error < 0)
        return error;
    line[t->length] = 0;
    if (node == FLIP_NODE) {
        error = flip_command(line);
        set_alarm();
    } else if (strcmp(line, "ticks\n") == 0) {
        ticks = true;
        next_tick = clock_now() + TICK;
        set_alarm();
    } else if (strcmp(line, "heal\n") == 0) {
        ill_heal();
    } else if (strcmp(line, "host\n") == 0) {
        error = host_command(line);
    } else {
        error = inject(line);
    }
    return error < 0 ? error : (long)t->length;
}

static const char *what_became(void)
{
    if (fault.kind == IMAGE)
        return " image";
    if ((fault.kind != POINT && fault.kind != FILL) || fault.state != TRIGGERED)
        return "";
    return is_changed() ? " changed" : " intact";
}

static long read_state(uint64_t node, struct fs_transfer *t)
{
    static const char *const names[] = {"none", "armed", "triggered", "failed", "gone", "same"};
    char line[COMMAND_MAX];
    long error;
    int n;

    if (fault.state == ARMED && slot_control(fault.driver, SLOT_CONTROL_START, 0) < 0)
        fault.state = GONE; /* it ended by another's will */
    if (node == FLIP_NODE)
        n = flip_state(line, sizeof line);
    else if (host_line[0])
        n = snprintf(line, sizeof line, "%s\n", host_line);
    else
        n = snprintf(line, sizeof line, "%s %llu %ld%s\n", names[fault.state],
                     (unsigned long long)fault.when, fault.error, what_became());
    if ((uint64_t)n > t->length)
        return -EINVAL;
    error = copy_to(t->program, t->address, line, (size_t)n);
    return error < 0 ? error : n;
}

static long attributes(uint64_t node, struct fs_attributes *out)
{
    *out = (struct fs_attributes){
        .mode = S_IFCHR | 0600, .links = 1, .rdev = makedev(MAJOR, node == FLIP_NODE ? node : 0)};
    return 0;
}

/* The minor number 0 is no node. */
static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    (void)flags;
    *use = node == FLIP_NODE ? node : NODE;
    return 0;
}

static void notified(uint64_t bits)
{
    static unsigned seconds;

    if (!(bits & NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        return;
    if (flip_due() && clock_now() >= flip_due())
        flip_now();
    if (ticks && clock_now() >= next_tick) {
        next_tick += TICK;
        log_always("tick %u", ++seconds);
    }
    set_alarm();
}

int main(void)
{
    static const struct service_entry more[] = {
        {MESSAGE_EXCEPTION, exception}, {SYS_exit, its_exit}, {SYS_exit_group, its_exit}};
    static const struct fs_operations operations = {
        .root = NODE,
        .attributes = attributes,
        .open = open_node,
        .read = read_state,
        .write = write_command,
        .notified = notified,
        .more = more,
        .more_count = sizeof more / sizeof *more,
    };

    if (service_publish("chr/240") < 0)
        panic("chr/240 is published by somebody else");
    fs_serve(&operations);
}
