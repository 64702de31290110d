/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* journal: what has happened so far in a partial download folder, so that the next run goes on. */
#ifndef PF_JOURNAL_H
#define PF_JOURNAL_H

#include "error.h"
#include "plan.h"

#include <stdbool.h>
#include <stdint.h>

struct pf_journal;

/* Reads the journal of a partial folder (the caller's descriptor) and opens it for appending. A
   line cut short by a crash is passed over. */
int pf_journal_open(int partial_fd, struct pf_journal **out, struct pf_error *err);
void pf_journal_close(struct pf_journal *journal);

/* Brings the folder in line with the plan. have[i] becomes true for files that are whole. A file
   that the journal does not vouch for (a shell run's) becomes NAME.part, to be completed and
   verified. What the plan does not name is removed. *reused (may be NULL) tells whether anything of
   an earlier run is kept. */
int pf_journal_adopt(struct pf_journal *journal, const struct pf_plan *plan, bool *have,
                     bool *reused, struct pf_error *err);

/* The validator that FILE.part was begun with from this URL, or NULL. Valid until the next call. */
const char *pf_journal_validator(const struct pf_journal *journal, const char *file,
                                 const char *url);

/* Notes the beginning, and the good end, of a file. Survives a kill right after it returns. */
int pf_journal_note_begun(struct pf_journal *journal, const char *file, const char *url,
                          const char *validator, struct pf_error *err);
int pf_journal_note_done(struct pf_journal *journal, const char *file, uint64_t size_bytes,
                         struct pf_error *err);

/* Removes the journal from a folder that has become the complete one. Not before: until then it is
   what vouches for the files. */
int pf_journal_remove(int folder_fd, struct pf_error *err);

#endif
