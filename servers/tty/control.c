/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions and process groups, and the ioctls: as in tty_ioctl(4). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "abi/proto/pm.h"
#include "lib/rt/kernel.h"
#include "lib/service/service.h"
#include "servers/tty/tty.h"

/* ---- what PM knows ---- */

bool person_ask(endpoint_t program, struct person *who)
{
    struct message m =
        message_of(PM_SESSION, (struct pm_thread_request){.thread = (uint64_t)program});
    const struct pm_credentials_reply *is = message_words(&m);

    *who = (struct person){0};
    if (ipc_call(service_info()->pm, &m) < 0)
        return false;
    *who = (struct person){.pid = is->pid, .session = is->sid, .group = is->pgid, .uid = is->euid};
    return true;
}

/* Signal 0 only asks: is there anybody? */
bool process_signal(int32_t target, int signal)
{
    struct message m = message_of(
        PM_SIGNAL, (struct pm_signal_request){.target = target, .signal = (uint64_t)signal});

    return ipc_call(service_info()->pm, &m) >= 0;
}

void group_signal(int32_t group, int signal)
{
    if (group > 0)
        process_signal(-group, signal);
}

/* ---- sessions ---- */

struct terminal *controlling_terminal(endpoint_t program)
{
    struct person who;

    if (!person_ask(program, &who) || who.session == 0)
        return NULL;
    for (unsigned i = 0; i < TERMINALS; i++)
        if (terminals[i].session == who.session)
            return &terminals[i];
    return NULL;
}

/* (The leader's end is announced to PM alone: found out when somebody wants the terminal.) */
static bool has_session(const struct terminal *t)
{
    return t->session > 0 && process_signal(t->session, 0);
}

/* PM lets the group hang up when the session's leader ends. */
static void tell_foreground(int32_t session, int32_t group)
{
    struct message m = message_of(
        PM_FOREGROUND, (struct pm_foreground_request){.session = session, .group = group});

    if (session > 0)
        ipc_call(service_info()->pm, &m);
}

void terminal_give(struct terminal *t, int32_t session, int32_t group)
{
    if (t->session != session)
        tell_foreground(t->session, 0);
    t->session = session;
    t->group = group;
    terminal_save(t);
    tell_foreground(session, group);
}

static void take_terminal(struct terminal *t, const struct person *who)
{
    terminal_give(t, who->session, who->group);
}

void terminal_opened(struct terminal *t, endpoint_t program)
{
    struct person who;

    if (!person_ask(program, &who) || who.pid != who.session || t->session == who.session ||
        has_session(t))
        return;
    for (unsigned i = 0; i < TERMINALS; i++)
        if (terminals[i].session == who.session)
            return;
    take_terminal(t, &who);
}

int32_t reader_in_background(const struct terminal *t, endpoint_t program)
{
    struct person who;

    if (t->session == 0 || t->group == 0 || !person_ask(program, &who))
        return 0;
    return who.session == t->session && who.group != t->group ? who.group : 0;
}

/* ---- ioctls ---- */

static long give(const struct message *m, const void *value, size_t size)
{
    const struct file_ioctl_request *r = message_words(m);

    return copy_to(message_caller(m), r->argument, value, size) < 0 ? -EFAULT : 0;
}

static long fetch(const struct message *m, void *value, size_t size)
{
    const struct file_ioctl_request *r = message_words(m);

    return copy_from(message_caller(m), r->argument, value, size) < 0 ? -EFAULT : 0;
}

static long give_number(const struct message *m, int32_t value)
{
    return give(m, &value, sizeof value);
}

static long get_settings(struct terminal *t, const struct message *m)
{
    return give(m, &t->line.termios, sizeof t->line.termios);
}

static long set_settings(struct terminal *t, const struct message *m)
{
    struct line_termios settings;

    if (fetch(m, &settings, sizeof settings) < 0)
        return -EFAULT;
    if (memcmp(&settings, &t->line.termios, sizeof settings) == 0)
        return 0;
    line_configure(&t->line, &settings);
    terminal_save(t);
    return 0;
}

static long set_settings_flush(struct terminal *t, const struct message *m)
{
    terminal_discard_input(t);
    return set_settings(t, m);
}

static long nothing(struct terminal *t, const struct message *m)
{
    (void)t;
    (void)m;
    return 0;
}

static long get_size(struct terminal *t, const struct message *m)
{
    return give(m, &t->size, sizeof t->size);
}

static long set_size(struct terminal *t, const struct message *m)
{
    struct winsize size;

    if (fetch(m, &size, sizeof size) < 0)
        return -EFAULT;
    if (memcmp(&size, &t->size, sizeof size) == 0)
        return 0;
    t->size = size;
    terminal_save(t);
    group_signal(t->group, SIGWINCH);
    return 0;
}

