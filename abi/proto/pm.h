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
    /* make the first program: an empty process, blocked as though in execve() to VFS: w[0] of the
       reply: its endpoint, w[1] its pid (1). VFS then does exec of /sbin/init (or what the command
       line says: init=) on it. */
    PM_INIT = PROTOCOL_PM,
    /* w[0] endpoint: the point of no return of exec: other threads are ended, handlers reset. w[1]
       set-uid (uid or -1), w[2] set-gid. */
    PM_EXEC,
    /* w[0] endpoint, w[1] entry, w[2] stack pointer, w[3] grant with char[16] name: registers set;
       VFS then replies 0 to the process */
    PM_EXEC_START,
    PM_EXIT_DONE, /* w[0] endpoint: VFS has closed its files (see VFS_EXIT): it may go */
    /* (forwarded: the process itself comes back; w[0] 1: the call is over, w[1]: its result
       (-EINTR, or what was done), 0: nothing of it was done) see VFS_CANCEL */
    PM_CANCELLED,
    /* w[0] endpoint -> w[0] euid | egid << 32, w[1] uid | gid << 32, w[2] pid | ppid << 32, w[3]
       pgid | sid << 32, w[4] umask unused */
    PM_CREDENTIALS,
    /* from VFS, tty, net: w[0] pid (> 0), or -pgid, or w[2] endpoint; w[1] signal (SIGPIPE, SIGINT,
       SIGHUP...) -> 0, -ESRCH */
    PM_SIGNAL,
    /* from VFS, w[0] endpoint of a thread in a call to it. w[1] 1: w[2] is its signal mask until a
       handler has run or the call is over; 0: it is over, other than by a signal */
    PM_MASK,
    PM_SESSION, /* from tty: w[0] endpoint -> as PM_CREDENTIALS w[2..3]; */
    /* from fs/proc */
    /* w[0] first pid wanted, w[1] our grant, w[2] how many struct pm_process fit -> how many,
       ordered by pid */
    PM_LIST,
    /* from services, fs/dev among them: w[0..3] 32 bytes that are mixed into the pool of
       randomness, as good or bad as they are -> 0, w[0..3] 32 bytes of it, that nobody else gets.
       -EPERM: from a program */
    PM_RANDOM,
    /* from the clock server: w[0] ns since 1970 when the clock (ns since boot) was w[1]. Sets the
       system's time -> 0, -EALREADY: it has been set, by this or by a program; -EINVAL, -EPERM:
       from a program */
    PM_FIRST_TIME,
    /* from VFS: w[0] endpoint of a thread that ends (VFS_EXIT) and that a server does not give back.
       PM takes it from whoever has it, and hands it on as VFS_EXIT once more -> 0, -ESRCH */
    PM_TAKE_BACK,
};

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
