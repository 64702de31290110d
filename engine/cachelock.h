/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cachelock: who may do what in a cache folder at the same time, by flock(2). */
#ifndef PF_CACHELOCK_H
#define PF_CACHELOCK_H

#include "cache.h"
#include "error.h"
#include "event.h"

#include <stdatomic.h>

/* Four locks, on files and folders that are never removed while they are held, and that no program
   we start inherits. They are taken in this order, and none but the first is waited for by who
   holds a later one, so that no two wait for each other:

   1. the builder's, exclusive: a file of each release and architecture in the cache folder. Who
      updates holds it all along: the partial and the work folder are his.
   2. the cache's, a file in the cache folder. Exclusive: everything is the holder's, as nobody else
      holds any of the others for long without a share of this one; a cold build, a purge. Shared:
      nothing is taken away from under its final name, but an update may exchange it for its
      successor. With it goes a share of lxc-plamo's lock, which is one for the whole machine:
      lxc-plamo takes it exclusively, and gives up where it is held. Runs of ours in different cache
      folders share it, and do not wait for each other.
   3. the names', a file beside the builder's. Shared and for a moment: root and packages belong
      together. Exclusive and for a moment (a few renames): an update exchanges them.
   4. a folder's own, shared: somebody reads it. An update moves the root that it replaces aside;
      there it stays until nobody holds it any more (see trash.h). */

enum pf_cache_lock { PF_CACHE_SHARED, PF_CACHE_EXCLUSIVE };

/* How long to wait, whom to tell, and what ends it. */
struct pf_cache_wait {
    unsigned timeout_s; /* PF_E_BUSY after it; 0: not at all */
    struct pf_events *events;
    const atomic_bool *cancel; /* or NULL */
};

/* Takes (or converts to) the cache's lock, with its share of /var/lock/subsys/lxc-plamo, unless
   this user cannot have that. A conversion may let others in between: look again at what was found
   before. Waits, with one PF_EVENT_LOCK_WAIT. All lock files are 0600, and this user's: nobody else
   can hold them, and what another has put there makes way, or is refused. */
int pf_cache_lock(struct pf_cache *cache, enum pf_cache_lock mode, const struct pf_cache_wait *wait,
                  struct pf_error *err);
void pf_cache_unlock(struct pf_cache *cache);

/* Takes the builder's lock; the cache's must not be held. Waits likewise. */
int pf_cache_lock_builder(struct pf_cache *cache, const struct pf_cache_wait *wait,
                          struct pf_error *err);

/* Takes it if nobody has it. 1 where it is held now, by this run, else 0. */
int pf_cache_try_builder(struct pf_cache *cache);
void pf_cache_unlock_builder(struct pf_cache *cache);

/* Removes what a killed run has left, unless somebody is at work. Under the cache's lock. That it
   cannot be removed matters to nobody who only reads. */
void pf_cache_tidy(struct pf_cache *cache);

/* Takes the names' lock. Shared it is as good as held where this user cannot have its file: nobody
   who could exchange names is there then, or the file is there to be read. */
int pf_cache_lock_names(struct pf_cache *cache, enum pf_cache_lock mode,
                        const struct pf_cache_wait *wait, struct pf_error *err);
void pf_cache_unlock_names(struct pf_cache *cache);

/* Notes that the cached root is used now: the time of the names' lock file says so. */
void pf_cache_note_use(const struct pf_cache *cache);

/* Opens a folder below the cache folder and holds it. Under the names' lock. A descriptor, whose
   closing lets it go, or a negative code. */
int pf_cache_hold(const struct pf_cache *cache, const char *name, struct pf_error *err);

#endif
