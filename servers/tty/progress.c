/* SPDX-License-Identifier: BSD-2-Clause */
/* What progress of a driver of characters means; see progress.h. */
#include "servers/tty/progress.h"

bool tty_progress_check(struct tty_progress *p, uint32_t pending, uint32_t gone, uint64_t now)
{
    if (gone != p->gone || pending == 0)
        p->stuck = 0;
    p->gone = gone;
    if (pending == 0 || p->stuck > TTY_STUCK_LAST) {
        p->look_at = 0;
        return false;
    }
    if (p->look_at == 0)
        p->look_at = now + TTY_LOOK;
    if (now < p->look_at)
        return false;
    p->look_at = now + TTY_LOOK;
    p->stuck++;
    return p->stuck == TTY_STUCK_LOOKS || p->stuck == TTY_STUCK_LAST;
}
