/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reuse.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pf_reuse_init(struct pf_reuse *reuse, struct pf_error *err)
{
    pf_copyfile_init(&reuse->copyfile);
    for (size_t i = 0; i < reuse->old->count; i++) {
        if (pf_names_add(&reuse->names, reuse->old->entries[i].file) != 1)
            return pf_error_memory(err);
    }
    return 0;
}

void pf_reuse_end(struct pf_reuse *reuse)
{
    pf_names_end(&reuse->names);
}

static const char *file_of(const struct pf_reuse *reuse, size_t index)
{
    return reuse->plan->entries[index].file;
}

/* Is it a regular file, and of the size that the mirror's listing says, if it says one? */
static bool is_usable(const struct pf_reuse *reuse, size_t index, int fd, struct stat *st)
{
    int64_t size_bytes = reuse->plan->entries[index].size_bytes;
    return fstatat(fd, file_of(reuse, index), st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISREG(st->st_mode) && (size_bytes < 0 || size_bytes == st->st_size);
}

/* The old folder's entry for the file, or NULL where it has no usable one. */
static const struct pf_manifest_entry *old_of(const struct pf_reuse *reuse, size_t index,
                                              struct stat *st)
{
    int64_t number = pf_names_find(&reuse->names, file_of(reuse, index));
    const struct pf_manifest_entry *old = number < 0 ? NULL : &reuse->old->entries[number];
    return old && is_usable(reuse, index, reuse->old_fd, st) &&
                   (uint64_t)st->st_size == old->size_bytes
               ? old
               : NULL;
}

void pf_reuse_offer(struct pf_reuse *reuse, size_t index, const char *held_etag,
                    struct pf_fetch_file *wish)
{
    struct stat st;
    if (reuse->held[index] && is_usable(reuse, index, reuse->folder_fd, &st)) {
        wish->copy_etag = held_etag && held_etag[0] == '"' ? held_etag : NULL;
    } else {
        const struct pf_manifest_entry *old = old_of(reuse, index, &st);
        if (!old)
            return;
        /* A tag is the server's own: it counts where the file comes from the same place. */
        if (old->url && strcmp(old->url, wish->url) == 0)
            wish->copy_etag = old->etag;
    }
    wish->conditional = true;
    wish->copy_mtime = st.st_mtim;
}

/* The digest of a file of one of the folders. */
static int digest(const struct pf_reuse *reuse, size_t index, int dir_fd, enum pf_digest_kind kind,
                  char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err)
{
    const char *file = file_of(reuse, index);
    pf_auto_fd int fd = openat(dir_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", file);
    int failed = pf_digest_file(fd, kind, text, err);
    return failed ? pf_error_context(err, "%s", file) : 0;
}

/* Has the file what the mirror's list says of it? 1, 0 or a code. */
static int has_checksum(const struct pf_reuse *reuse, size_t index, int dir_fd,
                        struct pf_error *err)
{
    const struct pf_checksum *wanted = &reuse->plan->entries[index].checksum;
    char text[PF_DIGEST_TEXT_SIZE];
    if (!wanted->hex[0])
        return 1;
    int failed = digest(reuse, index, dir_fd, wanted->kind, text, err);
    if (failed || strcmp(text, wanted->hex) == 0)
        return failed ? failed : 1;
    pf_error_set(err, PF_E_CORRUPT, "package %s: its %s is %s instead of %s", file_of(reuse, index),
                 pf_digest_name(wanted->kind), text, wanted->hex);
    return 0;
}

/* Takes over what is known of the old file. */
static int take_entry(const struct pf_reuse *reuse, size_t index,
                      const struct pf_manifest_entry *old, struct pf_error *err)
{
    struct pf_manifest_entry *entry = &reuse->manifest->entries[index];
    memcpy(entry->xxh3, old->xxh3, sizeof entry->xxh3);
    memcpy(entry->sha256, old->sha256, sizeof entry->sha256);
    if (!entry->etag && old->etag && old->url && entry->url && strcmp(old->url, entry->url) == 0) {
        entry->etag = strdup(old->etag);
        if (!entry->etag)
            return pf_error_memory(err);
    }
    reuse->same[index] = true;
    return 0;
}

/* Is the file in dir_fd what the old folder's manifest notes? 1, 0 or a code. Where nothing is
   noted, only the old file itself is. */
static int has_old_bytes(const struct pf_reuse *reuse, size_t index, int dir_fd,
                         const struct pf_manifest_entry *old, struct pf_error *err)
{
    char text[PF_DIGEST_TEXT_SIZE], other[PF_DIGEST_TEXT_SIZE];
    if (!old->xxh3[0] && dir_fd == reuse->old_fd)
        return 1;
    int failed = digest(reuse, index, dir_fd, PF_DIGEST_XXH3, text, err);
    if (!failed && !old->xxh3[0])
        failed = digest(reuse, index, reuse->old_fd, PF_DIGEST_XXH3, other, err);
    if (failed)
        return failed;
    return strcmp(text, old->xxh3[0] ? old->xxh3 : other) == 0;
}

int pf_reuse_compare(struct pf_reuse *reuse, size_t index, struct pf_error *err)
{
    struct stat st, now;
    int good = has_checksum(reuse, index, reuse->folder_fd, err);
    if (good <= 0)
        return good < 0 ? good : PF_E_CORRUPT;
    const struct pf_manifest_entry *old = old_of(reuse, index, &st);
    if (!old || !is_usable(reuse, index, reuse->folder_fd, &now) || now.st_size != st.st_size)
        return 0;
    int same = has_old_bytes(reuse, index, reuse->folder_fd, old, err);
    /* The old file itself may be damaged: then it is not the same. */
    if (same > 0)
        same = has_old_bytes(reuse, index, reuse->old_fd, old, err);
    return same > 0 ? take_entry(reuse, index, old, err) : same;
}

int pf_reuse_take(struct pf_reuse *reuse, size_t index, struct pf_error *err)
{
    struct stat st;
    struct pf_error ignored = {0};
    if (reuse->held[index]) {
        int failed = pf_reuse_compare(reuse, index, &ignored);
        if (failed && failed != PF_E_CORRUPT && err)
            *err = ignored;
        return failed == PF_E_CORRUPT ? 0 : failed ? failed : 1;
    }
    const struct pf_manifest_entry *old = old_of(reuse, index, &st);
    int good = old ? has_old_bytes(reuse, index, reuse->old_fd, old, err) : 0;
    if (good > 0)
        good = has_checksum(reuse, index, reuse->old_fd, err);
    if (good <= 0)
        return good;
    int failed = take_entry(reuse, index, old, err);
    return failed ? failed : 1;
}

bool pf_reuse_is_all(const struct pf_reuse *reuse)
{
    bool all = reuse->plan->count == reuse->old->count;
    for (size_t i = 0; all && i < reuse->plan->count; i++)
        all = reuse->same[i] && strcmp(reuse->old->entries[i].file, file_of(reuse, i)) == 0;
    return all;
}

int pf_reuse_copy(struct pf_reuse *reuse, const atomic_bool *stop, struct pf_error *err)
{
    for (size_t i = 0; i < reuse->plan->count; i++) {
        struct stat st;
        const char *file = file_of(reuse, i);
        if (!reuse->same[i] || faccessat(reuse->folder_fd, file, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (atomic_load(stop))
            return pf_error_set(err, PF_E_CANCELLED, "stopped");
        if (!is_usable(reuse, i, reuse->old_fd, &st))
            return pf_error_set(err, PF_E_CONFLICT, "%s went away from the cache", file);
        if (pf_copyfile_regular(&reuse->copyfile, reuse->old_fd, reuse->folder_fd, file, &st) < 0)
            return pf_error_errno(err, "copying %s", file);
    }
    return 0;
}
