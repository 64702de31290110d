/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "editfile.h"

#include "fs.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int pf_editfile_read(int root_fd, const char *path, struct pf_editfile *out, struct pf_error *err)
{
    *out = (struct pf_editfile){0};
    pf_auto_fd int fd = pf_resolve_regular(root_fd, path, O_RDONLY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
        return 1;
    if (fd < 0 || fstat(fd, &out->st) < 0)
        return pf_error_errno(err, "%s", path);
    int failed = pf_fs_read_fd(fd, PF_EDITFILE_MAX_BYTES, &out->text, &out->length, err);
    return failed ? pf_error_context(err, "%s", path) : 0;
}

static int write_through(int root_fd, const char *path, const char *text, size_t length)
{
    pf_auto_fd int fd = pf_resolve_regular(root_fd, path, O_WRONLY | O_TRUNC, 0);
    if (fd < 0 || pf_fs_write_all(fd, text, length) < 0)
        return -1;
    return pf_fs_close(&fd);
}

static int write_temporary(int dir_fd, const char *temporary, const struct stat *old,
                           const char *text, size_t length)
{
    struct stat st;
    unlinkat(dir_fd, temporary, 0);
    pf_auto_fd int fd =
        openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || pf_fs_write_all(fd, text, length) < 0 || fstat(fd, &st) < 0)
        return -1;
    if ((st.st_uid != old->st_uid || st.st_gid != old->st_gid) &&
        fchown(fd, old->st_uid, old->st_gid) < 0)
        return -1;
    if (fchmod(fd, old->st_mode & 07777) < 0)
        return -1;
    return pf_fs_close(&fd);
}

int pf_editfile_replace(int root_fd, const char *path, const struct stat *old, bool keep_links,
                        const char *text, size_t length, struct pf_error *err)
{
    static const char temporary[] = ".plamo-fast.edit";
    const char *leaf;
    struct stat st;
    pf_auto_fd int fd = pf_resolve_parent(root_fd, path, &leaf);
    if (fd < 0 || fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", path);
    if (keep_links && (S_ISLNK(st.st_mode) || st.st_nlink > 1)) {
        if (write_through(root_fd, path, text, length) < 0)
            return pf_error_errno(err, "writing %s", path);
        return 0;
    }
    if (write_temporary(fd, temporary, old, text, length) < 0 ||
        pf_fs_rename(fd, temporary, fd, leaf, 0) < 0) {
        int code = pf_error_errno(err, "writing %s", path);
        unlinkat(fd, temporary, 0);
        return code;
    }
    return 0;
}

void pf_editfile_end(struct pf_editfile *file)
{
    if (file->text)
        explicit_bzero(file->text, file->length);
    free(file->text);
    *file = (struct pf_editfile){0};
}
