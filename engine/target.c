/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target.h"

#include "array.h"
#include "cleanup.h"
#include "fs.h"
#include "message.h"
#include "snapshot.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The scratch directory of a root that is filled in place. */
#define UNFINISHED ".plamo-fast.unfinished"

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

/* What a look into the root's own directory finds: the first name that is content, and whether
   there is a scratch directory. */
struct found {
    char content[NAME_MAX + 1];
    bool unfinished;
};

static int note_content(void *ctx, int fd, const char *name)
{
    struct found *found = ctx;
    (void)fd;
    if (strcmp(name, UNFINISHED) == 0)
        found->unfinished = true;
    else if (strcmp(name, "lost+found") != 0 && !found->content[0])
        snprintf(found->content, sizeof found->content, "%s", name);
    return 0;
}

static int refuse_content(const char *path, const struct found *found, struct pf_error *err)
{
    if (!found->unfinished)
        return pf_error_advise(err, PF_E_INVALID, N_("name a new folder for the root"),
                               "%s is not empty", path);
    return pf_error_advise(err, PF_E_INVALID, N_("empty it, or name a new directory for the root"),
                           "%s is not empty: a run that was killed has left half of a root there, "
                           "as its %s tells",
                           path, UNFINISHED);
}

/* 1: the folder is there and empty; 0: it is not there. *fixed: nothing can be renamed onto its
   name. */
static int look(const char *path, struct pf_target_folder *t, bool *fixed, struct pf_error *err)
{
    struct stat named, here, above;
    struct statx mount = {0};
    struct found found = {0};
    pf_auto_fd int fd = openat(t->parent_fd, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "%s", path);
    int status = pf_fs_each_name(fd, note_content, &found);
    if (status < 0 || fstat(fd, &here) < 0 || fstat(t->parent_fd, &above) < 0 ||
        fstatat(t->parent_fd, t->name, &named, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", path);
    if (found.content[0])
        return refuse_content(path, &found, err);
    /* Linux 5.8 tells mount points; before it, only those of another file system show. */
    bool mounted = here.st_dev != above.st_dev;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &mount) == 0)
        mounted = mounted || (mount.stx_attributes & STATX_ATTR_MOUNT_ROOT);
    *fixed = mounted || S_ISLNK(named.st_mode) || found.unfinished;
    t->replaceable = S_ISDIR(named.st_mode) && (!mounted || pf_subvolume_is(fd));
    return 1;
}

