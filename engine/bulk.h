/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bulk: many containers in LXC's path from one cached root, side by side. */
#ifndef PF_BULK_H
#define PF_BULK_H

#include "base.h"
#include "bulkcheck.h"
#include "cachelock.h"
#include "engine.h"
#include "event.h"
#include "names.h"
#include "seed.h"
#include "settings.h"

#include <stdatomic.h>

struct pf_bulk_item;

/* Filled by the owner; zero-initialise the rest. */
struct pf_bulk {
    const struct pf_settled *settings;
    struct pf_events *events;
    const atomic_bool *stop;
    struct pf_stats *stats;
    /* Its own: */
    const struct pf_cache *cache;
    const struct pf_containers *wish;
    char *lxcpath;              /* absolute */
    int lxcpath_fd;             /* -1 where it is not open */
    char *defaults;             /* the lines each configuration begins with */
    int root_fd;                /* the cached root; -1 where it is not open */
    struct pf_base base;        /* for overlays */
    struct pf_base mapped_base; /* the same with the owners that the containers map theirs to */
    struct pf_bulkcheck check;
    struct pf_seed seed; /* for roots that are snapshots */
    struct pf_bulk_item *items;
    struct pf_events *quiet; /* to events, but nothing twice */
    struct pf_names said;    /* by quiet, which calls one at a time */
    atomic_bool full;        /* the file system is: none is begun any more */
};

/* Checks all that is wished for and gets LXC's path ready, before the long work. results has an
   element for each container. End it with pf_bulk_end, after a failure too. */
int pf_bulk_begin(struct pf_bulk *bulk, const struct pf_containers *wish,
                  struct pf_container_result *results, struct pf_error *err);

/* Makes the containers, under the shared lock of the cache, which has the root. 0 where all are
   made or were there; else the first failure of one, or of the whole. */
int pf_bulk_make(struct pf_bulk *bulk, struct pf_cache *cache, const struct pf_cache_wait *wait,
                 struct pf_error *err);

void pf_bulk_end(struct pf_bulk *bulk);

#endif
