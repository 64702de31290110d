/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* commit: merges one staged package into the root, as if tar had unpacked it there. */
#ifndef PF_COMMIT_H
#define PF_COMMIT_H

#include "error.h"
#include "stage.h"

/* The root that packages are merged into, and what is remembered from one to the next. */
struct pf_commit;

/* root_fd stays the caller's; `names` is how the records that are in it list names. Returns NULL
 * where memory is short. */
struct pf_commit *pf_commit_new(int root_fd, enum pf_record_names names);
void pf_commit_free(struct pf_commit *commit);

/* Moves the package's tree into the root, by rename: folders merge and take this package's owner
   and mode; a file replaces a file or a link and is never written through one; a folder where the
   root has a link to a folder goes through that link. A file where the root has a folder, or a
   folder where it has a file, is PF_E_CONFLICT and names the path. with_controls also puts the
   package's control files into install/, for a script that is about to run. After a failure the
   root is not usable. */
int pf_commit_package(struct pf_commit *commit, const struct pf_staged *staged, bool with_controls,
                      struct pf_error *err);

/* Once all is installed: gives every folder the time of the last package that brought it. Until
   then each new name inside changes it. The last call for this pf_commit. */
int pf_commit_finish(struct pf_commit *commit, struct pf_error *err);

#endif
