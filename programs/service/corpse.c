/* SPDX-License-Identifier: BSD-2-Clause */
/* corpse: what is kept of the incarnations that died: which there are, their core files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "programs/service/core.h"
#include "programs/service/json.h"
#include "programs/service/rows.h"
#include "programs/service/service.h"

#define CORPSES_MAX 64

/* ---- what there is ---- */

struct found {
    unsigned long number;
    char file[256];
};

static const char *folder = CORPSE_FOLDER; /* or CORPSE_DEVICE, when fs/proc is away */

static int by_number(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->number < y->number ? -1 : x->number > y->number;
}

/* Those of that name (NULL: all) and number (0: all), the oldest first; < 0: it has told why. */
static int find(const char *name, unsigned long wanted, struct found *found)
{
    DIR *list = opendir(folder);
    struct dirent *entry;
    int count = 0;

    if (!list && proc_is_away(errno))
        list = opendir(folder = CORPSE_DEVICE);
    if (!list) {
        fprintf(stderr, "service: corpse: %s\n",
                errno == EACCES ? "not permitted: only root may" : strerror(errno));
        return -1;
    }
    while ((entry = readdir(list)) != NULL && count < CORPSES_MAX) {
        char *rest;
        unsigned long number = strtoul(entry->d_name, &rest, 10);

        if (*rest != '.' || number == 0 || (name && strcmp(rest + 1, name) != 0) ||
            (wanted && wanted != number))
            continue;
        found[count].number = number;
        snprintf(found[count].file, sizeof found[count].file, "%s", entry->d_name);
        count++;
    }
    closedir(list);
    qsort(found, (size_t)count, sizeof *found, by_number);
    return count;
}

static void path_of(const struct found *found, char path[PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/%s", folder, found->file);
}

static bool open_found(struct core *core, const struct found *found)
{
    char path[PATH_MAX];

    path_of(found, path);
    if (core_open(core, path))
        return true;
    if (errno != ENOENT) /* it has been given back meanwhile */
        fprintf(stderr, "service: %s: %s\n", path, strerror(errno));
    return false;
}

static void show(const struct found *found, bool first)
{
    struct core core;

    if (!open_found(&core, found))
        return;
    if (!first)
        putchar('\n');
    explain(&core);
    core_close(&core);
}

static void show_line(const struct found *found, bool first)
{
    struct core core;
    unsigned long long died;
    char defect[16]; /* (what core_value() gives is good until it is called again) */

    if (first)
        printf("%6s  %-15s %11s %6s %12s  %-10s %8s  %-7s %8s\n", "NUMBER", "NAME", "INCARNATION",
               "PID", "DIED", "DEFECT", "DETAIL", "MEMORY", "KEPT");
    if (!open_found(&core, found))
        return;
    died = core_number(&core, "died_ns", 10) / 1000;
    printf("%6lu  ", found->number);
    printf("%-15s ", core_value(&core, "service"));
    printf("%11s ", core_value(&core, "incarnation"));
    printf("%6s %4llu.%06llu s  ", core_value(&core, "pid"), died / 1000000, died % 1000000);
    snprintf(defect, sizeof defect, "%s", core_value(&core, "defect"));
    printf("%-10s %8s  ", defect, detail_in_words(defect, core_value(&core, "detail")));
    printf("%-7s ", core_value(&core, "memory"));
    printf("%5s kB%s\n", core_value(&core, "kept_kb"),
           core_number(&core, "held", 10) ? "  held" : "");
    core_close(&core);
}

/* What is known as one word each; the rest is in the core file. */
static void show_json(const struct found *found, bool first)
{
    static const struct {
        const char *key;
        bool is_text;
    } keys[] = {{"service", true}, {"program", true},    {"pid", false},     {"incarnation", false},
                {"defect", true},  {"detail", false},    {"died_ns", false}, {"lived_ns", false},
                {"memory", true},  {"kept_kb", false},   {"held", false},    {"error", true},
                {"address", true}, {"instruction", true}};
    struct core core;

    if (!open_found(&core, found))
        return;
    printf("%s{\"number\": %lu", first ? "" : ",\n ", found->number);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *value = core_value(&core, keys[i].key);

        if (!*value) /* of exceptions alone */
            continue;
        printf(", \"%s\": ", keys[i].key);
        if (keys[i].is_text)
            json_text(stdout, value);
        else
            printf("%s", value);
    }
    putchar('}');
    core_close(&core);
}

/* ---- core files ---- */

static bool copy(int from, int to)
{
    static char part[65536];
    ssize_t n;

    while ((n = read(from, part, sizeof part)) > 0)
        for (ssize_t done = 0, more; done < n; done += more)
            if ((more = write(to, part + done, (size_t)(n - done))) < 0)
                return false;
    return n == 0;
}

static int save(const struct found *found, const char *file)
{
    char path[PATH_MAX];
    int from, to = -1;
    bool done;

    path_of(found, path);
    from = open(path, O_RDONLY);
    if (from >= 0)
        to = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0600); /* that memory may hold anything */
    done = to >= 0 && copy(from, to);
    if (to >= 0 && close(to) < 0)
        done = false;
    if (!done)
        fprintf(stderr, "service: %s: %s\n", from < 0 ? path : file,
                errno == EIO && from >= 0 ? "its memory has been given back meanwhile"
                                          : strerror(errno));
    if (from >= 0)
        close(from);
    return done ? EXIT_OK : EXIT_ERROR;
}

static int forget(const char *name)
{
    char line[300];
    int error;

    snprintf(line, sizeof line, "forget %s\n", name);
    error = control(line);
    if (!error || error == ENOENT) /* of one that has several, or is held */
        return EXIT_OK;
    fprintf(stderr, "service: corpse %s: %s\n", name, strerror(error));
    return EXIT_ERROR;
}

/* ---- what is asked for ---- */

/* As find(), and there is one at least; else it has told why not. */
static int find_some(const char *name, const char *number, struct found *found)
{
    unsigned long wanted = number ? strtoul(number, NULL, 10) : 0;
    int count = name && !has_service(name) ? -1 : find(name, wanted, found);

    if (count == 0 && number)
        fprintf(stderr, "service: corpse: there is none with the number %s%s%s\n", number,
                name ? ", of " : "", name ? name : "");
    else if (count == 0 && name)
        fprintf(
            stderr,
            "service: corpse %s: none of its incarnations has died, or nothing is kept of them\n",
            name);
    return count;
}

int show_corpses(const char *name, const char *number, bool json)
{
    static struct found found[CORPSES_MAX];
    int count = find_some(name, number, found);
    void (*show_it)(const struct found *, bool) = name || number ? show : show_line;

    if (json)
        show_it = show_json;
    if (json && count >= 0)
        putchar('[');
    for (int i = 0; i < count; i++)
        show_it(&found[i], i == 0);
    if (json && count >= 0)
        puts("]");
    return count < 0 || (count == 0 && (name || number)) ? EXIT_ERROR : EXIT_OK;
}

int save_core(const char *name, const char *number, const char *file)
{
    static struct found found[CORPSES_MAX];
    int count = find_some(name, number, found);

    return count > 0 ? save(&found[count - 1], file) : EXIT_ERROR;
}

int forget_corpses(const char *name)
{
    static struct found found[CORPSES_MAX];
    int count = name && !has_service(name) ? -1 : find(name, 0, found), status = EXIT_OK;

    for (int i = 0; i < count; i++)
        if (forget(strchr(found[i].file, '.') + 1) != EXIT_OK)
            status = EXIT_ERROR;
    return count < 0 ? EXIT_ERROR : status;
}
