/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "httpheader.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

char *pf_httpheader_value(const char *line, size_t length, const char *name)
{
    size_t n = strlen(name);
    if (length <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return NULL;
    const char *start = line + n + 1, *end = line + length;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && strchr(" \t\r\n", end[-1]))
        end--;
    for (const char *p = start; p < end; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            return NULL;
    }
    return strndup(start, (size_t)(end - start));
}

/* Takes digits off the front of the text; false where there are none, or the number is too large.
 */
static bool take_number(const char **text, int64_t *value)
{
    const char *p = *text;
    int64_t n = 0;
    for (; *p >= '0' && *p <= '9'; p++) {
        int digit = *p - '0';
        if (n > (INT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    bool found = p > *text;
    *text = p;
    *value = n;
    return found;
}

static bool take(const char **text, const char *part)
{
    size_t n = strlen(part);
    if (strncasecmp(*text, part, n) != 0)
        return false;
    *text += n;
    return true;
}

struct pf_httpheader_range pf_httpheader_read_range(const char *value)
{
    static const struct pf_httpheader_range none = {-1, -1};
    struct pf_httpheader_range range = none;
    int64_t last = -1;
    if (!take(&value, "bytes "))
        return none;
    bool satisfied = !take(&value, "*/");
    if (satisfied && (!take_number(&value, &range.start) || !take(&value, "-") ||
                      !take_number(&value, &last) || !take(&value, "/")))
        return none;
    if (!(satisfied && take(&value, "*")) && !take_number(&value, &range.total))
        return none;
    bool possible = range.start <= last && (range.total < 0 || last < range.total);
    return *value == '\0' && possible ? range : none;
}
