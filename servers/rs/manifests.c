/* SPDX-License-Identifier: BSD-2-Clause */
/* The manifests of the boot archive: each becomes a service. */
#include <string.h>

#include "lib/cpio/cpio.h"
#include "lib/manifest/reader.h"
#include "servers/rs/rs.h"

#define MANIFEST_PREFIX "etc/bardo/"
#define MANIFEST_SUFFIX ".svc"

static bool is_manifest(const char *path)
{
    size_t prefix = strlen(MANIFEST_PREFIX), suffix = strlen(MANIFEST_SUFFIX), n = strlen(path);

    return n > prefix + suffix && memcmp(path, MANIFEST_PREFIX, prefix) == 0 &&
           !strchr(path + prefix, '/') && strcmp(path + n - suffix, MANIFEST_SUFFIX) == 0;
}

/* The service that a manifest's path names: made when it is new. NULL: no such name can be. */
static struct service *service_of(const char *path)
{
    const char *name = path + strlen(MANIFEST_PREFIX);
    size_t n = strlen(name) - strlen(MANIFEST_SUFFIX);
    char text[SERVICE_NAME_MAX] = "";
    struct service *s;

    if (n < sizeof text)
        memcpy(text, name, n);
    if (!reader_good_name(text)) { /* too long: it is empty */
        log_always("%s: a name is at most %zu letters, digits, '-', '_' and '.'; not started", path,
                   sizeof text - 1);
        return NULL;
    }
    s = service_named(text);
    return s ? s : service_add(text);
}

static void read_manifest(const struct cpio_entry *entry)
{
    struct service *s = is_manifest(entry->name) ? service_of(entry->name) : NULL;
    static struct manifest manifest; /* too large for the stack */
    char error[160];

    if (!s)
        return;
    if (manifest_parse(entry->data, entry->size, entry->name, &manifest, error, sizeof error) < 0) {
        log_always("%s; not started", error);
        s->manifest = NULL;
        return;
    }
    if (!s->manifest)
        s->manifest = arena_alloc(sizeof manifest);
    *s->manifest = manifest;
}

void manifests_read(void)
{
    archive_each(read_manifest);
}
