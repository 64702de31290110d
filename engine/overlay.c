/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "overlay.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* mount(2) takes a page of options. */
#define MAX_OPTIONS 4095
/* "upperdir=", ",lowerdir=", ",workdir=" and ",userxattr", and a work folder as long as the upper.
 */
#define OPTION_WORDS 96
/* A work folder for the time of configuring: volatile leaves a mark in it that forbids another
   mount. */
#define OWN_WORK "overlay/configuring"

static const char *const folders[] = {PF_OVERLAY_FOLDER, PF_OVERLAY_UPPER, PF_OVERLAY_WORK,
                                      OWN_WORK, "rootfs"};

int pf_overlay_check(const char *lower, const char *upper, struct pf_error *err)
{
    if (strpbrk(lower, ",:\\\n") || strpbrk(upper, ",:\\\n"))
        return pf_error_set(err, PF_E_INVALID,
                            "LXC cannot mount an overlay of %s and %s: there must be no comma, "
                            "colon or backslash in them",
                            lower, upper);
    if (strlen(lower) + 2 * strlen(upper) + OPTION_WORDS > MAX_OPTIONS)
        return pf_error_set(err, PF_E_INVALID,
                            "LXC cannot mount an overlay of %s and %s: they are too long", lower,
                            upper);
    return 0;
}

int pf_overlay_make(int fd, const char *lower, struct pf_error *err)
{
    struct stat st;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        if (mkdirat(fd, folders[i], 0755) < 0)
            return pf_error_errno(err, "making %s", folders[i]);
    }
    if (stat(lower, &st) < 0)
        return pf_error_errno(err, "%s", lower);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    if (fchownat(fd, PF_OVERLAY_UPPER, st.st_uid, st.st_gid, 0) < 0 ||
        fchmodat(fd, PF_OVERLAY_UPPER, st.st_mode & 07777, 0) < 0 ||
        utimensat(fd, PF_OVERLAY_UPPER, times, 0) < 0)
        return pf_error_errno(err, "making %s", PF_OVERLAY_UPPER);
    return 0;
}

/* Linux before 5.10 has no volatile. */
static int mount_overlay(const char *path, const char *lower, const char *point)
{
    static const char *const more[] = {",volatile", ""};
    char options[MAX_OPTIONS + 1];
    int status = -1;
    for (size_t i = 0; status < 0 && i < 2; i++) {
        int length =
            snprintf(options, sizeof options,
                     "upperdir=%s/" PF_OVERLAY_UPPER ",lowerdir=%s,workdir=%s/" OWN_WORK "%s", path,
                     lower, path, more[i]);
        if (length < 0 || (size_t)length >= sizeof options) {
            errno = ENAMETOOLONG;
            return -1;
        }
        status = mount("overlay", point, "overlay", 0, options);
        if (status < 0 && errno != EINVAL)
            return -1;
    }
    return status;
}

int pf_overlay_open(const char *path, const char *lower, struct pf_error *err)
{
    char point[PATH_MAX];
    if ((size_t)snprintf(point, sizeof point, "%s/rootfs", path) >= sizeof point)
        return pf_error_set(err, PF_E_INVALID, "%s: the path is too long", path);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return pf_error_errno(err, "getting mounts of its own");
    if (mount_overlay(path, lower, point) < 0) {
        bool refused = errno == EINVAL || errno == ENODEV;
        int failed = pf_error_errno(err, "mounting an overlay of %s and %s/%s", lower, path,
                                    PF_OVERLAY_UPPER);
        if (refused) {
            pf_error_context(err, "overlays do not work on this file system or kernel");
            pf_error_hint(err, "--backing auto does");
        }
        return failed;
    }
    int fd = open(point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "%s", point) : fd;
}

int pf_overlay_close(const char *path, int *root_fd, struct pf_error *err)
{
    char point[PATH_MAX], work[PATH_MAX];
    pf_close_at(root_fd);
    snprintf(point, sizeof point, "%s/rootfs", path);
    snprintf(work, sizeof work, "%s/" OWN_WORK, path);
    /* Detached, as the last process of a script may be about to end with it still in view. */
    if (umount2(point, MNT_DETACH) < 0)
        return pf_error_errno(err, "unmounting %s", point);
    return pf_fs_remove_tree(AT_FDCWD, work, err);
}
