/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "livemount.h"

#include "cleanup.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

/* <linux/magic.h> does not have these. */
#define CONFIGFS_SUPER_MAGIC 0x62656570
#define MQUEUE_SUPER_MAGIC   0x19800202
#define RPC_PIPEFS_MAGIC     0x67596969

static bool is_live(const struct statfs *fs)
{
    static const unsigned long types[] = {
        PROC_SUPER_MAGIC,     SYSFS_MAGIC,        TMPFS_MAGIC,         RAMFS_MAGIC,
        DEVPTS_SUPER_MAGIC,   CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
        TRACEFS_MAGIC,        SECURITYFS_MAGIC,   BPF_FS_MAGIC,        PSTOREFS_MAGIC,
        EFIVARFS_MAGIC,       HUGETLBFS_MAGIC,    BINFMTFS_MAGIC,      SELINUX_MAGIC,
        CONFIGFS_SUPER_MAGIC, MQUEUE_SUPER_MAGIC, RPC_PIPEFS_MAGIC,
    };
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if ((unsigned long)fs->f_type == types[i])
            return true;
    }
    return false;
}

static int look(int dir_fd, const char *name, struct pf_livemount *out)
{
    struct statx st;
    struct stat plain;
    if (statx(dir_fd, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_MNT_ID,
              &st) < 0) {
        /* Old kernels lack the call, and some hosts' filters forbid it. */
        if ((errno != ENOSYS && errno != EPERM) ||
            fstatat(dir_fd, name, &plain, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) <
                0)
            return -1;
        *out = (struct pf_livemount){.device = plain.st_dev};
        return 0;
    }
    *out = (struct pf_livemount){.id = st.stx_mask & STATX_MNT_ID ? st.stx_mnt_id : 0,
                                 .device = makedev(st.stx_dev_major, st.stx_dev_minor)};
    return 0;
}

int pf_livemount_init(struct pf_livemount *root, int root_fd)
{
    return look(root_fd, "", root);
}

bool pf_livemount_covers(const struct pf_livemount *root, int dir_fd, const char *name)
{
    struct pf_livemount there;
    struct statfs fs;
    if (look(dir_fd, name, &there) < 0)
        return false;
    bool same = root->id && there.id ? root->id == there.id : root->device == there.device;
    if (same)
        return false;
    pf_auto_fd int fd = *name ? openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
    return fstatfs(*name ? fd : dir_fd, &fs) == 0 && is_live(&fs);
}

bool pf_livemount_covers_path(const struct pf_livemount *root, int root_fd, const char *path)
{
    char above[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof above)
        return false;
    memcpy(above, path, length + 1);
    while (*above) {
        pf_auto_fd int fd = pf_resolve_beneath(root_fd, above, O_PATH | O_NOFOLLOW, 0);
        if (fd >= 0)
            return pf_livemount_covers(root, fd, "");
        char *slash = strrchr(above, '/');
        *(slash ? slash : above) = '\0';
    }
    return false;
}
