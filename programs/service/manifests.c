/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/manifests.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/manifest/suggest.h"

#define TEXT_MAX 65536
#define MANIFESTS_MAX 128 /* RS has room for 96 services */
#define FOLDERS_OPEN 8

static struct manifest *all[MANIFESTS_MAX];
static unsigned count;

char *text_read(const char *path, size_t *size)
{
    char *text = malloc(TEXT_MAX + 2);
    int fd = open(path, O_RDONLY), error;
    ssize_t n = fd < 0 ? -1 : 1;

    for (*size = 0; text && n > 0 && *size <= TEXT_MAX; *size += n > 0 ? (size_t)n : 0)
        n = read(fd, text + *size, TEXT_MAX + 1 - *size);
    error = errno;
    if (fd >= 0)
        close(fd);
    if (text && n == 0 && *size <= TEXT_MAX) {
        text[*size] = 0;
        return text;
    }
    free(text);
    errno = n < 0 ? error : EFBIG;
    return NULL;
}

static bool is_manifest(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".svc") == 0;
}

static int add(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    char error[MANIFEST_ERROR_MAX], *text;
    struct manifest *m;
    size_t size;

    (void)status;
    (void)place;
    if (kind != FTW_F || !is_manifest(path) || count == MANIFESTS_MAX)
        return 0;
    text = text_read(path, &size);
    m = text ? malloc(sizeof *m) : NULL;
    if (m && manifest_parse(text, size, path, m, error, sizeof error) == 0)
        all[count++] = m;
    else
        free(m);
    free(text);
    return 0;
}

void manifests_load(const char *top)
{
    static const char *const folders[] = {"servers", "drivers"};
    static bool is_done;

    if (is_done)
        return;
    is_done = true;
    if (!top) {
        nftw(MANIFESTS_FOLDER, add, FOLDERS_OPEN, FTW_PHYS);
        return;
    }
    for (unsigned i = 0; i < 2; i++) {
        char path[4096];

        if (snprintf(path, sizeof path, "%s/%s", top, folders[i]) < (int)sizeof path)
            nftw(path, add, FOLDERS_OPEN, FTW_PHYS);
    }
}

static const struct manifest *named(const char *name, size_t n)
{
    for (unsigned i = 0; i < count; i++)
        if (strlen(all[i]->name) == n && strncmp(all[i]->name, name, n) == 0)
            return all[i];
    return NULL;
}

const struct manifest *manifest_of(const char *service)
{
    const struct manifest *m = named(service, strlen(service));
    const char *dot = strrchr(service, '.');

    if (m || !dot || dot[1] == 0 || dot[1 + strspn(dot + 1, "0123456789")] != 0)
        return m;
    return named(service, (size_t)(dot - service));
}

const struct manifest *manifest_at(unsigned n)
{
    return n < count ? all[n] : NULL;
}

const char *manifest_suggested(const char *word)
{
    struct suggestion s = {.word = word};

    for (unsigned i = 0; i < count; i++)
        suggest_offer(&s, all[i]->name);
    return s.name;
}
