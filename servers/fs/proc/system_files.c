/* SPDX-License-Identifier: BSD-2-Clause */
#include <cpuid.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/block/disks.h"
#include "servers/fs/proc/files.h"

enum { PROCESSES_MAX = ENDPOINT_SLOTS };

static void cpu_name(char name[49])
{
    unsigned words[12] = {0};

    for (unsigned i = 0; i < 3; i++)
        __get_cpuid(0x80000002 + i, &words[4 * i], &words[4 * i + 1], &words[4 * i + 2],
                    &words[4 * i + 3]);
    memcpy(name, words, 48);
    name[48] = 0;
}

void write_cpuinfo(struct text *t, const struct process *p)
{
    const struct kernel_info *info = kernel_info();
    unsigned vendor[4] = {0}, leaf, signature = 0, b, c, d;
    char name[49], maker[13] = {0};

    (void)p;
    __get_cpuid(0, &leaf, &vendor[0], &vendor[2], &vendor[1]);
    __get_cpuid(1, &signature, &b, &c, &d);
    memcpy(maker, vendor, 12);
    cpu_name(name);
    for (unsigned i = 0; i < info->cpus; i++) {
        text_add(
            t,
            "processor\t: %u\nvendor_id\t: %s\ncpu family\t: %u\nmodel\t\t: %u\nmodel name\t: %s\n",
            i, maker, signature >> 8 & 15, (signature >> 4 & 15) | (signature >> 12 & 0xf0), name);
        text_add(t, "stepping\t: %u\ncpu MHz\t\t: %llu.%03llu\n\n", signature & 15,
                 (unsigned long long)info->tsc_hz / 1000000,
                 (unsigned long long)info->tsc_hz / 1000 % 1000);
    }
}

void write_meminfo(struct text *t, const struct process *p)
{
    const struct kernel_info *info = kernel_info();
    unsigned long long total = info->frames_total * 4, free = info->frames_free * 4;

    (void)p;
    text_add(t, "MemTotal:       %8llu kB\nMemFree:        %8llu kB\nMemAvailable:   %8llu kB\n",
             total, free, free);
    text_add(
        t,
        "Buffers:               0 kB\nCached:                0 kB\nSwapCached:            0 kB\n");
    text_add(t, "SwapTotal:             0 kB\nSwapFree:              0 kB\nDirty:                 "
                "0 kB\nShmem:                 0 kB\n");
}

/* CPU time that everybody alive has used. */
static void busy(uint64_t *user_ns, uint64_t *system_ns, int *running, int *count)
{
    static int pids[PROCESSES_MAX];
    struct process p;

    *user_ns = *system_ns = 0;
    *running = 0;
    *count = process_list(pids, PROCESSES_MAX);
    for (int i = 0; i < *count; i++) {
        if (process_find(pids[i], false, &p) < 0)
            continue;
        /* a program's system time is that of services, too */
        *(p.is_service ? system_ns : user_ns) += p.p.user_ns;
        *running += p.p.state == 'R';
    }
}

uint64_t busy_ns(void)
{
    uint64_t user, system;
    int running, count;

    busy(&user, &system, &running, &count);
    return user + system;
}

static void add_hundredths(struct text *t, uint64_t ns)
{
    text_add(t, "%llu.%02llu", (unsigned long long)ns / 1000000000u,
             (unsigned long long)ns / 10000000u % 100);
}

void write_uptime(struct text *t, const struct process *p)
{
    uint64_t now = clock_now(), used = busy_ns();

    (void)p;
    add_hundredths(t, now);
    text_add(t, " ");
    add_hundredths(t, now > used ? now - used : 0);
    text_add(t, "\n");
}

void write_system_stat(struct text *t, const struct process *p)
{
    const struct kernel_info *info = kernel_info();
    uint64_t now = clock_now() * (info->cpus ? info->cpus : 1), user, system, idle;
    int running, count;

    (void)p;
    busy(&user, &system, &running, &count);
    idle = now > user + system ? now - user - system : 0;
    for (int i = 0; i < 2; i++)
        text_add(t, "cpu%s %llu 0 %llu %llu 0 0 0 0 0 0\n", i ? "0" : " ",
                 (unsigned long long)user / 10000000u, (unsigned long long)system / 10000000u,
                 (unsigned long long)idle / 10000000u);
    text_add(t,
             "intr %llu\nctxt %llu\nbtime %llu\nprocesses %d\nprocs_running %d\nprocs_blocked 0\n",
             (unsigned long long)info->interrupts, (unsigned long long)info->context_switches,
             (unsigned long long)(realtime_now() - clock_now()) / 1000000000u, count,
             running ? running : 1);
}

void write_loadavg(struct text *t, const struct process *p)
{
    uint64_t user, system;
    int running, count;

    (void)p;
    busy(&user, &system, &running, &count);
    text_add(t, "0.00 0.00 0.00 %d/%d %d\n", running ? running : 1, count, count);
}

void write_version(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "Linux version " OS_RELEASE " (Bardo) #1\n");
}

void write_command_line(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "%s\n", kernel_info()->command_line);
}

void write_filesystems(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "nodev\tramfs\nnodev\tproc\nnodev\tdevtmpfs\n\text4\n\text3\n\text2\n");
}

void write_interrupts(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "           CPU0\nALL: %10llu   all interrupts\n",
             (unsigned long long)kernel_info()->interrupts);
}

void write_partitions(struct text *t, const struct process *p)
{
    const struct disk_device *d;

    (void)p;
    text_add(t, "major minor  #blocks  name\n\n");
    disks_fetch();
    for (uint64_t n = 0; (d = disk_at(n)) != NULL; n++)
        text_add(t, "%4u  %7u %10llu %s\n", d->major, d->minor, (unsigned long long)d->sectors / 2,
                 d->name);
}

/* As Linux has it (its Documentation/admin-guide/iostats.rst), of whole disks; what is not counted here is 0:
 * requests that were merged, and how long they took. */
void write_diskstats(struct text *t, const struct process *p)
{
    const struct disk_device *d;

    (void)p;
    disks_fetch();
    for (uint64_t n = 0; (d = disk_at(n)) != NULL; n++)
        if (!d->is_partition)
            text_add(t, "%4u %7u %s %llu 0 %llu 0 %llu 0 %llu 0 0 0 0\n", d->major, d->minor,
                     d->name, (unsigned long long)d->reads, (unsigned long long)d->sectors_read,
                     (unsigned long long)d->writes, (unsigned long long)d->sectors_written);
}

void write_ostype(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "Linux\n");
}

void write_osrelease(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, OS_RELEASE "\n");
}

void write_pid_max(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "%d\n", PID_MAX + 1);
}

void write_zero(struct text *t, const struct process *p)
{
    (void)p;
    text_add(t, "0\n");
}
