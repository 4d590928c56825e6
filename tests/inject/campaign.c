/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Has work go on, waits for the host to name a fault, puts it into a running driver, and tells what
 * became of it:
 *
 *     campaign WORK ARGUMENT DRIVER
 *
 * The host stops the machine while this waits, and lets it go on from there with one fault after
 * the other, each as though it were the first (tools/campaign_machine.py). Lines of JSON go to the
 * kernel's log, which reaches the host whatever the serial port does; tools/campaign says what they
 * mean. At the end the driver is taken down and up again, and all that the work has left is looked
 * at. All times are the guest's.
 *
 * A fault in the driver's program itself (inject.c, `image`) is every copy's. Then fresh ones are asked
 * for, too, and what is expected is that it goes on with them, or is given up in time and whoever
 * uses it is told. The program is healed before the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "campaign.h"

enum {
    START = 30000, /* ms for the first unit of work */
    SETTLE = 1500, /* "settled": a serial port is tested when nothing moves */
    TRIGGER = 250, /* for the fault to be reached */
    TRIGGER_DISK = 1000,
    OBSERVE = 500, /* from then on, at least */
    STALL = 10000, /* without a unit: it has stopped for good */
    STALL_DISK = 45000, /* the same when three requests of 10 s may have to fail first */
    LIMP = 40000, /* it comes to life again and again, but goes on no more: it is slow */
    BREATH = 2000, /* we say that we are there */
    CHECK = 60000, /* to look at all that there is */
    FLOWS = 60, /* the last unit is not older: it goes on */
    SAMPLE = 100, /* to count units */
    BACK = 15000, /* for a healthy driver to be at work */
    QUIET = 2000, /* an ill program: nothing has been found for so long, */
    STEADY = 500, /* and it goes on without a break */
    ENDLESS = 75000, /* the same: it should have been given up after a minute */
    FAILING = 15000, /* or each call has ended with an error for so long, */
    SOON = 1000, /* and that at once */
    OF_USE = 15000, /* or the work has gone on meanwhile, not longer ago than that */
    TOLD = 15000, /* who uses what is given up has an error by then */
};

static struct progress *work;
static const char *driver;
static bool is_disk;
static bool is_image; /* the fault is in the program */

/* Programs still run: the host sees the difference to a system that stands still. */
static void breathe(void)
{
    static uint64_t last;

    if (now() - last < BREATH * MS)
        return;
    last = now();
    say("campaign {\"state\":\"alive\"}\n");
}

static void rest(unsigned us)
{
    breathe();
    usleep(us);
}

/* One write or read of a file: bytes, or -errno. */
static long put(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    long n = fd < 0 ? -errno : write(fd, text, strlen(text));

    n = n < 0 && fd >= 0 ? -errno : n;
    if (fd >= 0)
        close(fd);
    return n;
}

static void control(const char *what)
{
    char line[80];

    snprintf(line, sizeof line, "%s %s\n", what, driver);
    put("/proc/bardo/control", line);
}

/* The driver's state, as in `service list`. */
static void state_of_driver(char state[16])
{
    FILE *file = fopen("/proc/bardo/services", "r");
    char line[400], name[32], found[32];

    strcpy(state, "unknown");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %*u %31s", name, found) == 2 && strcmp(name, driver) == 0)
            snprintf(state, 16, "%.15s", found);
    if (file)
        fclose(file);
}

/* Whether that is somebody's illness: not what we ask for. */
static bool is_found(const char *defect)
{
    return strcmp(defect, "killed") != 0 && strcmp(defect, "update") != 0;
}

/* Of those with a number beyond `after` and not of the driver: the first's name, or "". */
static void others(unsigned long after, char other[32])
{
    FILE *file = fopen("/proc/recovery", "r");
    char line[600], name[32];
    unsigned long number;

    other[0] = 0;
    while (file && !other[0] && fgets(line, sizeof line, file))
        if (sscanf(line, "%lu %31s", &number, name) == 2 && number > after &&
            strcmp(name, driver) != 0)
            strcpy(other, name);
    if (file)
        fclose(file);
}

