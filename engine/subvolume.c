/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "subvolume.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/btrfs_tree.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROBE ".plamo-fast.probe"

/* Another file system may understand something else by the same number. */
bool pf_subvolume_can_be(int dir_fd)
{
    struct statfs fs;
    return fstatfs(dir_fd, &fs) == 0 && fs.f_type == BTRFS_SUPER_MAGIC;
}

static bool copy_name(char *to, size_t size, const char *name)
{
    if (strlen(name) >= size) {
        errno = ENAMETOOLONG;
        return false;
    }
    memcpy(to, name, strlen(name) + 1);
    return true;
}

/* The first inode of each subvolume has this number, and that of a whole file system too. */
static bool is_subvolume(const struct statx *st)
{
    return S_ISDIR(st->stx_mode) && st->stx_ino == BTRFS_FIRST_FREE_OBJECTID &&
           !(st->stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

int pf_subvolume_remove(int dir_fd, const char *name)
{
    struct btrfs_ioctl_vol_args args = {0};
    struct statx st;
    if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_INO | STATX_TYPE, &st) < 0)
        return -1;
    if (!pf_subvolume_can_be(dir_fd) || !is_subvolume(&st)) {
        errno = EXDEV;
        return -1;
    }
    return copy_name(args.name, sizeof args.name, name)
               ? ioctl(dir_fd, BTRFS_IOC_SNAP_DESTROY, &args)
               : -1;
}

/* It was made empty, and is not as it should be. -1, with errno as it was. */
static int take_away(int dir_fd, const char *name)
{
    int number = errno;
    if (pf_subvolume_remove(dir_fd, name) < 0)
        unlinkat(dir_fd, name, AT_REMOVEDIR);
    errno = number;
    return -1;
}

int pf_subvolume_make(int dir_fd, const char *name)
{
    struct btrfs_ioctl_vol_args args = {0};
    if (!pf_subvolume_can_be(dir_fd)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    if (!copy_name(args.name, sizeof args.name, name) ||
        ioctl(dir_fd, BTRFS_IOC_SUBVOL_CREATE, &args) < 0)
        return -1;
    return fchmodat(dir_fd, name, 0755, 0) < 0 ? take_away(dir_fd, name) : 0;
}

int pf_subvolume_snapshot(int source_fd, int dir_fd, const char *name)
{
    struct btrfs_ioctl_vol_args_v2 args = {.fd = source_fd};
    if (!pf_subvolume_can_be(dir_fd)) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return copy_name(args.name, sizeof args.name, name)
               ? ioctl(dir_fd, BTRFS_IOC_SNAP_CREATE_V2, &args)
               : -1;
}

bool pf_subvolume_is(int fd)
{
    struct statx st;
    return pf_subvolume_can_be(fd) &&
           statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_TYPE, &st) == 0 && is_subvolume(&st);
}

bool pf_subvolume_on_same(int a, int b)
{
    struct btrfs_ioctl_fs_info_args of_a = {0}, of_b = {0};
    return pf_subvolume_can_be(a) && pf_subvolume_can_be(b) &&
           ioctl(a, BTRFS_IOC_FS_INFO, &of_a) == 0 && ioctl(b, BTRFS_IOC_FS_INFO, &of_b) == 0 &&
           memcmp(of_a.fsid, of_b.fsid, sizeof of_a.fsid) == 0;
}

bool pf_subvolume_can_come_and_go(int dir_fd)
{
    if (pf_subvolume_make(dir_fd, PROBE) < 0)
        return false;
    if (pf_subvolume_remove(dir_fd, PROBE) == 0)
        return true;
    unlinkat(dir_fd, PROBE, AT_REMOVEDIR);
    return false;
}

bool pf_subvolume_can_copy(int root_fd, int dir_fd)
{
    struct stat st;
    return pf_subvolume_is(root_fd) && pf_subvolume_can_be(dir_fd) &&
           pf_subvolume_on_same(root_fd, dir_fd) && fstat(root_fd, &st) == 0 &&
           (st.st_uid == geteuid() || geteuid() == 0) && pf_subvolume_can_come_and_go(dir_fd);
}
