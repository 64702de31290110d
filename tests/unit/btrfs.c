/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "btrfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

void btrfs_begin(struct btrfs *btrfs)
{
    char command[512];
    temp_begin(&btrfs->temp);
    btrfs->fd = -1;
    snprintf(btrfs->path, sizeof btrfs->path, "%s/mounted", btrfs->temp.path);
    put_folder(btrfs->temp.fd, "mounted", 0755);
    snprintf(command, sizeof command,
             "exec >/dev/null 2>&1; PATH=$PATH:/usr/sbin:/sbin; truncate -s 256M %s/image && "
             "mkfs.btrfs -q %s/image && mount -o loop %s/image %s",
             btrfs->temp.path, btrfs->temp.path, btrfs->temp.path, btrfs->path);
    if (!support_own_mounts() || system(command) != 0) {
        btrfs->path[0] = '\0';
        btrfs_end(btrfs);
        print_message(
            "skipped: no mounts, no mkfs.btrfs, no loop device, or no btrfs in this kernel\n");
        skip();
    }
    btrfs->fd = open(btrfs->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(btrfs->fd >= 0);
}

void btrfs_end(struct btrfs *btrfs)
{
    if (btrfs->fd >= 0)
        close(btrfs->fd);
    if (btrfs->path[0])
        assert_int_equal(umount(btrfs->path), 0);
    temp_end(&btrfs->temp);
}
