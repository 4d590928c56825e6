/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "programs/dashboard/dashboard.h"
#include "programs/service/json.h"
#include "programs/service/service.h"

#define JSON_TYPE "application/json"
#define ASK "WWW-Authenticate: Basic realm=\"Bardo\", charset=\"UTF-8\"\r\n"
/* To the page's own requests: of a scheme that browsers do not know they do not ask the user each time. */
#define ASK_PAGE "WWW-Authenticate: Reload realm=\"Bardo\"\r\n"
#define ORDER_MS 5000 /* so long the guardian may take; RS answers at once */

void api_refuse(int status, const char *why, struct answer *a)
{
    FILE *out;

    *a = (struct answer){.status = status, .type = JSON_TYPE, .more = ""};
    out = open_memstream(&a->body, &a->length);
    if (!out)
        return;
    fprintf(out, "{\"status\": %d, \"error\": ", status);
    json_text(out, why ? why : http_reason(status));
    fputs("}\n", out);
    fclose(out);
}

static void refuse_with(int status, const char *why, const char *header, struct answer *a)
{
    api_refuse(status, why, a);
    a->more = header;
}

/* ---- who may ----
 * A page of another site can make the browser of who uses this one send a request here, with the password. It
 * cannot send X-Bardo with it, nor hide its origin; and a name of its own that it lets point to this machine
 * (DNS rebinding) is none of ours. */

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"127.0.0.1", "localhost", "[::1]"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t n = strlen(names[i]);

        if (strncasecmp(host, names[i], n) == 0 && (host[n] == 0 || host[n] == ':'))
            return true;
    }
    return false;
}

static bool is_from_our_page(const struct http_request *r)
{
    if (!r->is_ours || !r->host)
        return false;
    return !r->origin ||
           (strncmp(r->origin, "http://", 7) == 0 && strcasecmp(r->origin + 7, r->host) == 0);
}

/* ---- reports ---- */

static void
report(bool (*write_it)(FILE *out, const struct http_request *r, const struct identity *who),
       const struct http_request *r, const struct identity *who, int otherwise, struct answer *a)
{
    FILE *out;
    bool is_written;

    *a = (struct answer){.status = 200, .type = JSON_TYPE, .more = ""};
    out = open_memstream(&a->body, &a->length);
    is_written = out && write_it(out, r, who);
    if (out && fclose(out) == 0 && is_written)
        return;
    free(a->body);
    api_refuse(out ? otherwise : 503, NULL, a);
}

static bool write_status(FILE *out, const struct http_request *r, const struct identity *who)
{
    return status_write(out, r->query, who);
}

static bool write_tree(FILE *out, const struct http_request *r, const struct identity *who)
{
    (void)r;
    (void)who;
    return tree_write(out);
}

/* ---- orders ---- */

/* An errno, of the guardian; 0: done. When it does not answer this process is of no use any more. */
static int order_give(int orders, const struct order *o)
{
    struct pollfd p = {.fd = orders, .events = POLLIN};
    int error;

    if (write(orders, o, sizeof *o) != (ssize_t)sizeof *o || poll(&p, 1, ORDER_MS) != 1 ||
        read(orders, &error, sizeof error) != (ssize_t)sizeof error)
        _exit(1);
    return error;
}

static int status_of(int error)
{
    switch (error) {
    case 0:
        return 200;
    case ESRCH:
        return 404;
    case EPERM:
    case EACCES:
        return 403;
    case EAGAIN:
        return 429;
    case EALREADY:
    case ENOTRECOVERABLE:
    case ENODEV:
    case ENXIO:
    case ENOTSUP:
        return 409;
    default:
        return 500;
    }
}

static void give_order(enum verb verb, const char *name, int orders, struct answer *a)
{
    struct order o = {.verb = verb};
    int error = ESRCH;

    if (strlen(name) < sizeof o.name && has_service(name)) {
        strcpy(o.name, name);
        error = order_give(orders, &o);
    }
    api_refuse(status_of(error), error ? order_reason(verb_name(verb), error) : "", a);
    if (error == EAGAIN)
        refuse_with(429, "too many orders in this second", "Retry-After: 1\r\n", a);
}

/* ---- paths ---- */

static bool answer_order(const struct http_request *r, int orders, struct answer *a)
{
    static const struct {
        const char *path;
        enum verb verb;
    } paths[] = {{"/api/kill/", VERB_KILL}, {"/api/restart/", VERB_RESTART}};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t n = strlen(paths[i].path);

        if (strncmp(r->path, paths[i].path, n) != 0)
            continue;
        if (r->method != HTTP_POST)
            refuse_with(405, NULL, "Allow: POST\r\n", a);
        else if (!is_from_our_page(r))
            api_refuse(403, "the header X-Bardo is missing, or the origin is another one", a);
        else
            give_order(paths[i].verb, r->path + n, orders, a);
        return true;
    }
    return false;
}

static void answer_path(const struct http_request *r, int orders, const struct identity *who,
                        struct answer *a)
{
    const char *type;
    size_t length;
    const char *part = page_part(r->path, &type, &length);
    bool is_status = strcmp(r->path, "/api/status") == 0;
    bool is_tree = strcmp(r->path, "/api/tree") == 0;

    if (answer_order(r, orders, a))
        return;
    if (!part && !is_status && !is_tree)
        api_refuse(404, NULL, a);
    else if (r->method == HTTP_POST)
        refuse_with(405, NULL, "Allow: GET, HEAD\r\n", a);
    else if (is_status)
        report(write_status, r, who, 400, a);
    else if (is_tree)
        report(write_tree, r, who, 503, a);
    else
        *a = (struct answer){200, type, "", (char *)part, length, true};
}

void api_answer(const struct http_request *r, int orders, const struct identity *who,
                struct answer *a)
{
    if (r->host && !is_loopback(r->host))
        api_refuse(421, "that is not the name of this machine's loopback", a);
    else if (!http_authorized(r->authorization, DASHBOARD_USER, who->password))
        refuse_with(401, "the password is on the system's console", r->is_ours ? ASK_PAGE : ASK, a);
    else
        answer_path(r, orders, who, a);
}
