/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target.h"

#include "fs.h"
#include "snapshot.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* A quarter of a second in all. */
#define LOCK_TRIES    25
#define LOCK_RETRY_MS 10

/* The end of a temporary folder's name. */
#define TEMPORARY ".plamo-fast"

/* A snapshot's name in it. */
#define SNAPSHOT "root"

static int is_content(void *ctx, int fd, const char *name)
{
    (void)ctx, (void)fd;
    return strcmp(name, "lost+found") != 0;
}

static int remove_content(void *ctx, int fd, const char *name)
{
    (void)ctx;
    if (is_content(NULL, fd, name))
        pf_fs_remove_tree(fd, name, NULL);
    return 0;
}

/* Splits a path into an open parent folder and a name. */
static int split(const char *path, struct pf_target_folder *t, struct pf_error *err)
{
    pf_auto_free char *for_folder = strdup(path);
    pf_auto_free char *for_name = strdup(path);
    if (!for_folder || !for_name)
        return pf_error_memory(err);
    const char *name = basename(for_name);
    if (*name == '\0' || strcmp(name, "/") == 0 || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0)
        return pf_error_set(err, PF_E_INVALID, "\"%s\" cannot be the folder of a new root", path);
    t->name = strdup(name);
    t->parent_fd = open(dirname(for_folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->parent_fd < 0)
        return pf_error_errno(err, "the folder above %s", path);
    return t->name ? 0 : pf_error_memory(err);
}

/* 1: the folder is there and empty; 0: it is not there. *fixed: nothing can be renamed onto its
   name. */
static int look(const char *path, struct pf_target_folder *t, bool *fixed, struct pf_error *err)
{
    struct stat named, here, above;
    struct statx mount = {0};
    pf_auto_fd int fd = openat(t->parent_fd, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "%s", path);
    int status = pf_fs_each_name(fd, is_content, NULL);
    if (status < 0 || fstat(fd, &here) < 0 || fstat(t->parent_fd, &above) < 0 ||
        fstatat(t->parent_fd, t->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", path);
    if (status > 0)
        return pf_error_set(err, PF_E_INVALID, "%s is not empty; name a new folder for the root",
                            path);
    /* Linux 5.8 tells mount points; before it, only those of another file system show. */
    bool mounted = here.st_dev != above.st_dev;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &mount) == 0)
        mounted = mounted || (mount.stx_attributes & STATX_ATTR_MOUNT_ROOT);
    *fixed = mounted || S_ISLNK(named.st_mode);
    t->replaceable = S_ISDIR(named.st_mode) && (!mounted || pf_subvolume_is(fd));
    return 1;
}

static int open_in_place(const char *path, bool exists, struct pf_target_folder *t,
                         struct pf_error *err)
{
    if (!exists && mkdirat(t->parent_fd, t->name, 0755) < 0)
        return pf_error_errno(err, "making %s", path);
    t->made = !exists;
    t->replaceable = t->replaceable || t->made;
    t->fd = openat(t->parent_fd, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return t->fd < 0 ? pf_error_errno(err, "%s", path) : 0;
}

/* A child of a killed run holds the lock, too, until it has become the program that it is to be: so
   one look is not enough. */
static int lock_temporary(int fd)
{
    for (unsigned tries = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || tries >= LOCK_TRIES)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = LOCK_RETRY_MS * 1000000L}, NULL);
    }
    return 0;
}

