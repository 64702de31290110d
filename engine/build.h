/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* build: makes the cached root: crawl, download and install together, or from what is cached; and
   brings a cache up to date. */
#ifndef PF_BUILD_H
#define PF_BUILD_H

#include "buildplan.h"
#include "error.h"
#include "plan.h"

#include <stdbool.h>

/* PF_E_ABSENT where there is not even a cache folder. Nothing is made. */
int pf_build_check_folder(const struct pf_build *build, struct pf_error *err);

/* What the cache has, as a plan. Under a lock. PF_E_ABSENT where it has nothing. */
int pf_build_cached_plan(struct pf_build *build, struct pf_plan *plan, struct pf_error *err);

/* Holds the cache against the lockfile, if there is one; see pf_lock_check. Under a lock.
   PF_E_CORRUPT where they differ. */
int pf_build_check_lock(struct pf_build *build, bool notes_only, struct pf_error *err);

/* The lockfile of the cached packages, see pf_engine_lock. tree: the digest of the root that they
   make; empty: none. Under the exclusive lock. */
int pf_build_lock_text(struct pf_build *build, const char *old_path, const char *tree, char **text,
                       struct pf_error *err);

/* Makes the cached root where there is none, from the cached packages, else from the mirror's.
   Under the exclusive lock. */
int pf_build_root(struct pf_build *build, struct pf_error *err);

/* Asks the mirror what has changed, tells of it by events, and makes packages and root anew if
   anything has. The old ones stay until the new ones are whole. Under the exclusive lock, or, where
   there is a root, under the builder's and a share of the cache's. */
int pf_build_update(struct pf_build *build, struct pf_error *err);

#endif
