/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A service that wants the system dead, for the system tests and `make hostile`: what must not
 * happen when one of those who are trusted with a manifest has been taken over. In the manifest:
 *
 *     parameters attack=NAME     what it does, once it is up; see `attacks`
 */
#include "drivers/example/hostile/hostile.h"

#include <stdlib.h>
#include <string.h>

#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"

const char *parameter(const char *name)
{
    const char *p = service_info()->parameters;
    size_t n = strlen(name);

    for (; (p = strstr(p, name)) != 0; p += n)
        if (p[n] == '=')
            return p + n + 1;
    return "";
}

static void receive_one(uint64_t timeout)
{
    struct message m = {0};

    if (ipc_receive(ENDPOINT_ANY, &m, timeout) < 0)
        return;
    if (m.type != MESSAGE_NOTIFY)
        ipc_reply_result(message_caller(&m), -1);
    else if (m.w[0] & NOTIFY_BIT(NOTIFY_BIT_SHUTDOWN))
        exit(0);
}

void breathe(void)
{
    receive_one(RECEIVE_POLL);
}

void breathe_for(uint64_t ns)
{
    for (uint64_t now = clock_now(), end = now + ns; now < end; now = clock_now())
        receive_one(end - now);
}

void got(const char *what, long result)
{
    static const char *said[8];
    unsigned i = 0;

    while (i < 8 && said[i] && strcmp(said[i], what) != 0)
        i++;
    if (i < 8 && !said[i]) {
        said[i] = what;
        log_info("got what is not its: %s (%ld)", what, result);
    }
}

static void attack_none(void)
{
}

static const struct {
    const char *name;
    void (*attack)(void);
} attacks[] = {
    {"none", attack_none},     {"publish", attack_publish},   {"snapshots", attack_snapshots},
    {"values", attack_values}, {"complain", attack_complain}, {"kernel", attack_kernel},
    {"flood", attack_flood},   {"rings", attack_rings},       {"queue", attack_queue},
    {"ports", attack_ports},   {"space", attack_space},       {"slots", attack_slots},
    {"device", attack_device}, {"files", attack_files},       {"counts", attack_counts},
    {"nobody", attack_nobody},
};

static void begin(void)
{
    const char *name = parameter("attack");

    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++) {
        size_t n = strlen(attacks[i].name);

        if (strncmp(name, attacks[i].name, n) == 0 && (name[n] == ' ' || name[n] == 0)) {
            log_info("attack: %s", attacks[i].name);
            attacks[i].attack();
            log_info("attack over: %s", attacks[i].name);
            return;
        }
    }
    log_info("no such attack: %s", name);
}

int main(void)
{
    service_ready(RS_READY_FRESH);
    begin();
    service_run(&(struct service_table){0});
}
