/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: is everything as it was stored: a cache's packages, and a root against its records. */
#ifndef PF_VERIFY_H
#define PF_VERIFY_H

#include "answer.h"
#include "cache.h"
#include "error.h"
#include "installed.h"
#include "ownership.h"
#include "profile.h"
#include "stage.h"

#include <stdatomic.h>

struct pf_verify {
    const struct pf_cache *cache; /* NULL: there are no packages */
    bool of_root; /* not about the cache: of its packages, only what was installed is
                     read, and only to compare the root with it */
    int root_fd;  /* -1: no root */
    const struct pf_installed *installed;
    struct pf_ownership *ownership;
    const struct pf_profile *profile; /* whose edits a container's root has */
    unsigned jobs;                    /* worker threads; 0: the calling thread does it all */
    struct pf_stage_limits limits;
    const atomic_bool *stop;
    pf_finding_fn fn;
    void *ctx;
};

/* Looks at everything and tells fn of what is not as it should be, always in the same order: of the
   cache in install order, then files there that nobody knows; of the root what is missing or of
   another kind, then what differs from the packages. The cache's lock is held by the caller. A
   damaged file is a finding, and no error; an error ends it. */
int pf_verify_run(const struct pf_verify *verify, struct pf_verified *result, struct pf_error *err);

#endif
