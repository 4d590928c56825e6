/* SPDX-License-Identifier: BSD-2-Clause */
/* What a manifest allows, as questions that RS and tools/authority ask of it. */
#include <stdio.h>
#include <string.h>

#include "lib/manifest/manifest.h"

bool manifest_may_publish(const struct manifest *m, const char *name, const char *key)
{
    const char *class = manifest_class_name(m->class);
    size_t n = strlen(class);

    if (strcmp(key, name) == 0)
        return true;
    if (strncmp(key, class, n) == 0 && key[n] == '/' && strcmp(key + n + 1, name) == 0)
        return true;
    for (uint32_t i = 0; i < m->keys; i++)
        if (strcmp(key, m->key[i]) == 0)
            return true;
    return false;
}

/* ---- who may call whom ---- */

/* The order of calls, from the bottom. Whoever is not in it (drivers, servers that nobody knows
 * here) is above all of them. */
static const struct {
    const char *name;
    unsigned level;
} order[] = {{"rs", 0},  {"ds", 1},  {"vm", 2}, {"log", 3},   {"pm", 4},    {"pci", 5}, {"disk", 6},
             {"net", 7}, {"tty", 7}, {"lp", 7}, {"clock", 7}, {"audio", 7}, {"ram", 8}, {"vfs", 9}};
enum { LEVEL_FS = 8, LEVEL_OTHERS = 10 };

static unsigned level_of(const char *name, enum manifest_class class)
{
    for (unsigned i = 0; i < sizeof order / sizeof *order; i++)
        if (strcmp(order[i].name, name) == 0)
            return order[i].level;
    return class == CLASS_FS ? LEVEL_FS : LEVEL_OTHERS;
}

bool manifest_names_it(const char *word, const char *name, enum manifest_class class)
{
    const char *text = manifest_class_name(class);
    size_t n = strlen(text);

    return strcmp(word, name) == 0 || (strncmp(word, text, n) == 0 && strcmp(word + n, "/*") == 0);
}

bool manifest_lists(const struct manifest_names *names, const struct manifest *m)
{
    if (names->all)
        return true;
    for (uint32_t i = 0; i < names->count; i++)
        if (manifest_names_it(names->name[i], m->name, m->class))
            return true;
    return false;
}

/* Of two that are not in the order, the one that starts earlier is below. */
static bool is_below(const struct manifest *callee, const struct manifest *m)
{
    unsigned to = level_of(callee->name, callee->class), from = level_of(m->name, m->class);

    return to < from || (to == LEVEL_OTHERS && from == LEVEL_OTHERS && callee->start < m->start);
}

static bool is_good(const struct manifest *m, const char *word,
                    const struct manifest *(*find)(const char *name))
{
    const struct manifest *callee = find(word);

    if (strstr(word, "/*")) /* of a class as a whole only the level is known */
        return strncmp(word, "fs/", 3) == 0 && LEVEL_FS < level_of(m->name, m->class);
    return !callee || is_below(callee, m); /* nobody: no harm in it */
}

bool manifest_downhill(const struct manifest *m, const struct manifest *(*find)(const char *name),
                       char *error, size_t room)
{
    for (uint32_t i = 0; i < m->calls.count; i++) {
        const char *word = m->calls.name[i];

        if (is_good(m, word, find))
            continue;
        snprintf(error, room, "etc/bardo/%s.svc:%u: '%s' is not below %s in the order of calls",
                 m->name, m->calls.line[i], word, m->name);
        return false;
    }
    return true;
}
