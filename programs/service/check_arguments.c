/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The words that a manifest gives to its script ("policy PATH -m root"), against those that the script takes.
 * What it takes, it says itself where it reads them: getopts "m:f:". One that reads them in another way, in more
 * than one place, or by a string that it makes up, and one that looks into wrong options itself (":m:"), is believed.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "programs/service/check.h"
#include "programs/service/manifests.h"

#define OPTIONS_MAX 64

/* Where a command "getopts" begins in the text, from `at` on; behind the word. NULL: nowhere. */
static const char *find_getopts(const char *text, const char *at)
{
    static const char word[] = "getopts";
    size_t n = sizeof word - 1;

    for (; (at = strstr(at, word)) != NULL; at += n) {
        const char *line = at;

        while (line > text && line[-1] != '\n')
            line--;
        if ((at == line || strchr(" \t;&|(", at[-1])) && (at[n] == ' ' || at[n] == '\t') &&
            !memchr(line, '#', (size_t)(at - line)))
            return at + n;
    }
    return NULL;
}

/* False: what it takes is not known. */
static bool find_options(const char *text, char options[OPTIONS_MAX])
{
    const char *at = find_getopts(text, text);
    size_t n;

    if (!at || find_getopts(text, at))
        return false;
    at += strspn(at, " \t");
    at += *at == '"' || *at == '\'';
    n = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:");
    if (n == 0 || n >= OPTIONS_MAX || *at == ':' || !strchr(" \t\"'", at[n]))
        return false;
    memcpy(options, at, n);
    options[n] = 0;
    return true;
}

static const char *option_of(const char *options, char c)
{
    return c && c != ':' ? strchr(options, c) : NULL;
}

struct given { /* an option of the manifest's */
    struct check *check;
    unsigned line;
    const char *key, *script;
};

/* Another case, or the first letter of a long name: that was meant. Else all that there are. */
static void say_unknown(const struct given *g, const char *options, const char *word, char c)
{
    char all[3 * OPTIONS_MAX + 1] = "", meant = c == '-' ? word[2] : c;
    size_t n = 0;

    if (!option_of(options, meant))
        meant = (char)(islower(meant) ? toupper(meant) : tolower(meant));
    if (option_of(options, meant)) {
        check_error(g->check, g->line, "%s: %s takes no option '%s' (did you mean '-%c'?)", g->key,
                    g->script, word, meant);
        return;
    }
    for (const char *o = options; *o; o++)
        if (*o != ':')
            n += (size_t)snprintf(all + n, sizeof all - n, " -%c", *o);
    check_error(g->check, g->line, "%s: %s takes no option '%s' (it takes%s)", g->key, g->script,
                word, all);
}

/* One word of options, as getopts reads it: several letters, a value in it or in the next word. False: no more. */
static bool check_word(const struct given *g, const char *options, const char *word, char **rest)
{
    for (const char *at = word + 1; *at; at++) {
        const char *found = option_of(options, *at);

        if (!found) {
            say_unknown(g, options, word, *at);
            return false;
        }
        if (found[1] != ':')
            continue;
        if (!at[1] && !strtok_r(NULL, " \t", rest)) {
            check_error(g->check, g->line, "%s: %s: option '-%c' needs a value", g->key, g->script,
                        *at);
            return false;
        }
        return true;
    }
    return true;
}

static void check_words(const struct given *g, const char *options, char *words)
{
    char *rest, *word = strtok_r(words, " \t", &rest);
    const char *first;

    while (word && word[0] == '-' && word[1] && strcmp(word, "--") != 0) {
        if (!check_word(g, options, word, &rest))
            return;
        word = strtok_r(NULL, " \t", &rest);
    }
    if (!word || word[0] == '-')
        return;
    for (first = word; word; word = strtok_r(NULL, " \t", &rest))
        if (word[0] == '-' && option_of(options, word[1]))
            check_warning(g->check, g->line,
                          "%s: '%s' stands behind '%s', where %s reads no options", g->key, word,
                          first, g->script);
}

void check_arguments(struct check *c, unsigned line, const char *key, const char *path,
                     const char *arguments)
{
    const char *slash = strrchr(path, '/');
    struct given g = {c, line, key, slash ? slash + 1 : path};
    char options[OPTIONS_MAX], *words = strdup(arguments);
    size_t size;
    char *text = text_read(path, &size);

    if (text && words && !memchr(text, 0, size) && find_options(text, options))
        check_words(&g, options, words);
    free(text);
    free(words);
}
