/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cache: the folders that downloads and finished roots live in, shared with the shell template. */
#ifndef PF_CACHE_H
#define PF_CACHE_H

#include "error.h"
#include "event.h"
#include "manifest.h"
#include "plan.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

struct pf_cache {
    int base_fd; /* the folder LXC_CACHE_PATH names */
    int lock_fd; /* -1: not open */
    char *base;  /* its absolute path */
    char *lock_path;
    /* Names below base_fd: */
    char partial[NAME_MAX + 1];  /* while downloading: partial-plamo-RELEASE-ARCH */
    char complete[NAME_MAX + 1]; /* all downloaded: cache-plamo-RELEASE-ARCH */
    char root[NAME_MAX + 1];     /* the installed root: rootfs-plamo-RELEASE-ARCH */
    char work[NAME_MAX + 1];     /* the root while it is built; only under the exclusive lock */
};

/* Opens (and makes) the cache folder. release and arch become parts of names: no slashes. */
int pf_cache_open(const char *path, const char *release, const char *arch, struct pf_cache **out,
                  struct pf_error *err);
void pf_cache_close(struct pf_cache *cache); /* lets a lock go; NULL is fine */

enum pf_cache_lock { PF_CACHE_SHARED, PF_CACHE_EXCLUSIVE };

/* Takes (or converts to) the lock that the shell template uses too: flock(2) on
   /var/lock/subsys/lxc-plamo, or, where this user may not write there, on a file in the cache
   folder. A conversion may let others in between: look again at what was found before. Waits up to
   timeout_s (PF_E_BUSY then), with one PF_EVENT_LOCK_WAIT. */
int pf_cache_lock(struct pf_cache *cache, enum pf_cache_lock mode, unsigned timeout_s,
                  struct pf_events *events, const atomic_bool *cancel, struct pf_error *err);

/* Is there such a folder (not a link) below the cache folder? Returns 1, 0 or a negative code. */
int pf_cache_has(const struct pf_cache *cache, const char *name, struct pf_error *err);

/* Opens a folder below the cache folder. A descriptor, or a negative code. */
int pf_cache_open_folder(const struct pf_cache *cache, const char *name, struct pf_error *err);

/* What a complete cache folder holds, in install order: by its manifest where that names exactly
   the packages that are there, else as `ls -cr` lists them (oldest ctime first, equal ones by name
   descending). manifest gets the entries (digests empty where there was no manifest). */
int pf_cache_read(const struct pf_cache *cache, struct pf_manifest *manifest,
                  struct pf_events *events, struct pf_error *err);

/* Makes the partial folder a complete one: writes the manifest, flushes the file system, renames.
 */
int pf_cache_complete(const struct pf_cache *cache, const struct pf_manifest *manifest,
                      struct pf_error *err);

/* Makes the work folder anew (0700), with the empty folders "root" (0755) and "stage". */
int pf_cache_begin_root(const struct pf_cache *cache, struct pf_error *err);

/* Flushes the file system, then gives the built root its final name by one rename. */
int pf_cache_publish_root(const struct pf_cache *cache, struct pf_error *err);

/* Removes what an earlier run may have left, and what this one leaves after a failure. */
int pf_cache_remove_work(const struct pf_cache *cache, struct pf_error *err);

/* Removes the complete download folder and the installed root. Under the exclusive lock. */
int pf_cache_purge(const struct pf_cache *cache, struct pf_error *err);

/* Gives files increasing ctimes, so that `ls -cr` lists them in plan order. */
struct pf_stamper {
    int dir_fd;
    struct timespec last;
};

/* Touches one file's ctime (its mtime stays). 1: it is later than the one before; 0: the kernel's
   clock has not ticked yet, try again; 2: the clock was set back, all files are to be stamped anew,
   from the first; or a negative code. */
int pf_cache_stamp(struct pf_stamper *stamper, const char *file, struct pf_error *err);

#endif
