/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package's file name. Promises: the name is one that a file of the database may have, and the
   parts put together are the stem again. */
#include "fuzz.h"

#include "pkgname.h"

#include <stdbool.h>
#include <string.h>

static void check(const char *file, const struct pf_pkgname *name)
{
    static const char *const suffixes[] = {"", ".tgz", ".tbz", ".txz", ".tzst"};
    char whole[5 * (NAME_MAX + 1)];
    fuzz_require(name->format > PF_FORMAT_NONE && name->format <= PF_FORMAT_ZSTD);
    fuzz_require(name->format == pf_pkgname_format(file));
    snprintf(whole, sizeof whole, "%s%s", name->stem, suffixes[name->format]);
    fuzz_require(strcmp(whole, file) == 0);
    fuzz_require(*name->name && !strchr(name->name, '/') && strcmp(name->name, ".") != 0 &&
                 strcmp(name->name, "..") != 0);
    snprintf(whole, sizeof whole, "%s-%s-%s-%s", name->name, name->version, name->arch,
             name->build);
    bool parts = *name->version || *name->arch || *name->build;
    fuzz_require(strcmp(whole, name->stem) == 0 || (!parts && strcmp(name->name, name->stem) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *file = fuzz_text(data, size);
    struct pf_pkgname name;
    if (pf_pkgname_parse(file, &name) == 0)
        check(file, &name);
    free(file);
    return 0;
}
