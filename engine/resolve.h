/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resolve: opens paths that cannot leave a root, by openat2 or by a walk of our own. */
#ifndef PF_RESOLVE_H
#define PF_RESOLVE_H

#include <sys/types.h>

/* Opens path as if root_fd were "/": absolute paths and links start at the root, ".." stops there.
   flags and mode as for openat(2); O_CLOEXEC is added. A path may go through 40 links, whatever
   else happens on the machine; one more is ELOOP. Returns a descriptor or -1 with errno. */
int pf_resolve_in_root(int root_fd, const char *path, int flags, mode_t mode);

/* The same for a file that must be a regular one, if it is there: ENXIO for a fifo, a device, a
   folder. A package may have put such a thing under the name of a file that is to be written. */
int pf_resolve_regular(int root_fd, const char *path, int flags, mode_t mode);

/* Opens path below dir_fd, refusing (ELOOP, EXDEV) every symbolic link and every "..". */
int pf_resolve_beneath(int dir_fd, const char *path, int flags, mode_t mode);

/* The same two without openat2, for kernels that lack it or filters that forbid it. Between two
   steps another process could swap a folder for a link; each step is O_NOFOLLOW, so the walk
   still never leaves the root. Public so that tests can force it. */
int pf_resolve_in_root_walk(int root_fd, const char *path, int flags, mode_t mode);
int pf_resolve_beneath_walk(int dir_fd, const char *path, int flags, mode_t mode);

/* Opens, inside the root, the folder that holds the last component of path, and points *leaf at
   that component within path. A path without a last component ("", "/", ".", "a/..") gives EINVAL;
   slashes at the end are refused with EINVAL too. Returns a descriptor (O_PATH) or -1. */
int pf_resolve_parent(int root_fd, const char *path, const char **leaf);

#endif
