/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Programs on their way to file servers and back. While a server has a client, client->behind names
 * it; when that server dies the kernel gives the client back (MESSAGE_BOUNCED), and what it was
 * handed is repeated with the fresh incarnation, if that is safe.
 */
#include <string.h>

#include "abi/proto/pm.h"
#include "lib/coro/coro.h"
#include "servers/vfs/vfs.h"

#define EXIT_NS 5000000000ull /* so long may a server keep a program that has been killed */
#define RECALL_NS 100000000ull /* between two questions of one that did not answer */

/* As marked in abi/proto/file.h. */
static bool request_is_once(uint64_t type)
{
    switch (type & FILE_TYPE_MASK) {
    case FILE_WRITE:
    case FILE_WRITE_VECTOR:
    case FILE_CREATE:
    case FILE_SYMLINK:
    case FILE_LINK:
    case FILE_UNLINK:
    case FILE_RENAME:
    case SOCKET_SEND:
    case SOCKET_RECEIVE:
    case SOCKET_RECEIVE_FROM:
    case SOCKET_SEND_MESSAGE:
    case SOCKET_RECEIVE_MESSAGE:
        return true;
    default:
        return false;
    }
}

/* A request that must not be done twice gets a number; it keeps it when it is repeated. */
static void give_number(const struct server *s, struct message *m)
{
    static uint32_t last;

    if (!(s->traits & TRAIT_REMEMBERS) || !request_is_once(m->type) || m->type >> FILE_NUMBER_SHIFT)
        return;
    if (++last == 0)
        last++;
    m->type |= (uint64_t)last << FILE_NUMBER_SHIFT;
}

/* By itself, that is: nobody waits for a key or a peer. Else a signal may end it. */
static bool request_ends(const struct server *s, uint64_t type)
{
    if (s->traits & TRAIT_FINISHES)
        return true;
    switch (type & FILE_TYPE_MASK) {
    case FILE_READ:
    case FILE_READ_VECTOR:
    case FILE_WRITE:
    case FILE_WRITE_VECTOR:
    case FILE_IOCTL:
        return false;
    default:
        return (type & FILE_TYPE_MASK) < SOCKET_CREATE;
    }
}

/* ---- servers that do not answer: overdue.h ---- */

/* What was handed over for good is answered without us. */
static bool is_blocked_there(const struct client *c)
{
    struct slot_status status;

    return slot_status(c->endpoint, &status) == 0 && status.peer == c->behind_endpoint;
}

bool ask_any_behind(const struct server *s)
{
    for (struct client *c = client_next(NULL); c; c = client_next(c))
        if (c->behind == s && is_blocked_there(c))
            return true;
    return false;
}

static bool is_idle(endpoint_t server)
{
    struct slot_status status;

    return slot_status(server, &status) == 0 && status.state == SLOT_RECEIVING;
}

/* As FILE_WAITS. One that may not be called keeps no request: when it is idle it has none. */
static long ask_about(const struct client *c, uint64_t *moves)
{
    struct message m =
        message_of(FILE_WAITS, (struct file_program_request){.program = (uint64_t)c->endpoint});
    const struct file_waits_reply *reply = message_words(&m);
    long result;

    if (c->behind->calls_us)
        return is_idle(c->behind_endpoint) ? 0 : -EAGAIN;
    result = server_call(c->behind, &m);
    *moves = reply->moves;
    return result;
}

static void look_at(struct client *c)
{
    struct server *s = c->behind;
    uint64_t moves = 0;
    const char *what;
    long answer;

    if (!overdue_look(&c->overdue))
        return;
    answer = ask_about(c, &moves);
    what = overdue_judge(&c->overdue, answer, moves);
    /* now that it was asked: it may have answered the program at that moment */
    c->overdue.ends = is_blocked_there(c);
    if (!c->overdue.ends || !what)
        return;
    log_info("%s %s a request of process %d", s->service, what, c->pid);
    c->overdue.complaints++;
    service_complain(s->service, c->behind_endpoint, COMPLAINT_DEADLINE);
}

