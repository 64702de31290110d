/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A manifest. Promises: every file is a plain name, once; what was read and is written reads the
   same. */
#include "fuzz.h"

#include "manifest.h"

#include <limits.h>
#include <string.h>

static void same_text(const char *a, const char *b)
{
    fuzz_require(a ? b && strcmp(a, b) == 0 : !b);
}

static void check(const struct pf_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        const struct pf_manifest_entry *entry = &manifest->entries[i];
        fuzz_require(*entry->file && strlen(entry->file) <= NAME_MAX && !strchr(entry->file, '/'));
        fuzz_require(strcmp(entry->file, ".") != 0 && strcmp(entry->file, "..") != 0);
        fuzz_require(entry->size_bytes <= INT64_MAX);
        for (size_t k = 0; k < i; k++)
            fuzz_require(strcmp(entry->file, manifest->entries[k].file) != 0);
    }
}

static void same(const struct pf_manifest *a, const struct pf_manifest *b)
{
    fuzz_require(a->count == b->count);
    for (size_t i = 0; i < a->count; i++) {
        same_text(a->entries[i].file, b->entries[i].file);
        same_text(a->entries[i].url, b->entries[i].url);
        same_text(a->entries[i].etag, b->entries[i].etag);
        same_text(a->entries[i].xxh3, b->entries[i].xxh3);
        fuzz_require(a->entries[i].size_bytes == b->entries[i].size_bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pf_manifest manifest, again;
    struct pf_error err = {0};
    char *text;
    int status = pf_manifest_read((const char *)data, size, &manifest, &err);
    fuzz_require(status == 0 || status == PF_E_CORRUPT);
    if (status)
        return 0;
    check(&manifest);
    fuzz_require(pf_manifest_write(&manifest, &text, &err) == 0);
    fuzz_require(pf_manifest_read(text, strlen(text), &again, &err) == 0);
    same(&manifest, &again);
    pf_manifest_end(&manifest);
    pf_manifest_end(&again);
    free(text);
    return 0;
}
