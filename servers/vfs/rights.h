/* SPDX-License-Identifier: BSD-2-Clause */
/* Who asks for something: users and groups. */
#ifndef VFS_RIGHTS_H
#define VFS_RIGHTS_H

#include "servers/vfs/vfs.h"

/* stat.c */
bool client_in_group(const struct client *c, uint32_t gid);

/* name.c: The first words of a request about a name, or a path, of that length, with who asks. 0, -ENOMEM,
 * -EINTR. naming_end() when it is answered. */
struct naming {
    struct file_name_request request;
    char *copy; /* of the name, with groups behind it; NULL: there are none */
};
long naming_begin(struct client *c, struct server *s, uint64_t directory, const char *name,
                  size_t length, struct naming *n);
void naming_end(struct server *s, struct naming *n);
/* Make what is missing: f->last in f->parent, S_IFREG or S_IFSOCK, without the bits of umask(2). As ask(): *m is
 * the reply, file_lookup_reply. */
long name_create(struct client *c, const struct found *f, uint32_t mode, struct message *m);

#endif
