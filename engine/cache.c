/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache.h"

#include "array.h"
#include "fs.h"
#include "generation.h"
#include "lowerfolder.h"
#include "message.h"
#include "mounts.h"
#include "pkgname.h"
#include "trash.h"
#include "workfolder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A directory that comes out of an overlay's lower layer; after a kill it is trash. */
#define LIFTED PF_TRASH_NAME ".lifted"

#define MANIFEST ".plamo-fast.manifest.json"

/* A manifest of a million packages is smaller than this. */
#define MAX_MANIFEST_BYTES (512u << 20)

static int check_name_part(const char *what, const char *text, struct pf_error *err)
{
    if (*text == '\0' || strlen(text) > 64 || strchr(text, '/') || *text == '.')
        return pf_error_set(err, PF_E_INVALID, "\"%s\" is not a %s", text, pf_message(what));
    return 0;
}

int pf_cache_open(const char *path, const char *release, const char *arch, struct pf_cache **out,
                  struct pf_error *err)
{
    int failed = check_name_part("release", release, err);
    if (!failed)
        failed = check_name_part("architecture", arch, err);
    if (failed)
        return failed;
    struct pf_cache *cache = calloc(1, sizeof *cache);
    if (!cache)
        return pf_error_memory(err);
    cache->base_fd = cache->lock_fd = cache->shell_fd = -1;
    cache->builder_fd = cache->names_fd = -1;
    snprintf(cache->partial, sizeof cache->partial, "partial-plamo-%s-%s", release, arch);
    snprintf(cache->complete, sizeof cache->complete, "cache-plamo-%s-%s", release, arch);
    snprintf(cache->root, sizeof cache->root, "rootfs-plamo-%s-%s", release, arch);
    snprintf(cache->work, sizeof cache->work, ".plamo-fast-work-%s-%s", release, arch);
    snprintf(cache->kept, sizeof cache->kept, "kept-plamo-%s-%s", release, arch);
    snprintf(cache->builder_lock, sizeof cache->builder_lock, ".plamo-fast-%s-%s.builder.lock",
             release, arch);
    snprintf(cache->names_lock, sizeof cache->names_lock, ".plamo-fast-%s-%s.names.lock", release,
             arch);
    if (pf_fs_make_folders(AT_FDCWD, path, 0755) == 0)
        cache->base_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* As given where that is absolute: it becomes part of the records, as the shell has it. */
    if (cache->base_fd >= 0)
        cache->base = *path == '/' ? strdup(path) : realpath(path, NULL);
    if (!cache->base) {
        failed = pf_error_errno(err, "cache folder %s", path);
        pf_cache_close(cache);
        return failed;
    }
    *out = cache;
    return 0;
}

void pf_cache_close(struct pf_cache *cache)
{
    if (!cache)
        return;
    pf_close_at(&cache->names_fd);
    pf_close_at(&cache->shell_fd);
    pf_close_at(&cache->lock_fd);
    pf_close_at(&cache->builder_fd);
    pf_close_at(&cache->base_fd);
    free(cache->lock_path);
    free(cache->base);
    free(cache);
}

/* Whoever may write to the cache folder could have put it there, with what he likes in it. */
static int refuse_foreign(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    return pf_error_advise(err, PF_E_PERMISSION, N_("remove it"),
                           "%s/%s belongs to another user, or others may write to it", cache->base,
                           name);
}

int pf_cache_has(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    struct stat st;
    if (fstatat(cache->base_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "%s/%s", cache->base, name);
    if (!S_ISDIR(st.st_mode))
        return pf_error_advise(err, PF_E_CONFLICT, N_("remove it"), "%s/%s is not a folder",
                               cache->base, name);
    if (!pf_fs_is_owners(&st))
        return refuse_foreign(cache, name, err);
    return !pf_lowerfolder_is_going(cache->base_fd, name);
}

/* What the shell has made, or an earlier version, can be read by everybody. */
static int close_to_others(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) ? fchmod(fd, 0700)
                                                                               : 0;
}

