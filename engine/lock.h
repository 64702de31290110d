/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lock: a lockfile becomes a plan, a cache is held against it, and a cache becomes one. */
#ifndef PF_LOCK_H
#define PF_LOCK_H

#include "error.h"
#include "lockfile.h"
#include "manifest.h"
#include "plan.h"

#include <stdbool.h>

/* Reads a lockfile. keyring: PATH.sig must be a good signature by one of its keys; NULL: none is
   looked at. PF_E_INVALID where it is malformed or not signed well. The caller ends *out with
   pf_lockfile_end, also after an error. */
int pf_lock_open(const char *path, const char *keyring, struct pf_lockfile *out,
                 struct pf_error *err);

/* The plan that the lockfile fixes: every file with its size and SHA-256. mirror: where to fetch
   from instead of the lockfile's URLs (the folder above "Plamo-RELEASE"), or NULL. */
int pf_lock_plan(const struct pf_lockfile *lock, const char *mirror, struct pf_plan *plan,
                 struct pf_error *err);

/* Has the cache folder exactly the lockfile's files, in its order? Then each gets the lockfile's
   SHA-256 as the one that is expected, which decoding it checks; texts beside the packages are read
   here. A SHA-256 that the manifest notes is not believed, but one that is another refuses the file
   at once. PF_E_CORRUPT names the first difference. */
int pf_lock_expect(const struct pf_lockfile *lock, struct pf_manifest *manifest, int folder_fd,
                   struct pf_error *err);

/* The same where a root stands already and nothing will be decoded: every file is read. notes_only:
   this run has read them all, so only names and notes are looked at. */
int pf_lock_check(const struct pf_lockfile *lock, const struct pf_manifest *manifest, int folder_fd,
                  bool notes_only, struct pf_error *err);

/* Reads all files and notes their SHA-256 in the manifest; *noted: some had none. PF_E_CORRUPT
   where one is noted and is another. */
int pf_lock_digest(struct pf_manifest *manifest, int folder_fd, bool *noted, struct pf_error *err);

/* The lockfile's text of a digested cache; lock has what was asked for, without entries. *text is
   the caller's to free. PF_E_INVALID where it is not known where a file came from. */
int pf_lock_text(const struct pf_lockfile *lock, const struct pf_manifest *manifest, char **text,
                 struct pf_error *err);

#endif
