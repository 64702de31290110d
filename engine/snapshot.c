/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "snapshot.h"

#include "cleanup.h"
#include "fs.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int pf_snapshot_make(int source_fd, int dir_fd, const char *name)
{
    if (pf_subvolume_snapshot(source_fd, dir_fd, name) < 0)
        return -1;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && pf_fs_own_folder(fd, 0755) == 0 && futimens(fd, NULL) == 0)
        return pf_steal_fd(&fd);
    int number = errno;
    pf_fs_remove_tree(dir_fd, name, NULL);
    errno = number;
    return -1;
}
