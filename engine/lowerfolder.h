/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lowerfolder: directories that an overlay has from a lower layer, as a container has those of its
   image. They cannot be renamed: EXDEV (Linux, Documentation/filesystems/overlayfs.rst, "renaming
   directories"). So they are removed where they are, or their files move to a new directory of the
   same name, which is the upper layer's and can be renamed.

   A mark beside a directory says meanwhile, and after a kill, that what has its name is not whole.
 */
#ifndef PF_LOWERFOLDER_H
#define PF_LOWERFOLDER_H

#include "error.h"

#include <stdbool.h>

/* Can there be any below dir_fd? */
bool pf_lowerfolder_can_be(int dir_fd);

/* Is what has the name half of a directory, or none any more? */
bool pf_lowerfolder_is_going(int dir_fd, const char *name);

/* Removes the directory NAME below dir_fd where it is, as soon as nobody holds it by a lock
   (flock(2)); PF_E_BUSY where that takes long. Absent is success. PF_E_SYSTEM, and nothing is
   removed, where something is mounted in it. */
int pf_lowerfolder_remove(int dir_fd, const char *name, struct pf_error *err);

/* Makes a directory one that can be renamed, with `aside` for its name while it comes; what a kill
   has left of that name goes. Of files with several names it makes several: for packages, not for
   roots. */
int pf_lowerfolder_lift(int dir_fd, const char *name, const char *aside, struct pf_error *err);

#endif
