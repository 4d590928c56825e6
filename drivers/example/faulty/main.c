/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that misbehaves on demand, for the system tests. Not in the ordinary image: a test adds
 * it together with a manifest (faulty.manifest, with its own `parameters`):
 *
 *     fault=NAME      none count exit panic null jump privileged divide spin deaf flood garbage lengths
 *                     bad flaps random storm slow refuse chatter text data msi pin asleep hoard
 *     delay_ms=N      so long after the start (0: before RS_READY, that is, during the start)
 *     slow_ms=N       of `slow`: so long it computes; then it goes on as though nothing were
 *     times=N         only the first N incarnations misbehave (0: all)
 *     seed=N          of `random`: half a million kernel calls with senseless arguments, many of
 *                     them senseless requests to whom it may call; then exit
 *
 * `msi` is for QEMU's device edu (docs/specs/edu.rst of its source): each of its interrupts makes it
 * raise more, at once and for ever, and it comes back to its loop all the time.
 *
 * `pin` is for a card like e1000 without MSI: it has the chip assert its line, tells the kernel each
 * time that the interrupt was seen to, and the chip never, so the line stays asserted.
 *
 * `asleep` waits for DS alone, which has nothing to say.
 *
 * With a queue in its manifest it is a network driver without a network: what is sent is swallowed.
 * `garbage` fills the queue's own indices and chip area with noise, `lengths` completes frames that
 * nobody received, with impossible lengths; `bad` completes each buffer as soon as it is posted, as
 * one with a damaged frame; the link of `flaps` goes up and down all the time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/message.h"
#include "drivers/example/faulty/interrupts.h"
#include "lib/driver/netdriver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

#define MILLISECOND 1000000ull

static volatile uint64_t zero; /* what the compiler must not see through */

/* The value of NAME= in the manifest's parameters. */
static const char *parameter(const char *name)
{
    const char *p = service_info()->parameters;
    size_t n = strlen(name);

    for (; (p = strstr(p, name)) != 0; p += n)
        if (p[n] == '=')
            return p + n + 1;
    return "";
}

static void fault_exit(void)
{
    exit(3);
}
static void fault_panic(void)
{
    panic("fault on demand");
}
static void fault_null(void)
{
    *(volatile uint32_t *)zero = 1;
}
/* Looks at the kernel's log, and at its trace: it dies of what its manifest does not let it read. */
static void fault_listen_log(void)
{
    log_info("it sees the log: %x", *(volatile uint8_t *)KERNEL_LOG_RING);
}

static void fault_listen_trace(void)
{
    log_info("it sees the trace: %x", *(volatile uint8_t *)KERNEL_TRACE_RING);
}

static void fault_jump(void)
{
    ((void (*)(void))(zero + 0x123456789000))();
}
/* Code is not written, data is not run. */
static void fault_text(void)
{
    *(volatile uint8_t *)(uintptr_t)&fault_jump = 0xc3;
}

static void fault_data(void)
{
    static uint8_t code[] = {0xc3 /* ret */};

    ((void (*)(void))(zero + (uintptr_t)code))();
}

static void fault_privileged(void)
{
    __asm__ volatile("hlt");
}
static void fault_divide(void)
{
    zero = 1000 / zero;
}
static void fault_spin(void)
{
    for (;;)
        __asm__ volatile("nop"); /* not pause: with -icount QEMU gives that a turn each */
}

/* Busy with kernel calls, yet deaf: it never receives, so the heartbeat must find it. */
static void fault_deaf(void)
{
    for (;;)
        kernel_call6(KERNEL_NULL, 0, 0, 0, 0, 0, 0);
}
static void fault_flood(void)
{
    const struct service_info *info = service_info();
    endpoint_t to = info->queue.client ? info->queue.client : info->ds;

    for (;;)
        ipc_notify(to, info->queue.client ? NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number)
                                          : NOTIFY_BIT(NOTIFY_BIT_DS));
}

/* Far more to say than anybody wants to read. */
static void fault_chatter(void)
{
    uint64_t end;

    for (int i = 0; i < 3000; i++)
        log_info("chatter %d", i);
    end = clock_now() + 120000000; /* until it is heard again */
    while (clock_now() < end)
        ;
    log_info("enough said");
    exit(3);
}

/* A cheap sequence of noise. */
static void noise(void *to, size_t bytes)
{
    uint32_t x = 0x12345678;

    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525 + 1013904223;
        ((volatile uint8_t *)to)[i] = (uint8_t)(x >> 24);
    }
}

