/* SPDX-License-Identifier: BSD-2-Clause */
/* Programs that ask anything of PM, with arguments that are right, nearly right, or as large as they
 * get; and VFS, VM and others, which do what is theirs sooner or later. A seed decides. */
#ifndef PM_RANDOM_H
#define PM_RANDOM_H

#include "tests/unit/pm_invariants.h"

#define PRIVATE_BYTES 0x1000 /* of a program's memory: what calls read and write; above: stacks */
static bool is_ending_all;
static unsigned handlers_run, calls_repeated;
enum { MANY = 40, TIMES_AT = MEMORY_AT + 0x800 };

/*
 * Arguments, a letter each: s signal, S set of signals, a action, t time, u number for a result,
 * p pid, g pid or group, r small number, R any number, f flags of clone, k stack, o futex operation,
 * w futex word, i user, l limit, n resource, I interval, 8 the number.
 */
static const struct {
    uint16_t number;
    const char *arguments;
    uint8_t weight;
} calls_of_programs[] = {
    {SYS_rt_sigaction, "sau8", 40},
    {SYS_rt_sigprocmask, "rSu8", 30},
    {SYS_rt_sigpending, "u", 2},
    {SYS_rt_sigsuspend, "S8", 10},
    {SYS_pause, "", 8},
    {SYS_rt_sigtimedwait, "Sut8", 12},
    {SYS_sigaltstack, "Ku", 6},
    {SYS_kill, "gs", 40},
    {SYS_tkill, "ps", 12},
    {SYS_tgkill, "pps", 4},
    {SYS_fork, "", 20},
    {SYS_vfork, "", 10},
    {SYS_clone, "fkuuR", 25},
    {SYS_exit, "r", 6},
    {SYS_exit_group, "r", 6},
    {SYS_wait4, "gurU", 40},
    {SYS_waitid, "rpurU", 10},
    {SYS_nanosleep, "tu", 12},
    {SYS_clock_nanosleep, "rrtu", 6},
    {SYS_alarm, "r", 6},
    {SYS_setitimer, "0Iu", 8},
    {SYS_getitimer, "0u", 1},
    {SYS_futex, "worttr", 25},
    {SYS_set_tid_address, "w", 3},
    {SYS_setpgid, "pp", 8},
    {SYS_setsid, "", 4},
    {SYS_getpgid, "p", 1},
    {SYS_getsid, "p", 1},
    {SYS_getppid, "", 1},
    {SYS_setuid, "i", 2},
    {SYS_setreuid, "ii", 2},
    {SYS_setresuid, "iii", 2},
    {SYS_setresgid, "iii", 1},
    {SYS_setgroups, "ru", 1},
    {SYS_getgroups, "ru", 1},
    {SYS_getresuid, "uuu", 1},
    {SYS_setrlimit, "nl", 6},
    {SYS_prlimit64, "pnlu", 4},
    {SYS_getrandom, "uRr", 1},
    {SYS_prctl, "Ru", 1},
    {SYS_times, "u", 1},
    {SYS_getrusage, "ru", 1},
    {SYS_clock_gettime, "ru", 1},
    {SYS_sysinfo, "u", 1},
    {SYS_syslog, "rur", 1},
};

static uint64_t some_address(void)
{
    return percent(4) ? chance(1ull << 32) << chance(32)
                      : MEMORY_AT + chance(PRIVATE_BYTES / 8 - 64) * 8;
}

static uint64_t some_pid(void)
{
    const struct program *p = &programs[chance((uint64_t)(top - programs))];
    struct thread *t = thread_of(p->ep);

    if (percent(5))
        return chance(100000);
    if (!t)
        return 0;
    return (uint64_t)(percent(50) ? t->tid : t->process->pid);
}

static uint64_t some_signal(void)
{
    static const uint8_t liked[] = {SIGHUP,  SIGINT,  SIGKILL, SIGUSR1, SIGSEGV, SIGUSR2,
                                    SIGALRM, SIGTERM, SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP,
                                    SIGCONT, SIGUSR1, SIGCHLD, SIGWINCH};

    return percent(5) ? chance(70) : liked[chance(sizeof liked)];
}

