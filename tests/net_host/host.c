/* SPDX-License-Identifier: BSD-2-Clause */
/* The kernel, RS and the drivers as net sees them; see host.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/net.h"
#include "abi/proto/pm.h"
#include "abi/proto/rs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/net/progress.h"
#include "tests/net_host/host.h"
#include "tests/net_host/programs.h"
#include "abi/queue.h"

#define STEP_MS 10
#define DRIVER 900 /* endpoints: drivers are no programs */

int net_main(void);
uint32_t random_next(void);
uint32_t random_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port);
uint64_t random_mac(uint64_t a, uint64_t b);

const uint8_t host_mac[2][6] = {"\x52\x54\x00\x12\x34\x56", "\x52\x54\x00\x12\x34\x57"},
              peer_mac[6] = "\x02\xaa\xbb\xcc\xdd\x01";
jmp_buf host_death;
bool host_death_awaited;
char host_last_words[256];
void (*host_sent)(unsigned n, const uint8_t *frame, size_t length);

static struct service_info info;
static const struct service_table *table;
static jmp_buf started;
static struct net_queue *queues[2];
static uint64_t now_ns = 1000000000, alarm_ns, random_state = 1;
static uint64_t main_again; /* bits that it has notified itself of */

/* ---- the kernel ---- */

const struct service_info *service_info(void)
{
    return &info;
}

uint64_t clock_now(void)
{
    return now_ns;
}

long clock_alarm(uint64_t when)
{
    alarm_ns = when;
    return 0;
}

/* RS is asked for queues, of which there are two; PM, who a program is. */
long ipc_call(endpoint_t to, struct message *m)
{
    const struct rs_queue_request *r = message_words(m);
    struct pm_credentials_reply *who = message_words(m);
    unsigned n = (unsigned)r->number;

    (void)to;
    if (m->type == RS_QUEUE && n >= 2)
        return -ENOENT;
    if (m->type == RS_QUEUE) {
        struct service_queue *place = host_granted();

        *place = (struct service_queue){.driver = "wire",
                                        .address = (uint64_t)(uintptr_t)queues[n],
                                        .size = NET_QUEUE_BYTES,
                                        .number = n};
        return 0;
    }
    if (m->type == PM_CREDENTIALS) /* all are root */
        who->euid = who->egid = 0;
    return m->type == RS_LIST ? -ENOENT : 0;
}

long ipc_notify(endpoint_t to, uint64_t bits)
{
    if (to == info.self)
        main_again |= bits;
    (void)bits;
    return 0;
}

long ipc_reply(endpoint_t to, struct message *m, long result)
{
    m->type = (uint64_t)result;
    return program_answered(to, m);
}

long ipc_forward(endpoint_t caller, endpoint_t to, struct message *m)
{
    (void)to;
    return program_answered(caller, m);
}

long copy_from(endpoint_t who, uint64_t remote, void *local, size_t length)
{
    (void)who;
    memcpy(local, (const void *)(uintptr_t)remote, length);
    return 0;
}

long copy_to(endpoint_t who, uint64_t remote, const void *local, size_t length)
{
    (void)who;
    memcpy((void *)(uintptr_t)remote, local, length);
    return 0;
}

/* ---- what the library does for a service ---- */

static void *granted;

void *host_granted(void)
{
    return granted;
}

long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags)
{
    (void)to;
    (void)length;
    (void)flags;
    granted = (void *)(uintptr_t)address;
    return 1;
}

void grant_revoke(long index)
{
    (void)index;
}

long grant_to(endpoint_t who, uint64_t index, size_t offset, const void *local, size_t length)
{
    (void)who;
    (void)index;
    memcpy((uint8_t *)granted + offset, local, length);
    return 0;
}

long service_publish(const char *key)
{
    (void)key;
    return 0;
}

long service_save(const char *key, const void *data, size_t length)
{
    (void)key;
    (void)data;
    (void)length;
    return 0;
}

long service_restore(const char *key, void *data, size_t room)
{
    (void)key;
    (void)data;
    (void)room;
    return -ENOENT;
}

long service_set_text(const char *key, const char *text)
{
    (void)key;
    (void)text;
    return 0;
}

long service_unset(const char *key)
{
    (void)key;
    return 0;
}

void service_ready(enum rs_ready how)
{
    (void)how;
}

void service_complain(const char *name, endpoint_t of, enum rs_complaint why)
{
    (void)of;
    static uint64_t not_before;

    if (why == COMPLAINT_SILENCE) /* rightly: here nobody answers net when it asks the gateway */
        return;
    if (why == COMPLAINT_USELESS &&
        now_ns >= not_before) { /* as rightly: these frames are garbled (progress.h) */
        not_before = now_ns + PROGRESS_GARBLED_AGAIN * 1000000ull;
        return;
    }
    fprintf(stderr, "complaint of %s: %d\n", name, (int)why);
    abort();
}

void service_run(const struct service_table *t)
{
    static struct service_table kept;

    kept = *t;
    table = &kept;
    longjmp(started, 1);
}

