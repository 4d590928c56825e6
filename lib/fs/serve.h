/* SPDX-License-Identifier: BSD-2-Clause */
/* What serve.c and names.c share. */
#ifndef FS_SERVE_H
#define FS_SERVE_H

#include "lib/fs/fs.h"

extern const struct fs_operations *fs_served; /* of this server */

/* ---- serve.c ---- */
/* The program goes back to VFS; the words of m behind the first are results. Without one who
 * forwarded it, VFS itself is calling: reply. */
long fs_back(struct message *m, long result);
long fs_answer(struct message *m, bool is_back,
               long result); /* the same when is_back; else the result */
void fs_program_is(endpoint_t ep); /* of fs_program() */

/* ---- names.c ---- */
/* Text behind a grant of VFS's, NUL-terminated; `text` has room for FS_PATH_MAX + 1, or for `length` + 1
 * where that is less. -ENAMETOOLONG, -EINVAL: there is a NUL in it. */
long fs_fetch(const struct message *m, uint64_t grant, uint64_t length, char *text);
long fs_do_lookup(struct message *m);
long fs_do_create(struct message *m);
/* It had been done, but its answer was lost with the server. */
long fs_finish_again(struct message *m, uint64_t node);
long fs_do_symlink(struct message *m);
long fs_do_link(struct message *m);
long fs_do_unlink(struct message *m);
long fs_do_rename(struct message *m);
long fs_do_read_link(struct message *m);

#endif