static void notify_client(void)
{
    const struct service_info *info = service_info();

    ipc_notify(info->queue.client, NOTIFY_BIT(NOTIFY_BIT_PEER + info->queue.number));
}

static void fault_garbage(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    if (q == 0)
        panic("garbage: no queue");
    noise((char *)q + QUEUE_CHIP_OFFSET, QUEUE_CHIP_SIZE);
    noise(&q->receive, sizeof q->receive);
    noise(&q->transmit, sizeof q->transmit);
    notify_client();
}
static void fault_lengths(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    if (q == 0)
        panic("lengths: no queue");
    for (uint32_t i = 0; i < NET_RING_SIZE; i++) {
        q->receive.entry[i].length = 0xfffffff0u + i;
        q->receive.entry[i].status = NET_FRAME_OK;
    }
    queue_publish(&q->receive.completed, q->receive.completed + 10);
    notify_client();
}
/* Somebody else drives, it says, whom nobody knows; and it breaks the rules. */
static void fault_stranger(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    if (q == 0)
        panic("stranger: no queue");
    q->header.driver = 0x12345678;
    queue_publish(&q->header.incarnation, q->header.incarnation + 7);
    fault_lengths();
}
static void fault_none(void)
{
}

/* What RS counts in its queue. */
static void fault_count(void)
{
    const struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    log_info("its device may have been kept from memory: %u",
             q ? queue_read(&q->header.refused) : 0);
}

/* Away for a while, and back. */
static void fault_slow(void)
{
    uint64_t end = clock_now() + strtoul(parameter("slow_ms"), 0, 10) * MILLISECOND;

    while (clock_now() < end)
        __asm__ volatile("nop");
}

/* It comes back to its loop all the time, and does nothing else there than this. */
static void loop_with(void (*step)(void))
{
    struct message m = {0};

    for (;;) {
        step();
        if (ipc_receive(ENDPOINT_ANY, &m, RECEIVE_POLL) == 0 && m.type != MESSAGE_NOTIFY)
            ipc_reply_result(message_caller(&m), -ENOSYS);
    }
}

/* Like an interrupt that it never acknowledges. */
static void fault_storm(void)
{
    loop_with(fault_none);
}

static void toggle_link(void)
{
    volatile struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    q->link_up = !q->link_up;
    notify_client();
}

static void fault_flaps(void)
{
    loop_with(toggle_link);
}

static bool damages; /* all that is posted */

/* The client posts the same buffers again, and says so: so this never ends. */
static void damage_frames(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;
    uint32_t posted, k;

    q->receive.driver_waits = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* as in serve_queue() */
    posted = queue_read(&q->receive.posted);
    k = q->receive.completed;
    if (k == posted)
        return;
    for (; k != posted; k++) {
        q->receive.entry[k % NET_RING_SIZE].length = 0;
        q->receive.entry[k % NET_RING_SIZE].status = NET_FRAME_BAD;
    }
    queue_publish(&q->receive.completed, posted);
    notify_client();
}

static void fault_bad(void)
{
    damages = true;
    damage_frames();
}

static void fault_asleep(void)
{
    struct message m = {0};

    ipc_receive(service_info()->ds, &m, 0);
}

/* More and more memory, until there is no more; then it goes on as though nothing were. */
static void fault_hoard(void)
{
    enum { PIECE = 65536 };

    for (uint8_t *piece; (piece = malloc(PIECE)) != 0;)
        *(volatile uint8_t *)piece = 1;
}

static void fault_refuse(void)
{
    exit(RS_EXIT_REFUSED);
}

static uint64_t random_state;

static uint64_t random_bits(void) /* splitmix64 */
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* An endpoint, an address, a number: right, nearly right or nonsense. */
static uint64_t random_argument(void)
{
    static uint64_t room[512];
    const struct service_info *info = service_info();
    const uint64_t good[] = {info->self,
                             info->rs,
                             info->ds,
                             info->vm,
                             info->pm,
                             ENDPOINT_SELF,
                             0,
                             1,
                             4096,
                             sizeof room,
                             ~0ull,
                             1ull << 47,
                             (1ull << 47) - 1,
                             1ull << 63,
                             (uint64_t)room,
                             (uint64_t)room + 4090,
                             (uint64_t)&random_state};
    uint64_t r = random_bits();

    switch (r & 7) {
    case 0:
        return r >> 3;
    case 1:
        return r >> 32 & 0xff;
    case 2:
        return good[(r >> 8) % (sizeof good / sizeof *good)] + (r >> 3 & 3) - 2;
    default:
        return good[(r >> 8) % (sizeof good / sizeof *good)];
    }
}

