/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base.h"

#include "array.h"
#include "clone.h"
#include "digest.h"
#include "fs.h"
#include "lockholder.h"
#include "lxccontainer.h"
#include "message.h"
#include "mounts.h"
#include "resolve.h"
#include "shift.h"
#include "trash.h"
#include "treesize.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BASES         "bases-plamo"
#define LOCK          ".lock"
#define UNFINISHED    ".new"
#define USED_IN       "used-in"
#define ROOT_PREFIX   "rootfs-plamo-"
#define LOCK_RETRY_MS 20
#define ID_DIGITS     32
#define MAX_CONFIG    (16u << 20)
#define MAX_NOTE      (2 * PATH_MAX)

/* The folder of all bases, while this process alone makes and removes them. */
struct bases {
    const struct pf_cache *cache;
    struct pf_events *events;
    int fd, lock_fd;
};

static void end_bases(struct bases *bases)
{
    pf_close_at(&bases->lock_fd);
    pf_close_at(&bases->fd);
}

static int lock_bases(struct bases *bases, const atomic_bool *cancel, struct pf_error *err)
{
    const char *folder = bases->cache->base;
    bases->lock_fd = pf_fs_open_own(bases->fd, LOCK, O_RDWR);
    if (bases->lock_fd < 0 || fchmod(bases->lock_fd, 0600) < 0)
        return pf_error_errno(err, "lock file %s/%s", folder, BASES "/" LOCK);
    for (bool first = true; flock(bases->lock_fd, LOCK_EX | LOCK_NB) < 0; first = false) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return pf_error_errno(err, "locking %s/%s", folder, BASES);
        if (cancel && atomic_load(cancel))
            return pf_error_set(err, PF_E_CANCELLED, "stopped while waiting for %s/%s", folder,
                                BASES);
        char holder[PF_LOCKHOLDER_SIZE];
        if (first) {
            pf_lockholder_name(bases->lock_fd, holder);
            pf_events_text(bases->events, PF_EVENT_LOCK_WAIT, NULL,
                           "waiting for %s, which makes or removes bases in %s/%s", holder, folder,
                           BASES);
        }
        nanosleep(&(struct timespec){.tv_nsec = LOCK_RETRY_MS * 1000000L}, NULL);
    }
    return 0;
}

/* What stays of it is in nobody's way. */
static void empty_trash(const struct bases *bases)
{
    struct pf_error why = {0};
    if (pf_trash_empty(bases->fd, &why))
        pf_events_text(bases->events, PF_EVENT_WARNING, BASES, "%s", why.text);
}

/* What a killed run has left: nobody else is at it while we hold the lock. */
static int sweep(const struct bases *bases, struct pf_error *err)
{
    if (pf_trash_put(bases->fd, UNFINISHED, err) < 0)
        return pf_error_context(err, "%s/%s", bases->cache->base, BASES);
    empty_trash(bases);
    return 0;
}

