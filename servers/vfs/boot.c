/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The beginning: when the file servers that the manifest's parameters name are there (or late), PM
 * makes the first program; on it the root and the other file systems are mounted, the console
 * opened and init started.
 *
 *     root=KEY mount=PATH:KEY... init=PATH console=PATH
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/pm.h"
#include "lib/rt/error.h"
#include "servers/vfs/exec.h"
#include "servers/vfs/vfs.h"

enum { MOUNTS = 8 };
#define LATE_NS 2000000000ull /* what is not there then is left out */

static struct {
    char text[SERVICE_PARAMETERS_MAX], command_line[256];
    const char *root, *init, *console;
    struct {
        const char *path, *key;
    } mount[MOUNTS];
    unsigned mounts;
    bool is_late, is_done;
} boot = {.root = "fs/ram", .init = "/sbin/init", .console = "/dev/console"};

static void parameter(char *word)
{
    char *value = strchr(word, '=');

    if (!value)
        return;
    *value++ = 0;
    if (strcmp(word, "root") == 0)
        boot.root = value;
    else if (strcmp(word, "init") == 0)
        boot.init = value;
    else if (strcmp(word, "console") == 0)
        boot.console = value;
    else if (strcmp(word, "mount") == 0 && boot.mounts < MOUNTS && strchr(value, ':')) {
        char *key = strchr(value, ':');

        *key++ = 0;
        boot.mount[boot.mounts].path = value;
        boot.mount[boot.mounts++].key = key;
    }
}

static void parse(void)
{
    strcpy(boot.text, service_info()->parameters);
    for (char *word = strtok(boot.text, " "); word; word = strtok(NULL, " "))
        parameter(word);
    memcpy(boot.command_line, kernel_info()->command_line, sizeof boot.command_line - 1);
    for (char *word = strtok(boot.command_line, " "); word; word = strtok(NULL, " "))
        if (strncmp(word, "init=", 5) == 0)
            boot.init = word + 5;
}

static bool all_there(void)
{
    for (unsigned i = 0; i < boot.mounts; i++)
        if (!server_find(boot.mount[i].key))
            return false;
    return server_find("chr/5") != NULL;
}

static void late(void)
{
    boot.is_late = true;
    boot_try();
}

void boot_try(void)
{
    struct message m = {.type = PM_INIT};
    long result;

    if (boot.is_done || !server_find(boot.root) || (!boot.is_late && !all_there()))
        return;
    boot.is_done = true;
    result = ipc_call(service_info()->pm, &m);
    if (result < 0)
        panic_hopeless("no memory for the first program (%s)", error_name(result));
}

void boot_start(void)
{
    parse();
    wait_timer(TIMER_SERVERS, clock_now() + LATE_NS, late);
    boot_try();
}

/* ---- on the first program ---- */

static bool set_root(struct client *c)
{
    struct server *s = server_find(boot.root);
    const struct mount *m;

    if (mount_add(c, s, strrchr(boot.root, '/') + 1, NULL, 0) < 0)
        return false;
    m = mount_root();
    return location_set(c, &c->place->root, s, m->root, "/") == 0 &&
           location_set(c, &c->place->cwd, s, m->root, "/") == 0;
}

static void mount_others(struct client *c)
{
    struct found *f = found_new();

    for (unsigned i = 0; f && i < boot.mounts; i++) {
        struct server *s = server_find(boot.mount[i].key);
        long result = s ? path_find(c, AT_FDCWD, boot.mount[i].path, FOUND_FOLLOW, f) : -ENODEV;

        if (result == 0)
            result = mount_add(c, s, strchr(s->key, '/') + 1, f, 0);
        if (result < 0)
            log_info("%s is not mounted (%s)", boot.mount[i].path, error_name(result));
    }
    found_free(f);
}

static void open_console(struct client *c)
{
    struct file *f;
    long result = open_path(c, boot.console, O_RDWR | O_NOCTTY, &f);

    if (result < 0) {
        log_info("%s can't be opened (%s): init has no console", boot.console, error_name(result));
        return;
    }
    for (int i = 0; i < 3; i++) {
        if (i)
            file_get(f);
        fd_install(c, f, 0, 0);
    }
}

static void work(void *argument)
{
    struct client *c = argument;
    struct arguments a = {0};

    if (!set_root(c))
        panic_hopeless("the root file system %s can't be mounted", boot.root);
    mount_others(c);
    open_console(c);
    if (arguments_add(&a, 0, boot.init) < 0 || arguments_add(&a, 1, "HOME=/") < 0 ||
        arguments_add(&a, 1, "TERM=linux") < 0)
        panic_hopeless("no memory for init");
    c->result = exec_path(c, boot.init, &a);
    if (c->result == SERVICE_NO_REPLY)
        panic_hopeless("the first program %s can't be run", boot.init);
    if (c->result < 0)
        panic_hopeless("the first program %s can't be run (%s)", boot.init, error_name(c->result));
    free(a.text);
}

void boot_init(struct client *init)
{
    init->files = files_new();
    init->place = place_new();
    init->exe = strdup("");
    if (!init->files || !init->place || !init->exe)
        panic_hopeless("no memory for the first program");
    if (!client_begin(init, work))
        panic_hopeless("no memory for the first program");
}