static bool is_watching;

static void look_at_all(void);

static void look_later(void)
{
    is_watching = true;
    wait_timer(TIMER_OVERDUE, clock_now() + OVERDUE_LOOK_NS, look_at_all);
}

static void look_at_all(void)
{
    is_watching = false;
    for (struct client *c = client_next(NULL); c; c = client_next(c)) {
        if (!c->behind || !c->overdue.ends)
            continue;
        look_at(c);
        is_watching = true;
    }
    if (is_watching)
        look_later();
}

/* It has been handed to c->behind. (The root's server keeps its memory: nobody complains of it.) */
static void watch(struct client *c, uint64_t type)
{
    const struct mount *root = mount_root();
    bool is_watched = c->behind->has_files && root && root->server != c->behind;

    overdue_handed(&c->overdue, is_watched && request_ends(c->behind, type));
    if (c->overdue.ends && !is_watching)
        look_later();
}

/* ---- */

/*
 * 0, or the error of a server that is not there any more. One that has a grant of ours goes when the
 * step is done: when we die, what is undone and done again may be the grant, or what it is for; so the
 * server must not look at it, or write there, before. (Should it be dead then, the client bounces.)
 */
static long forward(struct client *c, struct server *s, const struct message *m)
{
    struct message copy = *m;
    long result;

    if (!s->endpoint)
        return -EDEADSRCDST;
    if (s->grants)
        ipc_forward_at_end(c->endpoint, s->endpoint, &copy);
    result = s->grants ? 0 : ipc_forward(c->endpoint, s->endpoint, &copy);
    if (result == 0) {
        c->behind = s;
        c->behind_endpoint = s->endpoint;
        watch(c, m->type);
    }
    return result;
}

/* Requests of its kind have killed the server (pace.c). Who is to end does not wait. */
static long await_turn(struct client *c, const struct server *s, uint64_t type)
{
    struct wait_queue nobody = {0};
    uint64_t turn = c->cancelled || c->exiting ? 0 : pace_turn(c, s, type);
    uint64_t now = turn ? clock_now() : 0;
    long result = 0;

    if (turn > now && c->finishes)
        wait_through(c, turn - now);
    else if (turn > now)
        result = wait_on(c, &nobody, turn);
    if (result == -EINTR)
        c->interrupted = false; /* programs know nothing of this wait: the call is made again */
    return result == -ETIMEDOUT ? 0 : result;
}

/* Forward; a server that is dead is waited for. */
static long forward_patiently(struct client *c, struct server *s, const struct message *m)
{
    for (;;) {
        endpoint_t ep = s->endpoint;
        long result;

        if (c->lost)
            return -EIO;
        result = await_turn(c, s, m->type);
        if (result)
            return result;
        if (c->meant_for && s->endpoint && s->endpoint != c->meant_for)
            return -ESTALE;
        result = forward(c, s, m);
        if (result == 0 || (result != -EDEADSRCDST && ep))
            return result == 0 ? 0 : -EIO;
        result = server_wait(c, s, ep);
        if (result)
            return result;
    }
}

/* It is behind a server. One that has been killed waits for an answer no longer than that, unless
 * what it does must not be left half done; who lives on can be killed. */
static void await_answer(struct client *c)
{
    bool is_limited = c->exiting && !c->finishes;

    c->answered = c->returned = c->in_doubt = false;
    if (is_limited)
        wait_answer_begins(c, clock_now() + EXIT_NS);
    while (!c->answered && !c->returned && c->behind)
        coro_yield();
    if (is_limited)
        wait_answer_ends(c);
}

/* It goes on over the deaths of servers, but not for ever: a request that has cost too many of them
 * their lives is given up. One that must not be done twice is repeated only where the server knows
 * its number; else the error says that nobody knows whether it was done. */
