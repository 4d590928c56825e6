/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/rt/error.h"

#include <errno.h>
#include <stdio.h>

#include "abi/message.h"

const char *error_name(long error)
{
#define NAME(e) [e] = #e
    static const char *const names[] = {
        NAME(EPERM),        NAME(ENOENT),       NAME(ESRCH),         NAME(EINTR),
        NAME(EIO),          NAME(ENXIO),        NAME(E2BIG),         NAME(ENOEXEC),
        NAME(EBADF),        NAME(ECHILD),       NAME(EAGAIN),        NAME(ENOMEM),
        NAME(EACCES),       NAME(EFAULT),       NAME(ENOTBLK),       NAME(EBUSY),
        NAME(EEXIST),       NAME(EXDEV),        NAME(ENODEV),        NAME(ENOTDIR),
        NAME(EISDIR),       NAME(EINVAL),       NAME(ENFILE),        NAME(EMFILE),
        NAME(ENOTTY),       NAME(ETXTBSY),      NAME(EFBIG),         NAME(ENOSPC),
        NAME(ESPIPE),       NAME(EROFS),        NAME(EMLINK),        NAME(EPIPE),
        NAME(EDOM),         NAME(ERANGE),       NAME(EDEADLK),       NAME(ENAMETOOLONG),
        NAME(ENOLCK),       NAME(ENOSYS),       NAME(ENOTEMPTY),     NAME(ELOOP),
        NAME(EUNATCH),      NAME(ENODATA),      NAME(ETIME),         NAME(EPROTO),
        NAME(EBADMSG),      NAME(EOVERFLOW),    NAME(EILSEQ),        NAME(EUSERS),
        NAME(ENOTSOCK),     NAME(EADDRINUSE),   NAME(EADDRNOTAVAIL), NAME(ENETDOWN),
        NAME(ENETUNREACH),  NAME(ECONNABORTED), NAME(ECONNRESET),    NAME(ENOBUFS),
        NAME(EISCONN),      NAME(ENOTCONN),     NAME(ETIMEDOUT),     NAME(ECONNREFUSED),
        NAME(EHOSTUNREACH), NAME(EALREADY),     NAME(EINPROGRESS),   NAME(ESTALE),
        NAME(EUCLEAN),      NAME(EREMOTEIO),    NAME(ENOMEDIUM),     NAME(ECANCELED),
        NAME(EOWNERDEAD),
    };
#undef NAME
    static char other[32];
    unsigned long number = error < 0 ? -(unsigned long)error : (unsigned long)error;

    if (number < sizeof names / sizeof *names && names[number])
        return names[number];
    if (number == EDEADSRCDST)
        return "EDEADSRCDST";
    snprintf(other, sizeof other, "error %lu", number);
    return other;
}