/* The caller, if this is its controlling terminal; else -ENOTTY. */
static long controller(const struct terminal *t, const struct message *m, struct person *who)
{
    return person_ask(message_caller(m), who) && who->session != 0 && who->session == t->session
               ? 0
               : -ENOTTY;
}

static long get_group(struct terminal *t, const struct message *m)
{
    struct person who;
    long error = controller(t, m, &who);

    return error < 0 ? error : give_number(m, t->group);
}

static long set_group(struct terminal *t, const struct message *m)
{
    struct person who;
    int32_t group;
    long error = controller(t, m, &who);

    if (error < 0)
        return error;
    if (fetch(m, &group, sizeof group) < 0)
        return -EFAULT;
    if (group <= 0)
        return -EINVAL;
    if (!process_signal(-group, 0))
        return -ESRCH;
    terminal_give(t, t->session, group);
    return 0;
}

static long get_session(struct terminal *t, const struct message *m)
{
    struct person who;
    long error = controller(t, m, &who);

    return error < 0 ? error : give_number(m, t->session);
}

/* Argument 1: root may take it away from another session. */
static long set_controlling(struct terminal *t, const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);
    struct person who;

    if (!person_ask(message_caller(m), &who) || who.pid != who.session)
        return -EPERM;
    if (t->session == who.session)
        return 0;
    if (controlling_terminal(message_caller(m)))
        return -EPERM;
    if (has_session(t) && !(r->argument == 1 && who.uid == 0))
        return -EPERM;
    take_terminal(t, &who);
    return 0;
}

static long give_up_controlling(struct terminal *t, const struct message *m)
{
    struct person who;
    long error = controller(t, m, &who);

    if (error < 0)
        return error;
    if (who.pid == who.session) { /* the leader: the whole session loses it */
        group_signal(t->group, SIGHUP);
        group_signal(t->group, SIGCONT);
        terminal_give(t, 0, 0);
    }
    return 0;
}

/* Output cannot be taken back from the driver. */
static long flush(struct terminal *t, const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);

    if (r->argument > TCIOFLUSH)
        return -EINVAL;
    if (r->argument != TCOFLUSH)
        terminal_discard_input(t);
    return 0;
}

static long set_flow(struct terminal *t, const struct message *m)
{
    const struct file_ioctl_request *r = message_words(m);

    if (r->argument > TCION)
        return -EINVAL;
    if (r->argument == TCOOFF || r->argument == TCOON)
        line_hold(&t->line, r->argument == TCOOFF);
    return 0;
}

static long get_input_bytes(struct terminal *t, const struct message *m)
{
    return give_number(m, (int32_t)line_available(&t->line));
}

static long get_output_bytes(struct terminal *t, const struct message *m)
{
    return give_number(m, (int32_t)terminal_pending(t));
}

static long get_discipline(struct terminal *t, const struct message *m)
{
    (void)t;
    return give_number(m, 0); /* N_TTY */
}

static const struct {
    uint64_t request;
    long (*handle)(struct terminal *t, const struct message *m);
    bool drains; /* only when all output has been taken by the driver */
} controls[] = {
    {TCGETS, get_settings, false},
    {TCSETS, set_settings, false},
    {TCSETSW, set_settings, true},
    {TCSETSF, set_settings_flush, true},
    {TIOCGWINSZ, get_size, false},
    {TIOCSWINSZ, set_size, false},
    {TIOCGPGRP, get_group, false},
    {TIOCSPGRP, set_group, false},
    {TIOCGSID, get_session, false},
    {TIOCSCTTY, set_controlling, false},
    {TIOCNOTTY, give_up_controlling, false},
    {TCFLSH, flush, false},
    {TCXONC, set_flow, false},
    {TCSBRK, nothing, true}, /* tcdrain(); a break is not sent */
    {TCSBRKP, nothing, true},
    {FIONREAD, get_input_bytes, false},
    {TIOCOUTQ, get_output_bytes, false},
    {TIOCGETD, get_discipline, false},
};

static long run(struct terminal *t, const struct message *m, bool drained)
{
    const struct file_ioctl_request *r = message_words(m);

    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        if (controls[i].request != r->request)
            continue;
        if (controls[i].drains && !drained)
            return waiter_add(WAIT_DRAIN, t, m, 0);
        return controls[i].handle(t, m);
    }
    return t->screen ? vt_control(m) : -ENOTTY;
}

long control(struct terminal *t, const struct message *m)
{
    return run(t, m, false);
}

long control_apply(struct terminal *t, const struct message *m)
{
    return run(t, m, true);
}
