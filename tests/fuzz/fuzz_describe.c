/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A description file, of the mirror or of a package. Promise: what goes into the record are lines
   of the package, each beginning with its name or stem. */
#include "cleanup.h"
#include "fuzz.h"

#include "describe.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

static bool begins(const char *line, const char *name)
{
    size_t n = strlen(name);
    return strncmp(line, name, n) == 0 && line[n] == ':';
}

static void check(const char *text, size_t length, const struct pf_pkgname *name)
{
    for (const char *p = text; p < text + length;) {
        const char *newline = memchr(p, '\n', (size_t)(text + length - p));
        fuzz_require(newline);
        fuzz_require(begins(p, name->name) || begins(p, name->stem));
        p = newline + 1;
    }
}

static void describe(const struct pf_descriptions *descriptions, const struct pf_staged *staged)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    fuzz_require(out);
    fuzz_require(pf_descriptions_write(descriptions, staged, out, NULL) == 0);
    fuzz_require(fclose(out) == 0);
    check(text, length, &staged->name);
    free(text);
}

/* As a file beside the packages, and as the package's own. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    /* A folder without any text beside the packages. */
    pf_auto_fd int folder = open("/proc/self/fdinfo", O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct pf_description_file file = {.name = (char[]){"disk1"}, .text = text, .length = size};
    struct pf_descriptions beside = {.cache_fd = folder, .files = &file, .count = 1};
    struct pf_descriptions none = {.cache_fd = folder};
    struct pf_control_file own = {.name = (char[]){"slack-desc"}, .data = text, .length = size};
    struct pf_staged staged = {.dir_fd = -1};
    fuzz_require(pf_pkgname_parse("a-1-x86_64-B1.tgz", &staged.name) == 0);
    describe(&beside, &staged);
    staged.controls = &own;
    staged.control_count = 1;
    describe(&none, &staged);
    free(text);
    return 0;
}
