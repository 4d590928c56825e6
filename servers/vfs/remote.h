/* SPDX-License-Identifier: BSD-2-Clause */
/* Open files of file servers, and what these are told of them. Included by vfs.h. */
#ifndef VFS_REMOTE_H
#define VFS_REMOTE_H

/* remote.c: everything a file server serves */
extern const struct file_operations remote_operations;

/* Tell the server that the file is open; it may give another node for it. */
long remote_open(struct client *c, struct file *f);
long remote_settle(struct client *c, struct file *f);
/* Ask its server for something about it, or hand that over. The request begins with the node: which that is for
 * the incarnation that is asked is found out here. */
long remote_ask(struct client *c, struct file *f, struct message *m, enum again again);
long remote_hand_over(struct client *c, struct file *f, struct message *m);
/* The server knows that it is open, as f->node, as far as we know: before f->node is used. */
long remote_current(struct client *c, struct file *f);
void remote_tell_refused(struct client *c, struct server *s, endpoint_t opened_by, uint64_t node);
void remote_tell_closed(struct client *c, struct file *f);
/* The server has said that a node became ready; a fresh incarnation of it is there. */
void remote_ready(struct server *s, uint64_t node);
void remote_server_back(struct server *s);
/* Tell the fresh incarnation what is open, and what it has that is covered. */
void remote_reopen(struct server *s);

/* What it must hear of, if it hangs now later: the incarnation `to`; 0: whichever is there. */
void server_tell(struct server *s, const struct message *m, endpoint_t to);
bool server_hangs(const struct server *s); /* it is left alone for now */
/* What a fresh incarnation has open it has by the same node, as far as that request is concerned. */
bool server_knows_nodes(const struct server *s, uint64_t type);

#endif
