/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* livemount: the file systems of the kernel and of memory that a running container has in its root:
   /proc, /sys, a tmpfs on /run. What is in them is no part of the root. */
#ifndef PF_LIVEMOUNT_H
#define PF_LIVEMOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Which mount a root is in. */
struct pf_livemount {
    uint64_t id; /* 0: this kernel gives none, and the device counts */
    dev_t device;
};

/* 0, or -1 with errno. */
int pf_livemount_init(struct pf_livemount *root, int root_fd);

/* Is what has the name ("": the directory itself) in another mount than the root, one of proc,
   sysfs, tmpfs and their like? Another mount of a disk is still the root's. False where it cannot
   be looked at. */
bool pf_livemount_covers(const struct pf_livemount *root, int dir_fd, const char *name);

/* The same for a path without links below the root, or where there is nothing under it, for the
   deepest directory on the way that is there. */
bool pf_livemount_covers_path(const struct pf_livemount *root, int root_fd, const char *path);

#endif
