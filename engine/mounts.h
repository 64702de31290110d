/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: what is mounted in a tree, which is none of it: also a directory of the same file system
   that is bound there, which device numbers do not tell. */
#ifndef PF_MOUNTS_H
#define PF_MOUNTS_H

#include <limits.h>
#include <stdint.h>

/* Which mount an open file is seen through: statx(2)'s number, before Linux 5.8 that of /proc. 0,
   or -1 with errno. */
int pf_mounts_id(int fd, uint64_t *id);

/* Looks in /proc/self/mountinfo for what is mounted in the tree NAME below dir_fd, or on NAME. 1:
   something is, at the absolute path `point`; 0: nothing, also where /proc is not there. */
int pf_mounts_find(int dir_fd, const char *name, char point[PATH_MAX]);

/* Opens the directory fd once more, so that its tree is seen as it is below its mounts. Where this
   user may not (it takes CAP_SYS_ADMIN), they are still there: whoever walks the tree compares
   numbers. A descriptor, or -1 with errno. */
int pf_mounts_open_bare(int fd);

#endif
