/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trash.h"

#include "fs.h"
#include "lowerfolder.h"
#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* More are never there at once: each belongs to readers that began before one update. */
#define MAX_TRASH 10000

int pf_trash_put(int dir_fd, const char *name, struct pf_error *err)
{
    char aside[NAME_MAX + 1];
    for (unsigned i = 0; i < MAX_TRASH; i++) {
        snprintf(aside, sizeof aside, i ? PF_TRASH_NAME ".%u" : PF_TRASH_NAME, i);
        /* Over an empty folder it may go; anything else of that name makes it fail. */
        if (pf_fs_rename(dir_fd, name, dir_fd, aside, 0) == 0)
            return 1;
        if (errno == ENOENT)
            return 0;
        if (errno == EXDEV) {
            int failed = pf_lowerfolder_remove(dir_fd, name, err);
            return failed ? failed : 1;
        }
        if (errno != EEXIST && errno != ENOTEMPTY && errno != ENOTDIR && errno != EISDIR)
            break;
    }
    return pf_error_errno(err, "moving %s aside", name);
}

static bool is_held(int dir_fd, const char *name)
{
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

static int remove_one(int dir_fd, const char *name, struct pf_error *err)
{
    char point[PATH_MAX];
    return pf_mounts_find(dir_fd, name, point)
               ? pf_error_set(err, PF_E_SYSTEM, "%s stays: something is mounted on %s", name, point)
               : pf_fs_remove_tree(dir_fd, name, err);
}

static int empty_one(void *ctx, int dir_fd, const char *name)
{
    struct pf_error *first = ctx, why = {0};
    static const char prefix[] = PF_TRASH_NAME;
    size_t length = sizeof prefix - 1;
    if (strncmp(name, prefix, length) != 0 || (name[length] && name[length] != '.') ||
        !pf_fs_belongs_to_us(dir_fd, name) || is_held(dir_fd, name))
        return 0;
    if (remove_one(dir_fd, name, &why) && !first->code)
        *first = why;
    return 0;
}

int pf_trash_empty(int dir_fd, struct pf_error *err)
{
    struct pf_error why = {0};
    if (pf_fs_each_name(dir_fd, empty_one, &why) < 0)
        return pf_error_errno(err, "reading the cache folder");
    if (why.code && err)
        *err = why;
    return why.code;
}
