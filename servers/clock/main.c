/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * /dev/rtc0 as in Linux, rtc(4): the time of the hardware's clock is read and set. There are no
 * interrupts, so no alarms and nothing to read(). A program waits here until the driver has done
 * what it wants, and while there is none because it is being replaced.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "abi/proto/pm.h"
#include "lib/fs/fs.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "servers/clock/clock.h"

enum { CLOCK_MAJOR = 254, MINOR = 0, NODE = 1 };
#define WAITERS ENDPOINT_SLOTS /* whoever waits, nobody else is sent away for want of a place */
#define LONGEST (10 * NS) /* that one waits, then it is EIO */
#define LOOK (NS / 2) /* how often it is looked after those that wait */

/* linux/rtc.h */
struct rtc_time {
    int32_t second, minute, hour, day, month, year, weekday, yearday, isdst;
};
#define RTC_RD_TIME 0x80247009u
#define RTC_SET_TIME 0x4024700au
_Static_assert(sizeof(struct rtc_time) == 36, "as the numbers of the ioctls say");

static struct waiter {
    struct message request;
    struct clock_request wants;
    uint64_t since;
} waiters[WAITERS]; /* in the order in which they came; the driver has the first one's, if any */
static unsigned waiter_count;
static bool is_asked; /* the driver, what the first one wants */
static struct clock_request wants; /* of the program that is being put off */
static const struct clock_answer *answer; /* for the program whose request is handled; NULL: none */

/* ---- one program ---- */

static long put_off(struct clock_request request)
{
    if (driver_is_gone())
        return -ENODEV;
    if (waiter_count == WAITERS)
        return -EBUSY;
    wants = request;
    return FS_LATER;
}

static long read_time(endpoint_t program, uint64_t to)
{
    struct rtc_time out;
    struct tm t;
    time_t time;

    if (!answer)
        return put_off((struct clock_request){.operation = CLOCK_READ});
    if (answer->status < 0)
        return answer->status;
    time = answer->seconds;
    gmtime_r(&time, &t);
    out = (struct rtc_time){t.tm_sec,  t.tm_min,  t.tm_hour, t.tm_mday, t.tm_mon,
                            t.tm_year, t.tm_wday, t.tm_yday, 0};
    return copy_to(program, to, &out, sizeof out);
}

/* -EINVAL: there is no such time. */
static long seconds_of(const struct rtc_time *in, int64_t *seconds)
{
    struct tm t = {.tm_sec = in->second,
                   .tm_min = in->minute,
                   .tm_hour = in->hour,
                   .tm_mday = in->day,
                   .tm_mon = in->month,
                   .tm_year = in->year};

    if (in->second < 0 || in->second > 59 || in->minute < 0 || in->minute > 59 || in->hour < 0 ||
        in->hour > 23 || in->day < 1 || in->day > 31 || in->month < 0 || in->month > 11 ||
        in->year < 70 || in->year > 199)
        return -EINVAL;
    *seconds = timegm(&t);
    return t.tm_mday == in->day ? 0 : -EINVAL; /* 30 February became 2 March */
}

static bool is_root(endpoint_t program)
{
    struct message ask =
        message_of(PM_CREDENTIALS, (struct pm_thread_request){.thread = (uint64_t)program});
    const struct pm_credentials_reply *who = message_words(&ask);

    return ipc_call(service_info()->pm, &ask) >= 0 && who->euid == 0;
}

static long set_time(endpoint_t program, uint64_t from)
{
    struct rtc_time in;
    int64_t seconds = 0;
    long result;

    if (answer)
        return answer->status;
    if (!is_root(program))
        return -EACCES;
    result = copy_from(program, from, &in, sizeof in);
    if (result == 0)
        result = seconds_of(&in, &seconds);
    if (result < 0)
        return result;
    return put_off((struct clock_request){
        .operation = CLOCK_SET, .set_ns = (uint64_t)seconds * NS, .set_at_ns = clock_now()});
}

static long ioctl_node(uint64_t node, uint64_t request, uint64_t argument, endpoint_t program)
{
    if (node != NODE)
        return -ENXIO;
    if ((uint32_t)request == RTC_RD_TIME)
        return read_time(program, argument);
    return (uint32_t)request == RTC_SET_TIME ? set_time(program, argument) : -ENOTTY;
}

/* ---- those that wait ---- */

static void later(const struct message *request)
{
    waiters[waiter_count++] = (struct waiter){*request, wants, clock_now()};
}

static void take_out(unsigned i)
{
    waiter_count--;
    memmove(&waiters[i], &waiters[i + 1], (waiter_count - i) * sizeof waiters[0]);
    if (i == 0)
        is_asked = false;
}

static void finish(unsigned i, const struct clock_answer *with)
{
    struct message request = waiters[i].request;

    take_out(i);
    answer = with;
    fs_retry(&request);
    answer = NULL;
}

void clock_answered(const struct clock_answer *with)
{
    if (is_asked)
        finish(0, with);
}

static long cancel(endpoint_t program)
{
    for (unsigned i = 0; i < waiter_count; i++)
        if (message_caller(&waiters[i].request) == program) {
            take_out(i);
            return 1;
        }
    return 0;
}

/* A driver that will not come, or takes too long. */
static void give_up(void)
{
    const struct clock_answer failed = {.status = -EIO};
    uint64_t now = clock_now();
    bool all = waiter_count && driver_is_gone();

    while (waiter_count && (all || now - waiters[0].since >= LONGEST))
        finish(0, &failed);
}

static void notified(uint64_t bits)
{
    driver_notified(bits);
    if (bits & (NOTIFY_BIT(NOTIFY_BIT_SERVICES) | NOTIFY_BIT(NOTIFY_BIT_ALARM)))
        give_up();
}

static void idle(void)
{
    static uint64_t alarm;
    uint64_t now = clock_now();

    if (waiter_count && !is_asked && driver_is_free()) {
        is_asked = true;
        driver_ask(&waiters[0].wants);
    }
    if (waiter_count && alarm <= now)
        clock_alarm(alarm = now + LOOK);
}

/* ---- files ---- */

static long attributes(uint64_t node, struct fs_attributes *out)
{
    *out = (struct fs_attributes){
        .mode = S_IFCHR | 0600, .links = 1, .rdev = makedev(CLOCK_MAJOR, MINOR)};
    out->atime_ns = out->mtime_ns = out->ctime_ns = realtime_now();
    return node == NODE ? 0 : -ESTALE;
}

static long open_node(uint64_t node, uint32_t flags, uint64_t *use)
{
    (void)flags;
    *use = NODE;
    if (node != MINOR && node != NODE)
        return -ENXIO;
    return driver_is_gone() ? -ENODEV : 0;
}

static long refuse(uint64_t node, struct fs_transfer *t)
{
    (void)node;
    (void)t;
    return -EINVAL;
}

static long poll_node(uint64_t node, uint64_t events, bool tell)
{
    (void)node;
    (void)events;
    (void)tell;
    return 0; /* there are no interrupts to wait for */
}

int main(void)
{
    static const struct fs_operations operations = {
        .root = NODE,
        .attributes = attributes,
        .open = open_node,
        .read = refuse,
        .write = refuse,
        .ioctl = ioctl_node,
        .poll = poll_node,
        .cancel = cancel,
        .later = later,
        .notified = notified,
        .idle = idle,
    };

    driver_begin();
    if (service_publish("chr/254") < 0)
        panic("chr/254 is published by somebody else");
    fs_serve(&operations);
}
