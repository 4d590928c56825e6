/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifests that lie in /etc/bardo, or in a source tree: as files. RS has read them at boot; what
 * has been changed since then it does not know.
 */
#ifndef SERVICE_MANIFESTS_H
#define SERVICE_MANIFESTS_H

#include "lib/manifest/manifest.h"

#define MANIFESTS_FOLDER "/etc/bardo"

/* Reads all that are good; the others are passed over. top: a source tree, all below top/servers
 * and top/drivers; NULL: MANIFESTS_FOLDER. The second call does nothing. */
void manifests_load(const char *top);
/* Also of an instance ("e1000.1"). NULL: there is none, or it is broken. */
const struct manifest *manifest_of(const char *service);
const struct manifest *manifest_at(unsigned n); /* in no order; NULL past the end */
const char *manifest_suggested(const char *word); /* name of a service; NULL: none is near */
/* The text of a file, at most 64 kB, NUL-terminated, to be freed. NULL: errno says why; EFBIG. */
char *text_read(const char *path, size_t *size);

#endif
