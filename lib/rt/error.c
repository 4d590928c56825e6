/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/error.h"

#include <errno.h>
#include <stdio.h>

#include "abi/message.h"

const char *error_name(long error)
{
#define N(e) [e] = #e
    static const char *const names[] = {
        N(EPERM),           N(ENOENT),       N(ESRCH),        N(EINTR),       N(EIO),
        N(ENXIO),           N(E2BIG),        N(ENOEXEC),      N(EBADF),       N(ECHILD),
        N(EAGAIN),          N(ENOMEM),       N(EACCES),       N(EFAULT),      N(ENOTBLK),
        N(EBUSY),           N(EEXIST),       N(EXDEV),        N(ENODEV),      N(ENOTDIR),
        N(EISDIR),          N(EINVAL),       N(ENFILE),       N(EMFILE),      N(ENOTTY),
        N(ETXTBSY),         N(EFBIG),        N(ENOSPC),       N(ESPIPE),      N(EROFS),
        N(EMLINK),          N(EPIPE),        N(EDOM),         N(ERANGE),      N(EDEADLK),
        N(ENAMETOOLONG),    N(ENOLCK),       N(ENOSYS),       N(ENOTEMPTY),   N(ELOOP),
        N(EUNATCH),         N(ENODATA),      N(ETIME),        N(ENONET),      N(EPROTO),
        N(EBADMSG),         N(EOVERFLOW),    N(EILSEQ),       N(EUSERS),      N(ENOTSOCK),
        N(EDESTADDRREQ),    N(EMSGSIZE),     N(EPROTOTYPE),   N(ENOPROTOOPT), N(EPROTONOSUPPORT),
        N(ESOCKTNOSUPPORT), N(EOPNOTSUPP),   N(EAFNOSUPPORT), N(EADDRINUSE),  N(EADDRNOTAVAIL),
        N(ENETDOWN),        N(ENETUNREACH),  N(ECONNABORTED), N(ECONNRESET),  N(ENOBUFS),
        N(EISCONN),         N(ENOTCONN),     N(ETOOMANYREFS), N(ETIMEDOUT),   N(ECONNREFUSED),
        N(EHOSTDOWN),       N(EHOSTUNREACH), N(EALREADY),     N(EINPROGRESS), N(ESTALE),
        N(EUCLEAN),         N(EREMOTEIO),    N(ENOMEDIUM),    N(ECANCELED),   N(EOWNERDEAD),
        N(ENOTRECOVERABLE),
    };
#undef N
    static char other[32];
    unsigned long number = error < 0 ? -(unsigned long)error : (unsigned long)error;

    if (number < sizeof names / sizeof *names && names[number])
        return names[number];
    if (number == EDEADSRCDST)
        return "EDEADSRCDST";
    if (number == ENOTREADY)
        return "ENOTREADY";
    snprintf(other, sizeof other, "error %lu", number);
    return other;
}
