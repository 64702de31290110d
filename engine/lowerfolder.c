/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lowerfolder.h"

#include "cleanup.h"
#include "copyfile.h"
#include "fs.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* Readers have begun before, and none begins meanwhile; a minute in all. */
#define LOCK_TRIES    600
#define LOCK_RETRY_MS 100

bool pf_lowerfolder_can_be(int dir_fd)
{
    struct statfs fs;
    return fstatfs(dir_fd, &fs) == 0 && (unsigned long)fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

static void name_mark(const char *name, char mark[NAME_MAX + 1])
{
    snprintf(mark, NAME_MAX + 1, ".plamo-fast-going.%s", name);
}

bool pf_lowerfolder_is_going(int dir_fd, const char *name)
{
    char mark[NAME_MAX + 1];
    name_mark(name, mark);
    return pf_fs_belongs_to_us(dir_fd, mark);
}

static int put_mark(int dir_fd, const char *mark)
{
    pf_auto_fd int fd = openat(dir_fd, mark, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    return fd < 0 ? -1 : 0;
}

static int open_folder(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int pf_lowerfolder_remove(int dir_fd, const char *name, struct pf_error *err)
{
    char mark[NAME_MAX + 1], point[PATH_MAX];
    name_mark(name, mark);
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0 && errno != ENOENT)
        return pf_error_errno(err, "removing %s", name);
    if (fd >= 0 && pf_mounts_find(dir_fd, name, point))
        return pf_error_set(err, PF_E_SYSTEM, "%s stays: something is mounted on %s", name, point);
    bool was_going = pf_lowerfolder_is_going(dir_fd, name);
    if (fd >= 0 && put_mark(dir_fd, mark) < 0)
        return pf_error_errno(err, "removing %s", name);
    if (fd >= 0 && pf_fs_lock(fd, LOCK_TRIES, LOCK_RETRY_MS) < 0) {
        int failed = errno == EWOULDBLOCK ? pf_error_set(err, PF_E_BUSY, "%s is in use", name)
                                          : pf_error_errno(err, "locking %s", name);
        if (!was_going)
            unlinkat(dir_fd, mark, 0); /* it is whole */
        return failed;
    }
    int failed = fd < 0 ? 0 : pf_fs_remove_tree(dir_fd, name, err);
    if (!failed && unlinkat(dir_fd, mark, 0) < 0 && errno != ENOENT)
        failed = pf_error_errno(err, "removing %s", mark);
    return failed;
}

static int move_files(int from_fd, int to_fd);

static int move_folder(int from_fd, int to_fd, const char *name)
{
    pf_auto_fd int from = open_folder(from_fd, name);
    pf_auto_fd int to = from < 0 || mkdirat(to_fd, name, 0700) < 0 ? -1 : open_folder(to_fd, name);
    return to < 0 || move_files(from, to) < 0 ? -1 : unlinkat(from_fd, name, AT_REMOVEDIR);
}

static int move_one(void *ctx, int dir_fd, const char *name)
{
    const int *to_fd = ctx;
    if (pf_fs_rename(dir_fd, name, *to_fd, name, 0) == 0)
        return 0;
    return errno == EXDEV ? move_folder(dir_fd, *to_fd, name) : -1;
}

static int move_files(int from_fd, int to_fd)
{
    struct stat st;
    return fstat(from_fd, &st) < 0 || flock(to_fd, LOCK_EX) < 0 ||
                   pf_fs_each_name(from_fd, move_one, &to_fd) < 0
               ? -1
               : pf_copyfile_folder(true, from_fd, to_fd, &st);
}

int pf_lowerfolder_lift(int dir_fd, const char *name, const char *aside, struct pf_error *err)
{
    char mark[NAME_MAX + 1];
    name_mark(name, mark);
    int failed = pf_fs_remove_tree(dir_fd, aside, err);
    if (failed)
        return failed;
    pf_auto_fd int from_fd = open_folder(dir_fd, name);
    bool made = from_fd >= 0 && put_mark(dir_fd, mark) == 0 && mkdirat(dir_fd, aside, 0700) == 0;
    pf_auto_fd int to_fd = made ? open_folder(dir_fd, aside) : -1;
    if (to_fd < 0 || move_files(from_fd, to_fd) < 0 || unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 ||
        pf_fs_rename(dir_fd, aside, dir_fd, name, 0) < 0 || unlinkat(dir_fd, mark, 0) < 0)
        return pf_error_errno(err, "moving %s to the upper layer", name);
    return 0;
}
