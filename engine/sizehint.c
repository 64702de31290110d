/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sizehint.h"

#include <stdbool.h>
#include <string.h>

static const char blanks[] = " \t\r\n\f\xc2\xa0";

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "12", "1.2": the number, or -1; *rest is what follows it. */
static double read_number(const char *word, const char **rest)
{
    double number = 0, scale = 1;
    const char *p = word;
    if (!is_digit(*p))
        return -1;
    for (; is_digit(*p); p++)
        number = number * 10 + (*p - '0');
    if (*p == '.' && is_digit(p[1])) {
        for (p++; is_digit(*p); p++) {
            scale /= 10;
            number += (*p - '0') * scale;
        }
    }
    *rest = p;
    return number;
}

/* "", "B", "K", "kB", "KiB" and so on: how many bytes; 0 where it is no unit. */
static double read_unit(const char *text, size_t length)
{
    static const char letters[] = "KMGT";
    double bytes = 1;
    size_t at = 0;
    char first = length ? (char)(text[0] & ~0x20) : '\0';
    const char *letter = first ? strchr(letters, first) : NULL;
    if (letter) {
        for (const char *l = letters; l <= letter; l++)
            bytes *= 1024;
        at++;
        if (at < length && text[at] == 'i')
            at++;
    }
    if (at < length && (text[at] & ~0x20) == 'B')
        at++;
    return at == length ? bytes : 0;
}

uint64_t pf_sizehint_read(const char *text)
{
    double found = 0, number = -1; /* number: of the word before, which was one without a unit */
    while (*(text += strspn(text, blanks))) {
        size_t length = strcspn(text, blanks);
        const char *rest = text;
        double value = read_number(text, &rest);
        double unit = read_unit(rest, (size_t)(text + length - rest));
        if (value >= 0 && unit > 0)
            found = value * unit;
        else if (value < 0 && number >= 0 && unit > 0)
            found = number * unit;
        number = value >= 0 && rest == text + length ? value : -1;
        text += length;
    }
    /* What no file can have is none. */
    return found < 1e13 ? (uint64_t)found : 0;
}
