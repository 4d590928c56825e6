/* SPDX-License-Identifier: BSD-2-Clause */
// sources: servers/vfs/server.c
// flags: -Itests/unit/host -D_GNU_SOURCE=
/*
 * A file server that answers too late what VFS asks about readiness: it has told, and tells no more
 * of that node. Whoever waits for it must look again by and by, or would wait for ever (seen on a
 * loaded host: a program in poll() whose connection had long ended).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "abi/proto/rs.h"
#include "servers/vfs/vfs.h"

enum { NET = 77, NODE = 8 };

static uint64_t now;
static bool is_late; /* the server: it does what is asked, and VFS does not get the answer */
static bool has_told, is_asked_again; /* about the node; all pollers look again */
static unsigned events, woken;
static struct {
    uint64_t when;
    void (*due)(void);
} timer;

void log_info(const char *format, ...)
{
    (void)format;
}

long ipc_call_deadline(endpoint_t to, struct message *m, uint64_t deadline)
{
    bool news = m->type == FILE_POLL_EVENTS && !has_told;

    if (m->type == RS_WHO)
        return -ESRCH;
    assert_int_equal(to, NET);
    assert_true(deadline != 0);
    if (m->type == FILE_POLL_EVENTS)
        has_told = true, events++;
    if (is_late) {
        now += deadline;
        return -ETIMEDOUT;
    }
    memset(m->w, 0, sizeof m->w);
    m->w[0] = news ? NODE : 0;
    return 0;
}

uint64_t clock_now(void)
{
    return now;
}

void wait_timer(enum vfs_timer which, uint64_t when, void (*due)(void))
{
    timer.when = when;
    timer.due = due;
}

void remote_ready(struct server *s, uint64_t node)
{
    assert_int_equal(node, NODE);
    woken++;
}

void remote_server_back(struct server *s)
{
    is_asked_again = true;
}

endpoint_t service_retrieve(const char *key)
{
    return NET;
}

/* ---- not needed here ---- */

const struct service_info *service_info(void)
{
    static const struct service_info none;

    return &none;
}
long ipc_notify(endpoint_t to, uint64_t bits)
{
    return 0;
}
long service_subscribe(const char *prefix)
{
    return 0;
}
int service_event(char key[32], endpoint_t *endpoint)
{
    return 0;
}
void remote_reopen(struct server *s)
{
}
void mounts_read_only(struct server *s)
{
}
void wake_all(struct wait_queue *q)
{
}
void wait_wake(struct waiter *w)
{
}
long wait_on(struct client *c, struct wait_queue *q, uint64_t deadline)
{
    return -ETIMEDOUT;
}
void wait_through(struct client *c, uint64_t ns)
{
}
long grant_make(endpoint_t to, const void *address, size_t length, uint32_t flags)
{
    return -ENOMEM;
}
void grant_revoke(long grant)
{
}
void grants_move(endpoint_t from, endpoint_t to)
{
}

/* ---- */

static void test_in_time(void **state)
{
    struct server *s = server_find("net");

    s->tells = true;
    has_told = is_late = false;
    server_poll_events();
    assert_int_equal(woken, 1);
    assert_null(timer.due);
}

static void test_too_late(void **state)
{
    woken = events = 0;
    has_told = false;
    is_late = true;
    server_poll_events(); /* it has told: nobody heard it */
    assert_int_equal(woken, 0);
    assert_non_null(timer.due);
    assert_true(timer.when > now);
    server_poll_events(); /* it is left alone for a while */
    assert_int_equal(events, 1);
    now = timer.when;
    timer.due(); /* late once more */
    assert_true(is_asked_again);
    assert_int_equal(events, 2);
    assert_true(timer.when > now);
    is_asked_again = is_late = false;
    now = timer.when;
    timer.when = 0;
    timer.due();
    assert_true(is_asked_again);
    assert_int_equal(events, 3);
    assert_int_equal(timer.when, 0); /* all is said */
}

/* What is ready is asked of each file, too. */
static void test_poll_too_late(void **state)
{
    struct message m =
        message_of(FILE_POLL, (struct file_poll_request){.node = NODE, .events = 1, .tell = 1});

    is_late = true;
    is_asked_again = false;
    assert_int_equal(server_poll_call(server_find("net"), &m), -ETIMEDOUT);
    is_late = false;
    now = timer.when;
    timer.due();
    assert_true(is_asked_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_time),
        cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_poll_too_late),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
