/* SPDX-License-Identifier: BSD-2-Clause */
/* syslog(2): the kernel's log for dmesg. */
#include <sys/syscall.h>

#include "lib/rt/rings.h"
#include "servers/pm/pm.h"

enum action_number {
    READ_ALL = 3,
    READ_CLEAR = 4,
    CLEAR = 5,
    CONSOLE_OFF = 6,
    CONSOLE_ON = 7,
    CONSOLE_LEVEL = 8,
    SIZE_UNREAD = 9,
    SIZE_BUFFER = 10
};
enum { PIECE = 4096 };

/* The last `room` bytes of the log. */
static long read_all(struct thread *t, uint64_t address, uint64_t room)
{
    static char piece[PIECE];
    uint64_t end = undo_input(kernel_info()->log_end), at, done = 0, first;

    room = room < LOG_RING_SIZE ? room : LOG_RING_SIZE;
    at = end > room ? end - room : 0;
    while (done < room) {
        long n = log_ring_read(at, piece, sizeof piece < room - done ? sizeof piece : room - done,
                               &first);

        if (n <= 0)
            return n < 0 ? n : (long)done;
        if (write_user(t, address + done, piece, (size_t)n) < 0)
            return -EFAULT;
        done += (uint64_t)n;
        at = first + (uint64_t)n;
    }
    return (long)done;
}

static long sys_syslog(struct message *m)
{
    struct thread *t = thread_caller(m);
    uint64_t end = undo_input(kernel_info()->log_end);

    switch ((int32_t)m->w[0]) {
    case READ_ALL:
    case READ_CLEAR:
        return (int32_t)m->w[2] < 0 || !m->w[1] ? -EINVAL : read_all(t, m->w[1], m->w[2]);
    case SIZE_BUFFER:
        return end < LOG_RING_SIZE ? (long)end : LOG_RING_SIZE;
    case SIZE_UNREAD:
    case CLEAR:
    case CONSOLE_OFF:
    case CONSOLE_ON:
    case CONSOLE_LEVEL:
        return t->process->who.euid ? -EPERM : 0;
    default:
        return -EINVAL;
    }
}

PM_TABLE(klog_calls, {SYS_syslog, sys_syslog})
