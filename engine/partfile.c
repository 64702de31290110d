/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "partfile.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int pf_partfile_init(struct pf_partfile *file, int dir_fd, const char *name, struct pf_error *err)
{
    *file = (struct pf_partfile){.dir_fd = dir_fd, .fd = -1, .name = strdup(name)};
    if (asprintf(&file->part, "%s" PF_PARTFILE_SUFFIX, name) < 0)
        file->part = NULL;
    return file->name && file->part ? 0 : pf_error_memory(err);
}

void pf_partfile_end(struct pf_partfile *file)
{
    pf_close_at(&file->fd);
    free(file->name);
    free(file->part);
    *file = (struct pf_partfile){.fd = -1};
}

int pf_partfile_open(struct pf_partfile *file, struct pf_error *err)
{
    struct stat st;
    if (file->fd < 0)
        file->fd = pf_fs_open_own(file->dir_fd, file->part, O_WRONLY);
    if (file->fd < 0 || fstat(file->fd, &st) < 0)
        return pf_error_errno(err, "writing %s", file->part);
    file->length = (uint64_t)st.st_size;
    return 0;
}

static void set_length(struct pf_partfile *file, uint64_t length)
{
    file->length = length;
    if (file->on_length)
        file->on_length(file->ctx, length);
}

int pf_partfile_restart(struct pf_partfile *file, struct pf_error *err)
{
    set_length(file, 0);
    return pf_fs_set_length(file->fd, 0) < 0 ? pf_error_errno(err, "writing %s", file->part) : 0;
}

int pf_partfile_drop(struct pf_partfile *file, struct pf_error *err)
{
    close(pf_steal_fd(&file->fd));
    set_length(file, 0);
    if (unlinkat(file->dir_fd, file->part, 0) < 0 && errno != ENOENT)
        return pf_error_errno(err, "removing %s", file->part);
    return 0;
}

int pf_partfile_append(struct pf_partfile *file, const void *data, size_t length,
                       struct pf_error *err)
{
    const char *p = data;
    while (length > 0) {
        ssize_t n = pwrite(file->fd, p, length, (off_t)file->length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pf_error_errno(err, "writing %s", file->part);
        p += n;
        set_length(file, file->length + (uint64_t)n);
        length -= (size_t)n;
    }
    return 0;
}

int pf_partfile_finish(struct pf_partfile *file, const struct timespec *mtime, struct pf_error *err)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_nsec = UTIME_OMIT}};
    if (mtime)
        times[1] = *mtime;
    if (mtime && futimens(file->fd, times) < 0)
        return pf_error_errno(err, "setting the time of %s", file->part);
    if (pf_fs_close(&file->fd) < 0)
        return pf_error_errno(err, "writing %s", file->part);
    if (pf_fs_rename(file->dir_fd, file->part, file->dir_fd, file->name, 0) < 0)
        return pf_error_errno(err, "renaming %s", file->part);
    return 0;
}