static int open_temporary(const char *path, struct pf_target_folder *t, struct pf_error *err)
{
    if (asprintf(&t->temporary, ".%s" TEMPORARY, t->name) < 0) {
        t->temporary = NULL;
        return pf_error_memory(err);
    }
    if (mkdirat(t->parent_fd, t->temporary, 0755) < 0 && errno != EEXIST)
        return pf_error_errno(err, "making %s", path);
    t->fd = openat(t->parent_fd, t->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Somebody who sweeps took it for a killed run's. */
    if (t->fd < 0 && errno == ENOENT)
        return pf_error_set(err, PF_E_BUSY, "%s is being made by another run", path);
    if (t->fd < 0)
        return pf_error_errno(err, "making %s", path);
    int locked = lock_temporary(t->fd);
    if (locked < 0 && errno == EWOULDBLOCK) {
        close(pf_steal_fd(&t->fd));
        return pf_error_set(err, PF_E_BUSY, "%s is being made by another run", path);
    }
    if (locked < 0) {
        int failed = pf_error_errno(err, "locking the folder for %s", path);
        close(pf_steal_fd(&t->fd));
        /* Where it has something in it, it stays: somebody else may be at it. */
        unlinkat(t->parent_fd, t->temporary, AT_REMOVEDIR);
        return failed;
    }
    /* Whoever held the lock until just now may have finished: then this is no temporary folder any
       more, but the root. */
    struct stat own, there;
    if (fstat(t->fd, &own) < 0 ||
        fstatat(t->parent_fd, t->temporary, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
        own.st_ino != there.st_ino || own.st_dev != there.st_dev) {
        close(pf_steal_fd(&t->fd));
        return pf_error_set(err, PF_E_BUSY, "%s has just been made by another run", path);
    }
    int failed = pf_fs_empty_folder(t->fd, err);
    if (!failed && pf_fs_own_folder(t->fd, 0755) < 0)
        failed = pf_error_errno(err, "making %s", path);
    return failed;
}

int pf_target_open(const char *path, bool in_place, struct pf_target_folder *t,
                   struct pf_error *err)
{
    *t = (struct pf_target_folder)PF_TARGET_CLOSED;
    bool fixed = false;
    int failed = split(path, t, err);
    int exists = failed ? failed : look(path, t, &fixed, err);
    if (exists < 0)
        return exists;
    if (in_place || fixed)
        return open_in_place(path, exists, t, err);
    return open_temporary(path, t, err);
}

/* The snapshot is made beside, where nobody else sees it before it has the folder's owner and mode.
 */
static int make_beside(const struct pf_target_folder *t, int source_fd,
                       struct pf_target_folder *beside)
{
    struct stat st;
    *beside = (struct pf_target_folder)PF_TARGET_CLOSED;
    beside->parent_fd = fcntl(t->parent_fd, F_DUPFD_CLOEXEC, 0);
    beside->name = strdup(t->name);
    if (beside->parent_fd < 0 || !beside->name || fstat(t->fd, &st) < 0 ||
        open_temporary(t->name, beside, NULL) || fchmod(beside->fd, 0700) < 0)
        return -1;
    pf_auto_fd int fd = pf_snapshot_make(source_fd, beside->fd, SNAPSHOT);
    return fd < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0
               ? -1
               : pf_steal_fd(&fd);
}

/* A plain folder is replaced at once; an empty subvolume has to go first. What cannot be replaced
   (it is a mount point, or the folder above is another user's) stays, and is to be filled. */
static int snapshot_in_place(struct pf_target_folder *t, int source_fd, struct pf_error *err)
{
    struct pf_target_folder beside;
    bool is_subvolume = pf_subvolume_is(t->fd);
    if (!t->replaceable || !pf_subvolume_can_copy(source_fd, t->fd))
        return 0;
    int made = 0, fd = make_beside(t, source_fd, &beside);
    if (fd >= 0 && (!is_subvolume || unlinkat(t->parent_fd, t->name, AT_REMOVEDIR) == 0)) {
        made = pf_fs_rename(beside.fd, SNAPSHOT, t->parent_fd, t->name, 0) == 0;
        if (!made && is_subvolume) {
            made = pf_error_errno(err, "putting a snapshot in place of %s", t->name);
            mkdirat(t->parent_fd, t->name, 0755);
        }
    }
    pf_target_end(&beside);
    if (made == 1) {
        close(t->fd);
        t->fd = pf_steal_fd(&fd);
    }
    pf_close_at(&fd);
    return made;
}

int pf_target_snapshot(struct pf_target_folder *t, int source_fd, struct pf_error *err)
{
    if (!t->temporary)
        return snapshot_in_place(t, source_fd, err);
    if (!pf_subvolume_can_copy(source_fd, t->fd))
        return 0;
    /* Whatever the reason: where copying fails for it too, that says so. */
    int fd = pf_snapshot_make(source_fd, t->fd, SNAPSHOT);
    if (fd < 0)
        return 0;
    t->outer_fd = t->fd;
    t->fd = fd;
    return 1;
}

/* An empty folder of that name is replaced; anything else makes this fail. */
static int rename_temporary(struct pf_target_folder *t)
{
    if (t->outer_fd < 0)
        return pf_fs_rename(t->parent_fd, t->temporary, t->parent_fd, t->name, 0);
    if (pf_fs_rename(t->outer_fd, SNAPSHOT, t->parent_fd, t->name, 0) < 0)
        return -1;
    /* Empty now; killed before it, that folder is left, which harms nobody. */
    if (unlinkat(t->parent_fd, t->temporary, AT_REMOVEDIR) < 0)
        pf_fs_remove_tree(t->parent_fd, t->temporary, NULL);
    pf_close_at(&t->outer_fd);
    return 0;
}

int pf_target_put(struct pf_target_folder *t, struct pf_error *err)
{
    if (t->temporary && rename_temporary(t) < 0)
        return pf_error_errno(err, "putting %s in place", t->name);
    close(pf_steal_fd(&t->fd));
    return 0;
}

int pf_target_finish(struct pf_target_folder *t, struct pf_error *err)
{
    if (t->temporary && pf_fs_sync(t->fd) < 0)
        return pf_error_errno(err, "flushing %s", t->name);
    return pf_target_put(t, err);
}

void pf_target_end(struct pf_target_folder *t)
{
    if (t->outer_fd >= 0) {
        close(t->fd);
        t->fd = pf_steal_fd(&t->outer_fd);
    }
    if (t->fd >= 0) {
        pf_fs_each_name(t->fd, remove_content, NULL);
        if (t->temporary || t->made)
            unlinkat(t->parent_fd, t->temporary ? t->temporary : t->name, AT_REMOVEDIR);
    }
    pf_close_at(&t->fd);
    pf_close_at(&t->parent_fd);
    free(t->name);
    free(t->temporary);
    *t = (struct pf_target_folder)PF_TARGET_CLOSED;
}

static int sweep_one(void *ctx, int dir_fd, const char *name)
{
    struct pf_error *err = ctx;
    struct stat own, there;
    size_t length = strlen(name), end = strlen(TEMPORARY);
    if (*name != '.' || length <= end + 1 || strcmp(name + length - end, TEMPORARY) != 0)
        return 0;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
        return 0;
    /* As in open_temporary: it may have got its final name just now. */
    if (fstat(fd, &own) < 0 || fstatat(dir_fd, name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
        own.st_ino != there.st_ino || own.st_dev != there.st_dev)
        return 0;
    return pf_fs_remove_tree(dir_fd, name, err) ? 1 : 0;
}

int pf_target_sweep(int folder_fd, struct pf_error *err)
{
    struct pf_error why = {0};
    int status = pf_fs_each_name(folder_fd, sweep_one, &why);
    if (status < 0)
        return pf_error_errno(err, "looking for what killed runs have left");
    if (status > 0 && err)
        *err = why;
    return status > 0 ? why.code : 0;
}