static unsigned long replaced; /* how many there were */

/* The driver's recoveries with a number beyond `after`, as a JSON array of [defect, detail, how,
 * clock when found] of the first few; the highest number of all is returned. */
static unsigned long recoveries(unsigned long after, char *text, size_t room)
{
    FILE *file = fopen("/proc/recovery", "r");
    char line[600], name[32], defect[32], detail[32], how[32];
    unsigned long number, highest = after;
    unsigned long long found;
    size_t used = 0;

    text[0] = 0;
    replaced = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lu %31s %31s %31s %*s %*s %*s %31s %llu", &number, name, defect, detail,
                   how, &found) != 6 ||
            number <= after)
            continue;
        highest = number;
        if (strcmp(name, driver) == 0 && !(is_image && !is_found(defect)) && replaced++ < 4)
            used += (size_t)snprintf(text + used, room - used, "%s[\"%s\",%s,\"%s\",%llu]",
                                     used ? "," : "", defect, detail, how, found);
    }
    if (file)
        fclose(file);
    return highest;
}

static bool flows(void)
{
    return now() - work->last < FLOWS * MS;
}

/* Until work goes on, and has for a few units. */
static bool wait_for_work(unsigned ms)
{
    uint64_t until = now() + ms * MS, begin = work->done;

    while (now() < until) {
        if (work->done >= begin + 3 && flows())
            return true;
        rest(5000);
    }
    return false;
}

static void pause_work(void)
{
    work->pause = 1;
    for (int i = 0; i < 100 && !work->paused; i++)
        rest(10000);
}

static void down_and_up(void)
{
    char state[16] = "";

    pause_work();
    control("down");
    for (int i = 0; i < 200; i++) {
        state_of_driver(state);
        if (strcmp(state, "down") == 0 || strcmp(state, "given-up") == 0)
            break; /* (an ill one may take long for it: "slow") */
        rest(10000);
    }
    control("up");
    work->pause = 0;
}

/* A healthy copy, with a device set up anew. A disk that is down is gone for those who use it. */
static bool renew(void)
{
    char state[16];

    state_of_driver(state);
    if (is_disk)
        control(strcmp(state, "given-up") == 0 ? "up" : "reset");
    else
        down_and_up();
    return wait_for_work(BACK);
}

/* The injector's answer: its word, and the clock of the trigger. */
static void ask_injector(char word[16], unsigned long long *when)
{
    char line[100] = "", what[16] = "";
    int fd = open("/tmp/inject", O_RDONLY);

    if (fd >= 0 && read(fd, line, sizeof line - 1) <= 0)
        line[0] = 0;
    if (fd >= 0)
        close(fd);
    *when = 0;
    strcpy(word, "none");
    sscanf(line, "%15s %llu %*s %15s", word, when, what);
    is_image = strcmp(what, "image") == 0;
}

static bool wait_for_trigger(char word[16], unsigned long long *when)
{
    uint64_t until = now() + (is_disk ? TRIGGER_DISK : TRIGGER) * MS;
    bool is_late;

    do { /* (once more when it is late: the fault may have kept the processor from us) */
        is_late = now() >= until;
        ask_injector(word, when);
        if (strcmp(word, "armed") != 0)
            break;
        rest(2000);
    } while (!is_late);
    return strcmp(word, "triggered") == 0;
}

enum pace { GOES_ON, STALLS, LIMPS, GIVEN_UP, NEVER_GIVEN_UP, FAILS };

/* Until the work goes on again, or it is clear that it does not. As long as RS replaces one copy
 * after the other it has noticed, and its budget sees to an end. */
static enum pace pace_of_work(uint64_t since)
{
    uint64_t noticed = since;
    char list[300];
    unsigned long seen = recoveries(0, list, sizeof list), number;
    uint64_t last = since;

