/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trash: what is on its way out of a cache folder, but may still be read. */
#ifndef PF_TRASH_H
#define PF_TRASH_H

#include "error.h"

#define PF_TRASH_NAME ".plamo-fast-trash"

/* Moves NAME below dir_fd aside by one rename, so that no half of it is ever under its name; one
   that cannot be renamed is removed at once, see lowerfolder. 1: it is aside; 0: there was none; or
   a code. */
int pf_trash_put(int dir_fd, const char *name, struct pf_error *err);

/* Removes what is aside and this user's, but for folders that somebody holds by a lock (flock(2))
   of the folder. Others may be doing the same. Where a file system has no locks of folders nobody
   can hold one. What cannot be removed, or has something mounted in it, stays, and the error names
   the first of it; the rest goes all the same. */
int pf_trash_empty(int dir_fd, struct pf_error *err);

#endif
