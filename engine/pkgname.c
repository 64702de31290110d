/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pkgname.h"

#include <string.h>

static const struct {
    const char *suffix;
    enum pf_format format;
} suffixes[] = {
    {".tgz", PF_FORMAT_GZIP},
    {".tbz", PF_FORMAT_BZIP2},
    {".txz", PF_FORMAT_XZ},
    {".tzst", PF_FORMAT_ZSTD},
};

/* Returns the suffix's length, 0 for none. */
static size_t find_suffix(const char *file, enum pf_format *format)
{
    size_t length = strlen(file);
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t n = strlen(suffixes[i].suffix);
        if (length > n && strcmp(file + length - n, suffixes[i].suffix) == 0) {
            *format = suffixes[i].format;
            return n;
        }
    }
    *format = PF_FORMAT_NONE;
    return 0;
}

enum pf_format pf_pkgname_format(const char *file)
{
    enum pf_format format;
    find_suffix(file, &format);
    return format;
}

int pf_pkgname_parse(const char *file, struct pf_pkgname *out)
{
    *out = (struct pf_pkgname){0};
    size_t length = strlen(file);
    size_t suffix = find_suffix(file, &out->format);
    if (suffix == 0 || length - suffix > NAME_MAX || strchr(file, '/'))
        return -1;
    memcpy(out->stem, file, length - suffix);

    const char *dash[3]; /* the last three, from the right */
    const char *end = out->stem + strlen(out->stem);
    unsigned found = 0;
    for (const char *p = end; p > out->stem && found < 3; p--) {
        if (p[-1] == '-')
            dash[found++] = p - 1;
    }
    if (found == 3) {
        memcpy(out->name, out->stem, (size_t)(dash[2] - out->stem));
        memcpy(out->version, dash[2] + 1, (size_t)(dash[1] - dash[2] - 1));
        memcpy(out->arch, dash[1] + 1, (size_t)(dash[0] - dash[1] - 1));
        memcpy(out->build, dash[0] + 1, (size_t)(end - dash[0] - 1));
    } else {
        memcpy(out->name, out->stem, strlen(out->stem));
    }
    if (out->name[0] == '\0' || strcmp(out->name, ".") == 0 || strcmp(out->name, "..") == 0)
        return -1;
    return 0;
}
