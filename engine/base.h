/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base: unchanging copies of cached roots, which the overlays of containers lie upon. */
#ifndef PF_BASE_H
#define PF_BASE_H

#include "cache.h"
#include "error.h"
#include "event.h"
#include "idmap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The cached root may be replaced or cleaned at any time; a container that lies upon it by
   overlayfs would break. So each generation of it that is used so is copied once (by reflink, where
   the file system can) to CACHE/bases-plamo/RELEASE-ARCH-DIGEST/root, where DIGEST tells the
   packages that are in it. It is not the cached root renamed, which lxc-plamo and other clones go
   on using, and not made of hard links to it: their counts would show in the containers, and each
   later clone would have to keep them together. Nobody writes there: the folder above is root's
   alone (0700, or 0710 for the group of a container's mapped root). No file has the immutable flag:
   overlayfs hands it on to the container's own copy.

   A base is in use while a run holds it, which the kernel ends with the run, and while any
   container's configuration names it. Where those can be is noted in the base's folder used-in, a
   file for each of LXC's paths, before the first of them is made. */

/* A base that is held. Zero-initialise it. */
struct pf_base {
    int fd;     /* of its folder, locked shared; -1 or 0: not held */
    char *root; /* the absolute path of its root, for lowerdir */
};

struct pf_base_wish {
    const struct pf_idmap *map; /* whose owners it has; NULL: the packages' */
    unsigned threads;           /* that make it, where there is none yet */
    struct pf_events *events;
    const atomic_bool *cancel; /* ends the waiting for others that make or collect bases */
};

/* Holds the base of the cached root, which must be there and stay: under the cache's shared lock
   and the names' lock. Where there is none yet, it is made. Bases that killed runs left half-made
   are removed. LXC mounts the overlay of a container that maps its ids as that one's root, so the
   group of this root may pass through the folder of a base with mapped owners. */
int pf_base_hold(const struct pf_cache *cache, const struct pf_base_wish *wish, struct pf_base *out,
                 struct pf_error *err);

/* Notes that containers in one of LXC's paths (absolute) are going to lie upon it. */
int pf_base_note(const struct pf_base *base, const char *lxcpath, struct pf_error *err);

/* Lets it go. */
void pf_base_end(struct pf_base *base);

/* What a collection found. */
struct pf_base_collection {
    unsigned removed, kept;
    uint64_t bytes_removed, bytes_kept; /* on the disk */
};

enum {
    PF_BASE_OF_ALL = 1,    /* not only of the cache's release and architecture */
    PF_BASE_LOOK_ONLY = 2, /* remove nothing, but tell what would be */
};

/* Removes the bases that are not in use, as `how` (the bits above) says. A PF_EVENT_NOTE tells of
   each. Containers (and their snapshots) are looked for in LXC's default path and in
   those that were noted. A noted path that is not there, or is another folder than it was, may be
   one that is not mounted: its bases are kept, and a PF_EVENT_NOTE says so. No lock of the cache is
   needed. */
int pf_base_collect(const struct pf_cache *cache, unsigned how, struct pf_events *events,
                    const atomic_bool *cancel, struct pf_base_collection *out,
                    struct pf_error *err);

#endif