static void random_message(uint64_t number)
{
    static const uint16_t protocols[] = {
        PROTOCOL_RS, PROTOCOL_DS, PROTOCOL_VM, PROTOCOL_PM, PROTOCOL_VFS, PROTOCOL_FILE, 0};
    uint64_t r = random_bits();
    struct message m = {.type = protocols[r % 7] + (r >> 8 & 31)};
    endpoint_t to = (endpoint_t)random_argument();

    for (int i = 0; i < MESSAGE_WORDS; i++)
        m.w[i] = random_argument();
    kernel_message((long)number, to, &m,
                   number == KERNEL_FORWARD ? random_argument() : 1 + (r >> 16 & 0xfff));
}

static void fault_random(void)
{
    random_state = strtoul(parameter("seed"), 0, 10);
    for (int i = 0; i < 500000; i++) {
        uint64_t number = random_bits() % (KERNEL_CALLS + 2);

        if (number >= KERNEL_CALL && number <= KERNEL_LATE_ANSWER)
            random_message(number);
        else if (number != KERNEL_LOG)
            kernel_call6((long)number, (long)random_argument(), (long)random_argument(),
                         (long)random_argument(), (long)random_argument(), (long)random_argument(),
                         (long)random_argument());
    }
    exit(0);
}

static const struct {
    const char *name;
    void (*commit)(void);
} faults[] = {
    {"none", fault_none},
    {"count", fault_count},
    {"exit", fault_exit},
    {"panic", fault_panic},
    {"null", fault_null},
    {"jump", fault_jump},
    {"text", fault_text},
    {"data", fault_data},
    {"privileged", fault_privileged},
    {"divide", fault_divide},
    {"spin", fault_spin},
    {"deaf", fault_deaf},
    {"flood", fault_flood},
    {"garbage", fault_garbage},
    {"lengths", fault_lengths},
    {"bad", fault_bad},
    {"flaps", fault_flaps},
    {"stranger", fault_stranger},
    {"random", fault_random},
    {"storm", fault_storm},
    {"slow", fault_slow},
    {"msi", fault_msi},
    {"pin", fault_pin},
    {"asleep", fault_asleep},
    {"refuse", fault_refuse},
    {"hoard", fault_hoard},
    {"chatter", fault_chatter},
    {"listen_log", fault_listen_log},
    {"listen_trace", fault_listen_trace},
};

static void commit_fault(void)
{
    const char *name = parameter("fault");
    unsigned long times = strtoul(parameter("times"), 0, 10);

    if (times != 0 && service_info()->incarnation > times)
        return;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        size_t n = strlen(faults[i].name);

        if (strncmp(name, faults[i].name, n) == 0 && (name[n] == ' ' || name[n] == 0)) {
            log_info("fault on demand: %s", faults[i].name);
            faults[i].commit();
            return;
        }
    }
}

/* What a network driver must do for its client: say who it is, and give back what was sent. */
static void serve_queue(void)
{
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    if (q == 0 || !queue_read(&q->header.client_ready))
        return;
    q->transmit.driver_waits = 1;
    __atomic_thread_fence(
        __ATOMIC_SEQ_CST); /* it before the index: the client does it the other way round */
    queue_publish(&q->transmit.completed, queue_read(&q->transmit.posted));
    if (q->transmit.client_waits)
        notify_client();
}
static void announce_queue(void)
{
    static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x66};
    struct net_queue *q = (struct net_queue *)(uintptr_t)service_info()->queue.address;

    if (q == 0)
        return;
    memcpy(q->mac, mac, sizeof mac);
    q->header.driver = service_info()->self;
    q->header.driver_state = QUEUE_DRIVER_RESET;
    q->mtu = 1500;
    q->link_up = 1;
    q->header.ready_ns = clock_now();
    queue_publish(&q->header.incarnation, service_info()->incarnation);
    notify_client();
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        commit_fault();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ))
        interrupts_go_on();
    if (damages)
        damage_frames();
    serve_queue();
}

int main(void)
{
    unsigned long delay = strtoul(parameter("delay_ms"), 0, 10);

    if (delay == 0)
        commit_fault();
    announce_queue();
    service_ready(RS_READY_RESET);
    serve_queue();
    if (delay != 0)
        clock_alarm(clock_now() + delay * MILLISECOND);
    service_run(&(struct service_table){.notified = notified, .shutdown = fault_none});
}
