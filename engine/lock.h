/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock: a lockfile becomes a plan, a cache is held against it, and a cache becomes one. */
#ifndef PF_LOCK_H
#define PF_LOCK_H

#include "error.h"
#include "lockfile.h"
#include "manifest.h"
#include "plan.h"

/* Reads a lockfile. keyring: PATH.sig must be a good signature by one of its keys; NULL: none is
   looked at. PF_E_INVALID where it is malformed or not signed well. The caller ends *out with
   pf_lockfile_end, also after an error. */
int pf_lock_open(const char *path, const char *keyring, struct pf_lockfile *out,
                 struct pf_error *err);

/* The plan that the lockfile fixes: every file with its size and SHA-256. mirror: where to fetch
   from instead of the lockfile's URLs (the folder above "Plamo-RELEASE"), or NULL. */
int pf_lock_plan(const struct pf_lockfile *lock, const char *mirror, struct pf_plan *plan,
                 struct pf_error *err);

/* Has the cache folder exactly the lockfile's files, in its order? Files whose SHA-256 the manifest
   does not know are read, and it is noted there (*noted). PF_E_CORRUPT names the first difference.
 */
int pf_lock_check(const struct pf_lockfile *lock, struct pf_manifest *manifest, int folder_fd,
                  bool *noted, struct pf_error *err);

/* Reads the files whose SHA-256 the manifest does not know, and notes it there. */
int pf_lock_digest(struct pf_manifest *manifest, int folder_fd, bool *noted, struct pf_error *err);

/* The lockfile's text of a digested cache; lock has what was asked for, without entries. *text is
   the caller's to free. PF_E_INVALID where it is not known where a file came from. */
int pf_lock_text(const struct pf_lockfile *lock, const struct pf_manifest *manifest, char **text,
                 struct pf_error *err);

#endif
