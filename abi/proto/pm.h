/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The process server's protocol. PM also gets the Linux calls of ROUTE_PM, exits (ROUTE_GUARDIAN)
 * and MESSAGE_EXCEPTION of programs. PM calls VM, DS, RS. It never calls VFS: it hands blocked
 * processes to it with forward() (abi/proto/vfs.h), and VFS calls back here.
 */
#ifndef ABI_PROTO_PM_H
#define ABI_PROTO_PM_H

#include "abi/message.h"

enum pm_request {
    /* from VFS */
    /* no words: make the first program: an empty process, blocked as though in execve() to VFS. VFS
       then does exec of /sbin/init (or what the command line says: init=) on it. */
    PM_INIT = PROTOCOL_PM,
    /* the point of no return of exec: other threads are ended, handlers reset */
    PM_EXEC,
    PM_EXEC_START, /* registers set; VFS then replies 0 to the process */
    PM_EXIT_DONE, /* pm_thread_request: VFS has closed its files (see VFS_EXIT): it may go */
    /* (forwarded: the process itself comes back) see VFS_CANCEL */
    PM_CANCELLED,
    PM_CREDENTIALS, /* pm_thread_request */
    PM_SIGNAL, /* from VFS, tty, net: SIGPIPE, SIGINT, SIGHUP... -> 0, -ESRCH */
    PM_MASK, /* from VFS: of a thread in a call to it */
    PM_SESSION, /* from tty: pm_thread_request -> pm_credentials_reply */
    /* from fs/proc */
    PM_LIST, /* struct pm_process to our grant -> how many, ordered by pid */
    /* from services, fs/dev among them: w[0..3] 32 bytes that are mixed into the pool of
       randomness, as good or bad as they are -> 0, w[0..3] 32 bytes of it, that nobody else gets.
       -EPERM: from a program */
    PM_RANDOM,
    /* from the clock server. Sets the system's time -> 0, -EALREADY: it has been set, by this or by
       a program; -EINVAL, -EPERM: from a program */
    PM_FIRST_TIME,
    /* from VFS: pm_thread_request, of a thread that ends (VFS_EXIT) and that a server does not give
       back. PM takes it from whoever has it, and hands it on as VFS_EXIT once more -> 0, -ESRCH */
    PM_TAKE_BACK,
    /* from tty: pm_foreground_request: the terminal of that session has that group in its foreground, which is to
       hang up when the session's leader ends -> 0, -ESRCH; -EPERM: that group is of another session */
    PM_FOREGROUND,
    PM_GROUPS, /* from VFS: pm_groups_request -> how many supplementary groups there are */
};

struct IN_MESSAGE pm_thread_request { /* of several */
    uint64_t thread; /* endpoint */
};
MESSAGE_FITS(struct pm_thread_request);

struct IN_MESSAGE pm_init_reply {
    uint64_t thread; /* endpoint */
    uint64_t pid; /* 1 */
};
MESSAGE_FITS(struct pm_init_reply);

struct IN_MESSAGE pm_exec_request {
    uint64_t thread; /* endpoint */
    int64_t uid, gid; /* set-uid, set-gid; -1: none */
};
MESSAGE_FITS(struct pm_exec_request);

struct IN_MESSAGE pm_exec_start_request {
    uint64_t thread; /* endpoint */
    uint64_t entry, stack; /* instruction and stack pointer */
    uint64_t grant; /* with char[16]: the name */
};
MESSAGE_FITS(struct pm_exec_start_request);

struct IN_MESSAGE pm_cancelled_request {
    uint64_t is_over; /* 1: the call is over; 0: nothing of it was done */
    int64_t result; /* of a call that is over: -EINTR, or what was done */
};
MESSAGE_FITS(struct pm_cancelled_request);

struct IN_MESSAGE pm_credentials_reply {
    uint32_t euid, egid, uid, gid;
    int32_t pid, ppid, pgid, sid;
    uint32_t stops, none; /* enum pm_stops */
};
MESSAGE_FITS(struct pm_credentials_reply);

/* What a terminal's signals do to it: they are neither ignored nor blocked; its group is orphaned, so they
 * stop nobody in it. */
enum pm_stops { PM_STOPS_AT_TTIN = 1, PM_STOPS_AT_TTOU = 2, PM_IS_ORPHANED = 4 };

struct IN_MESSAGE pm_groups_request {
    uint64_t thread; /* endpoint */
    uint64_t first; /* the reply begins with that one */
};
MESSAGE_FITS(struct pm_groups_request);

struct IN_MESSAGE pm_groups_reply {
    uint32_t group[12];
};
MESSAGE_FITS(struct pm_groups_reply);

struct IN_MESSAGE pm_signal_request {
    int64_t target; /* pid (> 0), or -pgid */
    uint64_t signal; /* 0 only asks whether there is anybody */
    uint64_t thread; /* endpoint, instead of a target; 0: none */
};
MESSAGE_FITS(struct pm_signal_request);

struct IN_MESSAGE pm_foreground_request {
    int64_t session, group; /* group 0: it has no terminal any more */
};
MESSAGE_FITS(struct pm_foreground_request);

struct IN_MESSAGE pm_mask_request {
    uint64_t thread; /* endpoint */
    uint64_t begins; /* 1: `mask` begins; 0: the call is over, other than by a signal */
    uint64_t mask; /* its signal mask until a handler has run or the call is over */
};
MESSAGE_FITS(struct pm_mask_request);

struct IN_MESSAGE pm_list_request {
    uint64_t first; /* pid wanted */
    uint64_t grant, count; /* how many struct pm_process fit */
};
MESSAGE_FITS(struct pm_list_request);

struct IN_MESSAGE pm_first_time_request {
    uint64_t ns; /* since 1970 */
    uint64_t at; /* when the clock (ns since boot) was that */
};
MESSAGE_FITS(struct pm_first_time_request);

struct pm_process {
    int32_t pid, ppid, pgid, sid, uid, gid, tty, threads;
    endpoint_t endpoint;
    uint32_t state; /* 'R' 'S' 'T' 'Z' */
    uint64_t start_ns, user_ns, system_ns;
    char name[16];
    int32_t is_service, pad;
};

/* Pids: services have 2..PID_SERVICE_MAX, given by RS; programs 1 (init) and from PID_PROGRAM_MIN
 * up, given by PM. */
#define PID_SERVICE_MAX 9999
#define PID_PROGRAM_MIN 10000
#define PID_MAX 32767

#endif
