/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* gc: what may go from a cache folder, the least useful first. */
#ifndef PF_GC_H
#define PF_GC_H

#include "cache.h"
#include "engine.h"
#include "error.h"
#include "event.h"

#include <stdatomic.h>

/* See pf_engine_gc. What result has already, of bases, counts with the rest. cache is any of the
   folder's; its lock is held shared. Of a release the packages and the root go together; what tells
   of their last use is the time of the names' lock file, which our runs note, or else when they
   were made: what lxc-plamo does is not known. They go only with the builder's lock, the names'
   lock and those of both folders at hand. */
int pf_gc_collect(struct pf_cache *cache, const struct pf_gc *gc, struct pf_events *events,
                  const atomic_bool *stop, struct pf_gc_result *result, struct pf_error *err);

#endif
