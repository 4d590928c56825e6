/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of the C library that store, make system calls, or use the register that the log's end
 * is in: these are compiled as the service is. */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "lib/rt/kernel.h"

/* ---- string.h ---- */

char *stpcpy(char *restrict to, const char *restrict from)
{
    size_t n = strlen(from);

    return (char *)memcpy(to, from, n + 1) + n;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

char *stpncpy(char *restrict to, const char *restrict from, size_t n)
{
    size_t length = strnlen(from, n);

    memcpy(to, from, length);
    memset(to + length, 0, n - length);
    return to + length;
}

char *strncpy(char *restrict to, const char *restrict from, size_t n)
{
    stpncpy(to, from, n);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    stpcpy(to + strlen(to), from);
    return to;
}

char *strdup(const char *s)
{
    size_t n = strlen(s) + 1;
    char *copy = malloc(n);

    return copy ? memcpy(copy, s, n) : NULL;
}

char *strtok(char *restrict s, const char *restrict separators)
{
    static char *rest;
    char *word;

    word = (s ? s : rest);
    if (!word)
        return NULL;
    word += strspn(word, separators);
    if (!*word) {
        rest = NULL;
        return NULL;
    }
    rest = word + strcspn(word, separators);
    if (*rest)
        *rest++ = 0;
    else
        rest = NULL;
    return word;
}

/* ---- stdlib.h ---- */

static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if ((c | 32) >= 'a' && (c | 32) <= 'z')
        return (unsigned)((c | 32) - 'a') + 10;
    return ~0u;
}

static bool has_prefix(const char *s) /* of a hexadecimal number, and a digit after it */
{
    return s[0] == '0' && (s[1] | 32) == 'x' && digit_value(s[2]) < 16;
}

/* A number that is too large is read to its last digit all the same: *end is behind it, as behind
 * any other (C17, 7.22.1.4). */
unsigned long strtoul(const char *restrict text, char **restrict end, int base)
{
    const char *s = text;
    unsigned long value = 0;
    bool negative, over = false, any = false;
    unsigned digit;

    while (*s == ' ' || (*s >= '\t' && *s <= '\r'))
        s++;
    negative = *s == '-';
    if (*s == '-' || *s == '+')
        s++;
    if ((base == 0 || base == 16) && has_prefix(s)) {
        s += 2;
        base = 16;
    } else if (base == 0)
        base = *s == '0' ? 8 : 10;
    for (; (digit = digit_value(*s)) < (unsigned)base; s++) {
        over |= __builtin_mul_overflow(value, (unsigned long)base, &value);
        over |= __builtin_add_overflow(value, digit, &value);
        any = true;
    }
    if (end)
        *end = (char *)(any ? s : text);
    if (over) {
        errno = ERANGE;
        return UINT64_MAX;
    }
    return negative ? -value : value;
}

unsigned long long strtoull(const char *restrict text, char **restrict end, int base)
{
    return strtoul(text, end, base);
}

/* ---- sys/mman.h ---- */

static long linux_call(long number, long a, long b, long c, long d, long e, long f)
{
    return kernel_call6(number - KERNEL_CALL_BASE, a, b, c, d, e, f);
}

void *mmap(void *at, size_t length, int protection, int flags, int file, off_t offset)
{
    long result = linux_call(SYS_mmap, (long)at, (long)length, protection, flags, file, offset);

    if (result > -4096 && result < 0) {
        errno = (int)-result;
        return MAP_FAILED;
    }
    return (void *)result;
}

int munmap(void *at, size_t length)
{
    struct message m = {.type = length};

    if (!length || ((uintptr_t)at | length) % 4096) {
        errno = EINVAL;
        return -1;
    }
    undo_later(SYS_munmap, (uintptr_t)at, &m,
               0); /* what is there may be needed when the step is repeated */
    return 0;
}
