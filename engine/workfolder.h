/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workfolder: the folder that a cached root is built in. It has two folders: "root" becomes the
   cached root, in "stage" packages are unpacked. They are on one file system, so that commit can
   rename from one to the other. Where the file system has subvolumes (btrfs) the cached root is to
   be one, of which containers can be snapshots; but nothing can be renamed from one subvolume into
   another. So it is the work folder that is made a subvolume, and in the end takes the root's
   place.
 */
#ifndef PF_WORKFOLDER_H
#define PF_WORKFOLDER_H

#include "error.h"

/* Makes NAME below dir_fd (0700), which is not there, with the empty folders "root" (0755) and
   "stage". */
int pf_workfolder_make(int dir_fd, const char *name, struct pf_error *err);

/* Once, when nothing is to be added any more. Where it is a subvolume it gets all that the root
   has, the folder's own attributes too, and loses its two folders. The root becomes this user's
   alone (0700): what packages bring is not for the host's other users. */
int pf_workfolder_settle(int dir_fd, const char *name, struct pf_error *err);

/* Where the root is after that: *root_dir_fd is opened, and *root_name a name in it. A kill in
   between loses nothing but the work. The caller closes *root_dir_fd. */
int pf_workfolder_root(int dir_fd, const char *name, int *root_dir_fd, const char **root_name,
                       struct pf_error *err);

#endif
