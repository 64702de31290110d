/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shift.h"

#include "cleanup.h"
#include "fs.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CAPABILITIES "security.capability"
#define MAX_ACL      (64u << 10)

/* A walk on its way. */
struct walk {
    const struct pf_shift *shift;
    struct pf_error *err;
    uint64_t devices;
    dev_t device;
    void *seen; /* inodes of several names, each shifted once */
    char path[PATH_MAX];
    size_t length; /* of the directory's */
};

static int compare_inodes(const void *a, const void *b)
{
    ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;
    return x < y ? -1 : x > y;
}

/* 1: its other name had its turn. */
static int is_seen(struct walk *walk, ino_t inode)
{
    ino_t *key = malloc(sizeof *key);
    if (!key)
        return pf_error_memory(walk->err);
    *key = inode;
    ino_t *const *found = tsearch(key, &walk->seen, compare_inodes);
    if (!found || *found != key)
        free(key);
    if (!found)
        return pf_error_memory(walk->err);
    return *found != key;
}

static int unmapped(const struct walk *walk, uint32_t uid, uint32_t gid)
{
    return pf_error_set(walk->err, PF_E_INVALID,
                        "/%s belongs to %u:%u, which lxc.idmap does not map for the container",
                        walk->path, uid, gid);
}

/* Capabilities of the host's root mean nothing in a user namespace: they become those of the
   namespace whose root has this id (capabilities(7), VFS_CAP_REVISION_3). chown has removed them.
 */
static int shift_capabilities(const struct walk *walk, const char *file, const void *old,
                              ssize_t length)
{
    struct vfs_ns_cap_data caps = {0};
    uint32_t root;
    if (length != XATTR_CAPS_SZ_2 && length != XATTR_CAPS_SZ_3)
        return 0;
    memcpy(&caps, old, (size_t)length);
    uint32_t flags = le32toh(caps.magic_etc) & VFS_CAP_FLAGS_MASK;
    uint32_t inside = length == XATTR_CAPS_SZ_3 ? le32toh(caps.rootid) : 0;
    if (!pf_idmap_uid(walk->shift->map, inside, &root))
        return unmapped(walk, inside, inside);
    caps.magic_etc = htole32(VFS_CAP_REVISION_3 | flags);
    caps.rootid = htole32(root);
    return setxattr(file, CAPABILITIES, &caps, XATTR_CAPS_SZ_3, 0) < 0
               ? pf_error_errno(walk->err, "/%s: the capabilities", walk->path)
               : 0;
}

/* The users and groups that an ACL names. */
static int shift_acl(const struct walk *walk, const char *file, const char *name)
{
    pf_auto_free char *acl = malloc(MAX_ACL);
    if (!acl)
        return pf_error_memory(walk->err);
    ssize_t length = lgetxattr(file, name, acl, MAX_ACL);
    if (length < (ssize_t)sizeof(struct posix_acl_xattr_header))
        return 0;
    struct posix_acl_xattr_entry entry;
    for (size_t at = sizeof(struct posix_acl_xattr_header); at + sizeof entry <= (size_t)length;
         at += sizeof entry) {
        memcpy(&entry, acl + at, sizeof entry);
        uint32_t id = le32toh(entry.e_id), to;
        bool user = le16toh(entry.e_tag) == ACL_USER;
        if (!user && le16toh(entry.e_tag) != ACL_GROUP)
            continue;
        if (!(user ? pf_idmap_uid : pf_idmap_gid)(walk->shift->map, id, &to))
            return unmapped(walk, id, id);
        entry.e_id = htole32(to);
        memcpy(acl + at, &entry, sizeof entry);
    }
    return lsetxattr(file, name, acl, (size_t)length, 0) < 0
               ? pf_error_errno(walk->err, "/%s: the access list", walk->path)
               : 0;
}

/* The container's overlay is mounted in its user namespace, which reads other marks. */
static int shift_marks(const struct walk *walk, const char *file)
{
    char mark[8];
    ssize_t length = lgetxattr(file, "trusted.overlay.opaque", mark, sizeof mark);
    lremovexattr(file, "trusted.overlay.origin");
    if (length > 0 && lsetxattr(file, "user.overlay.opaque", mark, (size_t)length, 0) < 0)
        return pf_error_errno(walk->err, "/%s: the mark of an overlay", walk->path);
    return 0;
}

