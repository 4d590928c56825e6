/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/dashboard/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define CREDENTIALS_MAX 128

const char *http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {409, "Conflict"},
        {411, "Length Required"},
        {413, "Content Too Large"},
        {414, "URI Too Long"},
        {421, "Misdirected Request"},
        {429, "Too Many Requests"},
        {431, "Request Header Fields Too Large"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Error";
}

/* ---- the head ---- */

static bool is_token(const char *s, size_t n)
{
    static const char others[] = "!#$%&'*+-.^_`|~";

    for (size_t i = 0; i < n; i++) {
        bool is_letter = (s[i] | 32) >= 'a' && (s[i] | 32) <= 'z';

        if (!is_letter && !(s[i] >= '0' && s[i] <= '9') && (!s[i] || !strchr(others, s[i])))
            return false;
    }
    return n > 0;
}

static bool is_printable(const char *s, size_t n, char least)
{
    for (size_t i = 0; i < n; i++)
        if (s[i] < least || s[i] > '~')
            return false;
    return true;
}

/* The length of the head, with the empty line; 0: it is not whole yet; < 0: it never will be. Each line ends
 * with CR LF, and there are no others. */
static long head_length(const char *text, size_t length)
{
    size_t begin = 0;

    for (size_t i = 0; i < length && i < HTTP_HEAD_MAX; i++) {
        if (text[i] == 0 || (text[i] == '\r' && i + 1 < length && text[i + 1] != '\n'))
            return -400;
        if (begin == 0 && i >= HTTP_LINE_MAX)
            return -414;
        if (text[i] != '\n')
            continue;
        if (i == 0 || text[i - 1] != '\r')
            return -400;
        if (i - 1 == begin && begin)
            return (long)i + 1;
        begin = i + 1;
    }
    return length >= HTTP_HEAD_MAX ? -431 : 0;
}

/* http://host/path: the path; the host, which counts in place of the header's (RFC 9112, 3.2.2), moves by one for its end. */
static char *take_host(char *target, char **host)
{
    char *path = strchr(target + 7, '/');

    if (!path)
        return NULL;
    *host = memmove(target + 6, target + 7, (size_t)(path - target) - 7);
    path[-1] = 0;
    return path;
}

/* GET /path?query HTTP/1.1. The host: of the absolute form, which is to be accepted, too. */
static int take_line(char *line, struct http_request *r, char **host)
{
    static const struct {
        const char *word;
        enum http_method method;
    } methods[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}};
    char *target = strchr(line, ' '), *version = target ? strchr(target + 1, ' ') : NULL;
    size_t known = 0;

    if (!version || !is_printable(line, strlen(line), ' '))
        return 400;
    *target++ = *version++ = 0;
    if (!is_token(line, strlen(line)) || strlen(version) != 8 || strncmp(version, "HTTP/", 5) ||
        version[6] != '.')
        return 400;
    if (strcmp(version, "HTTP/1.0") != 0 && strcmp(version, "HTTP/1.1") != 0)
        return 505;
    r->keep_alive = version[7] == '1';
    while (known < 3 && strcmp(methods[known].word, line) != 0)
        known++;
    if (known == 3)
        return 405;
    r->method = methods[known].method;
    if (strncasecmp(target, "http://", 7) == 0)
        target = take_host(target, host);
    if (!target || *target != '/')
        return 400;
    r->path = target;
    r->query = target + strcspn(target, "?");
    if (*r->query)
        *r->query++ = 0;
    return 0;
}

static int take_length(const char *value, struct http_request *r, bool *has_length)
{
    size_t digits = strspn(value, "0123456789");

    if (*has_length || digits == 0 || value[digits])
        return 400;
    *has_length = true;
    r->body = digits <= 9 ? (size_t)strtoul(value, NULL, 10) : HTTP_BODY_MAX + 1;
    return r->body <= HTTP_BODY_MAX ? 0 : 413;
}

