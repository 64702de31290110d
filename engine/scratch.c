/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scratch.h"

#include "cleanup.h"
#include "fs.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A quarter of a second in all. */
#define LOCK_TRIES    25
#define LOCK_RETRY_MS 10

#define MARK ".plamo-fast.mark"

/* A child of a killed run holds the lock, too, until it has become the program that it is to be: so
   one look is not enough. */
static int lock(int fd, unsigned most_tries)
{
    return pf_fs_lock(fd, most_tries, LOCK_RETRY_MS);
}

/* Whoever held the lock until just now may have finished, and what has the name by now is another.
 */
static bool has_name_still(int fd, int above_fd, const char *name)
{
    struct stat own, there;
    return fstat(fd, &own) == 0 && fstatat(above_fd, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
           own.st_ino == there.st_ino && own.st_dev == there.st_dev;
}

static bool has_mark(int fd)
{
    pf_auto_fd int mark = openat(fd, MARK, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return mark >= 0 && pf_fs_is_own(mark);
}

static int is_any(void *ctx, int fd, const char *name)
{
    (void)ctx, (void)fd, (void)name;
    return 1;
}

/* A kill may come before the mark is made: there is nothing in it then. */
static bool is_ours(int fd)
{
    return pf_fs_is_own_folder(fd) && (has_mark(fd) || pf_fs_each_name(fd, is_any, NULL) == 0);
}

static int refuse_foreign(const char *name, const char *what, struct pf_error *err)
{
    return pf_error_advise(err, PF_E_CONFLICT, N_("remove it"),
                           "%s is in the way of %s, and not this program's", name, what);
}

static int open_locked(int above_fd, const char *name, const char *what, int *out,
                       struct pf_error *err)
{
    pf_auto_fd int fd = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    /* Somebody who sweeps took it for a killed run's. */
    if (fd < 0 && errno == ENOENT)
        return pf_error_set(err, PF_E_BUSY, "%s is being made by another run", what);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP || errno == EACCES))
        return refuse_foreign(name, what, err);
    if (fd < 0)
        return pf_error_errno(err, "making %s", what);
    if (!pf_fs_is_own_folder(fd))
        return refuse_foreign(name, what, err);
    if (lock(fd, LOCK_TRIES) < 0)
        return errno == EWOULDBLOCK
                   ? pf_error_set(err, PF_E_BUSY, "%s is being made by another run", what)
                   : pf_error_errno(err, "locking the folder for %s", what);
    if (!has_name_still(fd, above_fd, name))
        return pf_error_set(err, PF_E_BUSY, "%s has just been made by another run", what);
    if (!is_ours(fd))
        return refuse_foreign(name, what, err);
    *out = pf_steal_fd(&fd);
    return 0;
}

/* The mark stays while the rest is removed: a kill in between must not make it a stranger's. */
static int empty(void *ctx, int fd, const char *name)
{
    return strcmp(name, MARK) == 0 || pf_fs_remove_tree(fd, name, ctx) == 0 ? 0 : 1;
}

static int take_over(struct pf_scratch *s, const char *what, struct pf_error *err)
{
    struct pf_error why = {0};
    int status = pf_fs_each_name(s->fd, empty, &why);
    if (status > 0) {
        if (err)
            *err = why;
        return pf_error_context(err, "making %s", what);
    }
    pf_auto_fd int mark = openat(s->fd, MARK, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return status < 0 || mark < 0 || pf_fs_own_folder(s->fd, 0700) < 0
               ? pf_error_errno(err, "making %s", what)
               : 0;
}

int pf_scratch_open(int above_fd, const char *name, const char *what, struct pf_scratch *out,
                    struct pf_error *err)
{
    *out = (struct pf_scratch)PF_SCRATCH_NONE;
    bool made = mkdirat(above_fd, name, 0700) == 0;
    if (!made && errno != EEXIST)
        return pf_error_errno(err, "making %s", what);
    int fd = -1;
    int rc = open_locked(above_fd, name, what, &fd, err);
    if (rc) {
        /* Where it has something in it, it stays: somebody else may be at it. */
        if (made && rc != PF_E_BUSY)
            unlinkat(above_fd, name, AT_REMOVEDIR);
        return rc;
    }
    out->fd = fd;
    out->above_fd = fcntl(above_fd, F_DUPFD_CLOEXEC, 0);
    out->name = strdup(name);
    if (out->above_fd < 0 || !out->name)
        rc = out->name ? pf_error_errno(err, "making %s", what) : pf_error_memory(err);
    if (!rc)
        rc = take_over(out, what, err);
    if (rc)
        pf_scratch_end(out);
    return rc;
}

/* Under its lock. */
static int remove_all(int fd, int above_fd, const char *name, struct pf_error *err)
{
    struct pf_error why = {0};
    if (pf_fs_each_name(fd, empty, &why) > 0) {
        if (err)
            *err = why;
        return why.code;
    }
    /* By hand first: that takes no descriptor, and there may be none left. */
    unlinkat(fd, MARK, 0);
    return unlinkat(above_fd, name, AT_REMOVEDIR) == 0 ? 0 : pf_fs_remove_tree(above_fd, name, err);
}

void pf_scratch_end(struct pf_scratch *scratch)
{
    if (scratch->fd >= 0 && scratch->above_fd >= 0 && scratch->name)
        remove_all(scratch->fd, scratch->above_fd, scratch->name, NULL);
    pf_close_at(&scratch->fd);
    pf_close_at(&scratch->above_fd);
    free(scratch->name);
    *scratch = (struct pf_scratch)PF_SCRATCH_NONE;
}

int pf_scratch_sweep(int above_fd, const char *name, struct pf_error *err)
{
    pf_auto_fd int fd = openat(above_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || !pf_fs_is_own_folder(fd) || lock(fd, 1) < 0 ||
        !has_name_still(fd, above_fd, name) || !is_ours(fd))
        return 0;
    return remove_all(fd, above_fd, name, err);
}
