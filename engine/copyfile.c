/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "copyfile.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

void pf_copyfile_init(struct pf_copyfile *c)
{
    atomic_init(&c->no_reflink, false);
    atomic_init(&c->no_range, false);
    atomic_init(&c->has_reflinked, false);
}

bool pf_copyfile_reflinked(const struct pf_copyfile *c)
{
    return atomic_load(&c->has_reflinked);
}

static bool is_unsupported(int number)
{
    return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOSYS ||
           number == ENOTTY || number == EPERM || number == EBADF;
}

static bool reflink(struct pf_copyfile *c, int from, int to)
{
    if (atomic_load_explicit(&c->no_reflink, memory_order_relaxed))
        return false;
    if (ioctl(to, FICLONE, from) == 0) {
        atomic_store(&c->has_reflinked, true);
        return true;
    }
    if (is_unsupported(errno))
        atomic_store(&c->no_reflink, true);
    return false;
}

static ssize_t copy_some(struct pf_copyfile *c, int from, off_t *from_at, int to, off_t *to_at,
                         size_t length)
{
    if (!atomic_load_explicit(&c->no_range, memory_order_relaxed)) {
        ssize_t n = copy_file_range(from, from_at, to, to_at, length, 0);
        if (n >= 0 || !is_unsupported(errno))
            return n;
        atomic_store(&c->no_range, true);
    }
    if (lseek(to, *to_at, SEEK_SET) < 0)
        return -1;
    ssize_t n = sendfile(to, from, from_at, length);
    if (n > 0)
        *to_at += n;
    return n;
}

static int copy_range(struct pf_copyfile *c, int from, int to, off_t start, off_t end)
{
    off_t from_at = start, to_at = start;
    while (from_at < end) {
        ssize_t n = copy_some(c, from, &from_at, to, &to_at, (size_t)(end - from_at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) /* the source has become shorter */
            break;
    }
    return 0;
}

static int copy_data(struct pf_copyfile *c, int from, int to, const struct stat *st)
{
    if (st->st_size == 0 || reflink(c, from, to))
        return 0;
    if ((uint64_t)st->st_blocks * 512 >= (uint64_t)st->st_size)
        return copy_range(c, from, to, 0, st->st_size);
    for (off_t at = 0; at < st->st_size;) {
        off_t data = lseek(from, at, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            break;
        off_t hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
        if (hole < 0) /* no such thing here: all is data */
            return copy_range(c, from, to, at, st->st_size);
        if (copy_range(c, from, to, data, hole) < 0)
            return -1;
        at = hole;
    }
    return pf_fs_set_length(to, st->st_size);
}

static int copy_xattr(int from, int to, const char *name)
{
    char small[1024];
    pf_auto_free char *large = NULL;
    char *value = small;
    ssize_t length = fgetxattr(from, name, small, sizeof small);
    if (length < 0 && errno == ERANGE) {
        length = fgetxattr(from, name, NULL, 0);
        large = length > 0 ? malloc((size_t)length) : NULL;
        value = large;
        if (large)
            length = fgetxattr(from, name, large, (size_t)length);
    }
    if (length < 0 || !value)
        return errno == ENODATA ? 0 : -1;
    if (fsetxattr(to, name, value, (size_t)length, 0) == 0 || errno == EPERM || errno == EOPNOTSUPP)
        return 0;
    return -1;
}

void pf_copyfile_drop_acls(int fd)
{
    fremovexattr(fd, "system.posix_acl_access");
    fremovexattr(fd, "system.posix_acl_default");
}

int pf_copyfile_xattrs(int from, int to)
{
    char small[1024];
    pf_auto_free char *large = NULL;
    char *names = small;
    ssize_t length = flistxattr(from, small, sizeof small);
    if (length < 0 && errno == ERANGE) {
        length = flistxattr(from, NULL, 0);
        large = length > 0 ? malloc((size_t)length) : NULL;
        if (!large)
            return -1;
        names = large;
        length = flistxattr(from, large, (size_t)length);
    }
    if (length < 0)
        return errno == EOPNOTSUPP ? 0 : -1;
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
        if (copy_xattr(from, to, names + at) < 0)
            return -1;
    }
    return 0;
}

int pf_copyfile_regular(struct pf_copyfile *c, int from_fd, int to_fd, const char *name,
                        const struct stat *st)
{
    pf_auto_fd int from = openat(from_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from < 0)
        return -1;
    pf_auto_fd int to = openat(to_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                               st->st_mode & 0777);
    if (to < 0 || copy_data(c, from, to, st) < 0)
        return -1;
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    bool own = !c->inherits && st->st_uid == geteuid() && st->st_gid == getegid();
    bool mode = c->inherits || (st->st_mode & 07000);
    if (c->inherits)
        pf_copyfile_drop_acls(to);
    /* Owner before mode and capabilities: chown clears setuid and security.capability. */
    if ((!own && fchown(to, st->st_uid, st->st_gid) < 0) || pf_copyfile_xattrs(from, to) < 0 ||
        (mode && fchmod(to, st->st_mode & 07777) < 0) || futimens(to, times) < 0)
        return -1;
    return pf_fs_close(&to);
}

/* Owner before mode (chown clears setuid), attributes between, times last. */
int pf_copyfile_folder(bool inherits, int from_fd, int to_fd, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    if (inherits)
        pf_copyfile_drop_acls(to_fd);
    if (fchown(to_fd, st->st_uid, st->st_gid) < 0 || pf_copyfile_xattrs(from_fd, to_fd) < 0 ||
        fchmod(to_fd, st->st_mode & 07777) < 0)
        return -1;
    return futimens(to_fd, times);
}
