/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcline.h"

#include <string.h>

/* LXC takes a pair of quotation marks around a value away (parse_line in its confile.c). */
static void strip_quotes(struct pf_lxcline *line)
{
    const char *value = line->value;
    if (line->value_length > 1 && (*value == '\'' || *value == '"') &&
        value[line->value_length - 1] == *value) {
        line->value++;
        line->value_length -= 2;
    }
}

bool pf_lxcline_next(const char **p, struct pf_lxcline *line)
{
    while (**p) {
        const char *begin = *p + strspn(*p, " \t");
        const char *end = begin + strcspn(begin, "\n");
        *p = end + (*end == '\n');
        size_t length = (size_t)(end - begin);
        const char *equals = memchr(begin, '=', length);
        if (!equals || *begin == '#')
            continue;
        line->key = begin;
        line->key_length = strcspn(begin, " \t=");
        line->value = equals + 1 + strspn(equals + 1, " \t");
        while (end > line->value && strchr(" \t\r", end[-1]))
            end--;
        line->value_length = end > line->value ? (size_t)(end - line->value) : 0;
        strip_quotes(line);
        return true;
    }
    return false;
}

bool pf_lxcline_is(const struct pf_lxcline *line, const char *const *keys)
{
    for (; *keys; keys++) {
        size_t n = strlen(*keys);
        bool family = (*keys)[n - 1] == '.';
        if (line->key_length >= n && memcmp(line->key, *keys, n) == 0 &&
            (family || line->key_length == n))
            return true;
    }
    return false;
}
