/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workfolder.h"

#include "copyfile.h"
#include "fs.h"
#include "scriptview.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT  "root"
#define STAGE "stage"

/* What packages bring is not for the host's users: programs that run as root, device nodes. */
#define PUBLISHED_MODE 0700

static int open_folder(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int own_folder(int dir_fd, const char *name, mode_t mode)
{
    pf_auto_fd int fd = open_folder(dir_fd, name);
    return fd < 0 ? -1 : pf_fs_own_folder(fd, mode);
}

/* A folder that inherits nothing of the one it is in: owner, mode and ACL are as for a new root. */
static int make_own_folder(int dir_fd, const char *name, mode_t mode)
{
    return mkdirat(dir_fd, name, 0700) < 0 ? -1 : own_folder(dir_fd, name, mode);
}

/* Before it has its mode, anybody may write to a new subvolume: what they have put there is none of
   the root. */
static int own_subvolume(int dir_fd, const char *name)
{
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0 || pf_fs_own_folder(fd, 0700) < 0)
        return -1;
    return pf_fs_empty_folder(fd, NULL) ? -1 : 0;
}

/* Whether one can be had is tried inside of the folder, where nobody else is. */
static int make_subvolume(int dir_fd, const char *name)
{
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0 || !pf_subvolume_can_come_and_go(fd))
        return fd < 0 ? -1 : 0;
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) < 0 || pf_subvolume_make(dir_fd, name) < 0)
        return -1;
    return own_subvolume(dir_fd, name);
}

int pf_workfolder_make(int dir_fd, const char *name, struct pf_error *err)
{
    if (make_own_folder(dir_fd, name, 0700) < 0 || make_subvolume(dir_fd, name) < 0)
        return pf_error_errno(err, "making %s", name);
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0 || make_own_folder(fd, ROOT, 0755) < 0 || make_own_folder(fd, STAGE, 0700) < 0)
        return pf_error_errno(err, "making %s", name);
    return 0;
}

/* The root may have a folder of its own by the name that it has itself. */
static int rename_root(int fd, char aside[NAME_MAX + 1], struct pf_error *err)
{
    pf_auto_fd int root_fd = open_folder(fd, ROOT);
    if (root_fd < 0)
        return pf_error_errno(err, "opening the new root");
    unsigned i = 0;
    do
        snprintf(aside, NAME_MAX + 1, ".plamo-fast.root.%u", i++);
    while (faccessat(root_fd, aside, F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    return pf_fs_rename(fd, ROOT, fd, aside, 0) < 0 ? pf_error_errno(err, "moving the new root")
                                                    : 0;
}

static int move_up(void *ctx, int dir_fd, const char *name)
{
    const int *to_fd = ctx;
    return pf_fs_rename(dir_fd, name, *to_fd, name, RENAME_NOREPLACE);
}

static int become_root(int fd, struct pf_error *err)
{
    char aside[NAME_MAX + 1];
    struct stat st;
    int failed = pf_fs_remove_tree(fd, STAGE, err);
    /* What scripts saw goes with their sandbox, if it can: all that is here becomes the root's. */
    if (!failed)
        failed = pf_scriptview_remove(fd, err);
    if (!failed)
        failed = rename_root(fd, aside, err);
    if (failed)
        return failed;
    pf_auto_fd int root_fd = open_folder(fd, aside);
    int status = root_fd < 0 ? -1 : fstat(root_fd, &st);
    st.st_mode = PUBLISHED_MODE;
    st.st_uid = geteuid();
    st.st_gid = getegid();
    if (status < 0 || pf_fs_each_name(root_fd, move_up, &fd) < 0 ||
        unlinkat(fd, aside, AT_REMOVEDIR) < 0 || pf_copyfile_folder(false, root_fd, fd, &st) < 0)
        return pf_error_errno(err, "moving the new root");
    return 0;
}

int pf_workfolder_settle(int dir_fd, const char *name, struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0)
        return pf_error_errno(err, "opening %s", name);
    if (pf_subvolume_is(fd))
        return become_root(fd, err);
    return own_folder(fd, ROOT, PUBLISHED_MODE) < 0 ? pf_error_errno(err, "the new root") : 0;
}

int pf_workfolder_root(int dir_fd, const char *name, int *root_dir_fd, const char **root_name,
                       struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(dir_fd, name);
    if (fd < 0)
        return pf_error_errno(err, "opening %s", name);
    bool is_root = pf_subvolume_is(fd);
    *root_dir_fd = is_root ? fcntl(dir_fd, F_DUPFD_CLOEXEC, 0) : pf_steal_fd(&fd);
    *root_name = is_root ? name : ROOT;
    return *root_dir_fd < 0 ? pf_error_errno(err, "opening %s", name) : 0;
}
