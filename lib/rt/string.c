/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The C library's functions, without the vector registers that the library's own ones are compiled
 * to use: a service that never touches these has no FPU state to be kept and switched.
 */
#include <string.h>

size_t strspn(const char *s, const char *accepted)
{
    size_t n = 0;

    while (s[n] && strchr(accepted, s[n]))
        n++;
    return n;
}

size_t strcspn(const char *s, const char *rejected)
{
    size_t n = 0;

    while (s[n] && !strchr(rejected, s[n]))
        n++;
    return n;
}

char *strstr(const char *s, const char *part)
{
    size_t n = strlen(part);

    for (; *s; s++)
        if (strncmp(s, part, n) == 0)
            return (char *)s;
    return n ? NULL : (char *)s;
}
