/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* target: the directory that a root, or a container, is made in, which shows a whole one or none.
 */
#ifndef PF_TARGET_H
#define PF_TARGET_H

#include "error.h"
#include "scratch.h"

#include <stdbool.h>

/* What is made comes to be in a scratch directory (see scratch.h), and takes its place when it is
   finished: by one rename, where something can be renamed onto its name. Else, in place, the
   scratch directory is in the root's own one, and the names that the root has are renamed out of it
   one by one. It goes last: as long as it is there the root is not whole, and what is beside it is
   not this program's to remove. */
struct pf_target_folder {
    int fd;        /* where the content goes */
    int parent_fd; /* the directory above the root's */
    int place_fd;  /* in place: the root's own directory; else -1 */
    char *name;    /* the last component of the path */
    struct pf_scratch scratch;
    bool made;        /* in place: the directory was not there before */
    bool replaceable; /* in place: nothing is mounted on it, so a snapshot may take its place */
    bool replaces;    /* put by a rename, in the place of place_fd and its scratch directory */
    struct pf_scratch placed; /* that one */
};

/* What pf_target_end may be called with before pf_target_open was. */
#define PF_TARGET_CLOSED                                                                           \
    {                                                                                              \
        .fd = -1, .parent_fd = -1, .place_fd = -1, .scratch = PF_SCRATCH_NONE,                     \
        .placed = PF_SCRATCH_NONE                                                                  \
    }

/* Opens (and makes) the directory. It must be empty (a file system's own lost+found is no content).
   In place is also chosen where something is mounted on it, or its name is a link: nothing can be
   renamed onto those. What a killed run left is taken away, unless its root is half in place
   (PF_E_CONFLICT); what another run is making is PF_E_BUSY. */
int pf_target_open(const char *path, bool in_place, struct pf_target_folder *out,
                   struct pf_error *err);

/* Is the place still as empty as it was? PF_E_CONFLICT where somebody has put something there. */
int pf_target_check(const struct pf_target_folder *target, struct pf_error *err);

/* The name of the directory that has the content, below that of scratch. */
#define PF_TARGET_CONTENT "root"

/* Makes the root a snapshot of the open folder source_fd, in a moment, where the file system can
   (see subvolume.h): its content is that of the source then, its owner and mode stay its own. 1:
   it is; 0: it is as it was, and to be filled; or a code. */
int pf_target_snapshot(struct pf_target_folder *target, int source_fd, struct pf_error *err);

/* Puts the finished root under its name, after a flush to disk. */
int pf_target_finish(struct pf_target_folder *target, struct pf_error *err);

/* The same where the caller has flushed the file system since the root was finished. */
int pf_target_put(struct pf_target_folder *target, struct pf_error *err);

/* Removes the scratch directories that killed runs have left in a directory. */
int pf_target_sweep(int folder_fd, struct pf_error *err);

/* Takes away what was made, and nothing else. Does nothing after pf_target_finish. */
void pf_target_end(struct pf_target_folder *target);

#endif