long ask(struct client *c, struct server *s, struct message *m, enum again again)
{
    const struct file_reply *reply = message_words(m);

    give_number(s, m);
    if (!c->repeats)
        overdue_begin(&c->overdue);
    for (;;) {
        endpoint_t ep;
        long result = -EINTR;

        if (!c->cancelled || request_ends(s, m->type))
            result = again == NEVER ? forward(c, s, m) : forward_patiently(c, s, m);
        if (result)
            return result;
        ep = c->behind_endpoint;
        await_answer(c);
        if (c->lost)
            return -EIO;
        if (c->answered) {
            *m = c->answer;
            return reply->result;
        }
        if (c->returned)
            continue;
        if (c->in_doubt) /* it lives, and nobody knows what it does */
            return again == AGAIN && !request_is_once(m->type) ? -EINTR : -EIO;
        if (again == NEVER || (again == ONCE && !(s->traits & TRAIT_REMEMBERS)))
            return -EIO; /* bounced: it may have been done or not */
        if (overdue_is_hopeless(&c->overdue))
            return -EIO;
        result = server_wait(c, s, ep);
        if (result)
            return result;
    }
}

/* One that is called off must come back to us and go on to PM: a server that answered it would set
 * it free behind PM's back. What cannot come back is made again afterwards. */
static long ask_and_come_back(struct client *c, struct server *s, const struct message *m)
{
    struct message asked = *m;
    struct file_transfer_request *r = message_words(&asked); /* FILE_SYNC ends like it */

    switch (m->type & FILE_TYPE_MASK) {
    case FILE_READ:
    case FILE_READ_VECTOR:
    case FILE_WRITE:
    case FILE_WRITE_VECTOR:
    case FILE_SYNC:
        r->back = FILE_BACK;
        return ask(c, s, &asked, AGAIN);
    default:
        return -EINTR;
    }
}

static long hand_over_again(struct client *c, struct server *s, const struct message *m)
{
    struct message numbered = *m;
    long result;

    if (c->cancelled)
        return s->traits & TRAIT_FINISHES ? ask_and_come_back(c, s, m) : -EINTR;
    give_number(s, &numbered);
    result = forward_patiently(c, s, &numbered);
    if (result)
        return result;
    c->handed = numbered;
    return SERVICE_NO_REPLY;
}

long hand_over(struct client *c, struct server *s, const struct message *m)
{
    if (!c->repeats)
        overdue_begin(&c->overdue);
    return hand_over_again(c, s, m);
}

void ask_answered(struct client *c, const struct message *m)
{
    c->behind = NULL;
    if (!c->work)
        return; /* a server that sends back what it should answer: the client stays blocked no
                   longer than that */
    c->answer = *m;
    c->answered = true;
    client_resume(c);
}

/* The call is made anew where the file must be opened again before. */
static void repeat(void *argument)
{
    struct client *c = argument;
    struct message m = c->handed;
    struct server *s = c->behind;

    c->behind = NULL;
    c->result = overdue_is_hopeless(&c->overdue) ? -EIO : server_wait(c, s, c->behind_endpoint);
    c->repeats = true;
    if (c->result == 0)
        c->result =
            server_knows_nodes(s, m.type) ? hand_over_again(c, s, &m) : client_call_again(c);
}

void ask_bounced(struct client *c, const struct message *m)
{
    (void)m;
    if (!c->behind)
        return;
    if (c->work) { /* ask() decides */
        c->behind = NULL;
        client_resume(c);
    } else if (request_is_once(c->handed.type) && !(c->behind->traits & TRAIT_REMEMBERS) &&
               c->handed.type != SOCKET_RECEIVE && c->handed.type != SOCKET_RECEIVE_FROM) {
        c->behind = NULL;
        ipc_reply_result(c->endpoint, -EIO);
    } else {
        if (!client_begin(c, repeat)) {
            c->behind = NULL;
            ipc_reply_result(c->endpoint, -EIO);
        }
    }
}

/* The server has begun, and wants to be asked again. */
static void finish(void *argument)
{
    struct client *c = argument;
    struct message m = c->handed;

    c->result = ask_and_come_back(c, c->asked_again, &m);
}

