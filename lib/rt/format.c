/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snprintf() of the services, in place of the C library's: that one touches the FPU, and a process
 * that has done so once is switched with its FPU state from then on (and can't even report that
 * memory has run out when there is none for that state). No floating point here; else as
 * C17, 7.21.6.1 has it.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct out {
    char *at, *end; /* end: of the room, without the NUL */
    size_t length; /* of what there would be */
};

struct field {
    bool left, zero, plus, space, alternative;
    int width, precision; /* precision < 0: none given */
    int size; /* bytes of the argument */
};

static void put(struct out *o, char c)
{
    if (o->at < o->end)
        *o->at++ = c;
    o->length++;
}

static void pad(struct out *o, char c, int n)
{
    while (n-- > 0)
        put(o, c);
}

/* prefix and digits with what comes before, between and after them. */
static void put_field(struct out *o, const struct field *f, const char *prefix, const char *text,
                      int n, int zeros)
{
    int total = (int)strlen(prefix) + zeros + n;

    if (!f->left)
        pad(o, ' ', f->width - total);
    while (*prefix)
        put(o, *prefix++);
    pad(o, '0', zeros);
    for (int i = 0; i < n; i++)
        put(o, text[i]);
    if (f->left)
        pad(o, ' ', f->width - total);
}

static void put_number(struct out *o, const struct field *f, uint64_t value, unsigned base,
                       bool upper, const char *prefix)
{
    char digits[24];
    int n = 0, zeros;

    for (; value; value /= base)
        digits[sizeof digits - (size_t)++n] =
            (upper ? "0123456789ABCDEF" : "0123456789abcdef")[value % base];
    zeros = f->precision >= 0 ? f->precision - n : n == 0;
    if (f->precision < 0 && f->zero && !f->left && f->width - (int)strlen(prefix) > n)
        zeros = f->width - (int)strlen(prefix) - n;
    put_field(o, f, prefix, digits + sizeof digits - n, n, zeros > 0 ? zeros : 0);
}

static void put_signed(struct out *o, const struct field *f, int64_t value)
{
    const char *sign = f->space ? " " : "";

    if (f->plus)
        sign = "+";
    if (value < 0)
        sign = "-";
    put_number(o, f, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, false, sign);
}

static void put_text(struct out *o, const struct field *f, const char *text)
{
    if (!text)
        text = "(null)";
    put_field(o, f, "", text,
              (int)(f->precision >= 0 ? strnlen(text, (size_t)f->precision) : strlen(text)), 0);
}

static const char *parse_flags(const char *at, struct field *f)
{
    for (;; at++)
        switch (*at) {
        case '-':
            f->left = true;
            break;
        case '0':
            f->zero = true;
            break;
        case '+':
            f->plus = true;
            break;
        case ' ':
            f->space = true;
            break;
        case '#':
            f->alternative = true;
            break;
        default:
            return at;
        }
}

static const char *parse_number(const char *at, int *number)
{
    for (*number = 0; *at >= '0' && *at <= '9'; at++)
        *number = *number < 100000 ? *number * 10 + (*at - '0') : *number;
    return at;
}

static const char *parse_size(const char *at, struct field *f)
{
    f->size = (int)sizeof(int);
    if (*at == 'h') {
        f->size = at[1] == 'h' ? 1 : 2;
        return at + (at[1] == 'h' ? 2 : 1);
    }
    if (*at == 'l' || *at == 'z' || *at == 'j' || *at == 't') {
        f->size = 8;
        return at + (at[0] == 'l' && at[1] == 'l' ? 2 : 1);
    }
    return at;
}

static int64_t sign_extend(uint64_t value, int size)
{
    int shift = 64 - 8 * size;

    return (int64_t)(value << shift) >> shift;
}

static uint64_t cut(uint64_t value, int size)
{
    return size == 8 ? value : value & ((1ull << 8 * size) - 1);
}

/* One conversion; arguments are fetched here alone. */
static void convert(struct out *o, const struct field *f, char conversion, va_list *arguments)
{
    uint64_t value = 0;
    char c;

    if (strchr("diuxXo", conversion))
        value = f->size == 8 ? va_arg(*arguments, uint64_t) : va_arg(*arguments, unsigned);
    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(o, f, sign_extend(value, f->size));
        break;
    case 'u':
        put_number(o, f, cut(value, f->size), 10, false, "");
        break;
    case 'o':
        put_number(o, f, cut(value, f->size), 8, false, f->alternative ? "0" : "");
        break;
    case 'x':
    case 'X':
        put_number(o, f, cut(value, f->size), 16, conversion == 'X',
                   f->alternative && value ? (const char[]){'0', conversion, 0} : "");
        break;
    case 'p':
        put_number(o, f, (uint64_t)(uintptr_t)va_arg(*arguments, void *), 16, false, "0x");
        break;
    case 's':
        put_text(o, f, va_arg(*arguments, const char *));
        break;
    case 'c':
        c = (char)va_arg(*arguments, int);
        put_field(o, f, "", &c, 1, 0);
        break;
    default:
        put(o, conversion);
    }
}

static void format_all(struct out *o, const char *format, va_list *arguments)
{
    for (const char *at = format; *at;) {
        struct field f = {.precision = -1};

        if (*at != '%') {
            put(o, *at++);
            continue;
        }
        at = parse_flags(at + 1, &f);
        if (*at == '*') {
            f.width = va_arg(*arguments, int);
            f.left |= f.width < 0;
            f.width = f.width < 0 ? -f.width : f.width;
            at++;
        } else {
            at = parse_number(at, &f.width);
        }
        if (*at == '.' && at[1] == '*') {
            f.precision = va_arg(*arguments, int);
            at += 2;
        } else if (*at == '.') {
            at = parse_number(at + 1, &f.precision);
        }
        at = parse_size(at, &f);
        if (!*at)
            return;
        convert(o, &f, *at++, arguments);
    }
}

int vsnprintf(char *restrict text, size_t room, const char *restrict format, va_list arguments)
{
    struct out o = {text, room ? text + room - 1 : text, 0};
    va_list copy;

    va_copy(copy, arguments);
    format_all(&o, format, &copy);
    va_end(copy);
    if (room)
        *o.at = 0;
    return (int)o.length;
}

int snprintf(char *restrict text, size_t room, const char *restrict format, ...)
{
    va_list arguments;
    int n;

    va_start(arguments, format);
    n = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    return n;
}
