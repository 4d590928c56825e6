/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/manifest/reader.h"

#include <stdio.h>
#include <string.h>

#include "lib/manifest/suggest.h"

static bool blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

void reader_error(struct reader *r, const char *what, const char *word)
{
    const char *key = r->key ? r->key : "", *colon = r->key ? ": " : "";

    if (r->failed)
        return;
    r->failed = true;
    if (word)
        snprintf(r->error, r->room, "%s:%u: %s%s%s '%s'", r->file, r->line, key, colon, what, word);
    else
        snprintf(r->error, r->room, "%s:%u: %s%s%s", r->file, r->line, key, colon, what);
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->line_end && blank(r->text[r->at]))
        r->at++;
}

bool reader_next_line(struct reader *r)
{
    for (;;) {
        size_t end, comment;

        r->at = r->line == 0 ? 0 : r->line_end;
        if (r->line != 0) { /* over the rest of the old line, a comment perhaps, and its end */
            while (r->at < r->size && r->text[r->at] != '\n')
                r->at++;
            r->at += r->at < r->size;
        }
        if (r->at >= r->size)
            return false;
        r->line++;
        for (end = r->at; end < r->size && r->text[end] != '\n'; end++)
            ;
        for (comment = r->at; comment < end && r->text[comment] != '#'; comment++)
            ;
        r->line_end = comment;
        for (size_t i = r->at; i < comment; i++)
            if ((unsigned char)r->text[i] < ' ' && !blank(r->text[i])) {
                r->key = NULL;
                reader_error(r, "a control character in the line", NULL);
                return false;
            }
        if (reader_more(r))
            return true;
    }
}

bool reader_more(struct reader *r)
{
    skip_blanks(r);
    return !r->failed && r->at < r->line_end;
}

void reader_end(struct reader *r)
{
    char word[READER_WORD_MAX];

    if (!reader_more(r))
        return;
    reader_word(r, word, "");
    reader_error(r, "unexpected", word);
}

void reader_text(struct reader *r, char *text, size_t room, const char *what)
{
    size_t n = 0;
    char message[80];

    text[0] = 0;
    if (r->failed)
        return;
    if (!reader_more(r)) {
        snprintf(message, sizeof message, "expected %s, but the line ends", what);
        reader_error(r, message, NULL);
        return;
    }
    while (r->at < r->line_end && !blank(r->text[r->at]) && n < room - 1)
        text[n++] = r->text[r->at++];
    text[n] = 0;
    if (r->at < r->line_end && !blank(r->text[r->at])) {
        snprintf(message, sizeof message, "longer than %zu characters:", room - 1);
        reader_error(r, message, text);
    }
}

void reader_word(struct reader *r, char word[READER_WORD_MAX], const char *what)
{
    reader_text(r, word, READER_WORD_MAX, what);
}

void reader_rest(struct reader *r, char *text, size_t room)
{
    char message[80];
    size_t n;

    text[0] = 0;
    if (!reader_more(r))
        return;
    n = r->line_end - r->at;
    while (n > 0 && blank(r->text[r->at + n - 1]))
        n--;
    if (n >= room) {
        snprintf(message, sizeof message, "longer than %zu characters", room - 1);
        reader_error(r, message, NULL);
        return;
    }
    memcpy(text, r->text + r->at, n);
    text[n] = 0;
    r->at = r->line_end;
}

#define NAME_LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-."

bool reader_good_key(const char *key)
{
    size_t n = strspn(key, NAME_LETTERS "/");

    return n > 0 && key[n] == 0;
}

bool reader_good_name(const char *name)
{
    size_t n = strspn(name, NAME_LETTERS);

    return n > 0 && name[n] == 0 && name[0] != '.';
}

void reader_name(struct reader *r, char name[16])
{
    reader_text(r, name, 16, "name of a service");
    if (!r->failed && !reader_good_name(name))
        reader_error(r, "bad name", name);
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *at = memchr(digits, c, sizeof digits - 1);

    if (!at)
        return 99;
    return (int)(at - digits) - (at - digits < 16 ? 0 : 6);
}

