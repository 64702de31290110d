/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshot: a new root that is a copy of a subvolume, made in a moment (see subvolume.h for where
   that can be had). */
#ifndef PF_SNAPSHOT_H
#define PF_SNAPSHOT_H

/* Makes the new folder NAME below dir_fd one of source_fd, and opens it. Its own folder is as for a
   new root (owner, mode 0755, no default ACL, times of now), whatever the source's is. -1 with
   errno: there is no such folder. */
int pf_snapshot_make(int source_fd, int dir_fd, const char *name);

#endif
