/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The head of an HTTP/1.0 or 1.1 request (RFC 9112), taken apart. Everything that is not as the RFC
 * says is refused: there is no proxy in front of us, and no client that needs more.
 */
#ifndef DASHBOARD_HTTP_H
#define DASHBOARD_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_LINE_MAX 1024 /* bytes of a request line, with its CR LF */
#define HTTP_HEAD_MAX 8192 /* bytes of a whole head */
#define HTTP_BODY_MAX 1024

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST };

struct http_request {
    enum http_method method;
    bool keep_alive;
    bool is_ours; /* it has the header X-Bardo, which another site's page cannot send */
    size_t body; /* bytes that follow the head */
    char *path, *query; /* as they came; query "" when there is none */
    /* as they came; NULL: none */
    char *host, *origin, *authorization;
};

/*
 * Takes a head apart that begins at `text`, which has `length` bytes and room for one more. The
 * strings lie in it, so it is changed, but only when the head is whole.
 * Result: its length; 0: there is more to come; < 0: it is refused, and that is the status (-400...).
 */
long http_parse(char *text, size_t length, struct http_request *r);
const char *http_reason(int status);
/* A number in "a=1&b=2"; `otherwise` when there is none, -1 when it is none (digits, at most 18). */
long long http_number(const char *query, const char *key, long long otherwise);
/* Are these the credentials of "Basic base64(user:password)" (RFC 7617)? In a time that does not depend
 * on how much of it is right. */
bool http_authorized(const char *header, const char *user, const char *password);

#endif