static void taken_back(struct client *c, long result)
{
    struct file_reply *answer = message_words(&c->answer);

    if (c->work) {
        c->answer = (struct message){0};
        answer->result = result;
        c->answered = true;
        client_resume(c);
    } else {
        c->result = result;
        life_called_off(c);
    }
}

/* It is asked again, whether it has the request, while it lives: what it answers meanwhile the kernel keeps. */
static void recall_again(void);

static void recall_later(struct client *c)
{
    if (!c->recalled)
        c->recalled = clock_now();
    wait_timer_once(TIMER_RECALLS, clock_now() + RECALL_NS, recall_again);
}

static bool recall_is_over(const struct client *c)
{
    return c->recalled && clock_now() - c->recalled > EXIT_NS;
}

static void recall_again(void)
{
    for (struct client *c = client_next(NULL), *next; c; c = next) {
        next = client_next(c);
        if (c->recalled)
            ask_take_back(c);
    }
}

/* The server is asked first, and then whether it had answered: it does one thing at a time, so
 * after its reply no answer is under way, and from the second call on it cannot touch the program
 * any more. Of a request that it had answered it knows nothing: then that answer counts. One that is late
 * lives all the same: what it opened for the program would stay open there. */
void ask_take_back(struct client *c)
{
    struct message late = {0},
                   m = message_of(FILE_CANCEL,
                                  (struct file_program_request){.program = (uint64_t)c->endpoint});
    const struct file_cancel_reply *cancelled = message_words(&m);
    struct server *s = c->behind;
    bool lives = s->endpoint == c->behind_endpoint;
    long result = lives ? server_call(s, &m) : -EDEADSRCDST;
    bool any, is_late;

    if (result == -ETIMEDOUT && c->work && !recall_is_over(c)) {
        recall_later(c);
        return;
    }
    any = ipc_late_answer(c->endpoint, &late) == 0;
    is_late = any && message_caller(&late) == c->behind_endpoint;
    c->behind = NULL;
    c->recalled = 0;
    /* The server had answered it, and it has gone on since. (Ours is what that has not received.) */
    if (any && !is_late && message_caller(&late) != service_info()->self) {
        long done = life_late(c->endpoint, &late);

        if (!c->work) {
            taken_back(c, done);
            return;
        }
    }
    if (result == FILE_CANCEL_REPEAT && !c->work) {
        c->asked_again = s;
        if (client_begin(c, finish))
            return;
        result = 0;
    }
    if (result == 1) {
        c->interrupted = cancelled->done <= 0;
        taken_back(c, c->interrupted ? -EINTR : cancelled->done);
    } else if (is_late && c->work) {
        ask_answered(c, &late);
    } else if (is_late) {
        taken_back(c, (long)late.type);
    } else if (c->work) {
        c->returned = result == 0 || result == FILE_CANCEL_REPEAT || result == -EAGAIN;
        c->in_doubt = !c->returned && result != -EDEADSRCDST; /* else as when it bounces */
        client_resume(c);
    } else {
        taken_back(c, result < 0 && result != -EAGAIN && request_is_once(c->handed.type) ? -EIO
                                                                                         : -EINTR);
    }
}

void ask_overdue(struct client *c)
{
    struct message m =
        message_of(PM_TAKE_BACK, (struct pm_thread_request){.thread = (uint64_t)c->endpoint});

    wait_answer_ends(c);
    wait_answer_begins(c, clock_now() + EXIT_NS);
    ipc_call(service_info()->pm, &m);
}

/* It may have been given back at the last moment. */
void ask_taken(struct client *c)
{
    struct message late = {0};
    bool is_late =
        ipc_late_answer(c->endpoint, &late) == 0 && message_caller(&late) == c->behind_endpoint;

    if (!c->work || !c->behind)
        return;
    if (is_late) {
        ask_answered(c, &late);
        return;
    }
    log_info("%s has not given back process %d, which was killed: it ends all the same",
             c->behind->service[0] ? c->behind->service : c->behind->key, c->pid);
    c->behind = NULL;
    c->lost = true;
    client_resume(c);
}