/* The directory that the content goes to. It inherits nothing of the one it is in. */
static int open_content(struct pf_target_folder *t, const char *path, struct pf_error *err)
{
    int fd = t->scratch.fd;
    if (mkdirat(fd, PF_TARGET_CONTENT, 0700) == 0)
        t->fd = openat(fd, PF_TARGET_CONTENT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return t->fd < 0 || pf_fs_own_folder(t->fd, 0755) < 0 ? pf_error_errno(err, "making %s", path)
                                                          : 0;
}

static int open_in_place(const char *path, bool exists, struct pf_target_folder *t,
                         struct pf_error *err)
{
    if (!exists && mkdirat(t->parent_fd, t->name, 0755) < 0)
        return pf_error_errno(err, "making %s", path);
    t->made = !exists;
    t->replaceable = t->replaceable || t->made;
    t->place_fd = openat(t->parent_fd, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (t->place_fd < 0)
        return pf_error_errno(err, "%s", path);
    int rc = pf_scratch_open(t->place_fd, UNFINISHED, path, &t->scratch, err);
    return rc ? rc : open_content(t, path, err);
}

static int open_beside(const char *path, struct pf_target_folder *t, struct pf_scratch *scratch,
                       struct pf_error *err)
{
    pf_auto_free char *name = NULL;
    if (asprintf(&name, ".%s" PF_SCRATCH_SUFFIX, t->name) < 0) {
        name = NULL;
        return pf_error_memory(err);
    }
    return pf_scratch_open(t->parent_fd, name, path, scratch, err);
}

int pf_target_open(const char *path, bool in_place, struct pf_target_folder *t,
                   struct pf_error *err)
{
    *t = (struct pf_target_folder)PF_TARGET_CLOSED;
    bool fixed = false;
    int rc = split(path, t, err);
    int exists = rc ? rc : look(path, t, &fixed, err);
    if (exists < 0)
        return exists;
    if (in_place || fixed)
        return open_in_place(path, exists, t, err);
    rc = open_beside(path, t, &t->scratch, err);
    return rc ? rc : open_content(t, path, err);
}

int pf_target_check(const struct pf_target_folder *t, struct pf_error *err)
{
    struct found found = {0};
    if (t->place_fd < 0)
        return 0;
    if (pf_fs_each_name(t->place_fd, note_content, &found) < 0)
        return pf_error_errno(err, "%s", t->name);
    if (!found.content[0])
        return 0;
    return pf_error_set(err, PF_E_CONFLICT,
                        "somebody has put %s into %s, which was empty; nothing there is touched",
                        found.content, t->name);
}

/* Whatever the reason that there is none: where copying fails for it too, that says so. */
static int make_snapshot(int source_fd, const struct pf_scratch *scratch)
{
    if (!pf_subvolume_can_copy(source_fd, scratch->fd))
        return -1;
    if (unlinkat(scratch->fd, PF_TARGET_CONTENT, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return -1;
    return pf_snapshot_make(source_fd, scratch->fd, PF_TARGET_CONTENT);
}

/* The snapshot is made beside, where nobody else sees it before it has the folder's owner and mode.
 */
static int snapshot_beside(struct pf_target_folder *t, int source_fd)
{
    struct stat st;
    struct pf_scratch beside = PF_SCRATCH_NONE;
    if (!t->replaceable || !pf_subvolume_can_copy(source_fd, t->place_fd) ||
        fstat(t->place_fd, &st) < 0 || open_beside(t->name, t, &beside, NULL))
        return 0;
    pf_auto_fd int fd = make_snapshot(source_fd, &beside);
    if (fd < 0 || fchown(fd, st.st_uid, st.st_gid) < 0 || fchmod(fd, st.st_mode & 07777) < 0) {
        pf_scratch_end(&beside);
        return 0;
    }
    close(t->fd);
    t->fd = pf_steal_fd(&fd);
    t->placed = t->scratch;
    t->scratch = beside;
    t->replaces = true;
    return 1;
}

int pf_target_snapshot(struct pf_target_folder *t, int source_fd, struct pf_error *err)
{
    if (t->place_fd >= 0)
        return snapshot_beside(t, source_fd);
    int fd = make_snapshot(source_fd, &t->scratch);
    if (fd >= 0) {
        close(t->fd);
        t->fd = fd;
        return 1;
    }
    if (faccessat(t->scratch.fd, PF_TARGET_CONTENT, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 0;
    close(pf_steal_fd(&t->fd));
    return open_content(t, t->name, err);
}

/* The names that have been put in place, to be taken back where another cannot be. */
struct put {
    const struct pf_target_folder *target;
    char **names;
    size_t count;
    bool no_memory;
};

static int put_name(void *ctx, int from_fd, const char *name)
{
    struct put *put = ctx;
    char *own = strdup(name);
    if (!own || pf_array_room(&put->names, put->count, sizeof *put->names) < 0) {
        free(own);
        put->no_memory = true;
        return 1;
    }
    if (pf_fs_rename_new(from_fd, name, put->target->place_fd, name) < 0) {
        int number = errno;
        free(own);
        errno = number;
        return -1;
    }
    put->names[put->count++] = own;
    return 0;
}

static void take_back(const struct put *put)
{
    for (size_t i = put->count; i-- > 0;)
        pf_fs_rename_new(put->target->place_fd, put->names[i], put->target->fd, put->names[i]);
}

static int put_names(struct pf_target_folder *t, struct pf_error *err)
{
    struct put put = {.target = t};
    int rc = pf_target_check(t, err);
    if (rc)
        return rc;
    int status = pf_fs_each_name(t->fd, put_name, &put);
    if (put.no_memory)
        rc = pf_error_memory(err);
    else if (status < 0)
        rc = pf_error_errno(err, "putting %s in place", t->name);
    if (rc)
        take_back(&put);
    for (size_t i = 0; i < put.count; i++)
        free(put.names[i]);
    free(put.names);
    return rc;
}

/* A plain folder is replaced at once; an empty subvolume has to go first. */
static int replace_place(struct pf_target_folder *t, struct pf_error *err)
{
    bool is_subvolume = pf_subvolume_is(t->place_fd);
    pf_scratch_end(&t->placed);
    if (is_subvolume && unlinkat(t->parent_fd, t->name, AT_REMOVEDIR) < 0)
        return pf_error_errno(err, "putting %s in place", t->name);
    if (pf_fs_rename(t->scratch.fd, PF_TARGET_CONTENT, t->parent_fd, t->name, 0) == 0)
        return 0;
    int rc = pf_error_errno(err, "putting %s in place", t->name);
    if (is_subvolume)
        mkdirat(t->parent_fd, t->name, 0755);
    return rc;
}

static int put(struct pf_target_folder *t, struct pf_error *err)
{
    if (t->replaces)
        return replace_place(t, err);
    if (t->place_fd >= 0)
        return put_names(t, err);
    /* An empty folder of that name is replaced; anything else makes this fail. */
    return pf_fs_rename(t->scratch.fd, PF_TARGET_CONTENT, t->parent_fd, t->name, 0) < 0
               ? pf_error_errno(err, "putting %s in place", t->name)
               : 0;
}

int pf_target_put(struct pf_target_folder *t, struct pf_error *err)
{
    int rc = put(t, err);
    if (rc)
        return rc;
    close(pf_steal_fd(&t->fd));
    t->made = false;
    pf_scratch_end(&t->scratch);
    return 0;
}

int pf_target_finish(struct pf_target_folder *t, struct pf_error *err)
{
    if (pf_fs_sync(t->fd) < 0)
        return pf_error_errno(err, "flushing %s", t->name);
    return pf_target_put(t, err);
}

void pf_target_end(struct pf_target_folder *t)
{
    pf_close_at(&t->fd);
    pf_scratch_end(&t->scratch);
    pf_scratch_end(&t->placed);
    pf_close_at(&t->place_fd);
    /* Only where nobody has put anything there. */
    if (t->made)
        unlinkat(t->parent_fd, t->name, AT_REMOVEDIR);
    pf_close_at(&t->parent_fd);
    free(t->name);
    *t = (struct pf_target_folder)PF_TARGET_CLOSED;
}

static int sweep_one(void *ctx, int dir_fd, const char *name)
{
    size_t length = strlen(name), end = strlen(PF_SCRATCH_SUFFIX);
    if (*name != '.' || length <= end + 1 || strcmp(name + length - end, PF_SCRATCH_SUFFIX) != 0)
        return 0;
    return pf_scratch_sweep(dir_fd, name, ctx) ? 1 : 0;
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
