/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lock.h"

#include "fs.h"
#include "message.h"
#include "mirrorpath.h"
#include "pkgname.h"
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

static int digest_file(int folder_fd, const char *file, char sum[PF_DIGEST_TEXT_SIZE],
                       struct pf_error *err)
{
    pf_auto_fd int fd = openat(folder_fd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", file);
    int failed = pf_digest_file(fd, PF_DIGEST_SHA256, sum, err);
    return failed ? pf_error_context(err, "%s", file) : 0;
}

static int differs(struct pf_error *err, const char *what, const char *a, const char *b)
{
    return pf_error_advise(err, PF_E_CORRUPT, N_("--update takes what the lockfile names"),
                           "the cache is not what the lockfile says: %s %s instead of %s",
                           pf_message(what), a, b);
}

static int check_names(const struct pf_lockfile *lock, const struct pf_manifest *manifest,
                       struct pf_error *err)
{
    size_t both = lock->count < manifest->count ? lock->count : manifest->count;
    for (size_t i = 0; i < both; i++) {
        if (strcmp(lock->entries[i].file, manifest->entries[i].file) != 0)
            return differs(err, "it has", manifest->entries[i].file, lock->entries[i].file);
    }
    if (lock->count > both)
        return differs(err, "it has", pf_message(N_("nothing")), lock->entries[both].file);
    if (manifest->count > both)
        return differs(err, "it has", manifest->entries[both].file, pf_message(N_("nothing")));
    return 0;
}

static int check_sum(const struct pf_lockfile_entry *locked, const char *sum, struct pf_error *err)
{
    if (strcmp(locked->sha256, sum) == 0)
        return 0;
    differs(err, "the SHA-256 is", sum, locked->sha256);
    return pf_error_context(err, "%s", locked->file);
}

/* What somebody noted of a file can refuse it, and vouches for nothing. */
static int check_note(const struct pf_lockfile_entry *locked, const struct pf_manifest_entry *entry,
                      struct pf_error *err)
{
    return entry->sha256[0] ? check_sum(locked, entry->sha256, err) : 0;
}

static int check_file(const struct pf_lockfile_entry *locked, int folder_fd, struct pf_error *err)
{
    char sum[PF_DIGEST_TEXT_SIZE];
    int failed = digest_file(folder_fd, locked->file, sum, err);
    return failed ? failed : check_sum(locked, sum, err);
}

int pf_lock_expect(const struct pf_lockfile *lock, struct pf_manifest *manifest, int folder_fd,
                   struct pf_error *err)
{
    int failed = check_names(lock, manifest, err);
    for (size_t i = 0; !failed && i < lock->count; i++) {
        struct pf_manifest_entry *entry = &manifest->entries[i];
        failed = check_note(&lock->entries[i], entry, err);
        /* Nobody decodes a text beside the packages. */
        if (!failed && pf_pkgname_format(entry->file) == PF_FORMAT_NONE)
            failed = check_file(&lock->entries[i], folder_fd, err);
        entry->expected.kind = PF_DIGEST_SHA256;
        memcpy(entry->expected.hex, lock->entries[i].sha256, sizeof entry->expected.hex);
    }
    return failed;
}

int pf_lock_check(const struct pf_lockfile *lock, const struct pf_manifest *manifest, int folder_fd,
                  bool notes_only, struct pf_error *err)
{
    int failed = check_names(lock, manifest, err);
    for (size_t i = 0; !failed && i < lock->count; i++)
        failed = check_note(&lock->entries[i], &manifest->entries[i], err);
    for (size_t i = 0; !failed && !notes_only && i < lock->count; i++)
        failed = check_file(&lock->entries[i], folder_fd, err);
    return failed;
}

int pf_lock_digest(struct pf_manifest *manifest, int folder_fd, bool *noted, struct pf_error *err)
{
    *noted = false;
    for (size_t i = 0; i < manifest->count; i++) {
        struct pf_manifest_entry *entry = &manifest->entries[i];
        char sum[PF_DIGEST_TEXT_SIZE];
        int failed = digest_file(folder_fd, entry->file, sum, err);
        if (failed)
            return failed;
        if (entry->sha256[0] && strcmp(entry->sha256, sum) != 0) {
            pf_error_set(err, PF_E_CORRUPT, "it is not the file that was downloaded");
            return pf_error_context(err, "%s", entry->file);
        }
        *noted = *noted || !entry->sha256[0];
        memcpy(entry->sha256, sum, sizeof entry->sha256);
    }
    return 0;
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
            failed = pf_error_advise(err, PF_E_INVALID, N_("--update asks the mirror"),
                                     "nobody noted where %s came from", entry->file);
    }
    if (!failed)
        failed = pf_lockfile_write(&whole, text, err);
    free(whole.entries);
    return failed;
}
