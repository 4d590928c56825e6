/* SPDX-License-Identifier: BSD-2-Clause */
/* The dashboard's requests: what is taken, what is refused and how, and nothing read beyond its end (ASan). */
// sources: programs/dashboard/http.c
#include <stddef.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/dashboard/http.h"

static char *copy; /* of the request: as large as it is, with room for the NUL */

static long parse_bytes(const char *text, size_t length, struct http_request *r)
{
    free(copy);
    copy = malloc(length + 1);
    memcpy(copy, text, length);
    return http_parse(copy, length, r);
}

static long parse(const char *text, struct http_request *r)
{
    return parse_bytes(text, strlen(text), r);
}

#define HOST "Host: localhost\r\n"

static void test_good(void **state)
{
    struct http_request r;
    const char *text =
        "POST /api/kill/e1000?a=1 HTTP/1.1\r\nhost:  127.0.0.1:80 \r\nContent-Length: 3\r\n"
        "X-Bardo: 1\r\nOrigin: http://127.0.0.1:80\r\nAuthorization: Basic eA==\r\n\r\nabc";

    assert_int_equal(parse(text, &r), strlen(text) - 3);
    assert_int_equal(r.method, HTTP_POST);
    assert_string_equal(r.path, "/api/kill/e1000");
    assert_string_equal(r.query, "a=1");
    assert_string_equal(r.host, "127.0.0.1:80");
    assert_string_equal(r.origin, "http://127.0.0.1:80");
    assert_string_equal(r.authorization, "Basic eA==");
    assert_int_equal(r.body, 3);
    assert_true(r.is_ours && r.keep_alive);

    assert_true(parse("GET http://localhost/x HTTP/1.1\r\n" HOST "\r\n", &r) > 0);
    assert_string_equal(r.path, "/x");
    assert_string_equal(r.query, "");
    assert_string_equal(r.host, "localhost");
    assert_true(parse("GET http://evil.example:80/y HTTP/1.1\r\n" HOST "\r\n", &r) > 0);
    assert_string_equal(r.path, "/y");
    assert_string_equal(r.host, "evil.example:80");
    assert_true(!r.is_ours && !r.origin && !r.authorization);
    assert_true(parse("GET / HTTP/1.0\r\n\r\n", &r) > 0);
    assert_false(r.keep_alive);
    assert_true(parse("HEAD / HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n", &r) > 0);
    assert_false(r.keep_alive);
}

static void test_refused(void **state)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {
        {400, "\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n\r\n"}, /* without a host */
        {400, "GET / HTTP/1.1\n" HOST "\r\n"},
        {400, "GET / HTTP/1.1\rX" HOST "\r\n"},
        {400, "GET x HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET http://localhost HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n"},
        {400, "G\"T / HTTP/1.1\r\n" HOST "\r\n"},
        {400, "GET / HTTP/1,1\r\n" HOST "\r\n"},
        {400, "GET / HTTP/1.1 x\r\n" HOST "\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "no colon\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost : x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST " goes on\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST ": x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST HOST "\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "X: a\x01z\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: -1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1x\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"},
        {405, "DELETE / HTTP/1.1\r\n" HOST "\r\n"},
        {405, "get / HTTP/1.1\r\n" HOST "\r\n"},
        {411, "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 1025\r\n\r\n"},
        {413, "POST / HTTP/1.1\r\n" HOST "Content-Length: 99999999999999999999999\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\n" HOST "\r\n"},
    };
    struct http_request r;

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        long result = parse(all[i].text, &r);

        if (result != -all[i].status)
            fail_msg("%ld in place of %d: %s", result, -all[i].status, all[i].text);
    }
    assert_int_equal(parse_bytes("GET /\0 HTTP/1.1\r\n" HOST "\r\n", 35, &r), -400);
}

/* Byte after byte: nothing is said before it is whole, or lost already; then as if it had come at once. */
static void test_in_pieces(void **state)
{
    const char *text = "GET /a HTTP/1.1\r\n" HOST "X-Bardo: 1\r\n\r\n";
    struct http_request r;

    for (size_t n = 0; n < strlen(text); n++)
        assert_int_equal(parse_bytes(text, n, &r), 0);
    assert_int_equal(parse(text, &r), strlen(text));
    assert_true(r.is_ours);
}

