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

/* The lock that the shell template uses, too. */
#define PF_CACHE_LOCK_FILE "/var/lock/subsys/lxc-plamo"

struct pf_cache {
    int base_fd;              /* the folder LXC_CACHE_PATH names */
    char *base;               /* its absolute path */
    struct pf_events *events; /* told of what cannot be removed; may be NULL */
    /* For cachelock.h; -1: not open. */
    int lock_fd, shell_fd, builder_fd, names_fd;
    char *lock_path;
    /* Names below base_fd: */
    char partial[NAME_MAX + 1];  /* while downloading: partial-plamo-RELEASE-ARCH */
    char complete[NAME_MAX + 1]; /* all downloaded: cache-plamo-RELEASE-ARCH */
    char root[NAME_MAX + 1];     /* the installed root: rootfs-plamo-RELEASE-ARCH */
    char work[NAME_MAX + 1];     /* the root while it is built */
    char kept[NAME_MAX + 1];     /* with a time behind it: see generation.h */
    char builder_lock[NAME_MAX + 1], names_lock[NAME_MAX + 1];
};

/* "The exclusive lock" and "the builder's lock" are those of cachelock.h. */

/* Opens (and makes) the cache folder. release and arch become parts of names: no slashes. */
int pf_cache_open(const char *path, const char *release, const char *arch, struct pf_cache **out,
                  struct pf_error *err);
void pf_cache_close(struct pf_cache *cache); /* lets a lock go; NULL is fine */

/* Is there such a folder (not a link) below the cache folder? Returns 1, 0 or a negative code:
   PF_E_PERMISSION where it is another user's, or others may write to it. */
int pf_cache_has(const struct pf_cache *cache, const char *name, struct pf_error *err);

/* Opens a folder below the cache folder, which must be ours, and ours alone to read from now on. A
   descriptor, or a negative code. */
int pf_cache_open_folder(const struct pf_cache *cache, const char *name, struct pf_error *err);

/* What a complete cache folder holds, in install order: by its manifest where that names exactly
   the packages that are there, else as `ls -cr` lists them (oldest ctime first, equal ones by name
   descending). manifest gets the entries (digests empty where there was no manifest). */
int pf_cache_read(const struct pf_cache *cache, struct pf_manifest *manifest,
                  struct pf_events *events, struct pf_error *err);

/* The manifest of the complete folder as it was written, whatever the folder has now. 1: there is
   one; 0: none; PF_E_CORRUPT: it is damaged. The caller ends *manifest with pf_manifest_end. */
int pf_cache_read_manifest(const struct pf_cache *cache, struct pf_manifest *manifest,
                           struct pf_error *err);

/* Writes the manifest of the complete folder anew. Under the exclusive or the builder's lock. */
int pf_cache_write_manifest(const struct pf_cache *cache, const struct pf_manifest *manifest,
                            struct pf_error *err);

/* Opens the partial folder, which is made if need be. Under the builder's lock. A descriptor, or a
   negative code. */
int pf_cache_open_partial(const struct pf_cache *cache, struct pf_error *err);

/* Makes the partial folder the complete one, where there is none: writes the manifest, flushes the
   file system, renames. Under the exclusive lock. */
int pf_cache_complete(const struct pf_cache *cache, const struct pf_manifest *manifest,
                      struct pf_error *err);

/* Makes the work folder anew (see workfolder.h). */
int pf_cache_begin_root(const struct pf_cache *cache, struct pf_error *err);

/* Settles the work folder, flushes the file system, then gives the built root its final name by one
   rename. */
int pf_cache_publish_root(const struct pf_cache *cache, struct pf_error *err);

/* An update takes three steps. First all that takes long: the partial folder gets its manifest, and
   it and the built root are flushed. Under the builder's lock, or the exclusive one. */
int pf_cache_begin_exchange(const struct pf_cache *cache, const struct pf_manifest *manifest,
                            struct pf_error *err);

/* Then a few renames, with the names' lock held exclusively: packages and root get their final
   names, the old packages the partial folder's; the old root is moved aside. It goes first: should
   this be killed in between, there is no root for a while, and the next build makes one of the
   packages that are there then, old or new. */
int pf_cache_exchange(const struct pf_cache *cache, struct pf_error *err);

/* At last the old packages are kept among the last `keep` of them (see generation.h), or removed
   where that is 0; the old root is removed when nobody holds it. */
int pf_cache_end_exchange(const struct pf_cache *cache, unsigned keep, struct pf_error *err);

/* Removes the partial folder: what it has is not needed. Under the exclusive or the builder's lock.
 */
int pf_cache_remove_partial(const struct pf_cache *cache, struct pf_error *err);

/* Removes what an earlier run may have left, and what this one leaves after a failure. Under the
   exclusive or the builder's lock. What is aside and held stays; so does what cannot be removed, of
   which a PF_EVENT_WARNING tells. */
int pf_cache_remove_work(const struct pf_cache *cache, struct pf_error *err);

/* Removes the complete download folder, the installed root, and what killed runs have left. Under
   the exclusive lock. Where something is mounted in them they stay as they are. What cannot be
   removed is out of the way all the same, and the error names it. */
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
