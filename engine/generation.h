/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* generation: older sets of cached packages that are kept when an update replaces them. */
#ifndef PF_GENERATION_H
#define PF_GENERATION_H

#include "error.h"

#include <stdbool.h>

/* Such a folder is PREFIX-TIME, where TIME is that of its end in UTC, like 20261125T021500Z. It is
   a complete folder under another name: renamed to that, with root and newer packages out of the
   way, the next build makes a root of it. */

/* Keeps the folder NAME below dir_fd, and removes the oldest of those kept beyond `most` (at least
   1). */
int pf_generation_keep(int dir_fd, const char *name, const char *prefix, unsigned most,
                       struct pf_error *err);

/* Is that the name of a kept folder with this prefix? */
bool pf_generation_is(const char *name, const char *prefix);

#endif
