/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work of every kind goes on, and one bit after the other of a server flips; after each it waits
 * until all the works have gone on, tells what became of it, and flips it back where nobody has
 * written there since. So the next is as though it were the first. The host says which
 * (tools/flips):
 *
 *     flips VICTIM SEED FIRST COUNT [live]
 *
 * At anything that is to be seen (a death, an error, wrong data) it stops after that flip. In the
 * end all that the works have left is looked at. Lines of JSON go to the kernel's log. All times are
 * the guest's.
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
#include <sys/wait.h>
#include <unistd.h>

#include "flips.h"

enum {
    WORKS_MAX = 12,
    START = 30000, /* ms, for all works to have begun */
    OBSERVE = 60, /* after a flip, at least */
    UNITS = 2, /* of each work, at least */
    STALL = 8000, /* one of them has not done so many */
    CHECK = 30000, /* to look at all that there is */
    DELAY = 15000, /* us: at most, before a flip */
    BREATH = 1000, /* we say that we are there */
};

const struct flip_work flip_works[] = {
    {"ram", work_files, "/tmp/work"},
    {"ext4", work_files, "/dev/sda1"},
    {"pipe", work_pipe, ""},
    {"stream", work_stream, ""},
    {"local", work_local, ""},
    {"process", work_process, ""},
    {"memory", work_memory, ""},
    {"proc", work_proc, ""},
    {"control", work_control, "e1000"},
    {"echo", work_net, "10.0.2.2"},
};
const unsigned flip_work_count = sizeof flip_works / sizeof *flip_works;

static struct progress *works;
static pid_t pids[WORKS_MAX];
static int device; /* the injector's for flips */
static char live[8]; /* its command's last word, or nothing */

uint64_t chance(uint64_t below)
{
    static uint64_t state = 7;

    state = state * 6364136223846793005ull + 1442695040888963407ull;
    return (state >> 33) % below;
}

static void rest(unsigned us)
{
    static uint64_t last;

    if (now() - last > BREATH * MS) {
        last = now();
        say("campaign {\"state\":\"alive\"}\n");
    }
    usleep(us);
}

/* Bytes, or -errno. */
static long put(int fd, const char *text)
{
    long n = write(fd, text, strlen(text));

    return n < 0 ? -errno : n;
}

static void start_works(void)
{
    works = mmap(NULL, WORKS_MAX * sizeof *works, PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (works == MAP_FAILED)
        exit(2);
    for (unsigned i = 0; i < flip_work_count; i++) {
        works[i].last = now();
        pids[i] = fork();
        if (pids[i] == 0)
            flip_works[i].run(&works[i], flip_works[i].argument);
    }
}

/* One that has not done `units` since its `before`; NULL: all have. */
static const char *who_is_late(const uint64_t *before, unsigned units)
{
    for (unsigned i = 0; i < flip_work_count; i++)
        if (works[i].done < before[i] + units)
            return flip_works[i].name;
    return NULL;
}

static void count_units(uint64_t *before)
{
    for (unsigned i = 0; i < flip_work_count; i++)
        before[i] = works[i].done;
}

/* Until all works have done something and so many ms are over; else who has not. */
static const char *wait_for_works(unsigned least, unsigned most)
{
    uint64_t before[WORKS_MAX], begin = now();
    const char *late;

    count_units(before);
    while ((late = who_is_late(before, UNITS)) && now() < begin + most * MS)
        rest(3000);
    while (!late && now() < begin + least * MS)
        rest(3000);
    return late;
}

/* ---- what is to be seen ---- */

struct seen {
    uint64_t wrong, errors;
    char who[80]; /* names of works that have met either, or have ended */
    unsigned ended;
};

static void name_it(struct seen *s, const char *name)
{
    size_t used = strlen(s->who);

    if (!strstr(s->who, name))
        snprintf(s->who + used, sizeof s->who - used, "%s%s", used ? " " : "", name);
}

static void look(struct seen *s)
{
    *s = (struct seen){0};
    for (unsigned i = 0; i < flip_work_count; i++) {
        s->wrong += works[i].wrong;
        s->errors += works[i].errors;
        if (pids[i] > 0 && waitpid(pids[i], NULL, WNOHANG) == pids[i])
            pids[i] = -1;
        s->ended += pids[i] < 0;
        if (works[i].wrong || works[i].errors || pids[i] < 0)
            name_it(s, flip_works[i].name);
    }
    s->errors += say_errors();
    if (say_errors())
        name_it(s, "main");
}

/* Deaths with a number beyond *last but those that the work makes, as a JSON array of [who, defect,
 * detail, how]; *last is the highest number then. */
static unsigned deaths(unsigned long *last, char *text, size_t room)
{
    FILE *file = fopen("/proc/recovery", "r");
    char line[600], name[32], defect[32], detail[32], how[32];
    unsigned long number, after = *last;
    unsigned count = 0;
    size_t used = 0;

    text[0] = 0;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%lu %31s %31s %31s %*s %*s %*s %31s", &number, name, defect, detail,
                   how) != 5 ||
            number <= after)
            continue;
        *last = number > *last ? number : *last;
        if (strcmp(defect, "killed") == 0 && strcmp(name, "e1000") == 0)
            continue;
        if (count++ < 4)
            used += (size_t)snprintf(text + used, room - used, "%s[\"%s\",\"%s\",\"%s\",\"%s\"]",
                                     used ? "," : "", name, defect, detail, how);
    }
    if (file)
        fclose(file);
    return count;
}