/* Owner, mode and attributes of what file is a path of, through /proc/self/fd. */
static int shift_one(const struct walk *walk, const char *file, const struct stat *st)
{
    static const char *const lists[] = {"system.posix_acl_access", "system.posix_acl_default"};
    char caps[XATTR_CAPS_SZ_3];
    uint32_t uid, gid;
    bool regular = S_ISREG(st->st_mode), folder = S_ISDIR(st->st_mode);
    if (!pf_idmap_uid(walk->shift->map, st->st_uid, &uid) ||
        !pf_idmap_gid(walk->shift->map, st->st_gid, &gid))
        return unmapped(walk, st->st_uid, st->st_gid);
    ssize_t length = regular ? lgetxattr(file, CAPABILITIES, caps, sizeof caps) : -1;
    if (lchown(file, uid, gid) < 0)
        return pf_error_errno(walk->err, "/%s: the owner", walk->path);
    /* chown takes these bits away. */
    if (regular && (st->st_mode & 06000) && chmod(file, st->st_mode & 07777) < 0)
        return pf_error_errno(walk->err, "/%s: the mode", walk->path);
    int rc = length > 0 ? shift_capabilities(walk, file, caps, length) : 0;
    for (size_t i = 0; !rc && (regular || folder) && i < 1u + folder; i++)
        rc = lgetxattr(file, lists[i], NULL, 0) > 0 ? shift_acl(walk, file, lists[i]) : 0;
    return rc || !walk->shift->overlay || S_ISLNK(st->st_mode) ? rc : shift_marks(walk, file);
}

static int shift_folder(struct walk *walk, int fd);

static int shift_name(struct walk *walk, int dir_fd, const char *name)
{
    struct stat st;
    char file[NAME_MAX + 32];
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(walk->err, "/%s", walk->path);
    bool node = S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode);
    bool whiteout = walk->shift->overlay && S_ISCHR(st.st_mode) && st.st_rdev == 0;
    if (node && !whiteout) {
        walk->devices++;
        return unlinkat(dir_fd, name, 0) < 0 ? pf_error_errno(walk->err, "/%s", walk->path) : 0;
    }
    int seen = !S_ISDIR(st.st_mode) && st.st_nlink > 1 ? is_seen(walk, st.st_ino) : 0;
    if (seen)
        return seen < 0 ? seen : 0;
    snprintf(file, sizeof file, "/proc/self/fd/%d/%s", dir_fd, name);
    int rc = shift_one(walk, file, &st);
    if (rc || !S_ISDIR(st.st_mode) || st.st_dev != walk->device)
        return rc;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(walk->err, "/%s", walk->path) : shift_folder(walk, fd);
}

static int on_name(void *ctx, int dir_fd, const char *name)
{
    struct walk *walk = ctx;
    size_t length = walk->length;
    if (walk->shift->cancel && atomic_load(walk->shift->cancel))
        return pf_error_set(walk->err, PF_E_CANCELLED, "stopped");
    int n =
        snprintf(walk->path + length, sizeof walk->path - length, "%s%s", length ? "/" : "", name);
    if (n < 0 || (size_t)n >= sizeof walk->path - length)
        return pf_error_set(walk->err, PF_E_LIMIT, "/%s: the path is too long", walk->path);
    walk->length += (size_t)n;
    int rc = shift_name(walk, dir_fd, name);
    walk->length = length;
    walk->path[length] = '\0';
    return rc;
}

static int shift_folder(struct walk *walk, int fd)
{
    int rc = pf_fs_each_name(fd, on_name, walk);
    return rc == -1 && (!walk->err || walk->err->code == 0)
               ? pf_error_errno(walk->err, "/%s", walk->path)
               : rc;
}

int pf_shift_tree(int root_fd, const struct pf_shift *shift, uint64_t *devices,
                  struct pf_error *err)
{
    struct pf_error own = {0};
    struct walk walk = {.shift = shift, .err = &own};
    struct stat st;
    char file[32];
    snprintf(file, sizeof file, "/proc/self/fd/%d/.", root_fd);
    int rc = fstat(root_fd, &st) < 0 ? pf_error_errno(&own, "the root") : 0;
    walk.device = st.st_dev;
    if (!rc)
        rc = shift_one(&walk, file, &st);
    if (!rc)
        rc = shift_folder(&walk, root_fd);
    tdestroy(walk.seen, free);
    *devices = walk.devices;
    if (rc && err)
        *err = own;
    return rc;
}