static uint64_t some_set(void)
{
    uint64_t set = 0;

    if (percent(10))
        return ~0ull;
    for (unsigned n = (unsigned)chance(5); n; n--)
        set |= 1ull << (some_signal() - 1) % 64;
    return set;
}

static uint64_t put(struct program *p, const void *what, size_t length)
{
    uint64_t address = TIMES_AT + chance(16) * 0x40;

    memcpy(at(p, address), what, length);
    return percent(97) ? address : some_address();
}

static uint64_t put_action(struct program *p)
{
    static const uint64_t flags[] = {SA_RESTART,   SA_NODEFER,   SA_RESETHAND, SA_ONSTACK,
                                     SA_NOCLDSTOP, SA_NOCLDWAIT, SA_SIGINFO};
    struct action a = {.handler = percent(70) ? HANDLER_AT : chance(2),
                       .flags = 0x04000000,
                       .restorer = percent(99) ? RESTORER_AT : 0,
                       .mask = percent(40) ? some_set() : 0};

    for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++)
        a.flags |= percent(25) ? flags[i] : 0;
    return put(p, &a, sizeof a);
}

static uint64_t put_time(struct program *p)
{
    int64_t t[2] = {percent(5) ? (int64_t)(chance(1ull << 32) << chance(32)) : 0,
                    percent(2) ? (int64_t)chance(1ull << 31) : (int64_t)chance(3000000)};

    return percent(80) ? put(p, t, sizeof t) : 0;
}

static uint64_t argument(struct program *p, char letter)
{
    static const uint64_t clones[] = {0x10900,   0x10900, 0x310900, 0x4111, 0x4011,      0x111,
                                      0x1200011, 0x10000, 0x900,    0x11,   17 | 0x80000};
    static const uint8_t resources[] = {0, 3, 6, 7, 9, 2};
    uint64_t numbers[4];

    switch (letter) {
    case 's':
        return some_signal();
    case 'S':
        return put(p, &(uint64_t){some_set()}, 8);
    case 'a':
        return percent(90) ? put_action(p) : 0;
    case 't':
        return put_time(p);
    case 'I':
        for (unsigned i = 0; i < 4; i++)
            numbers[i] = i % 2 ? chance(2000) : 0;
        return put(p, numbers, sizeof numbers);
    case 'K':
        numbers[0] = MEMORY_AT + 0x1000 + chance(4) * 0x1000;
        numbers[1] = chance(10) ? 0 : 2;
        numbers[2] = 0x1000;
        return percent(70) ? put(p, numbers, 24) : 0;
    case 'l':
        numbers[0] = percent(50) ? 1 + chance(30) : ~0ull;
        numbers[1] = percent(30) ? 1 + chance(40) : ~0ull;
        return put(p, numbers, 16);
    case 'n':
        return percent(95) ? resources[chance(sizeof resources)] : chance(40);
    case 'u':
        return some_address();
    case 'U':
        return percent(30) ? some_address() : 0;
    case 'p':
        return some_pid();
    case 'g':
        if (percent(15))
            return (uint64_t)-1;
        if (percent(40))
            return -some_pid();
        return percent(20) ? 0 : some_pid();
    case 'R':
        return percent(50) ? chance(1000) : chance(1ull << 32) << chance(33);
    case 'r':
        return percent(3) ? chance(1ull << 32) << chance(32) : chance(12);
    case 'f':
        return clones[chance(sizeof clones / sizeof *clones)];
    case 'k':
        return percent(70) ? MEMORY_AT + 0x2000 + chance(11) * 0x800 : 0;
    case 'o':
        return chance(11) | (percent(30) ? 128 : 0);
    case 'w':
        return MEMORY_AT + chance(4) * 4;
    case 'i':
        if (percent(30))
            return ~0ull;
        return percent(50) ? 0 : 1000 + chance(3);
    default:
        return (uint64_t)(letter - '0');
    }
}

static bool is_init(const struct program *p)
{
    return process_of(p)->pid == INIT_PID;
}

