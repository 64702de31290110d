/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buildplan: what a build knows and works with, and its plan: the lockfile's, or that of the
   mirror's listings, which are read by confined threads. */
#ifndef PF_BUILDPLAN_H
#define PF_BUILDPLAN_H

#include "cache.h"
#include "error.h"
#include "event.h"
#include "fetch.h"
#include "mirrors.h"
#include "plan.h"
#include "settings.h"

#include <stdatomic.h>
#include <stddef.h>

/* Filled by the owner; zero-initialise the rest. */
struct pf_build {
    const struct pf_settled *settings;
    struct pf_events *events;
    const atomic_bool *cancelled; /* by the caller */
    atomic_bool *stop;            /* by the caller, or because a part of the run failed */
    struct pf_cache *cache;       /* NULL while only a plan is made */
    struct pf_stats *stats;
    /* Its own: */
    struct pf_mirrors mirrors;
    struct pf_fetch *fetch; /* NULL until the network is needed */
    size_t home;            /* the mirror of the last plan */
};

/* Makes the plan: what the lockfile fixes, else by the mirror's listings. PF_E_ABSENT where it has
   no package. */
int pf_build_plan(struct pf_build *build, struct pf_plan *plan, struct pf_error *err);

/* Asks the mirror for the sizes that the plan lacks, see pf_crawl_sizes. */
int pf_build_sizes(struct pf_build *build, struct pf_plan *plan, struct pf_error *err);

/* Lets go of the transfers. */
void pf_build_end(struct pf_build *build);

#endif
