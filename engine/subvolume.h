/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* subvolume: folders of btrfs that are file trees of their own: one can be copied whole, by
   sharing, in a moment (btrfs-subvolume(8)). All return -1 with errno. */
#ifndef PF_SUBVOLUME_H
#define PF_SUBVOLUME_H

#include <stdbool.h>

/* Can there be any below that folder? */
bool pf_subvolume_can_be(int dir_fd);

/* Can one be made in this folder, and removed again? Found out by trying: in a user namespace it
   may be that what was made can only be removed entry by entry. */
bool pf_subvolume_can_come_and_go(int dir_fd);

/* Is this open folder one? */
bool pf_subvolume_is(int fd);

/* Are both open folders on the same btrfs? Each subvolume shows a device number of its own, so that
   does not tell. */
bool pf_subvolume_on_same(int a, int b);

/* Can the open folder root_fd be copied into the folder dir_fd? It is a subvolume, both are on the
   same file system, and the copy can be removed. */
bool pf_subvolume_can_copy(int root_fd, int dir_fd);

/* Makes an empty one, of mode 0755. EOPNOTSUPP: the folder's file system is not btrfs. */
int pf_subvolume_make(int dir_fd, const char *name);

/* Makes name a copy of the subvolume source_fd, on the same file system, which can be written to.
 */
int pf_subvolume_snapshot(int source_fd, int dir_fd, const char *name);

/* Takes a subvolume away with all that is in it. EXDEV: it is none, or something is mounted there;
   ENOENT: there is nothing.
   EPERM: this process may not, though it may have made it (in a user namespace). */
int pf_subvolume_remove(int dir_fd, const char *name);

#endif
