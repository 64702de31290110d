/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* target: the folder that a container's root is made in, which shows a whole root or none. */
#ifndef PF_TARGET_H
#define PF_TARGET_H

#include "error.h"

#include <stdbool.h>

struct pf_target_folder {
    int fd; /* where the root's content goes */
    int parent_fd;
    char *name;       /* the last component of the path */
    char *temporary;  /* beside it, until the rename; NULL: filled in place */
    int outer_fd;     /* the temporary folder, where the root is a snapshot in it; else -1 */
    bool made;        /* in place: the folder was not there before */
    bool replaceable; /* in place: nothing is mounted on it, so a snapshot may take its place */
};

/* What pf_target_end may be called with before pf_target_open was. */
#define PF_TARGET_CLOSED                                                                           \
    {                                                                                              \
        .fd = -1, .parent_fd = -1, .outer_fd = -1                                                  \
    }

/* Opens (and makes) the folder. It must be empty (a file system's own lost+found is no content). In
   place is also chosen where something is mounted on it, or its name is a link: nothing can be
   renamed onto those. A temporary folder that a killed run left is taken away; one in use by
   another is PF_E_BUSY. */
int pf_target_open(const char *path, bool in_place, struct pf_target_folder *out,
                   struct pf_error *err);

/* Makes the root a snapshot of the open folder source_fd, in a moment, where the file system can
   (see subvolume.h): its content is that of the source then, its owner and mode stay its own. 1:
   it is; 0: it is as it was, and to be filled; or a code. */
int pf_target_snapshot(struct pf_target_folder *target, int source_fd, struct pf_error *err);

/* Puts the finished root under its name, after a flush to disk. */
int pf_target_finish(struct pf_target_folder *target, struct pf_error *err);

/* The same where the caller has flushed the file system since the root was finished. */
int pf_target_put(struct pf_target_folder *target, struct pf_error *err);

/* Removes the temporary folders that killed runs have left in a folder. */
int pf_target_sweep(int folder_fd, struct pf_error *err);

/* Takes away what was made. Does nothing after pf_target_finish. */
void pf_target_end(struct pf_target_folder *target);

#endif