/* init lives on: it waits for its children, and what it handles harms nobody. */
static void init_acts(struct program *p)
{
    struct action a = {.handler = chance(4) ? 0 : HANDLER_AT,
                       .flags = 0x04000000 | (percent(30) ? SA_NOCLDWAIT : 0) |
                                (percent(30) ? SA_RESTART : 0),
                       .restorer = RESTORER_AT};

    memcpy(at(p, TIMES_AT), &a, sizeof a);
    if (is_ending_all)
        call_begin(p, EP_PM, SYS_wait4, (uint64_t[6]){(uint64_t)-1, 0, 1});
    else if (percent(10))
        call_begin(p, EP_PM, SYS_rt_sigaction, (uint64_t[6]){SIGCHLD, TIMES_AT, 0, 8});
    else if (percent(20) || slots_used < 5)
        call_begin(p, EP_PM, SYS_fork, (uint64_t[6]){0});
    else
        call_begin(p, EP_PM, SYS_wait4, (uint64_t[6]){(uint64_t)-1, 0, percent(50) ? 1 : 3});
}

static endpoint_t server_of_call(uint64_t number)
{
    if (number == SYS_mremap || number == SYS_mmap || number == SYS_munmap)
        return EP_VM;
    return number == SYS_read || number == SYS_write || number == SYS_ppoll || number == SYS_execve
               ? EP_VFS
               : EP_PM;
}

static void calls(struct program *p, endpoint_t to, long number, const uint64_t a[6])
{
    if (p->r.rip == CODE_AT)
        p->data[0] = (uint64_t)number; /* until it has come back */
    call_begin(p, to, number, a);
}

static void program_calls(struct program *p)
{
    unsigned all = 0, n = 0, pick;
    uint64_t a[6] = {0};
    long number;

    if (percent(20)) {
        static const uint16_t others[] = {SYS_read,   SYS_write,  SYS_ppoll, SYS_execve,
                                          SYS_execve, SYS_mremap, SYS_mmap,  SYS_munmap};

        number = others[chance(sizeof others / sizeof *others)];
        calls(p, server_of_call((uint64_t)number), number, a);
        return;
    }
    for (unsigned i = 0; i < sizeof calls_of_programs / sizeof *calls_of_programs; i++)
        all += calls_of_programs[i].weight;
    for (pick = (unsigned)chance(all); pick >= calls_of_programs[n].weight; n++)
        pick -= calls_of_programs[n].weight;
    number = calls_of_programs[n].number;
    if ((number == SYS_fork || number == SYS_vfork || number == SYS_clone) && slots_used > MANY)
        number = SYS_exit;
    else
        for (unsigned i = 0; calls_of_programs[n].arguments[i]; i++)
            a[i] = argument(p, calls_of_programs[n].arguments[i]);
    calls(p, EP_PM, number, a);
}

/* It runs: what its instruction pointer says. */
static void program_runs(struct program *p)
{
    bool in_handler = p->r.rip >= HANDLER_AT && p->r.rip < RESTORER_AT;

    p->used_ns += chance(200000);
    if (!in_handler && p->r.rip != CODE_AT) { /* (also when somebody wrote to its frame) */
        p->r.rip = CODE_AT;
        p->data[0] = 0;
    }
    handlers_run += p->r.rip == HANDLER_AT;
    if (in_handler && (percent(60) || p->r.rip > HANDLER_AT + 8 || is_ending_all)) {
        p->r.rsp += 8;
        p->r.rip = RESTORER_AT;
        call_begin(p, EP_PM, SYS_rt_sigreturn, (uint64_t[6]){0});
    } else if (p->r.rip == CODE_AT && p->data[0] && p->data[0] == p->r.rax) {
        calls_repeated++;
        call_again(p, server_of_call(p->r.rax));
    } else if (is_init(p)) {
        init_acts(p);
    } else if (percent(2)) {
        p->kind = CALL_FAULT;
        send(p, EP_PM, 0,
             (struct message){.type = MESSAGE_EXCEPTION,
                              .w = {chance(20), 4, some_address(), p->r.rip}});
        p->message_kept = true;
    } else if (percent(3)) {
        p->kind = CALL_FAULT;
        send(p, EP_VM, 0, (struct message){.type = MESSAGE_PAGE_FAULT, .w = {some_address()}});
        p->message_kept = true;
    } else {
        program_calls(p);
    }
}

/* ---- VFS and VM, sooner or later ---- */

/* What VFS believes to have: it may have been seized from it. */
static bool vfs_has(const struct program *p)
{
    return blocked_on(p, EP_VFS) || p->seized_from == EP_VFS;
}

