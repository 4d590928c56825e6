/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reads a text of lines of words, as manifests are. The first error is kept, with file and line;
 * after it all functions do nothing and return 0 or "", so that a caller need look only at the end.
 */
#ifndef MANIFEST_READER_H
#define MANIFEST_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READER_WORD_MAX 128 /* with the NUL */

struct reader {
    const char *text, *file;
    size_t size;
    const char *key; /* of the line, for messages; NULL: none yet */
    char *error; /* the message goes here */
    size_t room;
    size_t at, line_end; /* what is left of the line */
    uint32_t line;
    bool failed;
};

/* The next line with a word in it; false: none. Comments begin with '#'. */
bool reader_next_line(struct reader *r);
/* Another word on the line? */
bool reader_more(struct reader *r);
/* Nothing more may be on the line. */
void reader_end(struct reader *r);
/* "FILE:LINE: KEY: what 'word'"; word may be NULL. */
void reader_error(struct reader *r, const char *what, const char *word);

/* The next word; `what` is expected. */
void reader_word(struct reader *r, char word[READER_WORD_MAX], const char *what);
/* The same, into a text of `room` bytes. */
void reader_text(struct reader *r, char *text, size_t room, const char *what);
/* The rest of the line, without blanks at both ends. */
void reader_rest(struct reader *r, char *text, size_t room);
/* A service's name, 16 bytes. */
void reader_name(struct reader *r, char name[16]);
bool reader_good_name(const char *name);
/* The same of a name in DS, in which slashes may be: "blk/8". */
bool reader_good_key(const char *key);
/* A number (decimal or 0x hexadecimal) in that range. */
uint64_t reader_number(struct reader *r, uint64_t low, uint64_t high);
/* The same with an optional K, M or G. */
uint64_t reader_size(struct reader *r, uint64_t low, uint64_t high);
/* Two numbers of 16 bits, "1234:abcd" (both hexadecimal) or "0x3f8-0x3ff": the first << 16 | the
 * second. */
uint64_t reader_pair(struct reader *r, char separator);
/* "FIRST-LAST", two numbers. */
void reader_range(struct reader *r, uint64_t *first, uint64_t *last);
/* The index of the next word among names (NULLs are skipped); else the message has a suggestion. */
size_t reader_choice(struct reader *r, const char *const *names, size_t count, const char *what);

#endif