/* Opens and locks the folder. 1: there is none, and none is made. */
static int open_bases(const struct pf_cache *cache, bool make, struct pf_events *events,
                      const atomic_bool *cancel, struct bases *bases, struct pf_error *err)
{
    *bases = (struct bases){.cache = cache, .events = events, .fd = -1, .lock_fd = -1};
    if (make && mkdirat(cache->base_fd, BASES, 0711) < 0 && errno != EEXIST)
        return pf_error_errno(err, "making %s/%s", cache->base, BASES);
    bases->fd = openat(cache->base_fd, BASES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (bases->fd < 0 && errno == ENOENT && !make)
        return 1;
    if (bases->fd >= 0 && !pf_fs_is_own_folder(bases->fd))
        return pf_error_advise(err, PF_E_PERMISSION, N_("remove it"),
                               "%s/%s belongs to another user, or others may write to it",
                               cache->base, BASES);
    if (bases->fd < 0 || pf_fs_own_folder(bases->fd, 0711) < 0)
        return pf_error_errno(err, "%s/" BASES, cache->base);
    int failed = lock_bases(bases, cancel, err);
    return failed ? failed : sweep(bases, err);
}

/* The names in a folder. */
struct name_list {
    char **names;
    size_t count;
};

static int add_name(void *ctx, int fd, const char *name)
{
    struct name_list *list = ctx;
    (void)fd;
    if (pf_array_room(&list->names, list->count, sizeof *list->names) < 0)
        return 1;
    char *copy = strdup(name);
    if (!copy)
        return 1;
    list->names[list->count++] = copy;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Which packages are installed: a run may have left out a damaged one that the manifest has. */
static int digest_records(int root_fd, struct pf_digest *digest, struct pf_error *err)
{
    struct name_list records = {0};
    pf_auto_fd int fd = pf_resolve_beneath(root_fd, "var/log/packages", O_RDONLY | O_DIRECTORY, 0);
    int status = fd < 0 ? 0 : pf_fs_each_name(fd, add_name, &records);
    if (records.count)
        qsort(records.names, records.count, sizeof *records.names, by_name);
    for (size_t i = 0; i < records.count; i++) {
        pf_digest_add(digest, records.names[i], strlen(records.names[i]) + 1);
        free(records.names[i]);
    }
    free(records.names);
    if (status < 0)
        return pf_error_errno(err, "the records of the cached root");
    return status ? pf_error_memory(err) : 0;
}

/* From which files, as far as that is known: somebody may have removed the downloads. */
static int digest_manifest(const struct pf_cache *cache, struct pf_digest *digest,
                           struct pf_error *err)
{
    struct pf_manifest manifest = {0};
    int has = pf_cache_has(cache, cache->complete, err);
    int failed = has > 0 ? pf_cache_read(cache, &manifest, NULL, err) : has;
    for (size_t i = 0; !failed && i < manifest.count; i++) {
        const struct pf_manifest_entry *entry = &manifest.entries[i];
        char line[64];
        int length = snprintf(line, sizeof line, "%" PRIu64 " %s", entry->size_bytes, entry->xxh3);
        pf_digest_add(digest, entry->file, strlen(entry->file) + 1);
        pf_digest_add(digest, line, (size_t)length + 1);
    }
    pf_manifest_end(&manifest);
    return failed;
}

/* Whose owners it has. */
static void digest_map(const struct pf_idmap *map, struct pf_digest *digest)
{
    for (size_t i = 0; map && i < map->count; i++) {
        const struct pf_idmap_range *r = &map->ranges[i];
        char line[64];
        int length = snprintf(line, sizeof line, "%c %" PRIu32 " %" PRIu32 " %" PRIu32, r->type,
                              r->inside, r->outside, r->count);
        pf_digest_add(digest, line, (size_t)length + 1);
    }
}

/* RELEASE-ARCH-DIGEST */
static int name_base(const struct pf_cache *cache, int root_fd, const struct pf_idmap *map,
                     char id[NAME_MAX + 1], struct pf_error *err)
{
    char text[PF_DIGEST_TEXT_SIZE];
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_SHA256);
    if (!digest)
        return pf_error_memory(err);
    int failed = digest_manifest(cache, digest, err);
    if (!failed)
        failed = digest_records(root_fd, digest, err);
    if (!failed) {
        digest_map(map, digest);
        pf_digest_text(digest, text);
        snprintf(id, NAME_MAX + 1, "%s-%.*s", cache->root + strlen(ROOT_PREFIX), ID_DIGITS, text);
    }
    pf_digest_free(digest);
    return failed;
}

/* The root's own mode is that of one; the cached root is this user's alone to enter. */
static int copy_attributes(int from_fd, int to_fd)
{
    struct stat st;
    if (fstat(from_fd, &st) < 0 || fchown(to_fd, st.st_uid, st.st_gid) < 0 ||
        fchmod(to_fd, 0755) < 0)
        return -1;
    return futimens(to_fd, (struct timespec[2]){st.st_atim, st.st_mtim});
}

/* The owners of a container that maps its ids, whose root gets a way through fd to to_fd. */
static int map_base(int fd, int to_fd, const struct pf_base_wish *wish, struct pf_error *err)
{
    struct pf_shift shift = {.map = wish->map, .cancel = wish->cancel};
    uint64_t devices;
    uint32_t gid;
    if (!wish->map)
        return 0;
    int rc = pf_shift_tree(to_fd, &shift, &devices, err);
    if (!rc && (!pf_idmap_gid(wish->map, 0, &gid) || fchown(fd, (uid_t)-1, gid) < 0 ||
                fchmod(fd, 0710) < 0))
        rc = pf_error_errno(err, "making a base");
    return rc;
}

static int fill_base(int fd, int root_fd, const struct pf_base_wish *wish,
                     const struct pf_clone_settings *settings, struct pf_error *err)
{
    struct pf_clone_result result;
    if (mkdirat(fd, "root", 0700) < 0 || mkdirat(fd, USED_IN, 0700) < 0)
        return pf_error_errno(err, "making a base");
    pf_auto_fd int to_fd = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to_fd < 0)
        return pf_error_errno(err, "making a base");
    int failed = pf_clone_tree(root_fd, to_fd, settings, &result, err);
    if (!failed && copy_attributes(root_fd, to_fd) < 0)
        failed = pf_error_errno(err, "making a base");
    if (!failed)
        failed = map_base(fd, to_fd, wish, err);
    if (!failed && pf_fs_sync(to_fd) < 0)
        failed = pf_error_errno(err, "making a base");
    return failed;
}

