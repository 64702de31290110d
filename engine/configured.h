/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configured: what configuring a container does to a path of its root, and what it cannot have
 * done.
 */
#ifndef PF_CONFIGURED_H
#define PF_CONFIGURED_H

#include "answer.h"
#include "profile.h"

#include <stdbool.h>

/* Does configuring a container make, change or remove the path? */
bool pf_configured_touches(const struct pf_profile *profile, const char *path);

/* Can configuring have caused all of `what` (enum pf_difference_what) at the path? Each edit of the
   profile explains what it does and no more: an edited file is still there, a removed one is gone.
   there: what the root has, NULL with PF_DIFFERS_REMOVED. profile may be NULL. */
bool pf_configured_explains(const struct pf_profile *profile, int root_fd, const char *path,
                            unsigned what, const struct pf_entry *there);

#endif
