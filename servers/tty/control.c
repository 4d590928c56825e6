/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions and process groups, and the ioctls: as in tty_ioctl(4). */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <termios.h>

#include "abi/proto/pm.h"
#include "lib/fs/device.h"
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
    *who = (struct person){
        .pid = is->pid, .session = is->sid, .group = is->pgid, .uid = is->euid, .stops = is->stops};
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
static long tell_foreground(int32_t session, int32_t group)
{
    struct message m = message_of(
        PM_FOREGROUND, (struct pm_foreground_request){.session = session, .group = group});

    return session > 0 ? ipc_call(service_info()->pm, &m) : 0;
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

long background_of(const struct terminal *t, endpoint_t program, int signal)
{
    bool reads = signal == SIGTTIN;
    struct person who;

    if (t->session == 0 || t->group == 0 || !person_ask(program, &who) ||
        who.session != t->session || who.group == t->group)
        return 0;
    if (!(who.stops & (reads ? PM_STOPS_AT_TTIN : PM_STOPS_AT_TTOU)))
        return reads ? -EIO : 0;
    return who.stops & PM_IS_ORPHANED ? -EIO : who.group;
}

/* Once it waits: PM takes it back from here to stop it. */
long control_wait(enum waiter_kind kind, struct terminal *t, const struct message *m,
                  int32_t background, int signal)
{
    device_answer(m, waiter_add(kind, t, m, background));
    group_signal(background, signal);
    return SERVICE_NO_REPLY;
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
    if (tell_foreground(t->session, group) == -EPERM) /* it could send that group signals */
        return -EPERM;
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
    bool changes; /* what the foreground relies on: not from the background */
    bool drains; /* only when all output has been taken by the driver */
} controls[] = {
    {TCGETS, get_settings, false, false},
    {TCSETS, set_settings, true, false},
    {TCSETSW, set_settings, true, true},
    {TCSETSF, set_settings_flush, true, true},
    {TIOCGWINSZ, get_size, false, false},
    {TIOCSWINSZ, set_size, false, false},
    {TIOCGPGRP, get_group, false, false},
    {TIOCSPGRP, set_group, true, false},
    {TIOCGSID, get_session, false, false},
    {TIOCSCTTY, set_controlling, false, false},
    {TIOCNOTTY, give_up_controlling, false, false},
    {TCFLSH, flush, true, false},
    {TCXONC, set_flow, true, false},
    {TCSBRK, nothing, true, true}, /* tcdrain(); a break is not sent */
    {TCSBRKP, nothing, true, true},
    {FIONREAD, get_input_bytes, false, false},
    {TIOCOUTQ, get_output_bytes, false, false},
    {TIOCGETD, get_discipline, false, false},
};

static long run(struct terminal *t, const struct message *m, bool waited)
{
    const struct file_ioctl_request *r = message_words(m);

    for (size_t i = 0; i < sizeof controls / sizeof controls[0]; i++) {
        long background = 0;

        if (controls[i].request != r->request)
            continue;
        if (controls[i].changes && !waited)
            background = background_of(t, message_caller(m), SIGTTOU);
        if (background < 0)
            return background;
        if (background || (controls[i].drains && !waited))
            return control_wait(WAIT_DRAIN, t, m, (int32_t)background, SIGTTOU);
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
