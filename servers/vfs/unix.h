/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets of this machine (unix(7)). unix.c: their life; unix_name.c: names; unix_connect.c:
 * listen, connect, accept; unix_data.c: bytes and messages; unix_message.c: the calls that send and
 * receive; unix_rights.c: descriptors on their way; unix_option.c: options.
 *
 * What was sent to a socket and not yet received is in its queue: bytes in a ring, and records
 * about them. Streams have records only where descriptors came along, the other types one for each
 * message.
 */
#ifndef VFS_UNIX_H
#define VFS_UNIX_H

#include <sys/socket.h>
#include <sys/un.h>

#include "servers/vfs/ring.h"
#include "servers/vfs/segments.h"

struct unix_name {
    uint32_t length; /* of the address; 0: it has no name */
    struct sockaddr_un address;
};

struct unix_rights { /* references to open files, on their way */
    struct unix_rights *next; /* to be dropped */
    struct share *share; /* of who sent them */
    unsigned count, taken; /* taken: from the share */
    struct file *file[];
};

struct unix_record {
    struct unix_record *next;
    uint64_t start, end; /* counted from the queue's first byte ever */
    struct unix_rights *rights; /* or NULL */
    struct unix_name from; /* of datagrams */
    struct share *share; /* of who sent it */
};

struct unix_queue {
    struct ring ring;
    uint64_t taken, put; /* bytes ever */
    struct unix_record *first, **end;
    unsigned records;
};

struct unix_credentials {
    int pid;
    uint32_t uid, gid;
};

struct unix_socket {
    struct unix_socket *next, **link; /* of all */
    struct file *file; /* NULL: not accepted yet */
    int type; /* SOCK_STREAM, SOCK_SEQPACKET, SOCK_DGRAM */
    bool bound; /* the name is its own, not a listener's */
    bool listening, connected, read_shut, write_shut, peer_died;
    int error; /* SO_ERROR */
    struct unix_socket *peer; /* of datagrams: where they go by default */
    unsigned peer_of; /* so many have it as their peer */
    struct unix_name name, peer_name;
    struct server *server; /* bound to that inode; NULL: to none */
    uint64_t node;
    struct unix_queue queue;
    struct unix_socket *pending, **pending_end, *next_pending; /* connections to be accepted */
    unsigned pending_count, backlog;
    struct unix_credentials credentials, peer_credentials;
    struct wait_queue changed;
    uint64_t timeouts[2]; /* ns, 0 none: of receiving, of sending */
    uint32_t switches; /* of options that are on or off */
    unsigned in_flight; /* references to the file from queues */
    bool reached; /* unix_rights.c */
    struct unix_socket *next_reached;
};

extern struct wait_queue unix_room; /* somebody's queue or backlog has room again, or is gone */

/* ---- unix.c ---- */
struct unix_socket *unix_of(const struct file *f); /* NULL: it is none */
struct unix_socket *unix_all(void);
/* without a file; NULL: too many, no memory */
struct unix_socket *unix_new(struct client *c, int type);
struct file *unix_file(struct unix_socket *s, uint32_t flags); /* SOCK_NONBLOCK; NULL: no memory */
void unix_end(struct client *c, struct unix_socket *s); /* it is freed */
void unix_set_peer(struct unix_socket *s, struct unix_socket *peer); /* or NULL */
void unix_join(struct unix_socket *a, struct unix_socket *b);
void unix_notify(struct unix_socket *s);
/* Wait in a queue, as long as SO_RCVTIMEO (sending 0) or SO_SNDTIMEO (1) allows. 0,
 * -EAGAIN, -EINTR */
long unix_wait(struct client *c, const struct unix_socket *s, struct wait_queue *q, int sending,
               bool at_once);

/* ---- unix_name.c ---- */
/* From the program; an empty path is length sizeof(sa_family_t). 0, -EFAULT, -EINVAL */
long unix_name_fetch(struct client *c, uint64_t address, uint64_t length, struct unix_name *name);
/* To the program, as accept(2) has it; length_address 0: nothing. 0, -EFAULT, -EINVAL */
long unix_name_store(struct client *c, const struct unix_name *name, uint64_t address,
                     uint64_t length_address);
long unix_bind(struct client *c, struct unix_socket *s, uint64_t address, uint64_t length);
/* Who is bound to that name. -ECONNREFUSED: nobody, -EPROTOTYPE, and what else path walks
 * end with. */
long unix_lookup(struct client *c, const struct unix_name *name, int type,
                 struct unix_socket **out);

/* ---- unix_connect.c ---- */
long unix_listen(struct client *c, struct unix_socket *s, uint32_t backlog);
long unix_connect(struct client *c, struct unix_socket *s, uint64_t address, uint64_t length);

/* ---- unix_data.c ---- */
struct unix_transfer {
    struct segments segments;
    uint32_t flags; /* MSG_*, MSG_DONTWAIT for O_NONBLOCK, too */
    struct unix_name *to; /* sending: NULL: to the peer */
    struct unix_rights *rights; /* sending: taken from here when sent. Received: now the caller's */
    struct unix_name from; /* received */
    uint32_t result_flags; /* received: MSG_TRUNC */
};
/* false: no memory. */
bool queue_init(struct unix_queue *q, size_t limit, struct share *share);
/* All of it: the rights that were in it, linked. */
struct unix_rights *queue_empty(struct unix_queue *q);
size_t queue_next(const struct unix_socket *s); /* FIONREAD */
bool unix_can_send(const struct unix_socket *s); /* for poll */
long unix_send(struct client *c, struct unix_socket *s, struct unix_transfer *t);
long unix_receive(struct client *c, struct unix_socket *s, struct unix_transfer *t);

/* ---- unix_message.c ---- */
long unix_transfer(struct client *c, struct file *f, struct io *io);
long unix_sendto(struct client *c, struct file *f, const uint64_t *call);
long unix_recvfrom(struct client *c, struct file *f, const uint64_t *call);
long unix_sendmsg(struct client *c, struct file *f, const uint64_t *call);
long unix_recvmsg(struct client *c, struct file *f, const uint64_t *call);

/* ---- unix_rights.c ---- */
/* For the descriptors of a control message: 0, -EFAULT, -EBADF, -EINVAL, -ENOMEM, -ETOOMANYREFS */
long rights_collect(struct client *c, uint64_t address, unsigned count, struct unix_rights **out);
struct unix_rights *rights_copy(const struct unix_rights *r); /* NULL: no memory */
/* and all that are linked to it; NULL: none */
void rights_drop(struct client *c, struct unix_rights *r);
/* Descriptors for the first of them in fds[], and drop all: how many. */
unsigned rights_install(struct client *c, struct unix_rights *r, int *fds, unsigned room,
                        uint32_t flags);
/* They come into a queue (1), or out of it (-1). */
void rights_queued(const struct unix_rights *r, int change);
/* Sockets that only queues of each other refer to end. */
void rights_clean(struct client *c);

/* ---- unix_option.c ---- */
long unix_get_option(struct client *c, struct unix_socket *s, const uint64_t *call);
long unix_set_option(struct client *c, struct unix_socket *s, const uint64_t *call);

#endif
