/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * epoll(7): sets of open files, and which of them may be ready.
 *
 * Each item waits in its file's pollers for as long as it is in the set. When that queue is woken,
 * the item goes to the set's list of candidates, and whoever waits for the set looks at them:
 * epoll_take(). What is still ready stays a candidate (level-triggered).
 *
 * Edges of local files are the wakes themselves. A server tells but once, and only about what is
 * not ready when it is asked; so an edge-triggered item of a socket remembers what it has reported,
 * and forgets it when the socket is used for that: epoll_file_used(). Other files of servers are
 * looked at as if level-triggered.
 */
#ifndef VFS_EPOLL_H
#define VFS_EPOLL_H

#include "servers/vfs/vfs.h"

struct epoll_link { /* of a circular list */
    struct epoll_link *next, *previous;
};

struct epoll_set {
    struct file *file; /* of the set itself */
    struct epoll_link items, candidates;
    uint64_t visit; /* the last walk that came here */
    unsigned height; /* found by that walk */
};

struct epoll_item {
    struct waiter waiter; /* in file->pollers */
    struct epoll_link of_set, candidate;
    struct epoll_set *set;
    struct file *file;
    int fd;
    uint32_t events; /* with EPOLLET and the like; 0: EPOLLONESHOT has happened */
    uint32_t reported; /* edge-triggered sockets: since when they were last used */
    uint64_t data;
    struct share *share; /* of who added it */
};

/* A new set's file, one reference; NULL: no memory. The set of a file, NULL: it is none. */
struct file *epoll_new(void);
struct epoll_set *epoll_of(const struct file *f);

struct epoll_item *epoll_find(struct epoll_set *e, const struct file *f, int fd);
/* 0, -ENOSPC, -ENOMEM, -ELOOP */
long epoll_add(struct epoll_set *e, struct file *f, int fd, uint32_t events, uint64_t data);
void epoll_change(struct epoll_item *i, uint32_t events, uint64_t data);
void epoll_remove(struct epoll_item *i);

/* Report up to `room` ready items to the array of struct epoll_event in the program: how many;
 * -EFAULT when not even the first. EPOLL_MORE: none was among those looked at, there are others. */
#define EPOLL_MORE (-0x10000l)
long epoll_take(struct client *c, struct epoll_set *e, uint64_t address, unsigned room);

/* A socket of a server is about to be used for POLLIN, POLLOUT or both: edge-triggered items look
 * for those anew. */
void epoll_file_used(struct file *f, uint32_t events);

#endif