enum { VFS_NOTHING, VFS_CALL, VFS_MASKED }; /* data[1]: what VFS has of it */

static void vfs_takes(struct program *p)
{
    struct message out = {.type = PM_CANCELLED};
    struct pm_cancelled_request *says = message_words(&out);

    p->taken = true;
    trace("VFS has", p->ep, 0, &p->message);
    switch (p->message.type) {
    case VFS_EXIT:
        check(server_names(EP_VFS, PM_EXIT_DONE, p->ep) == 0,
              "PM does not know of the end of a thread that it has ended");
        return;
    case VFS_CANCEL:
        /* late: what it has answered, or was not received of PM's (servers/vfs/life.c) */
        if (p->late.source && message_caller(&p->late) == EP_VFS) {
            says->is_over = 1;
            says->result = (int64_t)p->late.type;
        } else if (p->late.source && message_caller(&p->late) == EP_PM) {
            says->is_over = 1;
        } else if (percent(50)) {
            says->is_over = 1;
            says->result = percent(50) ? -EINTR : (int64_t)chance(100);
        }
        p->seized_from = 0;
        p->late.source = 0;
        p->data[1] = VFS_NOTHING;
        forward_to(EP_VFS, p->ep, EP_PM, &out);
        return;
    case VFS_FORK:
    case VFS_CREDENTIALS:
    case VFS_FILE_LIMIT:
        p->data[1] = VFS_NOTHING;
        reply_to(EP_VFS, p->ep, &(struct message){0});
        return;
    default:
        p->data[1] = VFS_CALL;
    }
}

/* In one step, as VFS does it (servers/vfs/exec.c: replace()). */
static void vfs_executes(struct program *p)
{
    struct message m = exec_start(p);
    endpoint_t ep = p->ep;
    int64_t uid = percent(10) ? (int64_t)chance(2) * 1000 : -1;
    bool waits = percent(50);

    if (server_execs(EP_VFS, ep, uid)) {
        reply_to(EP_VFS, ep, &(struct message){.type = (uint64_t)-EAGAIN});
        return;
    }
    all_holds();
    while (waits && percent(90) && pm_step()) /* files are closed meanwhile */
        all_holds();
    if (program_of(ep) != p || !vfs_has(p))
        return;
    strcpy((char *)lent_to_pm, "again");
    if (percent(5)) {
        server_signals_one(EP_VFS, ep, SIGKILL);
        return;
    }
    server_calls(EP_VFS, &m);
    reply_to(EP_VFS, ep, &(struct message){0});
}

static void vfs_works(struct program *p)
{
    struct thread *t = thread_of(p->ep);
    endpoint_t ep = p->ep;
    bool masked = p->data[1] == VFS_MASKED;

    if (!t || !vfs_has(p) || p->data[1] == VFS_NOTHING)
        return;
    if (p->r.rax == SYS_execve) {
        p->data[1] = VFS_NOTHING;
        vfs_executes(p);
    } else if (p->r.rax == SYS_ppoll && !masked && percent(60)) {
        struct message m =
            message_of(PM_MASK, (struct pm_mask_request){(uint64_t)ep, 1, .mask = some_set()});

        p->data[1] = VFS_MASKED;
        server_calls(EP_VFS, &m);
    } else if (percent(10)) {
        server_signals_one(EP_VFS, ep, SIGPIPE);
    } else {
        p->data[1] = VFS_NOTHING;
        if (masked)
            server_names(EP_VFS, PM_MASK, ep);
        if (program_of(ep) == p)
            reply_to(EP_VFS, ep, &(struct message){.type = chance(100)});
    }
}

static void vm_works(struct program *p)
{
    struct message m = p->message;

    if (p->blocked && p->peer == EP_VM && !p->taken)
        p->taken = true;
    else if (!blocked_on(p, EP_VM) && p->seized_from != EP_VM)
        return;
    else if (m.type == SYS_mmap && blocked_on(p, EP_VM))
        forward_to(EP_VM, p->ep, EP_VFS, &(struct message){.type = VFS_MMAP});
    else
        reply_to(EP_VM, p->ep, &(struct message){.type = p->kind == CALL_LINUX ? chance(100) : 0});
}

#endif
