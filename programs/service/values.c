/* SPDX-License-Identifier: BSD-2-Clause */
#include "programs/service/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

long milliseconds(const char *text)
{
    size_t whole = strspn(text, "0123456789"), part = 0;
    long ms = atol(text) * 1000;

    if (whole == 0 || whole > 6 || (text[whole] && text[whole] != '.'))
        return -1;
    if (text[whole] == '.')
        part = strspn(text + whole + 1, "0123456789");
    if (text[whole] && (part == 0 || part > 3 || text[whole + 1 + part]))
        return -1;
    for (size_t i = 0, worth = 100; i < part; i++, worth /= 10)
        ms += (text[whole + 1 + i] - '0') * (long)worth;
    return ms;
}

/* NULL: nothing is. */
static const char *wrong_with_number(const struct value *v, const char *text)
{
    unsigned long number = 0;

    if (!*text || text[strspn(text, "0123456789")])
        return "is none";
    for (; *text && number <= v->most; text++)
        number = number * 10 + (unsigned long)(*text - '0');
    if (number > v->most)
        return "is too large";
    return number >= v->least || (v->or_zero && number == 0) ? NULL : "is too small";
}

static const char *wrong_with_seconds(const char *text)
{
    if (milliseconds(text) >= 0)
        return NULL;
    return *text && text[strspn(text, "0123456789")] == 0 ? "is too large" : "is none";
}

static const char *wrong_with(const struct value *v, const char *text)
{
    if (v->kind == NUMBER)
        return wrong_with_number(v, text);
    if (v->kind == SECONDS)
        return wrong_with_seconds(text);
    return *text ? NULL : "is none";
}

const char *value_fault(const char *of, const struct value *v, const char *text)
{
    static char fault_text[256];
    const char *wrong = text ? wrong_with(v, text) : "";

    if (!wrong)
        return NULL;
    if (!text || !*text)
        snprintf(fault_text, sizeof fault_text, "%s needs %s", of, v->needs);
    else
        snprintf(fault_text, sizeof fault_text, "%s needs %s: %s %s", of, v->needs, text, wrong);
    return fault_text;
}
