/* SPDX-License-Identifier: BSD-2-Clause */
/* service(8): what its files share. A Linux program: all it does is read and write files under
 * /proc, or the devices that say and take the same when fs/proc is away. */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

#define SERVICES_FILE "/proc/bardo/services"
#define DEVICES_FILE "/proc/bardo/devices"
#define CONTROL_FILE "/proc/bardo/control"
#define CONTROL_DEVICE "/dev/bardo"
#define SCRIPTS_FILE "/proc/bardo/scripts"
#define RECOVERY_FILE "/proc/recovery"
#define LOG_FILE "/proc/bardo/log"
#define LONG_LOG "/dev/klog" /* of the log server: more than the kernel has room for */
#define CORPSE_FOLDER "/proc/bardo/corpse"
#define SHELL "/bin/sh"

/* Of fs/dev, which says the same as those of /proc above. */
#define SERVICES_DEVICE CONTROL_DEVICE
#define DEVICES_DEVICE "/dev/bardo-devices"
#define RECOVERY_DEVICE "/dev/bardo-recovery"
#define LOG_DEVICE "/dev/kmsg"
#define STORE_DEVICE "/dev/bardo-store" /* (fs/proc has no such file) */
#define SCRIPTS_DEVICE "/dev/bardo-scripts"
#define CORPSE_DEVICE "/dev/bardo-corpse"

enum { EXIT_OK, EXIT_ERROR, EXIT_USAGE };

/* A whole file, NUL-terminated; the caller frees it. When fs/proc is away it is read from fs/dev, if that has
 * it. NULL: it has told why. */
char *read_file(const char *path);
char *file_text(const char *path); /* the same; NULL: errno says why */
/* control.c: one line to CONTROL_FILE, or CONTROL_DEVICE; 0 or errno. */
int control(const char *line);
int order_send(const char *verb, const char *name, const char *argument); /* the same, of words */
const char *order_reason(const char *verb, int error); /* why it was not carried out, in words */
bool proc_is_away(int error); /* is that what errno says? */

/* help.c */
void show_help(void);

/* main.c: the words of the command line */
bool command_exists(const char *word);
bool command_needs_name(const char *word);
const char *command_suggested(const char *word); /* NULL: none is near */
bool option_exists(const char *word);
const char *option_suggested(const char *word);
/* What is wrong with a call, of which words[0] is a command that exists, and the options are such; NULL: nothing, as far as can
 * be seen. A word "" comes out of a variable: it may be anything, and any number of words. The answer is overwritten by the next. */
const char *call_fault(const char *const *words, unsigned count);

/* report.c; name NULL: all. Results: exit status. */
int list_services(const char *name, bool json);
int status_services(const char *name, bool json);
int show_log(const char *name, bool json);
bool has_service(const char *name); /* false: it has told that there is none */

/* wait.c; ms < 0: however long it takes. Exit status. */
int wait_for_service(const char *name, long ms);

/* store.c: what is in the data store; pattern NULL: all, else of keys, as the shell's. Exit status. */
int list_store(const char *pattern, bool json);

/* tree.c: who stands on whom; name NULL: all. Exit status. */
int show_tree(const char *name, bool json);

/* events.c; follow: it goes on until it is ended. Exit status. */
int follow_events(const char *name, bool follow, bool json);

/* top.c; every_ms 0: each second; count 0: until 'q', or it is ended. Exit status. */
int show_top(long every_ms, long count);

/* foretell.c: what its policy will do; exit status */
int foretell(const char *name, bool json);

/* devices.c; name: a driver, or an address ("00:02.0"); NULL: all. Result: exit status. */
int list_devices(const char *name, bool json);

/* corpse.c; name NULL: of all services; number NULL: all of these, or for a core file the latest.
 * Results: exit status. */
int show_corpses(const char *name, const char *number, bool json);
int save_core(const char *name, const char *number, const char *file);
int forget_corpses(const char *name);

/* runner.c; never returns but on error. */
int run_policies(void);

#endif
