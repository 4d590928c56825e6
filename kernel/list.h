/* SPDX-License-Identifier: BSD-2-Clause */
/* Doubly linked circular lists, linked inside their elements. An element in no list points to
 * itself. */
#ifndef KERNEL_LIST_H
#define KERNEL_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *l)
{
    l->next = l->previous = l;
}
static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}
/* Put l before `before`: at the end, when that is the head. */
static inline void list_insert(struct list *l, struct list *before)
{
    l->next = before;
    l->previous = before->previous;
    before->previous->next = l;
    before->previous = l;
}
static inline void list_remove(struct list *l)
{
    l->previous->next = l->next;
    l->next->previous = l->previous;
    list_init(l);
}
#define list_entry(l, type, member) ((type *)((char *)(l)-offsetof(type, member)))

#endif