static int take_field(const char *name, char *value, struct http_request *r, bool *has_length)
{
    const struct {
        const char *name;
        char **place;
    } kept[] = {{"host", &r->host}, {"origin", &r->origin}, {"authorization", &r->authorization}};

    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcasecmp(name, kept[i].name) == 0) {
            if (*kept[i].place)
                return 400; /* which of them? */
            *kept[i].place = value;
        }
    if (strcasecmp(name, "content-length") == 0)
        return take_length(value, r, has_length);
    if (strcasecmp(name, "transfer-encoding") == 0)
        return 411;
    if (strcasecmp(name, "connection") == 0 && strcasecmp(value, "close") == 0)
        r->keep_alive = false;
    if (strcasecmp(name, "x-bardo") == 0)
        r->is_ours = true;
    return 0;
}

/* Name: value */
static int take_header(char *line, struct http_request *r, bool *has_length)
{
    char *colon = strchr(line, ':'), *value, *end;

    if (!colon || !is_token(line, (size_t)(colon - line)))
        return 400; /* a line that goes on with the one before (obs-fold), too */
    *colon = 0;
    value = colon + 1 + strspn(colon + 1, " \t");
    for (end = value + strlen(value); end > value && (end[-1] == ' ' || end[-1] == '\t'); end--) {
    }
    *end = 0;
    for (const char *s = value; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 127)
            return 400;
    return take_field(line, value, r, has_length);
}

long http_parse(char *text, size_t length, struct http_request *r)
{
    long head = head_length(text, length);
    bool has_length = false, is_old;
    char *line = text, *end, *host = NULL;
    int wrong;

    *r = (struct http_request){0};
    if (head <= 0)
        return head;
    text[head - 1] = 0; /* (of the empty line) */
    end = strstr(line, "\r\n");
    *end = 0;
    wrong = take_line(line, r, &host);
    is_old = !r->keep_alive;
    for (line = end + 2; !wrong && line < text + head - 2; line = end + 2) {
        end = strstr(line, "\r\n");
        *end = 0;
        wrong = take_header(line, r, &has_length);
    }
    if (!wrong && !r->host && !is_old)
        wrong = 400;
    if (host)
        r->host = host;
    return wrong ? -wrong : head;
}

/* ---- what is in it ---- */

long long http_number(const char *query, const char *key, long long otherwise)
{
    size_t n = strlen(key);

    while (*query) {
        if (strncmp(query, key, n) == 0 && query[n] == '=') {
            const char *value = query + n + 1;
            size_t digits = strspn(value, "0123456789");

            if (digits == 0 || digits > 18 || (value[digits] && value[digits] != '&'))
                return -1;
            return strtoll(value, NULL, 10);
        }
        query += strcspn(query, "&");
        query += *query == '&';
    }
    return otherwise;
}

static int sextet(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;

    return at ? (int)(at - digits) : -1;
}

/* RFC 4648, 4. The length; -1: it is none, or longer than `room`. */
static long decode_base64(const char *text, char *out, size_t room)
{
    uint32_t bits = 0;
    unsigned have = 0;
    size_t n = 0;

    while (sextet(*text) >= 0) {
        bits = (bits << 6 | (uint32_t)sextet(*text++)) & 0xffff;
        have += 6;
        if (have < 8)
            continue;
        have -= 8;
        if (n == room)
            return -1;
        out[n++] = (char)(bits >> have);
    }
    text += strspn(text, "=");
    return *text ? -1 : (long)n;
}

bool http_authorized(const char *header, const char *user, const char *password)
{
    char given[CREDENTIALS_MAX] = {0}, wanted[CREDENTIALS_MAX] = {0};
    unsigned char differs = 0;

    if (!header || strncasecmp(header, "Basic ", 6) != 0 ||
        strlen(user) + strlen(password) + 2 > sizeof wanted)
        return false;
    header += 6 + strspn(header + 6, " ");
    if (decode_base64(header, given, sizeof given) < 0)
        return false;
    strcat(strcat(strcpy(wanted, user), ":"), password);
    for (size_t i = 0; i < sizeof wanted; i++)
        differs |= (unsigned char)(given[i] ^ wanted[i]);
    return differs == 0;
}