static void log_line(const char *format, va_list arguments)
{
    if (!getenv("NET_HOST_LOG"))
        return;
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

void log_info(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void log_always(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    log_line(format, arguments);
    va_end(arguments);
}

void panic(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(host_last_words, sizeof host_last_words, format, arguments);
    va_end(arguments);
    if (host_death_awaited)
        longjmp(host_death, 1);
    fprintf(stderr, "net died: %s\n", host_last_words);
    abort();
}

/* ---- chance ---- */

uint32_t host_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16);
}

uint32_t random_next(void)
{
    static uint64_t state = 88172645463325252u;

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

uint32_t random_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port)
{
    (void)local;
    (void)local_port;
    (void)remote;
    (void)remote_port;
    return random_next();
}

uint64_t random_mac(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu + b;

    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
    return x ^ x >> 29;
}

/* ---- the drivers ---- */

static void driver_start(unsigned n)
{
    struct net_queue *q = queues[n];

    memcpy(q->mac, host_mac[n], 6);
    q->link_up = 1;
    q->mtu = 1500;
    q->header.driver = DRIVER + (endpoint_t)n;
    q->header.driver_state = QUEUE_DRIVER_RESET;
    q->header.incarnation = 1;
}

static void driver_send(unsigned n)
{
    struct net_ring *ring = &queues[n]->transmit;

    while (ring->completed != ring->posted) {
        const struct net_entry *e = &ring->entry[ring->completed % NET_RING_SIZE];
        uint8_t *frame = malloc(e->size);

        memcpy(frame, (uint8_t *)queues[n] + e->offset, e->size);
        ring->completed++;
        if (host_sent)
            host_sent(n, frame, e->size);
        free(frame);
    }
}

/* A driver notifies for what it has completed, and no more: time stands still meanwhile, so that
 * anything else would be a flood. */
static uint64_t untold;

void host_queue_frame(unsigned n, const void *bytes, size_t length)
{
    struct net_ring *ring = &queues[n]->receive;
    struct net_entry *e = &ring->entry[ring->completed % NET_RING_SIZE];

    if (ring->completed == ring->posted || length == 0 || length > NET_FRAME_MAX)
        return; /* as any card: there is no room */
    memcpy((uint8_t *)queues[n] + e->offset, bytes, length);
    e->length = (uint32_t)length;
    e->status = NET_FRAME_OK;
    ring->completed++;
    untold |= NOTIFY_BIT(NOTIFY_BIT_PEER + n);
}

void host_spoil(unsigned n)
{
    memset((uint8_t *)queues[n] + QUEUE_BUFFERS_OFFSET, 0xa5, NET_RING_SIZE * NET_BUFFER_SIZE);
}

void host_frame(unsigned n, const void *bytes, size_t length)
{
    host_queue_frame(n, bytes, length);
    host_turn();
}

/* ---- the loop ---- */

/* What the loop does before it waits (lib/service/service.c). */
static void before_waiting(void)
{
    table->idle();
    if (table->publish)
        table->publish();
}

static void notify(uint64_t bits)
{
    do {
        main_again = 0;
        table->notified(bits);
        before_waiting();
        driver_send(0);
        driver_send(1);
        bits = main_again;
    } while (bits);
}

void host_turn(void)
{
    uint64_t bits = untold ? untold : NOTIFY_BIT(NOTIFY_BIT_PEER);

    untold = 0;
    notify(bits);
    if (programs_work())
        notify(NOTIFY_BIT(NOTIFY_BIT_PEER));
}

void host_pass(uint32_t ms)
{
    for (uint64_t end = now_ns + ms * 1000000ull; now_ns < end;) {
        uint64_t step = now_ns + STEP_MS * 1000000ull;

        now_ns = step < end ? step : end;
        if (alarm_ns && alarm_ns <= now_ns) {
            alarm_ns = 0;
            notify(NOTIFY_BIT(NOTIFY_BIT_ALARM));
        }
        if (programs_work())
            notify(NOTIFY_BIT(NOTIFY_BIT_PEER));
    }
}

void host_clock(uint64_t ms)
{
    now_ns = ms * 1000000;
}

uint64_t host_now_ms(void)
{
    return now_ns / 1000000;
}

long host_message(struct message *m)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->entries[i].type == m->type)
            return table->entries[i].handle(m);
    return -ENOSYS;
}

void host_idle(void)
{
    before_waiting();
    driver_send(0);
    driver_send(1);
}

const char *host_table(unsigned number)
{
    static char text[70000];
    size_t at = 0;
    long n;

    do {
        struct message m = message_of(
            NET_TABLE, (struct net_table_request){
                           .table = number, .grant = 1, .room = NET_TABLE_PIECE, .position = at});

        granted = text + at;
        n = host_message(&m);
        at += n > 0 ? (size_t)n : 0;
    } while (n > 0);
    text[at] = 0;
    return text;
}

void host_start(uint64_t seed, const char *parameters)
{
    random_state = seed * 0x9e3779b97f4a7c15u | 1;
    info = (struct service_info){.name = "net", .self = 1, .rs = 2, .pm = 3, .vfs = 0};
    if (parameters)
        snprintf(info.parameters, sizeof info.parameters, "%s", parameters);
    for (unsigned n = 0; n < 2; n++) {
        queues[n] = aligned_alloc(4096, NET_QUEUE_BYTES);
        memset(queues[n], 0, NET_QUEUE_BYTES);
        driver_start(n);
    }
    if (setjmp(started) == 0)
        net_main();
    host_turn();
    programs_start();
}
