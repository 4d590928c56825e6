/* SPDX-License-Identifier: BSD-2-Clause */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "programs/dashboard/dashboard.h"
#include "programs/service/service.h"

#define NOBODY 65534
#define PASSWORD_FILE "/var/run/dashboard.password"
#define MEMORY_MOST (48u << 20) /* bytes, of the server */
#define FILES_MOST 64
#define AGAIN_US 200000 /* between two servers */

static const char usage[] =
    "Usage: dashboard [--port PORT] [--shown PORT]\n"
    "Serve the services of the system as a page for a browser: their state, deaths and recoveries, "
    "and\n"
    "buttons that kill and restart them. User and password are written on standard output, the "
    "password\n"
    "also to " PASSWORD_FILE " (for root); it is another one each time.\n"
    "\n"
    "  --port PORT     TCP port to listen at (80)\n"
    "  --shown PORT    the port of the host's loopback that leads there, for the message\n"
    "  --help          this\n"
    "\n"
    "Who may ask: only by a name of the loopback (127.0.0.1, localhost). Only root may start it.\n"
    "Exit status: 1 failed, 2 usage.\n";

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "dashboard: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* ---- set-up ---- */

/* 16 of 32 letters and digits that are not taken for one another: 80 bits */
static void make_password(struct identity *who)
{
    static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
    unsigned char bytes[16];
    size_t n = 0;

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes ||
        getrandom(&who->started, sizeof who->started, 0) != sizeof who->started)
        fail("random numbers");
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (i && i % 4 == 0)
            who->password[n++] = '-';
        who->password[n++] = letters[bytes[i] % 32];
    }
    who->password[n] = 0;
}

static void keep_password(const struct identity *who)
{
    int fd = open(PASSWORD_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || fchmod(fd, 0600) < 0 || dprintf(fd, "%s\n", who->password) < 0)
        fail(PASSWORD_FILE);
    close(fd);
}

static int start_listening(unsigned port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 64) < 0)
        fail("cannot listen");
    return fd;
}

/* ---- the server ---- */

static void limit(int resource, rlim_t most)
{
    struct rlimit r = {most, most};

    setrlimit(resource, &r);
}

/* nobody, with no way back, and with no more than it needs: what it reads comes from outside. */
static _Noreturn void be_server(int listener, int orders, const struct identity *who)
{
    limit(RLIMIT_AS, MEMORY_MOST);
    limit(RLIMIT_NOFILE, FILES_MOST);
    limit(RLIMIT_CORE, 0);
    if (chdir("/") < 0 || setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0 ||
        setuid(0) == 0)
        fail("cannot become the user nobody");
    server_run(listener, orders, who);
    _exit(1);
}

/* ---- the guardian ---- */

static bool is_name(const char *name)
{
    size_t n = strnlen(name, SERVICE_NAME_ROOM);

    return n > 0 && n < SERVICE_NAME_ROOM &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-_") == n;
}

static bool is_too_often(void)
{
    static uint64_t second;
    static unsigned orders;

    if (now_ms() / 1000 != second) {
        second = now_ms() / 1000;
        orders = 0;
    }
    return ++orders > ORDERS_A_SECOND;
}

static void note(const char *verb, const char *name, int error)
{
    int fd = open(LOG_DEVICE, O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    dprintf(fd, "dashboard: %s %s%s%s\n", verb, name, error ? ": " : "",
            error ? order_reason(verb, error) : "");
    close(fd);
}

/* errno; 0: done */
static int carry_out(const struct order *o)
{
    int error;

    if (o->verb >= VERBS || !is_name(o->name))
        return EINVAL;
    if (is_too_often())
        return EAGAIN;
    error = order_send(verb_name(o->verb), o->name, NULL);
    note(verb_name(o->verb), o->name, error);
    return error;
}

/* Until the server ends. */
static void serve_orders(int fd)
{
    struct order o;
    ssize_t n;
    int error;

    while ((n = read(fd, &o, sizeof o)) == (ssize_t)sizeof o || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        error = carry_out(&o);
        if (write(fd, &error, sizeof error) != (ssize_t)sizeof error)
            return;
    }
}

static _Noreturn void guard(int listener, const struct identity *who)
{
    for (;;) {
        int pair[2];
        pid_t child;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
            fail("socketpair");
        child = fork();
        if (child == 0) {
            close(pair[0]);
            be_server(listener, pair[1], who);
        }
        close(pair[1]);
        if (child > 0)
            serve_orders(pair[0]);
        close(pair[0]);
        if (child > 0) {
            kill(child, SIGKILL);
            waitpid(child, NULL, 0);
        }
        usleep(AGAIN_US);
    }
}

/* ---- options ---- */

static unsigned port_of(const char *text)
{
    size_t n = text ? strspn(text, "0123456789") : 0;
    unsigned long port = n && n <= 5 && !text[n] ? strtoul(text, NULL, 10) : 0;

    return port <= 65535 ? (unsigned)port : 0;
}

static int misuse(const char *what, const char *word)
{
    fprintf(stderr, "dashboard: %s%s\nTry 'dashboard --help'.\n", what, word ? word : "");
    return 2;
}

/* 0, or the exit status */
static int take_options(char **argv, unsigned *port, unsigned *shown)
{
    for (int i = 1; argv[i]; i += 2) {
        unsigned *place = NULL;

        if (strcmp(argv[i], "--port") == 0)
            place = port;
        else if (strcmp(argv[i], "--shown") == 0)
            place = shown;
        if (!place)
            return misuse("unknown option ", argv[i]);
        *place = port_of(argv[i + 1]);
        if (*place == 0)
            return misuse(argv[i], " needs a port, 1 to 65535");
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct identity who;
    unsigned port = 80, shown = 0;
    int wrong, listener;

    if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    wrong = take_options(argv, &port, &shown);
    if (wrong)
        return wrong;
    if (geteuid() != 0) {
        fputs("dashboard: only root may start it\n", stderr);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    make_password(&who);
    listener = start_listening(port);
    keep_password(&who);
    printf("dashboard: http://127.0.0.1:%u/  user " DASHBOARD_USER "  password %s\n",
           shown ? shown : port, who.password);
    fflush(stdout);
    guard(listener, &who);
}