    for (;;) {
        uint64_t at = now();

        if ((number = recoveries(0, list, sizeof list)) != seen)
            last = noticed = at;
        seen = number;
        last = work->last > last ? work->last : last;
        if (at - since > OBSERVE * MS && flows())
            return GOES_ON;
        if (at > last && at - last > (is_disk ? STALL_DISK : STALL) * MS)
            return STALLS;
        if (at - noticed > (is_disk ? STALL_DISK : 0) * MS + LIMP * MS)
            return LIMPS;
        rest(5000);
    }
}

struct outcome {
    char state[16];
    enum pace pace;
    bool cured;
    unsigned long long rate; /* units in SAMPLE ms, once all is quiet */
    unsigned long long until_given_up; /* ns */
    bool told; /* that it is given up; or nobody has to be */
};

/* ---- a program that is ill in all its copies ---- */

/* The copies at work have it, too. What these do not come by, a fresh one may, and one whose device
 * is reset. Not when something has been found by itself. */
static void provoke(unsigned long last)
{
    static const char *const with[] = {"kill", "reset"};
    char list[300];

    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        rest((is_disk ? TRIGGER_DISK : TRIGGER) * 1000);
        recoveries(last, list, sizeof list);
        if (list[0])
            return;
        control(with[i]);
    }
}

static bool is_given_up(char state[16])
{
    state_of_driver(state);
    return strcmp(state, "given-up") == 0 || strcmp(state, "refused") == 0;
}

/* Until it goes on, is given up, or neither: then it is as it were a stall or for ever. */
static enum pace pace_of_ill(uint64_t since, char state[16])
{
    char list[300];
    unsigned long seen = 0, number;
    uint64_t found = since, flown = since; /* flown: since then it does */
    uint64_t errors = work->errors, failed = 0; /* failed: when the last error was seen */

    for (;;) {
        uint64_t at = now(), last;

        if ((number = recoveries(0, list, sizeof list)) != seen)
            found = at;
        seen = number;
        flown = flows() ? flown : at;
        failed = work->errors != errors ? at : failed;
        errors = work->errors;
        last = work->last > found ? work->last : found;
        if (is_given_up(state))
            return GIVEN_UP;
        if (at - found > QUIET * MS && at - flown > STEADY * MS)
            return GOES_ON;
        if (at > last && at - last > FAILING * MS && at - failed < SOON * MS)
            return FAILS;
        if (at > last && at - last > (is_disk ? STALL_DISK : STALL) * MS)
            return STALLS;
        if (at - found > (is_disk ? STALL_DISK : 0) * MS + LIMP * MS)
            return LIMPS;
        if (at - since > ENDLESS * MS)
            return at - work->last < OF_USE * MS ? GOES_ON : NEVER_GIVEN_UP;
        rest(20000);
    }
}

static void watch_ill(struct outcome *o, uint64_t since)
{
    uint64_t told, errors, at;

    o->pace = pace_of_ill(since, o->state);
    if (o->pace == STALLS) {
        control("kill");
        o->cured = wait_for_work(BACK);
    }
    at = now();
    told = work->done;
    if (o->pace == GOES_ON)
        rest(SAMPLE * 1000);
    o->rate = work->done - told;
    if (o->pace != GIVEN_UP)
        return;
    told = work->told;
    errors = work->errors;
    o->until_given_up = at - since;
    while (work->told == told && work->errors == errors && now() - at < TOLD * MS)
        rest(20000);
    o->told = work->told != told || work->errors != errors;
}

/* ---- */

static void watch(struct outcome *o, uint64_t since)
{
    uint64_t before;

    o->pace = pace_of_work(since);
    state_of_driver(o->state);
    if (o->pace == STALLS) {
        control(strcmp(o->state, "up") == 0 ? "kill" : "up");
        o->cured = wait_for_work(BACK);
        return;
    }
    before = work->done;
    rest(SAMPLE * 1000);
    o->rate = work->done - before;
}

