/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "httpheader.h"

#include <inttypes.h>
#include <stdio.h>
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
    return strndup(start, (size_t)(end - start));
}

struct pf_httpheader_range pf_httpheader_read_range(const char *value)
{
    int64_t start, end, total;
    if (sscanf(value, "bytes %" SCNd64 "-%" SCNd64 "/%" SCNd64, &start, &end, &total) == 3)
        return (struct pf_httpheader_range){.start = start, .total = total};
    if (sscanf(value, "bytes %" SCNd64 "-%" SCNd64 "/", &start, &end) == 2)
        return (struct pf_httpheader_range){.start = start, .total = -1};
    if (sscanf(value, "bytes */%" SCNd64, &total) == 1)
        return (struct pf_httpheader_range){.start = -1, .total = total};
    return (struct pf_httpheader_range){.start = -1, .total = -1};
}