static int make_base(const struct bases *bases, const char *id, int root_fd,
                     const struct pf_base_wish *wish, struct pf_error *err)
{
    struct pf_clone_settings settings = {.threads = wish->threads,
                                         .cancel = wish->cancel,
                                         .events = wish->events,
                                         .subject = bases->cache->root};

    pf_events_text(bases->events, PF_EVENT_PHASE, NULL,
                   "copying the cached root to be the base of overlays");
    if (mkdirat(bases->fd, UNFINISHED, 0700) < 0)
        return pf_error_errno(err, "making a base");
    pf_auto_fd int fd =
        openat(bases->fd, UNFINISHED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int failed = fd < 0 ? pf_error_errno(err, "making a base")
                        : fill_base(fd, root_fd, wish, &settings, err);
    if (!failed && pf_fs_rename(bases->fd, UNFINISHED, bases->fd, id, 0) < 0)
        failed = pf_error_errno(err, "putting a base in place");
    if (failed == PF_E_NO_SPACE)
        pf_error_context(err, "the file system of the cache folder %s is full", bases->cache->base);
    if (failed)
        pf_fs_remove_tree(bases->fd, UNFINISHED, NULL);
    return failed;
}

static int hold(const struct bases *bases, const char *id, struct pf_base *out,
                struct pf_error *err)
{
    pf_auto_free char *folder = realpath(bases->cache->base, NULL);
    out->fd = openat(bases->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Who collects has it for himself only under the lock that we hold. */
    if (out->fd < 0 || !folder || flock(out->fd, LOCK_SH) < 0)
        return pf_error_errno(err, "%s/" BASES "/%s", bases->cache->base, id);
    if (asprintf(&out->root, "%s/" BASES "/%s/root", folder, id) < 0) {
        out->root = NULL;
        return pf_error_memory(err);
    }
    return 0;
}

int pf_base_hold(const struct pf_cache *cache, const struct pf_base_wish *wish, struct pf_base *out,
                 struct pf_error *err)
{
    char id[NAME_MAX + 1];
    struct bases bases;
    *out = (struct pf_base){.fd = -1};
    pf_auto_fd int root_fd = pf_cache_open_folder(cache, cache->root, err);
    if (root_fd < 0)
        return root_fd;
    int failed = name_base(cache, root_fd, wish->map, id, err);
    if (failed)
        return failed;
    failed = open_bases(cache, true, wish->events, wish->cancel, &bases, err);
    if (!failed && faccessat(bases.fd, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
        failed = make_base(&bases, id, root_fd, wish, err);
    if (!failed)
        failed = hold(&bases, id, out, err);
    end_bases(&bases);
    if (failed)
        pf_base_end(out);
    return failed;
}

void pf_base_end(struct pf_base *base)
{
    if (base->fd > 0)
        close(base->fd);
    free(base->root);
    *base = (struct pf_base){.fd = -1};
}

/* Does the file say this already? */
static bool says(int fd, const char *name, const char *text)
{
    char there[MAX_NOTE];
    pf_auto_fd int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, there, sizeof there);
    return length == (ssize_t)strlen(text) && memcmp(there, text, (size_t)length) == 0;
}

int pf_base_note(const struct pf_base *base, const char *lxcpath, struct pf_error *err)
{
    struct stat st;
    char name[PF_DIGEST_TEXT_SIZE], text[MAX_NOTE];
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_SHA256);
    if (!digest)
        return pf_error_memory(err);
    pf_digest_add(digest, lxcpath, strlen(lxcpath));
    pf_digest_text(digest, name);
    pf_digest_free(digest);
    name[ID_DIGITS] = '\0';
    if (stat(lxcpath, &st) < 0)
        return pf_error_errno(err, "%s", lxcpath);
    snprintf(text, sizeof text, "%ju %s\n", (uintmax_t)st.st_ino, lxcpath);
    pf_auto_fd int fd = openat(base->fd, USED_IN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", base->root);
    if (says(fd, name, text))
        return 0;
    int failed = pf_fs_replace_file(fd, name, text, strlen(text), 0600, err);
    if (!failed && pf_fs_sync(fd) < 0)
        failed = pf_error_errno(err, "flushing %s", base->root);
    return failed;
}

/* A look for containers that lie upon one base. */
struct look {
    const struct bases *bases;
    const char *id;
    char *marker; /* what a configuration that names it has in it */
};

/* What cannot be read may name it. */
static bool config_names(const struct look *look, int fd, const char *path)
{
    pf_auto_free char *text = NULL;
    size_t length;
    pf_auto_fd int file = openat(fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (file < 0)
        return errno != ENOENT && errno != ENOTDIR;
    if (pf_fs_read_fd(file, MAX_CONFIG, &text, &length, NULL))
        return errno != EISDIR;
    return memmem(text, length, look->marker, strlen(look->marker)) != NULL;
}

static int look_at_container(void *ctx, int fd, const char *name);

/* The snapshots of a container are containers below its folder snaps (lxc-snapshot(1)). */
static int look_at_snapshots(struct look *look, int fd, const char *name)
{
    char path[NAME_MAX + 8];
    snprintf(path, sizeof path, "%s/snaps", name);
    pf_auto_fd int snaps = openat(fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (snaps < 0)
        return errno != ENOENT && errno != ENOTDIR && errno != ELOOP;
    int status = pf_fs_each_name(snaps, look_at_container, look);
    return status != 0;
}

static int look_at_container(void *ctx, int fd, const char *name)
{
    struct look *look = ctx;
    char path[NAME_MAX + 8];
    /* LXC passes these over, and so do we: half-made containers are among them. */
    if (*name == '.')
        return 0;
    snprintf(path, sizeof path, "%s/config", name);
    return config_names(look, fd, path) || look_at_snapshots(look, fd, name);
}

/* An absent folder has no containers. */
static bool is_used_in(struct look *look, const char *lxcpath)
{
    pf_auto_fd int fd = open(lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno != ENOENT;
    return pf_fs_each_name(fd, look_at_container, look) != 0;
}

/* Looks into the path that a file of used-in notes. */
static int look_at_noted(void *ctx, int fd, const char *name)
{
    struct look *look = ctx;
    char text[MAX_NOTE];
    uintmax_t inode;
    int at = 0;
    struct stat st;
    pf_auto_fd int file = openat(fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0 || text[length - 1] != '\n')
        return 0; /* its write was not finished, so no container was made after it */
    text[length - 1] = '\0';
    if (sscanf(text, "%ju %n", &inode, &at) != 1 || at == 0)
        return 0;
    if (stat(text + at, &st) < 0 || st.st_ino != inode) {
        pf_events_text(look->bases->events, PF_EVENT_NOTE, look->id,
                       "kept: %s, where containers of it were made, is not the folder it was (is "
                       "it not mounted?); if they are gone for good, remove %s/%s/%s/%s/%s",
                       text + at, look->bases->cache->base, BASES, look->id, USED_IN, name);
        return 1;
    }
    return is_used_in(look, text + at);
}

/* 1: some container lies upon it; 0: none; or a code. */
static int is_used(const struct bases *bases, const char *id, int fd, struct pf_error *err)
{
    pf_auto_free char *lxcpath = NULL;
    struct look look = {.bases = bases, .id = id};
    int failed = pf_lxccontainer_default_path(&lxcpath, err);
    if (failed)
        return failed;
    pf_auto_fd int used_in = openat(fd, USED_IN, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (used_in < 0)
        return pf_error_errno(err, "%s/" BASES "/%s", bases->cache->base, id);
    if (asprintf(&look.marker, "/" BASES "/%s/", id) < 0)
        return pf_error_memory(err);
    bool used = is_used_in(&look, lxcpath) || pf_fs_each_name(used_in, look_at_noted, &look) != 0;
    free(look.marker);
    return used;
}

static int remove_base(const struct bases *bases, const char *id, struct pf_error *err)
{
    if (pf_trash_put(bases->fd, id, err) < 0)
        return pf_error_context(err, "removing %s/%s/%s", bases->cache->base, BASES, id);
    empty_trash(bases);
    return 0;
}

static int collect_one(const struct bases *bases, const char *id, unsigned how,
                       struct pf_base_collection *out, struct pf_error *err)
{
    pf_auto_fd int fd = openat(bases->fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s/" BASES "/%s", bases->cache->base, id);
    char point[PATH_MAX];
    bool held = pf_mounts_find(bases->fd, id, point) || flock(fd, LOCK_EX | LOCK_NB) < 0;
    int used = held ? 1 : is_used(bases, id, fd, err);
    if (used < 0)
        return used;
    bool look_only = how & PF_BASE_LOOK_ONLY;
    uint64_t bytes = pf_treesize(bases->fd, id).bytes;
    int failed = used || look_only ? 0 : remove_base(bases, id, err);
    if (!used && !failed)
        pf_events_text(bases->events, PF_EVENT_NOTE, id,
                       look_only ? N_("would be removed: no overlay lies upon it")
                                 : N_("removed: no overlay lies upon it"));
    bool gone = !used && !failed;
    out->kept += used ? 1 : 0;
    out->removed += gone;
    out->bytes_removed += gone ? bytes : 0;
    out->bytes_kept += gone ? 0 : bytes;
    return failed;
}

int pf_base_collect(const struct pf_cache *cache, unsigned how, struct pf_events *events,
                    const atomic_bool *cancel, struct pf_base_collection *out, struct pf_error *err)
{
    struct bases bases;
    struct name_list ids = {0};
    const char *own = cache->root + strlen(ROOT_PREFIX);
    *out = (struct pf_base_collection){0};
    int failed = open_bases(cache, false, events, cancel, &bases, err);
    if (!failed && pf_fs_each_name(bases.fd, add_name, &ids) != 0)
        failed = pf_error_errno(err, "%s/" BASES, cache->base);
    for (size_t i = 0; i < ids.count; i++) {
        const char *id = ids.names[i];
        size_t length = strlen(id);
        bool mine = length == strlen(own) + 1 + ID_DIGITS && strncmp(id, own, strlen(own)) == 0;
        if (!failed && *id != '.' && (mine || how & PF_BASE_OF_ALL))
            failed = collect_one(&bases, id, how, out, err);
        free(ids.names[i]);
    }
    free(ids.names);
    end_bases(&bases);
    return failed > 0 ? 0 : failed;
}