int pf_cache_open_folder(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    pf_auto_fd int fd =
        openat(cache->base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && pf_lowerfolder_is_going(cache->base_fd, name)) {
        pf_close_at(&fd);
        errno = ENOENT;
    }
    if (fd < 0)
        return pf_error_errno(err, "%s/%s", cache->base, name);
    if (!pf_fs_is_own_folder(fd))
        return refuse_foreign(cache, name, err);
    if (close_to_others(fd) < 0 && errno != EROFS)
        return pf_error_errno(err, "%s/%s", cache->base, name);
    return pf_steal_fd(&fd);
}

/* A package file that lies in the cache folder. */
struct found {
    char *file;
    uint64_t size_bytes;
    struct timespec ctime;
};

struct scan {
    struct found *found;
    size_t count;
};

static void free_scan(struct scan *scan)
{
    for (size_t i = 0; i < scan->count; i++)
        free(scan->found[i].file);
    free(scan->found);
}

static int scan_name(void *ctx, int fd, const char *name)
{
    struct scan *scan = ctx;
    struct stat st;
    if (*name == '.' || pf_pkgname_format(name) == PF_FORMAT_NONE ||
        fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
        return 0;
    char *file = strdup(name);
    if (!file || pf_array_room(&scan->found, scan->count, sizeof *scan->found) < 0) {
        free(file);
        return 1;
    }
    scan->found[scan->count++] =
        (struct found){.file = file, .size_bytes = (uint64_t)st.st_size, .ctime = st.st_ctim};
    return 0;
}

static int compare_times(const struct timespec *a, const struct timespec *b)
{
    if (a->tv_sec != b->tv_sec)
        return a->tv_sec < b->tv_sec ? -1 : 1;
    return (a->tv_nsec > b->tv_nsec) - (a->tv_nsec < b->tv_nsec);
}

/* ls -cr: -c sorts by ctime, newest first, equal ones by name; -r turns all of that round. */
static int by_ls_cr(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    int order = compare_times(&x->ctime, &y->ctime);
    return order ? order : strcmp(y->file, x->file);
}

static int read_manifest(int fd, struct pf_manifest *manifest, struct pf_error *err)
{
    pf_auto_fd int file = openat(fd, MANIFEST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    pf_auto_free char *text = NULL;
    size_t length;
    struct stat st;
    if (file < 0 || fstat(file, &st) < 0)
        return pf_error_errno(err, "%s", MANIFEST);
    if (!S_ISREG(st.st_mode))
        return pf_error_set(err, PF_E_CORRUPT, "%s is not a regular file", MANIFEST);
    int failed = pf_fs_read_fd(file, MAX_MANIFEST_BYTES, &text, &length, err);
    return failed ? failed : pf_manifest_read(text, length, manifest, err);
}

static int by_file(const void *a, const void *b)
{
    return strcmp(((const struct found *)a)->file, ((const struct found *)b)->file);
}

/* Does the manifest name exactly the package files that are there, with their sizes? */
static bool manifest_fits(const struct pf_manifest *manifest, struct scan *scan)
{
    size_t packages = 0;
    if (scan->count)
        qsort(scan->found, scan->count, sizeof *scan->found, by_file);
    for (size_t i = 0; i < manifest->count; i++) {
        const struct pf_manifest_entry *entry = &manifest->entries[i];
        if (pf_pkgname_format(entry->file) == PF_FORMAT_NONE)
            continue;
        struct found key = {.file = entry->file};
        const struct found *found =
            scan->count ? bsearch(&key, scan->found, scan->count, sizeof key, by_file) : NULL;
        if (!found || found->size_bytes != entry->size_bytes)
            return false;
        packages++;
    }
    return packages == scan->count;
}

static int manifest_of_scan(struct scan *scan, struct pf_manifest *manifest, struct pf_error *err)
{
    if (scan->count)
        qsort(scan->found, scan->count, sizeof *scan->found, by_ls_cr);
    int failed = pf_manifest_init(manifest, scan->count, err);
    for (size_t i = 0; !failed && i < scan->count; i++) {
        manifest->entries[i].file = scan->found[i].file;
        manifest->entries[i].size_bytes = scan->found[i].size_bytes;
        scan->found[i].file = NULL;
    }
    return failed;
}

int pf_cache_read(const struct pf_cache *cache, struct pf_manifest *manifest,
                  struct pf_events *events, struct pf_error *err)
{
    *manifest = (struct pf_manifest){0};
    pf_auto_fd int fd = pf_cache_open_folder(cache, cache->complete, err);
    if (fd < 0)
        return fd;
    struct scan scan = {0};
    int status = pf_fs_each_name(fd, scan_name, &scan);
    int failed = 0;
    if (status)
        failed = status < 0 ? pf_error_errno(err, "%s/%s", cache->base, cache->complete)
                            : pf_error_memory(err);
    struct pf_error why = {0};
    if (!failed && read_manifest(fd, manifest, &why) == 0) {
        if (manifest_fits(manifest, &scan)) {
            free_scan(&scan);
            return 0;
        }
        pf_manifest_end(manifest);
        pf_events_text(events, PF_EVENT_NOTE, cache->complete,
                       "its packages are not those of its manifest: taken in `ls -cr` order");
    } else if (!failed && why.sys_errno != ENOENT) {
        pf_events_text(events, PF_EVENT_WARNING, cache->complete, "%s: taken in `ls -cr` order",
                       why.text);
    }
    if (!failed)
        failed = manifest_of_scan(&scan, manifest, err);
    free_scan(&scan);
    return failed;
}

int pf_cache_read_manifest(const struct pf_cache *cache, struct pf_manifest *manifest,
                           struct pf_error *err)
{
    struct pf_error why = {0};
    *manifest = (struct pf_manifest){0};
    pf_auto_fd int fd = pf_cache_open_folder(cache, cache->complete, err);
    if (fd < 0)
        return fd;
    int failed = read_manifest(fd, manifest, &why);
    if (!failed || why.sys_errno == ENOENT)
        return !failed;
    if (err)
        *err = why;
    return pf_error_context(err, "%s/%s", cache->base, cache->complete);
}

/* What was written below fd is on the disk, also after a power cut. */
static int flush(int fd, const struct pf_cache *cache, struct pf_error *err)
{
    return pf_fs_sync(fd) < 0 ? pf_error_errno(err, "flushing the file system of %s", cache->base)
                              : 0;
}

/* What a kill has left of one. */
static int clear_going(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    return pf_lowerfolder_is_going(cache->base_fd, name)
               ? pf_lowerfolder_remove(cache->base_fd, name, err)
               : 0;
}

static int rename_new(const struct pf_cache *cache, int from_fd, const char *from, const char *to,
                      struct pf_error *err)
{
    int failed = clear_going(cache, to, err);
    if (failed)
        return failed;
    return pf_fs_rename_new(from_fd, from, cache->base_fd, to) < 0
               ? pf_error_errno(err, "renaming %s to %s/%s", from, cache->base, to)
               : 0;
}

/* What stays of it is in nobody's way. */
static void empty_trash(const struct pf_cache *cache)
{
    struct pf_error why = {0};
    if (pf_trash_empty(cache->base_fd, &why))
        pf_events_text(cache->events, PF_EVENT_WARNING, cache->base, "%s", why.text);
}

static int purge_folder(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    int moved = pf_trash_put(cache->base_fd, name, err);
    if (moved < 0)
        return pf_error_context(err, "removing %s/%s", cache->base, name);
    empty_trash(cache);
    return 0;
}

static int write_manifest(int fd, const struct pf_manifest *manifest, struct pf_error *err)
{
    pf_auto_free char *text = NULL;
    int failed = pf_manifest_write(manifest, &text, err);
    if (!failed)
        failed = pf_fs_replace_file(fd, MANIFEST, text, strlen(text), 0644, err);
    else if (failed ==
             PF_E_INVALID) /* a name that JSON cannot hold: the order is in the ctimes too */
        failed =
            unlinkat(fd, MANIFEST, 0) < 0 && errno != ENOENT ? pf_error_errno(err, MANIFEST) : 0;
    return failed;
}

int pf_cache_write_manifest(const struct pf_cache *cache, const struct pf_manifest *manifest,
                            struct pf_error *err)
{
    pf_auto_fd int fd = pf_cache_open_folder(cache, cache->complete, err);
    return fd < 0 ? fd : write_manifest(fd, manifest, err);
}

static int end_partial(const struct pf_cache *cache, const struct pf_manifest *manifest,
                       struct pf_error *err)
{
    pf_auto_fd int fd = pf_cache_open_folder(cache, cache->partial, err);
    if (fd < 0)
        return fd;
    int failed = write_manifest(fd, manifest, err);
    return failed ? failed : flush(fd, cache, err);
}

int pf_cache_open_partial(const struct pf_cache *cache, struct pf_error *err)
{
    int failed = clear_going(cache, cache->partial, err);
    int has = failed ? failed : pf_cache_has(cache, cache->partial, err);
    if (has < 0)
        return has;
    if (!has && mkdirat(cache->base_fd, cache->partial, 0700) < 0)
        return pf_error_errno(err, "making %s/%s", cache->base, cache->partial);
    /* It is to get another name, and its files their order after this. */
    if (has && pf_lowerfolder_can_be(cache->base_fd))
        failed = pf_lowerfolder_lift(cache->base_fd, cache->partial, LIFTED, err);
    return failed ? pf_error_context(err, "cache folder %s", cache->base)
                  : pf_cache_open_folder(cache, cache->partial, err);
}

int pf_cache_complete(const struct pf_cache *cache, const struct pf_manifest *manifest,
                      struct pf_error *err)
{
    int failed = end_partial(cache, manifest, err);
    return failed ? failed
                  : rename_new(cache, cache->base_fd, cache->partial, cache->complete, err);
}

/* The built root is as it will be, and on the disk. */
static int settle_root(const struct pf_cache *cache, struct pf_error *err)
{
    int failed = pf_workfolder_settle(cache->base_fd, cache->work, err);
    if (failed)
        return pf_error_context(err, "cache folder %s", cache->base);
    return flush(cache->base_fd, cache, err);
}

static int find_root(const struct pf_cache *cache, int *dir_fd, const char **name,
                     struct pf_error *err)
{
    int failed = pf_workfolder_root(cache->base_fd, cache->work, dir_fd, name, err);
    return failed ? pf_error_context(err, "cache folder %s", cache->base) : 0;
}

int pf_cache_begin_exchange(const struct pf_cache *cache, const struct pf_manifest *manifest,
                            struct pf_error *err)
{
    int failed = end_partial(cache, manifest, err);
    return failed ? failed : settle_root(cache, err);
}

static int exchange(const struct pf_cache *cache)
{
    return pf_fs_rename(cache->base_fd, cache->partial, cache->base_fd, cache->complete,
                        RENAME_EXCHANGE);
}

/* Where the file system cannot exchange two names there is no complete folder for a moment. */
static int exchange_packages(const struct pf_cache *cache, struct pf_error *err)
{
    int fd = cache->base_fd;
    int has = pf_cache_has(cache, cache->complete, err);
    if (has < 0 || (has && exchange(cache) == 0))
        return has < 0 ? has : 0;
    if (has && errno == EXDEV) {
        int failed = pf_lowerfolder_lift(fd, cache->complete, LIFTED, err);
        if (failed || exchange(cache) == 0)
            return failed;
    }
    int moved = has ? pf_trash_put(fd, cache->complete, err) : 0;
    return moved < 0 ? moved : rename_new(cache, fd, cache->partial, cache->complete, err);
}

int pf_cache_exchange(const struct pf_cache *cache, struct pf_error *err)
{
    const char *name;
    pf_auto_fd int fd = -1;
    int failed = find_root(cache, &fd, &name, err);
    if (!failed)
        failed = pf_trash_put(cache->base_fd, cache->root, err);
    if (failed >= 0)
        failed = exchange_packages(cache, err);
    return failed ? failed : rename_new(cache, fd, name, cache->root, err);
}

int pf_cache_end_exchange(const struct pf_cache *cache, unsigned keep, struct pf_error *err)
{
    int has = pf_cache_has(cache, cache->partial, err);
    int failed = has < 0 ? has : 0;
    if (has > 0 && keep)
        failed = pf_generation_keep(cache->base_fd, cache->partial, cache->kept, keep, err);
    else if (has > 0)
        failed = purge_folder(cache, cache->partial, err);
    if (!failed)
        empty_trash(cache);
    return failed ? pf_error_context(err, "cache folder %s", cache->base) : 0;
}

int pf_cache_remove_work(const struct pf_cache *cache, struct pf_error *err)
{
    int has = pf_cache_has(cache, cache->work, err);
    return has < 0 ? has : purge_folder(cache, cache->work, err);
}

int pf_cache_begin_root(const struct pf_cache *cache, struct pf_error *err)
{
    int failed = pf_cache_remove_work(cache, err);
    if (failed)
        return failed;
    failed = pf_workfolder_make(cache->base_fd, cache->work, err);
    return failed ? pf_error_context(err, "cache folder %s", cache->base) : 0;
}

int pf_cache_publish_root(const struct pf_cache *cache, struct pf_error *err)
{
    const char *name;
    pf_auto_fd int fd = -1;
    int failed = settle_root(cache, err);
    if (!failed)
        failed = find_root(cache, &fd, &name, err);
    return failed ? failed : rename_new(cache, fd, name, cache->root, err);
}

int pf_cache_remove_partial(const struct pf_cache *cache, struct pf_error *err)
{
    return purge_folder(cache, cache->partial, err);
}

int pf_cache_purge(const struct pf_cache *cache, struct pf_error *err)
{
    const char *const names[] = {cache->root, cache->complete, cache->work};
    size_t count = sizeof names / sizeof *names;
    char point[PATH_MAX];
    for (size_t i = 0; i < count; i++) {
        int has = pf_cache_has(cache, names[i], err);
        if (has < 0)
            return has;
        if (pf_mounts_find(cache->base_fd, names[i], point))
            return pf_error_set(err, PF_E_SYSTEM,
                                "something is mounted on %s; unmount it: nothing was removed",
                                point);
    }
    for (size_t i = 0; i < count; i++) {
        if (pf_trash_put(cache->base_fd, names[i], err) < 0)
            return pf_error_context(err, "removing %s/%s", cache->base, names[i]);
    }
    int rc = pf_trash_empty(cache->base_fd, err);
    return rc ? pf_error_context(err, "cache folder %s", cache->base) : 0;
}

int pf_cache_stamp(struct pf_stamper *stamper, const char *file, struct pf_error *err)
{
    struct stat st;
    if (fstatat(stamper->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", file);
    /* Any change of the inode sets ctime to now; this one changes nothing else. */
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, st.st_mtim};
    if (utimensat(stamper->dir_fd, file, times, AT_SYMLINK_NOFOLLOW) < 0 ||
        fstatat(stamper->dir_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", file);
    if (st.st_ctim.tv_sec + 1 < stamper->last.tv_sec) {
        stamper->last = (struct timespec){0};
        return 2;
    }
    if (compare_times(&st.st_ctim, &stamper->last) <= 0)
        return 0;
    stamper->last = st.st_ctim;
    return 1;
}
