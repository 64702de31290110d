/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "quantity.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* The number of bytes that a unit stands for; 0 where it is none. */
static uint64_t read_unit(const char *text)
{
    static const char letters[] = "kmgt";
    if (*text == '\0')
        return 1;
    const char *letter = strchr(letters, tolower((unsigned char)*text));
    if (!letter || text[1] != '\0')
        return 0;
    return UINT64_C(1024) << (10 * (letter - letters));
}

int quantity_parse_rate(const char *text, uint64_t *bytes_per_s)
{
    /* More digits behind the point than these make no difference to anybody. */
    enum { FRACTION_DIGITS = 6 };
    uint64_t whole = 0, fraction = 0, scale = 1;
    const char *p = text;
    if (!isdigit((unsigned char)*p))
        return -1;
    for (; isdigit((unsigned char)*p); p++) {
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole))
            return -1;
    }
    if (*p == '.') {
        if (!isdigit((unsigned char)*++p))
            return -1;
        for (int i = 0; isdigit((unsigned char)*p); p++, i++) {
            if (i < FRACTION_DIGITS) {
                fraction = fraction * 10 + (uint64_t)(*p - '0');
                scale *= 10;
            }
        }
    }
    bool is_zero = strspn(text, "0.") == (size_t)(p - text);
    uint64_t unit = read_unit(p), bytes;
    if (unit == 0 || __builtin_mul_overflow(whole, unit, &bytes) ||
        __builtin_add_overflow(bytes, fraction * unit / scale, &bytes) || (bytes == 0 && !is_zero))
        return -1;
    *bytes_per_s = bytes;
    return 0;
}

int quantity_parse_amount(const char *text, uint64_t *amount)
{
    return strchr(text, '.') || quantity_parse_rate(text, amount) || *amount == 0 ? -1 : 0;
}

int quantity_parse_duration(const char *text, uint64_t *seconds)
{
    static const struct {
        char letter;
        uint64_t seconds;
    } units[] = {{'\0', 1}, {'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}, {'w', 604800}};
    uint64_t number = 0;
    const char *p = text;
    for (; isdigit((unsigned char)*p); p++) {
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number))
            return -1;
    }
    if (p == text || (*p && p[1]))
        return -1;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        if (units[i].letter == *p)
            return __builtin_mul_overflow(number, units[i].seconds, seconds) ? -1 : 0;
    }
    return -1;
}
