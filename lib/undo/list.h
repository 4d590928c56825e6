/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists whose links are put right before they are used (undo_verify_word()). Else one that has flipped is stored in another,
 * and is right with this step, in memory and in both mirrors; or a list ends early, which nobody dies of.
 *
 * `head` is a pointer to the first, and `next`, a member of each, to the next one: NULL at the end. Of a list that is left from
 * its midst each has a `link` to what points to it.
 */
#ifndef UNDO_LIST_H
#define UNDO_LIST_H

#include "lib/undo/undo.h"

/* A head or a link, as it was left. (NULL is no pointer to anything of which a bit has flipped.) */
#define list_at(pointer) ((pointer) ? undo_verify_word(&(pointer)) : (void)0, (pointer))

#define list_for(p, head, next) for (p = list_at(head); p; p = list_at((p)->next))
/* The same by what points to each: *link, which may be another then. */
#define list_for_links(l, head, next) for (l = &(head); list_at(*(l)); l = &(*(l))->next)

/* At the begin. */
#define list_put(head, p, next)                                                                    \
    do {                                                                                           \
        (p)->next = list_at(head);                                                                 \
        (head) = (p);                                                                              \
    } while (0)

/* One that is in it, or nothing happens. */
#define list_take(head, p, next)                                                                   \
    do {                                                                                           \
        __typeof__(p) *list_link;                                                                  \
                                                                                                   \
        list_for_links(list_link, head, next) if (*list_link == (p))                               \
        {                                                                                          \
            *list_link = list_at((p)->next);                                                       \
            break;                                                                                 \
        }                                                                                          \
    } while (0)

/* The same of those with a `link`. */
#define list_put_linked(head, p, next, link)                                                       \
    do {                                                                                           \
        list_put(head, p, next);                                                                   \
        (p)->link = &(head);                                                                       \
        if ((p)->next)                                                                             \
            (p)->next->link = &(p)->next;                                                          \
    } while (0)

#define list_take_linked(p, next, link)                                                            \
    do {                                                                                           \
        *list_at((p)->link) = list_at((p)->next);                                                  \
        if ((p)->next)                                                                             \
            (p)->next->link = (p)->link;                                                           \
    } while (0)

#endif
