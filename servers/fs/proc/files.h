/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files say: each function writes one file's text. */
#ifndef PROC_FILES_H
#define PROC_FILES_H

#include "servers/fs/proc/process.h"
#include "lib/fs/text.h"

#define OS_RELEASE "6.1.0-bardo"

typedef void (*file_writer)(struct text *t, const struct process *p);

/* process_files.c: of the process p */
void write_stat(struct text *t, const struct process *p);
void write_status(struct text *t, const struct process *p);
void write_statm(struct text *t, const struct process *p);
void write_cmdline(struct text *t, const struct process *p);
void write_comm(struct text *t, const struct process *p);
void write_maps(struct text *t, const struct process *p);
void write_mounts(struct text *t, const struct process *p); /* the same for all */
void write_nothing(struct text *t, const struct process *p);

/* system_files.c: p is NULL */
void write_cpuinfo(struct text *t, const struct process *p);
void write_meminfo(struct text *t, const struct process *p);
uint64_t busy_ns(void); /* processor time that everybody alive has used */
void write_uptime(struct text *t, const struct process *p);
void write_system_stat(struct text *t, const struct process *p);
void write_loadavg(struct text *t, const struct process *p);
void write_version(struct text *t, const struct process *p);
void write_command_line(struct text *t, const struct process *p);
void write_filesystems(struct text *t, const struct process *p);
void write_interrupts(struct text *t, const struct process *p);
void write_ostype(struct text *t, const struct process *p);
void write_osrelease(struct text *t, const struct process *p);
void write_pid_max(struct text *t, const struct process *p);
void write_zero(struct text *t, const struct process *p);

void write_corpse(struct text *t, const struct process *p); /* p->p.pid: its number */

/* net_files.c */
void write_partitions(struct text *t, const struct process *p);
void write_diskstats(struct text *t, const struct process *p);
void write_net_dev(struct text *t, const struct process *p);
void write_net_route(struct text *t, const struct process *p);
void write_net_arp(struct text *t, const struct process *p);
void write_net_tcp(struct text *t, const struct process *p);
void write_net_udp(struct text *t, const struct process *p);
void write_net_guard(struct text *t, const struct process *p);
void write_net_none(struct text *t, const struct process *p); /* there is no IPv6 */

/* bardo_files.c */
void write_services(struct text *t, const struct process *p);
void write_devices(struct text *t, const struct process *p);
void write_recovery(struct text *t, const struct process *p);
void write_kernel(struct text *t, const struct process *p);
void write_log(struct text *t, const struct process *p);
void write_trace(struct text *t, const struct process *p);

#endif
