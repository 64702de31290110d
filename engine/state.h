/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* state: what a struct pf_engine holds, and what the files do with it that make up engine.h. */
#ifndef PF_STATE_H
#define PF_STATE_H

#include "build.h"
#include "cache.h"
#include "cachelock.h"
#include "engine.h"
#include "settings.h"

#include <stdatomic.h>

struct pf_engine {
    struct pf_settled settings;
    struct pf_events *events;
    atomic_bool cancelled; /* by the caller */
    atomic_bool stop;      /* by the caller, or because a part of the run failed */
    struct pf_build build;
    struct pf_cache *cache;
    struct pf_cache_wait wait;    /* for its locks */
    int root_fd;                  /* the cached root, held; -1: not yet */
    bool updated;                 /* the mirror has been asked what has changed */
    struct pf_plan plan;          /* of pf_engine_plan */
    struct pf_plan_file *planned; /* what was shown of it */
    struct pf_stats stats;
    char tree[PF_LOCKFILE_TREE_SIZE];   /* of the cached root; empty: not known */
    char digest[PF_LOCKFILE_TREE_SIZE]; /* of pf_engine_digest */
};

/* A run begins: what stopped an earlier one does not count, a cancellation does. */
void pf_state_arm(struct pf_engine *engine);

/* Opens the cache folder, and makes it where it is missing. Done once. */
int pf_state_open_cache(struct pf_engine *engine, struct pf_error *err);

int pf_state_lock_cache(struct pf_engine *engine, enum pf_cache_lock mode, struct pf_error *err);

/* Shared: nothing in the cache gets another name until pf_cache_unlock_names. */
int pf_state_lock_names(struct pf_engine *engine, struct pf_error *err);

/* Whether the cached root that is held is no longer the one that the cache has. */
bool pf_state_root_replaced(const struct pf_engine *engine);

/* Lets the cached root go. Who was the last to read one that an update has replaced removes it. */
void pf_state_drop_root(struct pf_engine *engine);

/* The digest of the tree at fd, as a lockfile has it. */
int pf_state_digest_tree(struct pf_engine *engine, int fd, char text[PF_LOCKFILE_TREE_SIZE],
                         struct pf_error *err);

#endif