/* Number at *text in that base; moves *text behind it. False: none, or too large. */
static bool parse(const char **text, unsigned base, uint64_t *value)
{
    const char *start = *text;

    *value = 0;
    for (; digit_of(**text) < (int)base; ++*text)
        if (__builtin_mul_overflow(*value, base, value) ||
            __builtin_add_overflow(*value, (unsigned)digit_of(**text), value))
            return false;
    return *text > start;
}

static bool parse_any(const char **text, uint64_t *value)
{
    bool hexadecimal = (*text)[0] == '0' && ((*text)[1] == 'x' || (*text)[1] == 'X');

    *text += hexadecimal ? 2 : 0;
    return parse(text, hexadecimal ? 16 : 10, value);
}

static uint64_t checked(struct reader *r, const char *word, bool good, uint64_t value, uint64_t low,
                        uint64_t high)
{
    char message[80];

    if (r->failed)
        return low;
    if (good && value >= low && value <= high)
        return value;
    snprintf(message, sizeof message, "expected a number from %llu to %llu, not",
             (unsigned long long)low, (unsigned long long)high);
    reader_error(r, message, word);
    return low;
}

uint64_t reader_number(struct reader *r, uint64_t low, uint64_t high)
{
    char word[READER_WORD_MAX], what[64];
    const char *at = word;
    uint64_t value = 0;
    bool good;

    snprintf(what, sizeof what, "a number from %llu to %llu", (unsigned long long)low,
             (unsigned long long)high);
    reader_word(r, word, what);
    good = parse_any(&at, &value) && *at == 0;
    return checked(r, word, good, value, low, high);
}

uint64_t reader_size(struct reader *r, uint64_t low, uint64_t high)
{
    static const char units[] = "KMG";
    char word[READER_WORD_MAX];
    const char *at = word, *unit;
    uint64_t value = 0;
    bool good;

    reader_word(r, word, "a size");
    good = parse_any(&at, &value);
    if (good && *at && (unit = strchr(units, *at))) {
        unsigned shift = 10 * (unsigned)(unit - units + 1);

        good = value <= ~0ull >> shift;
        value <<= shift;
        at++;
    }
    return checked(r, word, good && *at == 0, value, low, high);
}

uint64_t reader_pair(struct reader *r, char separator)
{
    char word[READER_WORD_MAX];
    const char *at = word;
    uint64_t first = 0, second = 0;
    bool good;

    reader_word(r, word, separator == ':' ? "VENDOR:DEVICE" : "FIRST-LAST");
    good = (separator == ':' ? parse(&at, 16, &first) : parse_any(&at, &first)) &&
           *at++ == separator &&
           (separator == ':' ? parse(&at, 16, &second) : parse_any(&at, &second)) && *at == 0;
    if (good && first <= 0xffff && second <= 0xffff)
        return first << 16 | second;
    reader_error(r,
                 separator == ':' ? "expected VENDOR:DEVICE in hexadecimal, not"
                                  : "expected FIRST-LAST, not",
                 word);
    return 0;
}

void reader_range(struct reader *r, uint64_t *first, uint64_t *last)
{
    char word[READER_WORD_MAX];
    const char *at = word;

    *first = *last = 0;
    reader_word(r, word, "FIRST-LAST");
    if (!parse_any(&at, first) || *at++ != '-' || !parse_any(&at, last) || *at != 0)
        reader_error(r, "expected FIRST-LAST, not", word);
}

size_t reader_choice(struct reader *r, const char *const *names, size_t count, const char *what)
{
    char word[READER_WORD_MAX], message[READER_WORD_MAX + 96];
    const char *near;

    reader_word(r, word, what);
    for (size_t i = 0; i < count; i++)
        if (names[i] && strcmp(word, names[i]) == 0)
            return i;
    near = suggest_name(word, names, count, sizeof *names);
    if (strstr(what, " or "))
        snprintf(message, sizeof message, "expected %s, not '%s'", what, word);
    else if (near)
        snprintf(message, sizeof message, "unknown %s '%s' (did you mean '%s'?)", what, word, near);
    else
        snprintf(message, sizeof message, "unknown %s '%s'", what, word);
    reader_error(r, message, NULL);
    return 0;
}
