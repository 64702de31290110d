/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed: what the roots of one run's containers are snapshots of, where the file system (btrfs) has
   such: the cached root itself, or a copy of it beside them. A snapshot takes a few milliseconds, a
   clone of shared extents 25 microseconds a name. */
#ifndef PF_SEED_H
#define PF_SEED_H

#include "clone.h"
#include "error.h"
#include "target.h"

#include <stdbool.h>

/* What pf_seed_end may be called with before pf_seed_make was. */
#define PF_SEED_NONE                                                                               \
    {                                                                                              \
        .folder = PF_TARGET_CLOSED, .root_fd = -1                                                  \
    }

struct pf_seed {
    struct pf_target_folder folder; /* a hidden one, which goes with the run */
    int root_fd;                    /* the seed's root; -1: there is none */
};

/* Takes the root root_fd for a seed, or copies it to one in the folder lxcpath (only if copy_pays),
   if roots can be made of one there (and be removed again). 1: there is one; 0: that cannot be had;
   or a code. */
int pf_seed_make(const char *lxcpath, int root_fd, bool copy_pays,
                 const struct pf_clone_settings *settings, struct pf_seed *out,
                 struct pf_error *err);

/* Makes the new folder `name` a root like the seed's, and opens it. A descriptor, or a code. Any
   thread. */
int pf_seed_copy(const struct pf_seed *seed, int dir_fd, const char *name, struct pf_error *err);

/* Takes the seed away. */
void pf_seed_end(struct pf_seed *seed);

#endif
