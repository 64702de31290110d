/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A lockfile. Promises: every file is a plain name, once, with a whole SHA-256; the tree's digest
   is one or none; what was read and is written reads the same. */
#include "fuzz.h"

#include "lockfile.h"

#include <limits.h>
#include <string.h>

static void require_digest(const char *text)
{
    fuzz_require(strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64);
}

static void check(const struct pf_lockfile *lock)
{
    static const char prefix[] = PF_LOCKFILE_TREE_PREFIX;
    fuzz_require(lock->count > 0);
    if (lock->tree[0]) {
        fuzz_require(strncmp(lock->tree, prefix, sizeof prefix - 1) == 0);
        require_digest(lock->tree + sizeof prefix - 1);
    }
    for (size_t i = 0; i < lock->count; i++) {
        const struct pf_lockfile_entry *entry = &lock->entries[i];
        fuzz_require(*entry->file && strlen(entry->file) <= NAME_MAX && !strchr(entry->file, '/'));
        fuzz_require(strcmp(entry->file, ".") != 0 && strcmp(entry->file, "..") != 0);
        fuzz_require(entry->size_bytes <= INT64_MAX);
        require_digest(entry->sha256);
        for (size_t k = 0; k < i; k++)
            fuzz_require(strcmp(entry->file, lock->entries[k].file) != 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pf_lockfile lock, again;
    struct pf_error err = {0};
    char *text, *second;
    int status = pf_lockfile_read((const char *)data, size, &lock, &err);
    fuzz_require(status == 0 || status == PF_E_INVALID);
    if (status == 0) {
        check(&lock);
        fuzz_require(pf_lockfile_write(&lock, &text, &err) == 0);
        fuzz_require(pf_lockfile_read(text, strlen(text), &again, &err) == 0);
        fuzz_require(strcmp(lock.tree, again.tree) == 0 && lock.count == again.count);
        fuzz_require(pf_lockfile_write(&again, &second, &err) == 0);
        fuzz_require(strcmp(text, second) == 0);
        pf_lockfile_end(&again);
        free(text);
        free(second);
    }
    pf_lockfile_end(&lock);
    return 0;
}
