/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lock.h"

#include "fs.h"
#include "message.h"
#include "mirrorpath.h"
#include "signature.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LOCKFILE (256u << 20)

static int check_signature(const char *path, const char *keyring, const char *text, size_t length,
                           struct pf_error *err)
{
    pf_auto_free char *signature = NULL;
    if (asprintf(&signature, "%s.sig", path) < 0) {
        signature = NULL;
        return pf_error_memory(err);
    }
    return pf_signature_check(keyring, signature, text, length, err);
}

int pf_lock_open(const char *path, const char *keyring, struct pf_lockfile *out,
                 struct pf_error *err)
{
    pf_auto_free char *text = NULL;
    size_t length;
    *out = (struct pf_lockfile){0};
    pf_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "the lockfile %s", path);
    int failed = pf_fs_read_fd(fd, MAX_LOCKFILE, &text, &length, err);
    if (!failed && keyring)
        failed = check_signature(path, keyring, text, length, err);
    if (!failed)
        failed = pf_lockfile_read(text, length, out, err);
    return failed ? pf_error_context(err, "%s", path) : 0;
}

static int add_entry(const struct pf_lockfile *lock, const struct pf_lockfile_entry *entry,
                     const char *mirror, struct pf_plan *plan, struct pf_error *err)
{
    pf_auto_free char *url = NULL;
    char *place = pf_mirrorpath_place(entry->url, lock->release, lock->arch);
    pf_auto_free char *path =
        place ? pf_mirrorpath(lock->release, lock->arch, place, entry->file) : NULL;
    if (mirror && path && asprintf(&url, "%s/%s", mirror, path) < 0)
        url = NULL;
    int failed = mirror && path && !url ? pf_error_memory(err)
                                        : pf_plan_add(plan, entry->file, url ? url : entry->url,
                                                      (int64_t)entry->size_bytes, err);
    if (failed) {
        free(place);
        return failed;
    }
    struct pf_plan_entry *added = &plan->entries[plan->count - 1];
    added->place = place;
    added->checksum.kind = PF_DIGEST_SHA256;
    memcpy(added->checksum.hex, entry->sha256, sizeof added->checksum.hex);
    return 0;
}

int pf_lock_plan(const struct pf_lockfile *lock, const char *mirror, struct pf_plan *plan,
                 struct pf_error *err)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < lock->count; i++)
        failed = add_entry(lock, &lock->entries[i], mirror, plan, err);
    return failed;
}

static int digest_entry(struct pf_manifest_entry *entry, int folder_fd, struct pf_error *err)
{
    pf_auto_fd int fd = openat(folder_fd, entry->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", entry->file);
    int failed = pf_digest_file(fd, PF_DIGEST_SHA256, entry->sha256, err);
    return failed ? pf_error_context(err, "%s", entry->file) : 0;
}

int pf_lock_digest(struct pf_manifest *manifest, int folder_fd, bool *noted, struct pf_error *err)
{
    *noted = false;
    for (size_t i = 0; i < manifest->count; i++) {
        if (manifest->entries[i].sha256[0])
            continue;
        int failed = digest_entry(&manifest->entries[i], folder_fd, err);
        if (failed)
            return failed;
        *noted = true;
    }
    return 0;
}

static int differs(struct pf_error *err, const char *what, const char *a, const char *b)
{
    return pf_error_set(err, PF_E_CORRUPT,
                        "the cache is not what the lockfile says: %s %s instead of %s (--update "
                        "takes what the lockfile names)",
                        pf_message(what), a, b);
}

int pf_lock_check(const struct pf_lockfile *lock, struct pf_manifest *manifest, int folder_fd,
                  bool *noted, struct pf_error *err)
{
    size_t both = lock->count < manifest->count ? lock->count : manifest->count;
    *noted = false;
    for (size_t i = 0; i < both; i++) {
        if (strcmp(lock->entries[i].file, manifest->entries[i].file) != 0)
            return differs(err, "it has", manifest->entries[i].file, lock->entries[i].file);
    }
    if (lock->count > both)
        return differs(err, "it has", pf_message(N_("nothing")), lock->entries[both].file);
    if (manifest->count > both)
        return differs(err, "it has", manifest->entries[both].file, pf_message(N_("nothing")));
    int failed = pf_lock_digest(manifest, folder_fd, noted, err);
    for (size_t i = 0; !failed && i < both; i++) {
        if (strcmp(lock->entries[i].sha256, manifest->entries[i].sha256) != 0) {
            failed = differs(err, "the SHA-256 is", manifest->entries[i].sha256,
                             lock->entries[i].sha256);
            pf_error_context(err, "%s", lock->entries[i].file);
        }
    }
    return failed;
}

int pf_lock_text(const struct pf_lockfile *lock, const struct pf_manifest *manifest, char **text,
                 struct pf_error *err)
{
    struct pf_lockfile whole = *lock;
    whole.count = manifest->count;
    whole.entries = calloc(whole.count ? whole.count : 1, sizeof *whole.entries);
    int failed = whole.entries ? 0 : pf_error_memory(err);
    for (size_t i = 0; !failed && i < whole.count; i++) {
        const struct pf_manifest_entry *entry = &manifest->entries[i];
        whole.entries[i] = (struct pf_lockfile_entry){.file = entry->file,
                                                      .url = entry->url,
                                                      .size_bytes = entry->size_bytes};
        memcpy(whole.entries[i].sha256, entry->sha256, sizeof entry->sha256);
        if (!entry->url)
            failed = pf_error_set(err, PF_E_INVALID,
                                  "nobody noted where %s came from (--update asks the mirror)",
                                  entry->file);
    }
    if (!failed)
        failed = pf_lockfile_write(&whole, text, err);
    free(whole.entries);
    return failed;
}