static void test_oversized(void **state)
{
    static char text[HTTP_HEAD_MAX + 2000];
    struct http_request r;

    memset(text, 'a', sizeof text);
    memcpy(text, "GET /", 5);
    assert_int_equal(parse_bytes(text, HTTP_LINE_MAX, &r), 0);
    assert_int_equal(parse_bytes(text, HTTP_LINE_MAX + 1, &r), -414);
    memcpy(text, "GET / HTTP/1.1\r\nX: ", 19);
    assert_int_equal(parse_bytes(text, HTTP_HEAD_MAX - 1, &r), 0);
    assert_int_equal(parse_bytes(text, HTTP_HEAD_MAX, &r), -431);
    assert_int_equal(parse_bytes(text, sizeof text, &r), -431);
}

static void test_numbers(void **state)
{
    assert_int_equal(http_number("", "a", 7), 7);
    assert_int_equal(http_number("b=2&a=15", "a", 7), 15);
    assert_int_equal(http_number("ba=2&a=0&a=9", "a", 7), 0);
    assert_int_equal(http_number("a=", "a", 7), -1);
    assert_int_equal(http_number("a=1x", "a", 7), -1);
    assert_int_equal(http_number("a=-1", "a", 7), -1);
    assert_int_equal(http_number("a=999999999999999999", "a", 7), 999999999999999999);
    assert_int_equal(http_number("a=1000000000000000000", "a", 7), -1);
    assert_int_equal(http_number("&&a", "a", 7), 7);
}

static void test_password(void **state)
{
    char longest[2000];

    assert_true(http_authorized("Basic YmFyZG86c2VjcmV0", "bardo", "secret"));
    assert_true(http_authorized("basic  YmFyZG86c2VjcmV0", "bardo", "secret"));
    assert_false(http_authorized(NULL, "bardo", "secret"));
    assert_false(http_authorized("", "bardo", "secret"));
    assert_false(http_authorized("Basic", "bardo", "secret"));
    assert_false(http_authorized("Basic ", "bardo", "secret"));
    assert_false(http_authorized("Bearer YmFyZG86c2VjcmV0", "bardo", "secret"));
    assert_false(http_authorized("Basic YmFyZG86c2VjcmV", "bardo", "secret")); /* a byte less */
    assert_false(http_authorized("Basic YmFyZG86c2VjcmV0IQ==", "bardo", "secret")); /* and more */
    assert_false(http_authorized("Basic YmFyZG86c2VjcmV0!", "bardo", "secret"));
    assert_false(http_authorized("Basic YmFyZG86", "bardo", "secret")); /* none */
    memset(longest, 'Y', sizeof longest);
    memcpy(longest, "Basic ", 6);
    longest[sizeof longest - 1] = 0;
    assert_false(http_authorized(longest, "bardo", "secret"));
}

static const char *const words[] = {"GET",
                                    "POST",
                                    " ",
                                    " / ",
                                    "HTTP/1.1",
                                    "\r\n",
                                    "\r\n\r\n",
                                    "\n",
                                    "\r",
                                    "Host: localhost",
                                    ":",
                                    "?a=1",
                                    "http://",
                                    "\t",
                                    "Content-Length: 5",
                                    "\x80",
                                    "%00",
                                    "X-Bardo: 1",
                                    "Host",
                                    "a",
                                    "Authorization: Basic YmFyZG86c2VjcmV0"};

/* By chance: ASan sees what is read beyond the end, and what is said of it is always within bounds. */
static void test_random(void **state)
{
    static char text[4096];

    for (unsigned seed = 1; seed <= 200000; seed++) {
        struct http_request r;
        size_t n = 0;
        long result;

        srand(seed);
        while (n < 400 && rand() % 12) {
            const char *word = words[(size_t)rand() % (sizeof words / sizeof *words)];

            memcpy(text + n, word, strlen(word));
            n += strlen(word);
        }
        result = parse_bytes(text, n, &r);
        assert_true(result <= (long)n && result > -600);
        if (result <= 0)
            continue;
        assert_true(r.body <= HTTP_BODY_MAX && r.path[0] == '/');
        http_number(r.query, "a", 0);
        http_authorized(r.authorization, "bardo", "secret");
    }
}

static int end(void **state)
{
    free(copy);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),      cmocka_unit_test(test_refused),
        cmocka_unit_test(test_in_pieces), cmocka_unit_test(test_oversized),
        cmocka_unit_test(test_numbers),   cmocka_unit_test(test_password),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests(tests, NULL, end);
}
