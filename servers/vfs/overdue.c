/* SPDX-License-Identifier: BSD-2-Clause */
#include "servers/vfs/overdue.h"

#include <stddef.h>

#define LOST_LOOKS 2 /* in which it was out, and then is not known to the server */
#define STILL_LOOKS 14 /* the same, and it waits there, and in the last 12 nothing has moved */
#define COMPLAINTS_MAX 3

bool overdue_look(struct overdue *o)
{
    if (o->seen != o->requests) {
        o->seen = o->requests;
        o->looks = 0;
        return false;
    }
    return ++o->looks >= LOST_LOOKS;
}

const char *overdue_judge(struct overdue *o, long answer, uint64_t moves)
{
    if (answer == 0)
        return "has lost";
    if (answer == 1 && moves != o->moves) {
        o->moves = moves;
        o->looks = LOST_LOOKS;
    }
    return o->looks >= STILL_LOOKS ? "does not go on with" : NULL;
}

bool overdue_is_hopeless(const struct overdue *o)
{
    return o->complaints >= COMPLAINTS_MAX;
}
