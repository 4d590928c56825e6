/* SPDX-License-Identifier: BSD-2-Clause */
/* What DS and RS know of others: their names, their snapshots, whether they are any good. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/proto/rs.h"
#include "drivers/example/hostile/hostile.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/rt/pack.h"
#include "lib/service/service.h"

#define SECOND 1000000000ull

uint64_t attack_seconds(uint64_t otherwise)
{
    uint64_t n = strtoul(parameter("seconds"), 0, 10);

    return (n ? n : otherwise) * SECOND;
}

/* Lies in wait for the moment at which each of these is away. */
void attack_publish(void)
{
    static const char *const names[] = {"fs/proc", "fs/dev", "chr/1", "chr/4",   "chr/10",
                                        "blk/8",   "net",    "tty",   "fs/ext4", "log"};
    uint64_t end = clock_now() + attack_seconds(5);
    unsigned got = 0, tries = 0;

    while (clock_now() < end) {
        for (unsigned i = 0; i < sizeof names / sizeof *names; i++, tries++)
            if (service_publish(names[i]) == 0) {
                got++;
                log_info("is found as %s now", names[i]);
            }
        breathe();
    }
    log_info("names of others: %u of %u", got, tries);
}

void attack_snapshots(void)
{
    static const char *const keys[] = {"terminals", "table", "state", "e1000"};
    static char room[4096];
    unsigned got = 0;

    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++) {
        got += service_restore(keys[i], room, sizeof room) >= 0;
        memset(room, 0xee, sizeof room);
        service_save(keys[i], room, sizeof room); /* its own, whatever the key */
    }
    log_info("snapshots of others: %u", got);
}

/* Values of others, of nobody, more than one may have, and such as are none. */
void attack_values(void)
{
    static const char *const keys[] = {"net/e0/address", "tty/x",      "hostile", "hostile/",
                                       "hostil/x",       "/hostile/x", "",        "fs/proc",
                                       "hostile.1/x"};
    static const struct ds_value bad[] = {{.type = DS_GONE},
                                          {.type = DS_ENDPOINT, .length = 8, .integer = 1},
                                          {.type = DS_INTEGER, .length = 4},
                                          {.type = DS_TEXT, .length = 1},
                                          {.type = DS_TEXT, .length = DS_VALUE_MAX + 1},
                                          {.type = DS_BYTES, .length = ~0u},
                                          {.type = DS_PRIVATE},
                                          {.type = ~0u}};
    unsigned others = 0, wrong = 0, own = 0;
    char key[DS_KEY_MAX];

    for (unsigned i = 0; i < sizeof keys / sizeof *keys; i++)
        others += service_set_text(keys[i], "mine") == 0 || service_unset(keys[i]) == 0;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        wrong += service_set("hostile/bad", &bad[i]) == 0;
    wrong += service_set_integer("hostile/*", 1) == 0;
    for (unsigned i = 0; i < 100; i++) {
        snprintf(key, sizeof key, "hostile/%u", i);
        own += service_set_text(key, "\x1b[2J a\nfs/proc proc name 8 7") == 0;
    }
    log_info("values of others: %u, that are none: %u, its own: %u", others, wrong, own);
}

/* Of everybody, essential services and itself included, again and again. */
void attack_complain(void)
{
    unsigned times = (unsigned)strtoul(parameter("times"), 0, 10), heard = 0;
    static struct rs_service all[64];
    long n;

    for (unsigned i = 0; i < times; i++) {
        long grant = grant_make(service_info()->rs, all, sizeof all, GRANT_WRITE);
        struct message m =
            message_of(RS_LIST, (struct rs_list_request){.grant = (uint64_t)grant, .count = 64});
        struct rs_complain_request *r = message_words(&m);

        n = ipc_call(service_info()->rs, &m);
        grant_revoke(grant);
        for (long k = 0; k < n; k++) {
            m = message_of(RS_COMPLAIN,
                           (struct rs_complain_request){.why = COMPLAINT_PROTOCOL + i % 3,
                                                        .of = (uint64_t)all[k].endpoint});
            pack_text(r->name, all[k].name, SERVICE_NAME_MAX);
            heard += all[k].endpoint && ipc_call(service_info()->rs, &m) == 0;
        }
        breathe();
    }
    log_info("complaints that were heard: %u", heard);
}
