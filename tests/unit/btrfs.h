/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* btrfs: a fresh btrfs for one test, in an image file that is mounted where only this process sees
 * it. */
#ifndef PF_TEST_BTRFS_H
#define PF_TEST_BTRFS_H

#include "support.h"

struct btrfs {
    struct temp temp; /* with the image in it; anything but btrfs */
    char path[96];    /* where it is mounted; "" where it is not */
    int fd;
};

/* Where this machine has none the running test is skipped, and says why. */
void btrfs_begin(struct btrfs *btrfs);
void btrfs_end(struct btrfs *btrfs);

#endif