/* Everything that the work has left, once more. False: it does not come to an end. */
static bool check_all(void)
{
    uint64_t until = now() + CHECK * MS;

    work->check = 1;
    while (work->check && now() < until)
        rest(5000);
    return !work->check;
}

/* The fault has been accepted; `last` is the number of the last recovery before it. */
static void one_fault(unsigned long last)
{
    struct outcome o = {.told = true};
    unsigned long long when;
    char word[16], list[300], other[32];
    bool is_back, is_checked = false;
    uint64_t since;

    if (!wait_for_trigger(word, &when) && strcmp(word, "gone") != 0 && strcmp(word, "same") != 0) {
        say("campaign {\"state\":\"%s\"}\n", word);
        return;
    }
    say("campaign {\"state\":\"begin\"}\n");
    work->gap = 0;
    since = now();
    if (is_image) {
        provoke(last);
        watch_ill(&o, since);
    } else {
        watch(&o, since);
    }
    recoveries(last, list, sizeof list);
    if (strcmp(word, "same") == 0) { /* the host has seen what is reached */
        say("campaign {\"state\":\"same\"}\n");
        return;
    }
    put("/tmp/inject", "heal\n");
    is_back = renew();
    if (is_back)
        is_checked = check_all();
    others(last, other);
    say("campaign "
        "{\"state\":\"%s\",\"when\":%llu,\"up\":\"%s\",\"stalled\":%d,\"slow\":%d,\"cured\":%d,"
        "\"back\":%d,\"checked\":%d,\"wrong\":%llu,\"errors\":%llu,\"gap\":%llu,\"rate\":%llu,"
        "\"endless\":%d,\"fails\":%d,\"told\":%d,\"errno\":%d,\"given_up_ms\":%llu,\"other\":\"%"
        "s\","
        "\"replaced\":%lu,"
        "\"recoveries\":[%s]}\n",
        word, when, o.state, o.pace == STALLS, o.pace == LIMPS, o.cured, is_back, is_checked,
        (unsigned long long)work->wrong, (unsigned long long)work->errors,
        (unsigned long long)(work->gap / 1000), o.rate, o.pace == NEVER_GIVEN_UP, o.pace == FAILS,
        o.told, (int)work->told_error, (unsigned long long)(o.until_given_up / MS), other, replaced,
        list);
}

static void start_work(const char *name, const char *argument)
{
    static const struct {
        const char *name;
        void (*run)(struct progress *, const char *);
    } works[] = {{"net", work_net}, {"disk", work_disk}, {"serial", work_serial}};

    work = mmap(NULL, sizeof *work, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (work == MAP_FAILED)
        exit(2);
    work->last = now();
    for (size_t i = 0; i < sizeof works / sizeof *works; i++)
        if (strcmp(works[i].name, name) == 0 && fork() == 0)
            works[i].run(work, argument);
}

int main(int count, char **arguments)
{
    char list[300];
    unsigned long last;
    long error;

    if (!say_begin() || count < 4)
        return 2;
    driver = arguments[3];
    is_disk = strcmp(arguments[1], "disk") == 0;
    mknod("/tmp/inject", S_IFCHR | 0600, makedev(240, 0));
    start_work(arguments[1], arguments[2]);
    if (!wait_for_work(START)) {
        say("campaign {\"state\":\"no work\"}\n");
        return 3;
    }
    put("/tmp/inject", "ticks\n");
    last = recoveries(0, list, sizeof list);
    if (!is_disk)
        pause_work();
    if (!is_disk && count > 4) /* "settled" */
        rest(SETTLE * 1000);
    say("campaign {\"state\":\"ready\"}\n");
    while ((error = put("/tmp/inject", "host\n")) == -EAGAIN)
        usleep(20000);
    work->pause = 0;
    if (error < 0)
        say("campaign {\"state\":\"refused\",\"error\":%ld}\n", error);
    else
        one_fault(last);
    return 0;
}
