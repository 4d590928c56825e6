/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dashboard: the services of the system as a page for a browser. Two processes: the guardian, which is
 * root, has the password made and carries out orders, and the server, which is nobody, talks to the network,
 * and is started again when it ends. What the server may ask of the guardian is a verb, a name, and no
 * more than ORDERS_A_SECOND.
 *
 *     main.c     options, password, the guardian
 *     server.c   connections
 *     http.c     heads of requests
 *     api.c      what is asked for, and who may
 *     status.c   the answers that are news: services, deaths, log
 *     sample.c   bytes that network and disks have moved
 *     page.c     page.html, page.css, page.js, page_draw.js, page_map.js
 */
#ifndef DASHBOARD_DASHBOARD_H
#define DASHBOARD_DASHBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "programs/dashboard/http.h"

#define DASHBOARD_USER "bardo"
#define PASSWORD_MAX 24
#define ORDERS_A_SECOND 20
#define SERVICE_NAME_ROOM 16 /* of a service, with its NUL */

enum verb { VERB_KILL, VERB_RESTART, VERBS };

/* As service(8) calls it. */
static inline const char *verb_name(enum verb verb)
{
    return verb == VERB_KILL ? "kill" : "restart";
}

struct order { /* from the server to the guardian; the answer is an int, errno; 0: done */
    uint32_t verb; /* enum verb */
    char name[SERVICE_NAME_ROOM];
};

struct identity { /* of what is served, for as long as the guardian lives */
    char password[PASSWORD_MAX];
    uint64_t started; /* a number by chance: another one is another boot */
};

/* server.c: serves connections to `listener`; never returns but on error. */
void server_run(int listener, int orders, const struct identity *who);

/* api.c */
struct answer {
    int status;
    const char *type; /* of the content */
    const char *more; /* a further header with its CR LF; "" */
    char *body; /* belongs to the answer unless is_fixed */
    size_t length;
    bool is_fixed;
};
/* `orders` leads to the guardian. */
void api_answer(const struct http_request *r, int orders, const struct identity *who,
                struct answer *a);
/* An object with the status and its reason, or with `why`, as text for people. */
void api_refuse(int status, const char *why, struct answer *a);

/* status.c: JSON; false: there is no memory for it */
bool status_write(FILE *out, const char *query, const struct identity *who);
bool tree_write(FILE *out);
bool has_service(const char *name);

/* sample.c */
#define SAMPLE_MS 250
void sample_take(void); /* once each SAMPLE_MS */
/* An array of arrays: number, ms since boot, bytes since boot: received, sent, read, written. From the number
 * `from` on; result: the number after the last. */
uint64_t samples_write(FILE *out, uint64_t from);

/* page.c: a part of the page; NULL: there is no such */
const char *page_part(const char *path, const char **type, size_t *length);

uint64_t now_ms(void); /* since boot */

#endif