/* ---- the flips ---- */

struct place {
    unsigned long long when, address;
    long error;
    unsigned bit;
    int shared, back;
};

static bool ask_injector(struct place *place)
{
    char line[120] = "";
    ssize_t n = read(device, line, sizeof line - 1);

    return n > 0 && sscanf(line, "flipped %llu %ld %llx %u %d %d", &place->when, &place->error,
                           &place->address, &place->bit, &place->shared, &place->back) == 6;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = a * 0x9e3779b97f4a7c15ull + b;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

/* 0 or -errno. */
static long flip(const char *victim, uint64_t seed, struct place *place)
{
    uint64_t until = now() + 2000 * MS;
    char line[100];
    long error;

    snprintf(line, sizeof line, "flip %s %llu %llu %s\n", victim, (unsigned long long)seed >> 1,
             (unsigned long long)(seed % DELAY) * 1000, live);
    error = put(device, line);
    if (error < 0)
        return error;
    while (!ask_injector(place)) {
        if (now() > until)
            return -ETIMEDOUT;
        rest(1000);
    }
    return place->error;
}

/* True: the next may follow. */
static bool one_flip(const char *victim, uint64_t seed, uint64_t n, unsigned long *last)
{
    struct place place = {0};
    long error = flip(victim, mix(seed, n), &place);
    const char *stalled = wait_for_works(OBSERVE, STALL);
    char list[300];
    struct seen seen;
    unsigned died;

    look(&seen);
    died = deaths(last, list, sizeof list);
    if (!stalled && !died && !seen.wrong && !seen.errors && !seen.ended && !error) {
        put(device, "unflip\n");
        ask_injector(&place);
    }
    say("campaign {\"state\":\"flip\",\"n\":%llu,\"error\":%ld,\"when\":%llu,\"at\":%llu,"
        "\"bit\":%u,\"shared\":%d,\"back\":%d,\"stalled\":\"%s\",\"wrong\":%llu,\"errors\":%llu,"
        "\"ended\":%u,\"who\":\"%s\",\"deaths\":[%s]}\n",
        (unsigned long long)n, error, place.when, place.address, place.bit, place.shared,
        place.back, stalled ? stalled : "", (unsigned long long)seen.wrong,
        (unsigned long long)seen.errors, seen.ended, seen.who, list);
    return !stalled && !died && !seen.wrong && !seen.errors && !seen.ended && !error;
}

/* False: it does not come to an end. */
static bool check_all(void)
{
    uint64_t until = now() + CHECK * MS;
    bool checks = true;

    for (unsigned i = 0; i < flip_work_count; i++)
        works[i].check = flip_works[i].run == work_files;
    while (checks && now() < until) {
        checks = false;
        for (unsigned i = 0; i < flip_work_count; i++)
            checks |= works[i].check != 0;
        rest(3000);
    }
    return !checks;
}

static void campaign(char *line)
{
    char victim[32], list[300];
    unsigned long long seed, first, count, n;
    unsigned long last = 0;
    struct seen seen;
    bool checked;

    if (sscanf(line, "flips %31s %llu %llu %llu %7s", victim, &seed, &first, &count, live) < 4) {
        say("campaign {\"state\":\"refused\"}\n");
        return;
    }
    deaths(&last, list, sizeof list);
    wait_for_works(0, STALL);
    for (n = first; n < first + count && one_flip(victim, seed, n, &last); n++)
        continue;
    checked = check_all();
    look(&seen);
    deaths(&last, list, sizeof list);
    say("campaign {\"state\":\"end\",\"checked\":%d,\"wrong\":%llu,\"errors\":%llu,\"ended\":%u,"
        "\"who\":\"%s\",\"deaths\":[%s]}\n",
        checked, (unsigned long long)seen.wrong, (unsigned long long)seen.errors, seen.ended,
        seen.who, list);
}

static void stop_works(bool stop)
{
    for (unsigned i = 0; i < flip_work_count; i++)
        works[i].pause = stop;
    for (unsigned i = 0; stop && i < flip_work_count; i++)
        for (int tries = 0; tries < 200 && !works[i].paused; tries++)
            rest(5000);
}

int main(void)
{
    char line[256] = "";
    const char *late;
    int host;

    mknod("/tmp/inject", S_IFCHR | 0600, makedev(240, 0));
    mknod("/tmp/flip", S_IFCHR | 0600, makedev(240, 2));
    host = open("/tmp/inject", O_RDWR);
    device = open("/tmp/flip", O_RDWR);
    if (!say_begin() || host < 0 || device < 0)
        return 2;
    start_works();
    late = wait_for_works(0, START);
    if (late) {
        say("campaign {\"state\":\"no work\",\"who\":\"%s\"}\n", late);
        return 3;
    }
    put(host, "ticks\n");
    stop_works(true);
    say("campaign {\"state\":\"ready\"}\n");
    while (put(host, "host\n") == -EAGAIN)
        usleep(20000);
    stop_works(false);
    if (read(host, line, sizeof line - 1) > 0)
        campaign(line);
    return 0;
}
