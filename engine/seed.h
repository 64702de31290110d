/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed: the copy of a cached root that lies beside the containers of one run, where the file system
   (btrfs) can make each of their roots of it in a moment: a snapshot takes some 30 ms, a clone of
   shared extents 25 microseconds a name. */
#ifndef PF_SEED_H
#define PF_SEED_H

#include "clone.h"
#include "error.h"
#include "target.h"

/* Zero-initialise it, or let pf_seed_make do so. */
struct pf_seed {
    struct pf_target_folder folder; /* a hidden one, which goes with the run */
    int root_fd;                    /* the seed's root; -1 or 0: there is none */
    struct pf_clone_result cloned;
};

/* Copies the root root_fd to a seed in the folder lxcpath, if roots can be
   made of one there (and be removed again). 1: it is made; 0: that cannot be had; or a code. */
int pf_seed_make(const char *lxcpath, int root_fd, const struct pf_clone_settings *settings,
                 struct pf_seed *out, struct pf_error *err);

/* Makes the folder `name` a root like the seed's. Any thread. */
int pf_seed_copy(const struct pf_seed *seed, int dir_fd, const char *name, struct pf_error *err);

/* Takes the seed away. */
void pf_seed_end(struct pf_seed *seed);

#endif
